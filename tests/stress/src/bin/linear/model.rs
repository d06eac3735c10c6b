//! What is asked of an object, what it answers, and the sequential type that says what is right.

use processing_stress::random::Random;
use std::fmt;
use std::hash::Hash;

/// What can be asked. Each model knows some of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// What is there.
    Get,
    /// Puts something there; a dictionary says what was.
    Put,
    /// Adds to what is there, and says what it is then.
    Add,
    /// Takes it away, and says what it was.
    Remove,
    /// Takes it away, and says whether it was there.
    Drop,
    /// Puts something there: a list moves the rest, a dictionary says whether nothing was there.
    Insert,
    /// At the end.
    Push,
    /// From the end.
    Pop,
    /// How many.
    Len,
    /// All there is, as one number.
    Look,
    /// Puts something everywhere.
    Fill,
}

const ALL: [What; 11] = [
    What::Get,
    What::Put,
    What::Add,
    What::Remove,
    What::Drop,
    What::Insert,
    What::Push,
    What::Pop,
    What::Len,
    What::Look,
    What::Fill,
];

/// One operation: the place is a key or an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Op {
    pub what: What,
    pub place: u64,
    pub value: u64,
}

impl Op {
    pub const fn new(what: What, place: u64, value: u64) -> Self {
        Self { what, place, value }
    }

    pub fn pack(self) -> [u64; 3] {
        [self.what as u64, self.place, self.value]
    }

    pub fn unpack([what, place, value]: [u64; 3]) -> Option<Self> {
        Some(Self { what: *ALL.get(usize::try_from(what).ok()?)?, place, value })
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, place, value } = self;
        match what {
            What::Get | What::Remove | What::Drop => write!(f, "{what:?}({place})"),
            What::Put | What::Add | What::Insert => write!(f, "{what:?}({place}, {value:#x})"),
            What::Push | What::Fill => write!(f, "{what:?}({value:#x})"),
            What::Pop | What::Len | What::Look => write!(f, "{what:?}"),
        }
    }
}

/// What comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Done, or nothing is there.
    Nothing,
    Value(u64),
    /// There is no such place.
    Refused,
    /// A value of several words that are not of one write: right in no model.
    Torn,
}

impl Answer {
    pub fn pack(self) -> [u64; 2] {
        match self {
            Self::Nothing => [0, 0],
            Self::Value(value) => [1, value],
            Self::Refused => [2, 0],
            Self::Torn => [3, 0],
        }
    }

    pub fn unpack([tag, value]: [u64; 2]) -> Option<Self> {
        match tag {
            0 => Some(Self::Nothing),
            1 => Some(Self::Value(value)),
            2 => Some(Self::Refused),
            3 => Some(Self::Torn),
            _ => None,
        }
    }
}

impl From<bool> for Answer {
    fn from(so: bool) -> Self {
        Self::Value(so.into())
    }
}

impl From<Option<u64>> for Answer {
    fn from(value: Option<u64>) -> Self {
        value.map_or(Self::Nothing, Self::Value)
    }
}

/// A sequential type. Its parts (the keys of a dictionary) do not touch each other, and are checked one by one.
pub trait Model {
    /// One part; the default is how it begins.
    type Part: Default + Clone + Eq + Hash;

    /// Which part an operation is of.
    fn part(op: &Op) -> u64;

    /// Does it, and says what is right.
    fn apply(part: &mut Self::Part, op: &Op) -> Answer;

    /// An operation to try; `value` was given to nobody else.
    fn draw(random: &mut Random, value: u64) -> Op;

    /// What is asked when all is over: everything there is.
    fn last_look() -> Vec<Op>;
}

/// One operation of one process.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    pub process: usize,
    pub op: Op,
    /// It began not before this.
    pub start: u64,
    /// What it answered, and when it was over; none: its process was killed before it said so.
    pub end: Option<(Answer, u64)>,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} {} .. ", self.process, self.start)?;
        match self.end {
            Some((answer, end)) => write!(f, "{end} {}: {answer:x?}", self.op),
            None => write!(f, "killed {}", self.op),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_and_answers_are_the_same_again_after_they_were_words() {
        for (at, what) in ALL.into_iter().enumerate() {
            assert_eq!(what as usize, at);
            let op = Op::new(what, 3, u64::MAX);
            assert_eq!(Op::unpack(op.pack()), Some(op));
        }
        for answer in [Answer::Nothing, Answer::Value(0), Answer::Refused, Answer::Torn] {
            assert_eq!(Answer::unpack(answer.pack()), Some(answer));
        }
        assert_eq!((Op::unpack([11, 0, 0]), Answer::unpack([4, 0])), (None, None));
    }
}
