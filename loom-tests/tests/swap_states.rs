//! Replacing and freeing (`data/swap.rs`) state by state: writers, readers that announce what they read, kills between any two operations of
//! writers, readers and heirs, the reaper's steps in their order, and the teardown at every moment, killed and begun again.
//!
//! What runs is [`Swap`] itself, over words and blocks in the model's state. A writer is a call and the results of its operations so far: to take a
//! step, the call runs again with them, does one more, and is broken off. Blocks are used again; a reference names one life of one. A reader is written down
//! here (`announce` is four operations; `swap_loom` runs it).
#![cfg(not(loom))]

mod bfs;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use processing::data::chain_check;
use processing::data::swap::{Blocks, Swap, Word};
use processing_loom_tests::deep;

/// A block in one of its lives: 0 is none, else `{life:5 | index + 1:3}`.
type Ref = u8;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
enum Own {
    #[default]
    Free,
    Private(u8),
    Value,
    Dying(u8),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
struct Block {
    own: Own,
    life: u8,
    link: Ref,
    /// Of a value: how many were made before it.
    number: u8,
}

const BLOCKS: usize = 5;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Memory {
    /// Root, next, retired, freeing, before, after.
    words: [Ref; 6],
    blocks: [Block; BLOCKS],
    /// What each reader announces.
    slots: Vec<Ref>,
    owner: Option<u8>,
    /// The last owner died.
    orphan: bool,
    made: u8,
    broken: Option<&'static str>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Life {
    Alive,
    /// Killed. Then its reaper clears what it announced,
    Dead,
    /// hands on its lock,
    Cleared,
    /// and frees its blocks.
    Orphaned,
    Gone,
}

/// What a process does: writers set, a janitor only frees, readers read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Role {
    Writer,
    Janitor,
    Reader(u8),
}

/// Where a reader is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum At {
    Start,
    Seen(Ref),
    Announced(Ref),
    Reads(Ref),
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Process {
    role: Role,
    life: Life,
    /// Calls that are left.
    left: u8,
    /// The results of the call under way.
    results: Option<Vec<u8>>,
    at: At,
    /// The last value that it read.
    last: u8,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct World {
    memory: Memory,
    processes: Vec<Process>,
    kills: u8,
}

fn index(word: Word) -> Option<usize> {
    match word {
        Word::Root => Some(0),
        Word::Next => Some(1),
        Word::Retired => Some(2),
        Word::Freeing => Some(3),
        Word::Before => Some(4),
        Word::After => Some(5),
        // Only hints.
        Word::Weight | Word::Due => None,
    }
}

fn name(at: usize, life: u8) -> Ref {
    life << 3 | (at as u8 + 1)
}

impl Memory {
    fn block(&self, reference: Ref) -> Option<&Block> {
        let block = self.blocks.get((reference & 7).checked_sub(1)? as usize)?;
        (block.life == reference >> 3 && block.own != Own::Free).then_some(block)
    }

    /// Changes a block, which lives.
    fn change(&mut self, reference: Ref, change: impl FnOnce(&mut Block)) {
        if self.block(reference).is_none() {
            self.broken = Some("a block that is gone was changed");
            return;
        }
        change(&mut self.blocks[usize::from(reference & 7) - 1]);
    }

    fn is_value(&self, reference: Ref) -> bool {
        self.block(reference).is_some_and(|block| block.own == Own::Value)
    }

    fn root(&self) -> Ref {
        self.words[0]
    }
}

/// The call has done its one operation more.
struct Enough;

/// One call of one process, from its beginning to the first operation without a result.
struct Replay {
    me: u8,
    memory: RefCell<Memory>,
    results: RefCell<Vec<u8>>,
    at: Cell<usize>,
}

impl Replay {
    fn operation(&self, operation: impl FnOnce(&mut Memory) -> u8) -> u8 {
        let at = self.at.get();
        self.at.set(at + 1);
        if let Some(result) = self.results.borrow().get(at) {
            return *result;
        }
        if at == self.results.borrow().len() && !self.started(at) {
            let result = operation(&mut self.memory.borrow_mut());
            self.results.borrow_mut().push(result);
        }
        resume_unwind(Box::new(Enough))
    }

    /// A call that goes round in circles.
    fn started(&self, at: usize) -> bool {
        let lost = at > 200;
        if lost {
            self.memory.borrow_mut().broken = Some("a call does not come to an end");
        }
        lost
    }

    /// What only the owner of the lock changes: it needs no step of its own.
    fn look(&self, look: impl FnOnce(&Memory) -> u8) -> u8 {
        let at = self.at.get();
        if at < self.results.borrow().len() || self.started(at) {
            return self.operation(|_| 0);
        }
        self.at.set(at + 1);
        let result = look(&self.memory.borrow());
        self.results.borrow_mut().push(result);
        result
    }

    fn change(&self, change: impl FnOnce(&mut Memory)) {
        self.operation(|memory| {
            change(memory);
            0
        });
    }

    fn run(&self, role: Role) {
        let (me, swap) = (self.me, Swap::new(self));
        // As the arena allocates: nobody's block, in its next life.
        let new = match role {
            Role::Janitor => 0,
            _ => self.operation(|memory| {
                let Some(at) = memory.blocks.iter().position(|block| block.own == Own::Free) else {
                    return 0;
                };
                let life = memory.blocks[at].life + 1;
                memory.blocks[at] = Block { own: Own::Private(me), life, link: 0, number: 0 };
                name(at, life)
            }),
        };
        let inherited = self.operation(|memory| {
            let inherited = memory.orphan || memory.owner.is_some();
            (memory.owner, memory.orphan) = (Some(me), inherited);
            inherited.into()
        });
        if inherited != 0 {
            swap.repair();
            self.change(|memory| memory.orphan = false);
        }
        if new != 0 {
            swap.replace(u64::from(new), || {
                self.change(|memory| memory.change(new, |block| block.own = Own::Value));
            });
        }
        swap.reclaim();
        self.change(|memory| memory.owner = None);
    }
}

impl Blocks for &Replay {
    fn get(&self, word: Word) -> u64 {
        match index(word) {
            Some(at) => u64::from(self.look(|memory| memory.words[at])),
            None => 0,
        }
    }

    fn put(&self, word: Word, value: u64) {
        if let Some(at) = index(word) {
            self.change(|memory| {
                memory.words[at] = value as Ref;
                // Readers tell by these that they never go back.
                if word == Word::Root && !memory.slots.is_empty() {
                    memory.made += 1;
                    let number = memory.made;
                    memory.change(value as Ref, |block| block.number = number);
                }
            });
        }
    }

    fn is_value(&self, block: u64) -> bool {
        self.look(|memory| memory.is_value(block as Ref).into()) != 0
    }

    fn len(&self, _: u64) -> u64 {
        0
    }

    fn link(&self, block: u64) -> u64 {
        u64::from(self.look(|memory| memory.block(block as Ref).map_or(0, |block| block.link)))
    }

    fn set_link(&self, block: u64, to: u64) {
        self.change(|memory| memory.change(block as Ref, |block| block.link = to as Ref));
    }

    fn mark_dying(&self, block: u64) {
        let me = self.me;
        self.change(|memory| memory.change(block as Ref, |block| block.own = Own::Dying(me)));
    }

    fn finish_free(&self, block: u64) {
        let me = self.me;
        self.change(|memory| {
            let mine = memory.block(block as Ref).is_some_and(|block| block.own == Own::Dying(me));
            if !mine {
                memory.broken = Some("a block was freed by another than its owner");
            }
            memory.change(block as Ref, |block| block.own = Own::Free);
        });
    }

    fn announced(&self, each: &mut dyn FnMut(u64)) -> bool {
        let slots = self.memory.borrow().slots.len();
        for at in 0..slots {
            each(u64::from(self.operation(|memory| memory.slots[at])));
        }
        true
    }
}

/// The blocks of the object, as who tears it down or checks it finds them.
struct Still<'a>(&'a Memory);

impl Blocks for Still<'_> {
    fn get(&self, word: Word) -> u64 {
        index(word).map_or(0, |at| u64::from(self.0.words[at]))
    }
    fn is_value(&self, block: u64) -> bool {
        self.0.is_value(block as Ref)
    }
    fn link(&self, block: u64) -> u64 {
        u64::from(self.0.block(block as Ref).map_or(0, |block| block.link))
    }
    fn put(&self, _: Word, _: u64) {}
    fn len(&self, _: u64) -> u64 {
        0
    }
    fn set_link(&self, _: u64, _: u64) {}
    fn mark_dying(&self, _: u64) {}
    fn finish_free(&self, _: u64) {}
    fn announced(&self, _: &mut dyn FnMut(u64)) -> bool {
        false
    }
}

fn named(memory: &Memory) -> Vec<Ref> {
    let mut named = Vec::new();
    Swap::new(Still(memory)).each(|block| named.push(block as Ref));
    named
}

/// All that is there is named, each once; also by the next one, if who tears it down is killed after any number of blocks.
fn teardown(memory: &Memory) -> Option<String> {
    let mut astray = None;
    chain_check::astray(&Still(memory), &mut |block| astray = Some(block));
    if let Some(block) = astray {
        return Some(format!("it leads to {block}, which is not there"));
    }
    let mut left = memory.clone();
    loop {
        let named = named(&left);
        let mut sorted = named.clone();
        sorted.sort_unstable();
        let value = |at: &usize| left.blocks[*at].own == Own::Value;
        let mut there: Vec<Ref> =
            (0..BLOCKS).filter(value).map(|at| name(at, left.blocks[at].life)).collect();
        there.sort_unstable();
        if sorted != there {
            return Some(format!("{there:?} are there, {named:?} are named"));
        }
        let first = *named.first()?;
        left.change(first, |block| block.own = Own::Free);
    }
}

struct System;

impl System {
    fn writer(&self, world: &World, i: usize, out: &mut Vec<(String, World)>) {
        let process = &world.processes[i];
        let results = match &process.results {
            Some(results) => results.clone(),
            None if process.left > 0 => Vec::new(),
            None => return,
        };
        let replay = Replay {
            me: i as u8,
            memory: RefCell::new(world.memory.clone()),
            results: RefCell::new(results),
            at: Cell::new(0),
        };
        // It waits for the lock of one who lives.
        let alive = world.memory.owner.is_some_and(|owner| {
            usize::from(owner) != i && world.processes[usize::from(owner)].life == Life::Alive
        });
        let takes = if process.role == Role::Janitor { 0 } else { 1 };
        if replay.results.borrow().len() == takes && alive {
            return;
        }
        let role = process.role;
        let done = catch_unwind(AssertUnwindSafe(|| replay.run(role)));
        let mut next = world.clone();
        next.memory = replay.memory.into_inner();
        let process = &mut next.processes[i];
        let label = format!("{i} {role:?}.{}", replay.at.get());
        match done {
            Ok(()) => {
                process.results = None;
                process.left -= 1;
            }
            Err(payload) if payload.is::<Enough>() => process.results = Some(replay.results.into_inner()),
            Err(payload) => resume_unwind(payload),
        }
        out.push((format!("{label} {:?}", next.memory.words), next));
    }

    fn reader(&self, world: &World, i: usize, slot: u8, out: &mut Vec<(String, World)>) {
        let process = &world.processes[i];
        let (slot, root) = (usize::from(slot), world.memory.root());
        let mut next = world.clone();
        let me = &mut next.processes[i];
        match process.at {
            At::Start if process.left > 0 && root != 0 => me.at = At::Seen(root),
            At::Start => return,
            At::Seen(seen) => {
                next.memory.slots[slot] = seen;
                me.at = At::Announced(seen);
            }
            At::Announced(seen) if seen == root => {
                me.at = At::Reads(seen);
                let number = world.memory.block(seen).map_or(0, |block| block.number);
                if number < me.last {
                    next.memory.broken = Some("an older value was read after a newer one");
                }
                me.last = number;
            }
            At::Announced(_) => me.at = At::Seen(root),
            At::Reads(_) => {
                next.memory.slots[slot] = 0;
                me.at = At::Start;
                me.left -= 1;
            }
        }
        out.push((format!("{i} reader {:?}", process.at), next));
    }

    /// One step of the repair; who makes it may die between any two.
    fn repair(&self, world: &World, dead: usize, out: &mut Vec<(String, World)>) {
        let mut next = world.clone();
        let life = &mut next.processes[dead].life;
        let was = *life;
        match was {
            Life::Dead => {
                *life = Life::Cleared;
                if let Role::Reader(slot) = world.processes[dead].role {
                    next.memory.slots[usize::from(slot)] = 0;
                }
            }
            Life::Cleared => {
                *life = Life::Orphaned;
                if next.memory.owner == Some(dead as u8) {
                    (next.memory.owner, next.memory.orphan) = (None, true);
                }
            }
            Life::Orphaned => {
                let me = dead as u8;
                let own = |block: &&mut Block| [Own::Private(me), Own::Dying(me)].contains(&block.own);
                match next.memory.blocks.iter_mut().find(own) {
                    Some(block) => block.own = Own::Free,
                    None => next.processes[dead].life = Life::Gone,
                }
            }
            Life::Alive | Life::Gone => return,
        }
        out.push((format!("repair of {dead} after {was:?}"), next));
    }
}

impl bfs::System for System {
    type State = World;

    fn next(&self, world: &World, out: &mut Vec<(String, World)>) {
        for (i, process) in world.processes.iter().enumerate() {
            if process.life != Life::Alive {
                self.repair(world, i, out);
                continue;
            }
            let busy = process.results.is_some() || process.at != At::Start;
            if world.kills > 0 && busy {
                let mut next = world.clone();
                next.kills -= 1;
                let dead = &mut next.processes[i];
                (dead.life, dead.results, dead.at, dead.left) = (Life::Dead, None, At::Start, 0);
                out.push((format!("{i} KILLED"), next));
            }
            match process.role {
                Role::Reader(slot) => self.reader(world, i, slot, out),
                // The last of all.
                Role::Janitor if !others_are_through(world, i) => {}
                Role::Writer | Role::Janitor => self.writer(world, i, out),
            }
        }
    }

    fn wrong(&self, world: &World) -> Option<String> {
        if let Some(broken) = world.memory.broken {
            return Some(broken.into());
        }
        for process in &world.processes {
            if let At::Reads(reference) = process.at
                && !world.memory.is_value(reference)
            {
                return Some(format!("{reference} is read, and is freed"));
            }
        }
        // The teardown comes when nobody is left: whoever was at work is dead, and its reaper is done with its blocks.
        let at_rest = world
            .processes
            .iter()
            .all(|process| matches!(process.life, Life::Alive | Life::Gone) && process.results.is_none());
        if !at_rest {
            return None;
        }
        if world.memory.root() != 0 && !world.memory.is_value(world.memory.root()) {
            return Some("the root is gone".into());
        }
        teardown(&world.memory)
    }

    fn stuck(&self, world: &World) -> Option<String> {
        if let Some(process) =
            world.processes.iter().find(|process| process.life == Life::Alive && process.left > 0)
        {
            return Some(format!("{process:?} does not come to an end"));
        }
        let through = world.processes.iter().any(|p| p.role == Role::Janitor && p.life == Life::Alive);
        let left: Vec<_> = world.memory.blocks.iter().filter(|block| block.own != Own::Free).collect();
        let root_only = left.len() == usize::from(world.memory.root() != 0);
        (through && !root_only).then(|| format!("nobody reads, and {left:?} are left"))
    }
}

fn others_are_through(world: &World, janitor: usize) -> bool {
    world.processes.iter().enumerate().all(|(i, process)| {
        i == janitor || process.life == Life::Gone || process.life == Life::Alive && process.left == 0
    })
}

/// How often each writer sets, and each reader reads.
fn start(writers: &[u8], readers: &[u8], kills: u8) -> World {
    let process =
        |role, left| Process { role, life: Life::Alive, left, results: None, at: At::Start, last: 0 };
    let mut processes: Vec<_> = writers.iter().map(|left| process(Role::Writer, *left)).collect();
    processes.extend((0..).zip(readers).map(|(slot, left)| process(Role::Reader(slot), *left)));
    processes.push(process(Role::Janitor, 1));
    // There is a value.
    let mut blocks = [Block::default(); BLOCKS];
    blocks[0] = Block { own: Own::Value, life: 1, link: 0, number: 0 };
    let memory = Memory {
        words: [name(0, 1), 0, 0, 0, 0, 0],
        blocks,
        slots: vec![0; readers.len()],
        owner: None,
        orphan: false,
        made: 0,
        broken: None,
    };
    World { memory, processes, kills }
}

fn holds(name: &str, writers: &[u8], readers: &[u8], kills: u8) {
    let states = bfs::check(&System, start(writers, readers, kills), 12_000_000);
    println!("{name}: {} states", states.unwrap_or_else(|what| panic!("{name}: {what}")));
}

#[test]
fn writers_and_their_heirs_die() {
    holds("a writer, 3 kills", &[3], &[], 3);
    holds("two writers, 2 kills", &[2, 1], &[], 2);
}

#[test]
fn readers_keep_what_they_read() {
    holds("a writer, a reader", &[4], &[2], 0);
    holds("a writer, a reader, a kill", &[3], &[1], 1);
    holds("a writer, two readers", &[2], &[1, 1], 0);
    if deep() {
        holds("a writer, two readers, a kill", &[3], &[1, 1], 1);
    }
}

#[test]
fn heirs_beside_readers() {
    holds("two writers, a reader, a kill", &[1, 1], &[1], 1);
    if deep() {
        holds("two writers, a reader, 2 kills", &[2, 1], &[1], 2);
        holds("three writers, 2 kills", &[1, 1, 1], &[], 2);
    }
}
