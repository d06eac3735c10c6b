//! The sequential types: a register, a dictionary, a list.

use crate::model::{Answer, Model, Op, What};
use processing_stress::random::Random;

/// One value: of `SharedValue`, of `Locked`.
pub struct Register;

impl Model for Register {
    type Part = u64;

    fn part(_: &Op) -> u64 {
        0
    }

    fn apply(value: &mut u64, op: &Op) -> Answer {
        match op.what {
            What::Get => Answer::Value(*value),
            What::Put => {
                *value = op.value;
                Answer::Nothing
            }
            What::Add => {
                *value = value.wrapping_add(op.value);
                Answer::Value(*value)
            }
            _ => Answer::Refused,
        }
    }

    fn draw(random: &mut Random, value: u64) -> Op {
        match random.below(10) {
            0..5 => Op::new(What::Get, 0, 0),
            5..8 => Op::new(What::Put, 0, value),
            _ => Op::new(What::Add, 0, value),
        }
    }

    fn last_look() -> Vec<Op> {
        vec![Op::new(What::Get, 0, 0)]
    }
}

/// Few keys, so that they are wanted by several at once.
pub const KEYS: u64 = 3;

/// A dictionary, of which each part is the value of one key.
pub struct Dict;

impl Model for Dict {
    type Part = Option<u64>;

    fn part(op: &Op) -> u64 {
        op.place
    }

    fn apply(value: &mut Option<u64>, op: &Op) -> Answer {
        match op.what {
            What::Get => (*value).into(),
            What::Put => value.replace(op.value).into(),
            What::Insert => value.replace(op.value).is_none().into(),
            What::Remove => value.take().into(),
            What::Drop => value.take().is_some().into(),
            What::Add => {
                *value = value.map(|value| value.wrapping_add(op.value));
                (*value).into()
            }
            _ => Answer::Refused,
        }
    }

    fn draw(random: &mut Random, value: u64) -> Op {
        let key = random.below(KEYS);
        match random.below(20) {
            0..8 => Op::new(What::Get, key, 0),
            8..12 => Op::new(What::Put, key, value),
            12..14 => Op::new(What::Insert, key, value),
            14..16 => Op::new(What::Remove, key, 0),
            16..18 => Op::new(What::Drop, key, 0),
            _ => Op::new(What::Add, key, value),
        }
    }

    fn last_look() -> Vec<Op> {
        (0..KEYS).map(|key| Op::new(What::Get, key, 0)).collect()
    }
}

/// How many elements an array has.
pub const ELEMENTS: usize = 4;

/// An array, looked at and filled as a whole: so it is one part.
pub struct Array;

/// All elements as one number, which differs (as good as always) if one of them does.
pub fn digest(all: &[u64]) -> Answer {
    let fold = |sum: u64, value: &u64| (sum ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
    Answer::Value(all.iter().fold(all.len() as u64, fold))
}

impl Model for Array {
    type Part = [u64; ELEMENTS];

    fn part(_: &Op) -> u64 {
        0
    }

    fn apply(all: &mut [u64; ELEMENTS], op: &Op) -> Answer {
        match (op.what, all.get_mut(op.place as usize)) {
            (What::Get, Some(value)) => Answer::Value(*value),
            (What::Put, Some(value)) => {
                *value = op.value;
                Answer::Nothing
            }
            (What::Look, _) => digest(all),
            (What::Fill, _) => {
                *all = [op.value; ELEMENTS];
                Answer::Nothing
            }
            _ => Answer::Refused,
        }
    }

    fn draw(random: &mut Random, value: u64) -> Op {
        // One too many now and then.
        let index = random.below(ELEMENTS as u64 + 1);
        match random.below(10) {
            0..4 => Op::new(What::Get, index, 0),
            4..8 => Op::new(What::Put, index, value),
            8 => Op::new(What::Look, 0, 0),
            _ => Op::new(What::Fill, 0, value),
        }
    }

    fn last_look() -> Vec<Op> {
        vec![Op::new(What::Look, 0, 0)]
    }
}

/// A list: one part, for each operation may move all.
pub struct List;

/// Indices are below this; lists are about as long.
const INDICES: u64 = 6;
/// Everything that a list of those that come about holds is below this.
const LONGEST: u64 = 40;

impl Model for List {
    type Part = Vec<u64>;

    fn part(_: &Op) -> u64 {
        0
    }

    fn apply(list: &mut Vec<u64>, op: &Op) -> Answer {
        let at = op.place as usize;
        match op.what {
            What::Get => list.get(at).map_or(Answer::Refused, |value| Answer::Value(*value)),
            What::Put if at < list.len() => {
                list[at] = op.value;
                Answer::Nothing
            }
            What::Add => match list.get_mut(at) {
                Some(value) => {
                    *value = value.wrapping_add(op.value);
                    Answer::Value(*value)
                }
                None => Answer::Refused,
            },
            What::Insert if at <= list.len() => {
                list.insert(at, op.value);
                Answer::Nothing
            }
            What::Remove if at < list.len() => Answer::Value(list.remove(at)),
            What::Push => {
                list.push(op.value);
                Answer::Nothing
            }
            What::Pop => list.pop().into(),
            What::Len => Answer::Value(list.len() as u64),
            _ => Answer::Refused,
        }
    }

    fn draw(random: &mut Random, value: u64) -> Op {
        let index = random.below(INDICES);
        match random.below(20) {
            0..6 => Op::new(What::Get, index, 0),
            6..8 => Op::new(What::Put, index, value),
            8 => Op::new(What::Add, index, value),
            9..13 => Op::new(What::Push, 0, value),
            13..17 => Op::new(What::Pop, 0, 0),
            17 => Op::new(What::Insert, index, value),
            18 => Op::new(What::Remove, index, 0),
            _ => Op::new(What::Len, 0, 0),
        }
    }

    fn last_look() -> Vec<Op> {
        let all = (0..LONGEST).map(|index| Op::new(What::Get, index, 0));
        [Op::new(What::Len, 0, 0)].into_iter().chain(all).collect()
    }
}
