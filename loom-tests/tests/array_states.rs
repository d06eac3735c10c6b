//! A shared array state by state: processes store single elements, read by guards, change all of them in one step or in place,
//! and are killed at each operation; so are those that inherit.
//!
//! What runs is the library's own gate (`data/array/gate.rs`) and redo record (`redo.rs`), over traits whose operations are those of the model: a
//! job is run again from its start for each step, with the answers that it got before, up to its next operation. What is mirrored by hand is how
//! `shared/array` puts them together (`lock.rs`, `lone.rs`, `write.rs`, `edit.rs`). The lock is one step, and handed on as soon as its owner is dead,
//! before its reaper has come; its own steps are checked elsewhere (`lock_states`). Waiting for announcements looks at one thread after
//! the other. Weak memory is left out: `array_loom` has it.
#![cfg(not(loom))]

mod bfs;

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe, resume_unwind};

use processing::data::array::gate::{Keeper, Side, Sign, Visitor, change, enter, leave, reopen};
use processing::data::array::redo::{self, Record};
use processing::layout::array::Mode;
use processing_loom_tests::deep;

/// Elements.
const LEN: usize = 2;
/// What a single store puts into the first one; changes of all add 1 to each.
const SET: u8 = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Job {
    Set,
    Read,
    Write,
    /// As `Write`, but it does not wait for announcements.
    TryWrite,
    Edit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Life {
    Alive,
    /// Killed, and nobody has noticed.
    Dead,
    /// It announces nothing any more.
    Silent,
    /// And its blocks are free.
    Gone,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Process {
    life: Life,
    jobs: Vec<Job>,
    /// What the operations of the first job answered so far.
    answers: Vec<u8>,
    set: bool,
    read: bool,
    /// Single stores that are over.
    sets: u8,
    /// Changes of all elements that are over.
    changes: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Block {
    Free,
    Private(usize),
    Value,
    Dying(usize),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    mode: Mode,
    owner: Option<usize>,
    elements: [u8; LEN],
    editing: bool,
    /// The number of a block, from 1.
    redo: u8,
    blocks: Vec<(Block, [u8; LEN])>,
    processes: Vec<Process>,
    kills: u8,
    wrong: Option<&'static str>,
}

/// The job is at an operation that is not its turn yet.
struct Pause;

/// One process at work, for one more operation than it has done.
struct World {
    me: usize,
    state: RefCell<State>,
    answers: Vec<u8>,
    at: Cell<usize>,
    /// The operation was made.
    stepped: Cell<bool>,
    patient: bool,
}

impl World {
    /// The next operation. `None` of `f`: it cannot be made now.
    fn operate(&self, f: impl FnOnce(&mut State) -> Option<u8>) -> u8 {
        let at = self.at.replace(self.at.get() + 1);
        if let Some(answer) = self.answers.get(at) {
            return *answer;
        }
        if self.stepped.get() {
            resume_unwind(Box::new(Pause));
        }
        let mut state = self.state.borrow_mut();
        let Some(answer) = f(&mut state) else {
            drop(state);
            resume_unwind(Box::new(Pause));
        };
        state.processes[self.me].answers.push(answer);
        self.stepped.set(true);
        answer
    }

    fn make(&self, f: impl FnOnce(&mut State)) {
        self.operate(|state| {
            f(state);
            Some(0)
        });
    }

    fn wrong(&self, what: &'static str) {
        self.state.borrow_mut().wrong = Some(what);
    }

    fn load(&self, index: usize) -> u8 {
        self.operate(|state| Some(state.elements[index]))
    }

    fn store(&self, index: usize, value: u8) {
        self.make(|state| state.elements[index] = value);
    }

    /// The announcement on this side.
    fn announcement(&self, side: Side, value: bool) {
        let me = self.me;
        self.make(|state| match side {
            Side::Set => state.processes[me].set = value,
            Side::Read => state.processes[me].read = value,
        });
    }

    /// Takes the lock, and repairs. False: somebody died in an edit.
    fn lock(&self) -> bool {
        let me = self.me;
        let inherited = self.operate(|state| match state.owner {
            None => {
                state.owner = Some(me);
                Some(0)
            }
            Some(owner) if state.processes[owner].life != Life::Alive => {
                state.owner = Some(me);
                Some(1)
            }
            Some(_) => None,
        });
        if inherited == 1 {
            redo::settle(self);
        }
        if self.operate(|state| Some(u8::from(state.editing))) == 0 {
            return true;
        }
        self.unlock();
        false
    }

    fn unlock(&self) {
        self.make(|state| state.owner = None);
    }

    fn run(&self, job: Job) {
        match job {
            Job::Set => self.set(),
            Job::Read => self.read(),
            Job::Write | Job::TryWrite => self.write(),
            Job::Edit => self.edit(),
        }
    }

    fn set(&self) {
        let visitor = Announcing(self, Side::Set);
        if enter(&visitor, Side::Set) {
            self.store(0, SET);
            leave(&visitor, Side::Set);
        } else {
            if !self.lock() {
                return;
            }
            change(self, Mode::Open, || self.store(0, SET)).expect("it waits for ever");
            self.unlock();
        }
        // Beside the operations, with the last one of the job: once.
        self.state.borrow_mut().processes[self.me].sets += 1;
    }

    fn read(&self) {
        let visitor = Announcing(self, Side::Read);
        if !enter(&visitor, Side::Read) {
            if !self.lock() {
                return;
            }
            change(self, Mode::Shared, || visitor.announce()).expect("it waits for ever");
            self.unlock();
        }
        let first = [self.load(0), self.load(1)];
        let again = [self.load(0), self.load(1)];
        if first != again {
            self.wrong("what a guard reads changed");
        }
        if !is_whole(first) {
            self.wrong("a guard reads half of a change");
        }
        leave(&visitor, Side::Read);
    }

    fn write(&self) {
        let me = self.me;
        let block = self.operate(|state| {
            let free = state.blocks.iter().position(|(block, _)| *block == Block::Free)?;
            state.blocks[free].0 = Block::Private(me);
            Some(free as u8 + 1)
        });
        let free = || self.make(|state| state.blocks[usize::from(block) - 1].0 = Block::Free);
        if !self.lock() {
            return free();
        }
        match change(self, Mode::Excl, || ()) {
            Ok(before) => {
                for index in 0..LEN {
                    let value = self.load(index) + 1;
                    self.make(|state| state.blocks[usize::from(block) - 1].1[index] = value);
                }
                redo::commit(self, u64::from(block));
                reopen(self, before);
                self.unlock();
                self.state.borrow_mut().processes[self.me].changes += 1;
            }
            Err(()) => {
                self.unlock();
                free();
            }
        }
    }

    fn edit(&self) {
        if !self.lock() {
            return;
        }
        let before = change(self, Mode::Excl, || ()).expect("it waits for ever");
        self.make(|state| state.editing = true);
        for index in 0..LEN {
            let value = self.load(index) + 1;
            self.store(index, value);
        }
        self.make(|state| state.editing = false);
        reopen(self, before);
        self.unlock();
        self.state.borrow_mut().processes[self.me].changes += 1;
    }
}

/// A process that comes without the lock.
struct Announcing<'a>(&'a World, Side);

impl Visitor for Announcing<'_> {
    fn announce(&self) {
        self.0.announcement(self.1, true);
    }
    fn fence(&self) {}
    fn mode(&self) -> Mode {
        mode(self.0.operate(|state| Some(state.mode.pack() as u8)))
    }
    fn withdraw(&self) {
        self.0.announcement(self.1, false);
    }
    fn wake(&self) {}
}

fn mode(answer: u8) -> Mode {
    Mode::unpack(u64::from(answer))
}

impl Sign for World {
    fn mode(&self) -> Mode {
        mode(self.operate(|state| Some(state.mode.pack() as u8)))
    }
    fn say(&self, mode: Mode) {
        self.make(|state| state.mode = mode);
    }
}

impl Keeper for World {
    type Refusal = ();
    fn fence(&self) -> Result<(), ()> {
        Ok(())
    }
    fn drain(&self, side: Side) -> Result<(), ()> {
        let count = self.state.borrow().processes.len();
        for who in 0..count {
            let patient = self.patient;
            let refused = self.operate(|state| {
                let process = &state.processes[who];
                let inside = if side == Side::Set { process.set } else { process.read };
                if inside && patient { None } else { Some(u8::from(inside)) }
            });
            if refused == 1 {
                return Err(());
            }
        }
        Ok(())
    }
}

impl Record for World {
    fn named(&self) -> u64 {
        u64::from(self.operate(|state| Some(state.redo)))
    }
    fn name(&self, block: u64) {
        self.make(|state| state.redo = block as u8);
    }
    fn unname(&self) {
        self.make(|state| state.redo = 0);
    }
    fn commit(&self, block: u64) {
        self.make(|state| state.blocks[block as usize - 1].0 = Block::Value);
    }
    fn is_committed(&self, block: u64) -> bool {
        self.operate(|state| Some(u8::from(state.blocks[block as usize - 1].0 == Block::Value))) == 1
    }
    fn copy(&self, block: u64) {
        for index in 0..LEN {
            self.make(|state| {
                // The library finds the block by its name, in this state only.
                let (block, content) = state.blocks[block as usize - 1];
                if block == Block::Value {
                    state.elements[index] = content[index];
                }
            });
        }
    }
    fn condemn(&self, block: u64) {
        let me = self.me;
        self.make(|state| {
            let block = &mut state.blocks[block as usize - 1].0;
            if *block == Block::Value {
                *block = Block::Dying(me);
            }
        });
    }
    fn free(&self, block: u64) {
        self.make(|state| state.blocks[block as usize - 1].0 = Block::Free);
    }
}

impl State {
    /// What the next one with the lock makes of it.
    fn settled(&self) -> State {
        let mut state = self.clone();
        if let Some(named) = usize::from(state.redo).checked_sub(1) {
            let (block, content) = state.blocks[named];
            if block == Block::Value {
                state.elements = content;
                state.blocks[named].0 = Block::Free;
            }
            state.redo = 0;
        }
        state
    }
}

struct Array;

/// One more operation of a process; `None`: it cannot be made now.
fn step(state: &State, me: usize) -> Option<State> {
    let process = &state.processes[me];
    let job = *process.jobs.first()?;
    let world = World {
        me,
        state: RefCell::new(state.clone()),
        answers: process.answers.clone(),
        at: Cell::new(0),
        stepped: Cell::new(false),
        patient: job != Job::TryWrite,
    };
    // What a job does beside its operations belongs to the last one of them.
    let paused = panic::catch_unwind(AssertUnwindSafe(|| world.run(job)));
    match paused {
        Ok(()) if world.stepped.get() => {
            let mut next = world.state.into_inner();
            let process = &mut next.processes[me];
            process.jobs.remove(0);
            process.answers.clear();
            Some(next)
        }
        Ok(()) => unreachable!("a job ends with an operation"),
        Err(pause) if pause.is::<Pause>() => world.stepped.get().then(|| world.state.into_inner()),
        Err(other) => resume_unwind(other),
    }
}

impl bfs::System for Array {
    type State = State;

    fn next(&self, state: &State, out: &mut Vec<(String, State)>) {
        for (me, process) in state.processes.iter().enumerate() {
            match process.life {
                Life::Alive => {
                    if let Some(next) = step(state, me) {
                        out.push((format!("{me}: {:?} {}", process.jobs[0], process.answers.len()), next));
                    }
                    if state.kills > 0 && !process.jobs.is_empty() {
                        let mut next = state.clone();
                        next.kills -= 1;
                        next.processes[me].life = Life::Dead;
                        out.push((format!("{me}: killed"), next));
                    }
                }
                Life::Dead => {
                    let mut next = state.clone();
                    let process = &mut next.processes[me];
                    (process.set, process.read, process.life) = (false, false, Life::Silent);
                    out.push((format!("{me}: announces nothing"), next));
                }
                Life::Silent => {
                    let mut next = state.clone();
                    for (block, _) in &mut next.blocks {
                        if matches!(block, Block::Private(who) | Block::Dying(who) if *who == me) {
                            *block = Block::Free;
                        }
                    }
                    let process = &mut next.processes[me];
                    process.life = Life::Gone;
                    process.answers.clear();
                    out.push((format!("{me}: gone"), next));
                }
                Life::Gone => {}
            }
        }
    }

    fn wrong(&self, state: &State) -> Option<String> {
        state.wrong.map(str::to_owned)
    }

    fn stuck(&self, state: &State) -> Option<String> {
        if state.processes.iter().any(|p| p.life == Life::Alive && !p.jobs.is_empty()) {
            return Some("somebody waits for ever".to_owned());
        }
        let end = state.settled();
        if end.blocks.iter().any(|(block, _)| *block != Block::Free) {
            return Some("a block is left over".to_owned());
        }
        if end.editing {
            return None;
        }
        if !is_whole(end.elements) {
            return Some(format!("torn: {:?}", end.elements));
        }
        let over = |count: fn(&Process) -> u8| state.processes.iter().map(count).sum::<u8>();
        let (sets, changes) = (over(|p| p.sets), over(|p| p.changes));
        let killed = state.processes.iter().filter(|p| p.life != Life::Alive);
        let perhaps =
            killed.filter(|p| p.jobs.first().is_some_and(|job| !matches!(job, Job::Set | Job::Read)));
        if end.elements[0] < SET * u8::from(sets > 0) {
            return Some(format!("a single store is lost: {:?}", end.elements));
        }
        let most = changes + perhaps.count() as u8;
        let lost = !(changes..=most).contains(&end.elements[1]);
        lost.then(|| format!("{changes} to {most} changes: {:?}", end.elements))
    }
}

/// Each change adds 1 to both; a single store puts [`SET`] into the first one, at some time.
fn is_whole([first, second]: [u8; LEN]) -> bool {
    first == second || (SET..=SET + second).contains(&first)
}

fn start(jobs: &[&[Job]], kills: u8, mode: Mode) -> State {
    let process = |jobs: &&[Job]| Process {
        life: Life::Alive,
        jobs: jobs.to_vec(),
        answers: Vec::new(),
        set: false,
        read: false,
        sets: 0,
        changes: 0,
    };
    State {
        mode,
        owner: None,
        elements: [0; LEN],
        editing: false,
        redo: 0,
        blocks: vec![(Block::Free, [0; LEN]); jobs.len()],
        processes: jobs.iter().map(process).collect(),
        kills,
        wrong: None,
    }
}

fn holds(name: &str, jobs: &[&[Job]], kills: u8) {
    for mode in [Mode::Open, Mode::Shared] {
        let states = bfs::check(&Array, start(jobs, kills, mode), 20_000_000);
        println!(
            "{name}, {mode:?}: {} states",
            states.unwrap_or_else(|what| panic!("{name}, {mode:?}: {what}"))
        );
    }
}

use Job::{Edit, Read, Set, TryWrite, Write};

#[test]
fn a_single_store_and_guards() {
    holds("set, read", &[&[Set], &[Read]], 1);
    holds("set, two read", &[&[Set], &[Read], &[Read]], 1);
    holds("two set, read", &[&[Set], &[Set], &[Read]], 1);
}

#[test]
fn a_change_in_one_step() {
    holds("two write", &[&[Write], &[Write]], 2);
    holds("write, read twice", &[&[Write], &[Read, Read]], 1);
    holds("write, set", &[&[Write], &[Set]], 2);
}

#[test]
fn all_of_them() {
    holds("write, read, set", &[&[Write], &[Read], &[Set]], 1);
    holds("write without patience, read, set", &[&[TryWrite], &[Read], &[Set]], 1);
    if deep() {
        holds("write, read, set, 2 kills", &[&[Write], &[Read], &[Set]], 2);
        holds("two write, read", &[&[Write], &[Write], &[Read]], 2);
    }
}

#[test]
fn changes_in_place() {
    holds("edit, read, set", &[&[Edit], &[Read], &[Set]], 1);
    holds("edit, write", &[&[Edit], &[Write]], 2);
}
