//! Two writers of one segment of a `SharedDict` at once: each inserts into a full bucket of its own, and so both want an overflow bucket. One is stopped
//! before its j-th shared operation, the other, beside it, before its k-th; then one of them or both are killed, and who is left goes on.
//!
//! Where there are two overflow buckets each gets one, also the one that a dead one had claimed and not linked; where there is one the other makes a
//! larger segment.

use std::collections::BTreeMap;
use std::process::ExitCode;

use processing::data::dict::hash::Seeds;
use processing::sync::kill;
use processing::testing::Ticket;
use processing::{Arena, SharedDict};
use processing_kill_tests::board::Board;
use processing_kill_tests::case::FREE;
use processing_kill_tests::child::{Child, End};
use processing_kill_tests::suite::Suite;
use processing_kill_tests::world::World;
use processing_kill_tests::{Outcome, words};

type Words = SharedDict<u64, u64>;

const SEED: u64 = 0x243f_6a88_85a3_08d3;
/// Slots of a bucket.
const SLOTS: usize = 7;
/// So many places of a longer call, unless all are asked for.
const SAMPLE: u64 = 7;

/// Words of the board, of each writer.
const DONE: usize = FREE;
const POINTS: usize = FREE + 2;

/// A first segment.
#[derive(Clone, Copy)]
struct Shape {
    name: &'static str,
    /// Makes it this large.
    capacity: usize,
    /// Buckets of hashes.
    homes: u64,
    /// Both find room in it.
    has_room: bool,
}

const SHAPES: [Shape; 2] = [
    Shape { name: "two", capacity: 22, homes: 8, has_room: true },
    Shape { name: "one", capacity: 0, homes: 4, has_room: false },
];

/// Who is killed where the two stand still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Killed {
    First,
    Second,
    Both,
}

fn main() -> ExitCode {
    let mut suite = Suite::new();
    for shape in SHAPES {
        for killed in [Killed::First, Killed::Second, Killed::Both] {
            let (full, board) = (suite.is_full(), suite.board());
            let name = format!("overflow.{}.{killed:?}", shape.name).to_lowercase();
            suite.test(&name, || everywhere(shape, killed, full, board));
        }
    }
    suite.finish()
}

fn everywhere(shape: Shape, killed: Killed, full: bool, board: Board) -> Outcome<String> {
    let world = World::new()?;
    let unharmed = Plan { shape, killed, at: [u64::MAX; 2], board };
    // Twice unharmed: hints and pages settle.
    unharmed.play(&world)?;
    unharmed.play(&world)?;
    let points = [board.get(POINTS), board.get(POINTS + 1)];
    if points.iter().any(|points| *points < 10) {
        return Err(format!("no shared operations were counted: {points:?}"));
    }
    let mut rounds = 0;
    for j in 0..=points[0] {
        for k in places(points[1], full, j) {
            let plan = Plan { at: [j, k], ..unharmed };
            plan.play(&world).map_err(|what| format!("at {j} and {k}: {what}"))?;
            rounds += 1;
        }
    }
    Ok(format!("{} and {} points, {rounds} rounds", points[0], points[1]))
}

/// The places 0 to `points` (then the call is complete), or some of them, others each `turn`.
fn places(points: u64, full: bool, turn: u64) -> Vec<u64> {
    if full {
        return (0..=points).collect();
    }
    let step = points.div_ceil(SAMPLE);
    (0..=points).skip((turn % step) as usize).step_by(step as usize).collect()
}

#[derive(Clone, Copy)]
struct Plan {
    shape: Shape,
    killed: Killed,
    at: [u64; 2],
    board: Board,
}

impl Plan {
    fn play(self, world: &World) -> Outcome<()> {
        let before = world.snapshot()?;
        self.play_inside(world)?;
        let after = world.snapshot()?;
        if !before.is_like(&after) {
            return Err(format!("something changed\n    before {before:?}\n    after  {after:?}"));
        }
        Ok(())
    }

    fn play_inside(self, world: &World) -> Outcome<()> {
        self.board.clear();
        let Setup { dict, base, theirs } = Setup::new(&world.arena, self.shape)?;
        let size = bytes(&dict)?;
        let mut writers = [self.start(&dict, theirs, 0)?, self.start(&dict, theirs, 1)?];
        let dies = |number: usize| match self.killed {
            Killed::Both => true,
            Killed::First => number == 0,
            Killed::Second => number == 1,
        };
        let (dead, living): (Vec<usize>, Vec<usize>) = (0..2).partition(|number| dies(*number));
        for number in &dead {
            writers[*number].child.signal(libc::SIGKILL);
            let end = writers[*number].child.wait()?;
            if !end.is_killed() && end != End::Code(0) {
                return Err(format!("writer {number} ended with {end:?}"));
            }
        }
        // By turns: the dead are buried at once, or whoever waits for them finds that out.
        let at_once = self.at[0].wrapping_add(self.at[1]).is_multiple_of(2);
        if at_once {
            dead.iter().for_each(|number| writers[*number].ticket.over());
        }
        for number in living {
            finish(&mut writers[number].child)?;
            if self.board.get(DONE + number) == 0 {
                return Err(format!("writer {number} ended, and was not through"));
            }
        }
        writers.iter_mut().for_each(|writer| writer.ticket.over());
        let fsck = world.arena.fsck().map_err(words("fsck"))?;
        if !fsck.is_clean() {
            return Err(format!("fsck: {fsck}"));
        }
        let done = [0, 1].map(|number| self.board.get(DONE + number) != 0);
        judge(&dict, base, theirs, done)?;
        let grown = bytes(&dict)? != size;
        if grown == self.shape.has_room {
            return Err(format!("it grew from {size} bytes to {}", bytes(&dict)?));
        }
        Ok(())
    }

    /// A process in the middle of its call: stopped, or through with it, or waiting for the other.
    fn start(self, dict: &Words, keys: [u64; 2], number: usize) -> Outcome<Writer> {
        let mut ticket = Ticket::issue((dict.clone(),), "writer").map_err(words("packing"))?;
        let (board, at) = (self.board, self.at[number]);
        let mut child = Child::fork(|| {
            let (dict,): (Words,) = ticket.board().expect("arguments");
            kill::arm_stop(at);
            let new = dict.insert(&keys[number], &value(keys[number])).expect("insert");
            board.set(POINTS + number, kill::disarm());
            assert!(new, "nobody else inserts it");
            board.set(DONE + number, 1);
        });
        if number == 0 {
            // It has nobody to wait for.
            child.wait_or_stop()?;
        } else {
            child.settle()?;
        }
        Ok(Writer { ticket, child })
    }
}

struct Writer {
    ticket: Ticket<(Words,)>,
    child: Child,
}

/// Makes it go on, wherever it is, to its end.
fn finish(child: &mut Child) -> Outcome<()> {
    child.signal(libc::SIGCONT);
    loop {
        // One that waited for the dead comes to its place only now.
        match child.wait_or_stop()? {
            End::Stopped => child.signal(libc::SIGCONT),
            End::Code(0) => return Ok(()),
            end => return Err(format!("a writer ended with {end:?}")),
        }
    }
}

/// A dictionary with two full buckets, of different shares, and a key that each lacks.
struct Setup {
    dict: Words,
    base: BTreeMap<u64, u64>,
    theirs: [u64; 2],
}

impl Setup {
    fn new(arena: &Arena, shape: Shape) -> Outcome<Self> {
        let dict: Words = SharedDict::builder()
            .arena(arena)
            .stripes(4)
            .capacity(shape.capacity)
            .seed(SEED)
            .build()
            .map_err(words("dict"))?;
        let empty = bytes(&dict)?;
        let [mut first, mut second] = [0, 1].map(|bucket| keys_of(bucket, shape.homes, SLOTS + 1));
        let theirs = [first.pop(), second.pop()].map(|key| key.expect("as many as wanted"));
        let base: BTreeMap<u64, u64> = first.into_iter().chain(second).map(|key| (key, value(key))).collect();
        dict.extend(base.clone()).map_err(words("extend"))?;
        if bytes(&dict)? != empty {
            return Err("it grew before".into());
        }
        Ok(Self { dict, base, theirs })
    }
}

/// As many keys as wanted whose home is this bucket of the first segment.
fn keys_of(bucket: u64, homes: u64, count: usize) -> Vec<u64> {
    let seeds = Seeds::new([0, 1, 2, 3].map(|i| SEED.rotate_left(16 * i)));
    let home = |key: &u64| ((seeds.of_word(*key) >> 32) * homes) >> 32;
    (1..).filter(|key| home(key) == bucket).take(count).collect()
}

fn value(key: u64) -> u64 {
    key * 3
}

fn bytes(dict: &Words) -> Outcome<u64> {
    dict.stats().map(|stats| stats.bytes).map_err(words("stats"))
}

/// Everything that was there is there, and what the writers were through with; what they were not is there or not. Then the rest is inserted.
fn judge(dict: &Words, mut base: BTreeMap<u64, u64>, theirs: [u64; 2], done: [bool; 2]) -> Outcome<()> {
    for (key, done) in theirs.into_iter().zip(done) {
        let found = dict.get(&key).map_err(words("get"))?;
        if found.is_some_and(|found| found != value(key)) || done && found.is_none() {
            return Err(format!("{key}: {found:?}, of a writer that was through: {done}"));
        }
        let new = dict.insert(&key, &value(key)).map_err(words("insert"))?;
        if new != found.is_none() {
            return Err(format!("{key}: {found:?}, and an insertion says new: {new}"));
        }
        base.insert(key, value(key));
    }
    let items = dict.items().map_err(words("items"))?;
    if items.len() != base.len() || items.into_iter().collect::<BTreeMap<_, _>>() != base {
        return Err("it is not what was inserted".into());
    }
    for (key, value) in &base {
        let there = dict.update(key, |value| value).map_err(words("update"))?;
        if there != Some(*value) {
            return Err(format!("{key}: {there:?}"));
        }
    }
    if dict.len() != base.len() {
        return Err(format!("it counts {} of {}", dict.len(), base.len()));
    }
    Ok(())
}
