//! All states of the participant table under sequential consistency: joiners, reapers, adopters, helpers and
//! reserved seats, with kills (and stops for good) between any two steps.
//!
//! The steps are those of the library's own source (`processing::region::table`): a process is a call into it
//! and the results of its shared operations so far. To take a step, the call runs again from its start with
//! those results, does one more operation on the model's memory, and is broken off before the next one.
//!
//! `PROCESSING_MUTANT=region.state_only cargo test -p processing-loom-tests --test region_states` must fail,
//! and so must the other mutants that `mutants_are_caught` lists.
#![cfg(not(loom))]

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use processing::layout::ParticipantId;
use processing::region::kernel::Kernel;
use processing::region::table::{SeatClaim, Seats, Table};
use processing::region::word::{State, Word};
use processing::region::{Dead, Me, Seat};
use processing::sync::atomic::{AtomicU64, Ordering};
use processing_loom_tests::{Model, Outcome, explore};

/// Slots of the model: 1..=SLOTS.
const SLOTS: usize = 4;

/// What processes share.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Memory {
    words: [Word; SLOTS + 1],
    /// The process that holds the kernel's lock of a slot.
    locks: [Option<u8>; SLOTS + 1],
    /// An object's owner: a slot's id without incarnation, as in the words of rings and blocks. As there, a
    /// value does not come back: each end of an ownership raises its generation.
    object: Object,
    /// The process that repairs a slot exclusively at present.
    exclusive: [Option<u8>; SLOTS + 1],
    broken: Option<&'static str>,
}

/// `{ generation | owner:16 }`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Object(u64);

impl Object {
    fn owner(self) -> ParticipantId {
        self.0 as ParticipantId
    }

    fn owned(self, owner: ParticipantId) -> Self {
        Self(self.0 & !0xffff | u64::from(owner))
    }

    fn freed(self) -> Self {
        Self(((self.0 >> 16) + 1) << 16)
    }
}

/// What a process is in the middle of.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Call {
    Join(ParticipantId),
    JoinSeat(Seat),
    Reserve,
    Unreserve(Seat),
    Visit(ParticipantId),
    Leave,
    Own,
    Disown,
}

/// What the processes of a model do after they joined.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Role {
    /// Owns the object once, then exits.
    Tenant,
    /// Owns the object once, then leaves tidily.
    Guest,
    /// Looks at the slots as long as there is something to do.
    Sweeper,
    /// Reserves a seat for the child, then sweeps.
    Parent,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Process {
    role: Role,
    me: Option<Me>,
    /// How it joins, if it has not.
    seat: Option<Seat>,
    reserved: Option<Seat>,
    /// It has owned the object, or made its reservation.
    served: bool,
    owns: bool,
    call: Option<(Call, Vec<u64>)>,
    alive: bool,
    stopped: bool,
    killable: bool,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct World {
    memory: Memory,
    processes: Vec<Process>,
    kills: u8,
    stops: u8,
}

/// What a call came to.
#[derive(Debug, PartialEq)]
enum Done {
    Joined(Me),
    Failed,
    Reserved(Option<Seat>),
    Owns(bool),
    Nothing,
}

/// Thrown when a call has done its one new operation.
struct Enough;

/// One call, run again from its start.
struct Replay {
    process: u8,
    memory: RefCell<Memory>,
    results: RefCell<Vec<u64>>,
    at: Cell<usize>,
    fresh: Cell<bool>,
    /// The word that the caller operates on: a copy, written back when the next operation begins.
    scratch: AtomicU64,
    /// Which word it is a copy of; 0 is the object.
    copied: Cell<Option<usize>>,
    second_look: bool,
}

impl Replay {
    /// The result of the next operation: recorded, or by `new` on the memory.
    fn operation(&self, new: impl FnOnce(&mut Memory) -> u64) -> u64 {
        self.settle();
        let at = self.at.replace(self.at.get() + 1);
        if let Some(recorded) = self.results.borrow().get(at) {
            return *recorded;
        }
        if self.fresh.replace(true) {
            resume_unwind(Box::new(Enough));
        }
        let result = new(&mut self.memory.borrow_mut());
        self.results.borrow_mut().push(result);
        result
    }

    fn settle(&self) {
        if let Some(id) = self.copied.take() {
            let value = self.scratch.load(Ordering::Relaxed);
            let mut memory = self.memory.borrow_mut();
            match id {
                0 => memory.object = Object(value),
                _ => memory.words[id] = Word(value),
            }
        }
    }

    /// A copy of a word for one load or CAS: as it was then, or as it is now.
    fn copy(&self, id: usize) -> &AtomicU64 {
        let before = self.fresh.get();
        let value = self.operation(|memory| match id {
            0 => memory.object.0,
            _ => memory.words[id].0,
        });
        self.scratch.store(value, Ordering::Relaxed);
        if self.fresh.get() && !before {
            self.copied.set(Some(id));
        }
        &self.scratch
    }

    fn object(&self) -> &AtomicU64 {
        self.copy(0)
    }

    fn load_object(&self) -> Object {
        Object(self.object().load(Ordering::Acquire))
    }

    fn change_object(&self, old: Object, new: Object) -> bool {
        self.object().compare_exchange(old.0, new.0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    fn own(&self, me: Me) -> bool {
        let free = self.load_object();
        free.owner() == 0 && self.change_object(free, free.owned(me.id))
    }

    fn disown(&self, me: Me) {
        let mine = self.load_object();
        if mine.owner() != me.id || !self.change_object(mine, mine.freed()) {
            self.memory.borrow_mut().broken = Some("an owner was robbed");
        }
    }

    fn table(&self) -> Table<'_, Self, Self> {
        Table { seats: self, kernel: self }
    }

    /// What the layers above do: the object of the dead one, by load, second look and CAS.
    fn repair(&self, dead: Dead, exclusive: bool) {
        if exclusive {
            self.exclusive(dead, true);
        }
        let object = self.load_object();
        if object.owner() == dead.id && (!self.second_look || self.table().still_reaping(dead)) {
            self.change_object(object, object.freed());
        }
        if exclusive {
            self.exclusive(dead, false);
        }
    }

    fn exclusive(&self, dead: Dead, begin: bool) {
        let process = self.process;
        self.operation(|memory| {
            let holder = &mut memory.exclusive[usize::from(dead.id)];
            match *holder {
                None if begin => *holder = Some(process),
                Some(other) if !begin && other == process => *holder = None,
                _ => memory.broken = Some("two processes repair exclusively"),
            }
            0
        });
    }

    fn run(&self, me: Option<Me>, call: Call) -> Done {
        let repair = &mut |dead, exclusive| self.repair(dead, exclusive);
        let table = self.table();
        let Some(me) = me else {
            return self.join(&table, call);
        };
        match call {
            Call::Reserve => return Done::Reserved(table.reserve(me)),
            Call::Unreserve(seat) => {
                table.unreserve(me, seat, repair);
                return Done::Reserved(None);
            }
            Call::Own => return Done::Owns(self.own(me)),
            Call::Disown => {
                self.disown(me);
                return Done::Owns(false);
            }
            Call::Visit(id) => _ = table.visit(me, id, repair),
            Call::Leave => {
                table.leave(me, repair, || {});
                self.unlock(me.id);
            }
            Call::Join(_) | Call::JoinSeat(_) => unreachable!(),
        }
        Done::Nothing
    }

    fn join(&self, table: &Table<'_, Self, Self>, call: Call) -> Done {
        let claimed = match call {
            Call::Join(id) => table.claim_slot(id),
            Call::JoinSeat(seat) => match table.claim_seat(seat) {
                SeatClaim::Taken(me) => Some(me),
                SeatClaim::Busy | SeatClaim::Gone => None,
            },
            _ => unreachable!(),
        };
        claimed.filter(|me| table.publish(*me)).map_or(Done::Failed, Done::Joined)
    }
}

impl Seats for Replay {
    fn word(&self, id: ParticipantId) -> &AtomicU64 {
        self.copy(id.into())
    }

    fn high(&self) -> ParticipantId {
        SLOTS as ParticipantId
    }

    fn clear(&self, _: ParticipantId) {}
}

impl Kernel for Replay {
    fn alive(&self, id: ParticipantId) -> bool {
        self.operation(|memory| memory.locks[usize::from(id)].is_some().into()) != 0
    }

    fn lock(&self, id: ParticipantId) -> bool {
        let process = self.process;
        let taken = self.operation(|memory| {
            let lock = &mut memory.locks[usize::from(id)];
            let free = lock.is_none() || *lock == Some(process);
            if free {
                *lock = Some(process);
            }
            free.into()
        });
        taken != 0
    }

    fn unlock(&self, id: ParticipantId) {
        self.operation(|memory| {
            memory.locks[usize::from(id)] = None;
            0
        });
    }
}

impl World {
    /// One more operation of process `i`, in `call`.
    fn step(&self, i: usize, call: Call, results: Vec<u64>, second_look: bool) -> World {
        let replay = Replay {
            process: i as u8,
            memory: RefCell::new(self.memory.clone()),
            results: RefCell::new(results),
            at: Cell::new(0),
            fresh: Cell::new(false),
            scratch: AtomicU64::new(0),
            copied: Cell::new(None),
            second_look,
        };
        let me = self.processes[i].me;
        let done = catch_unwind(AssertUnwindSafe(|| replay.run(me, call)));
        replay.settle();
        let mut world = self.clone();
        world.memory = replay.memory.into_inner();
        match done {
            Ok(done) => world.finish(i, call, done),
            Err(payload) if payload.is::<Enough>() => {
                world.processes[i].call = Some((call, replay.results.into_inner()));
            }
            Err(payload) => resume_unwind(payload),
        }
        world
    }

    fn finish(&mut self, i: usize, call: Call, done: Done) {
        let process = &mut self.processes[i];
        process.call = None;
        let mut ends = false;
        match done {
            Done::Joined(me) => process.me = Some(me),
            // A child whose seat is gone exits; a joiner looks for another slot.
            Done::Failed => ends = process.seat.is_some(),
            Done::Reserved(seat) => (process.reserved, process.served) = (seat, true),
            Done::Owns(owns) => {
                process.owns = owns;
                process.served |= owns;
                ends = call == Call::Disown && process.role == Role::Tenant;
            }
            Done::Nothing => ends = call == Call::Leave,
        }
        if ends {
            self.end(i);
        }
    }

    /// The kernel's part of a death.
    fn end(&mut self, i: usize) {
        self.processes[i].alive = false;
        self.processes[i].call = None;
        let i = Some(i as u8);
        self.memory.locks.iter_mut().filter(|lock| **lock == i).for_each(|lock| *lock = None);
        self.memory.exclusive.iter_mut().filter(|one| **one == i).for_each(|one| *one = None);
    }

    /// The calls that process `i` may begin.
    fn calls(&self, i: usize) -> Vec<Call> {
        let process = &self.processes[i];
        let Some(me) = process.me else {
            return self.joins(process);
        };
        match process.role {
            Role::Tenant | Role::Guest if process.owns => vec![Call::Disown],
            Role::Guest if process.served => vec![Call::Leave],
            Role::Tenant | Role::Guest if self.memory.object.owner() == 0 => vec![Call::Own],
            Role::Tenant | Role::Guest => vec![],
            Role::Parent if !process.served => vec![Call::Reserve],
            Role::Parent | Role::Sweeper => {
                let visits = self
                    .slots(|word| !matches!(word.state(), State::Free | State::Retired))
                    .filter(|id| *id != me.id && self.worth_a_visit(*id))
                    .map(Call::Visit);
                // A parent takes the seat back when its child is gone.
                visits.chain(process.reserved.filter(|_| !self.has_child()).map(Call::Unreserve)).collect()
            }
        }
    }

    fn joins(&self, process: &Process) -> Vec<Call> {
        match process.seat {
            // The parent hands the seat over when it has it.
            Some(seat) if self.processes.iter().any(|other| other.reserved == Some(seat)) => {
                vec![Call::JoinSeat(seat)]
            }
            Some(_) => vec![],
            // Where the lock is taken it would try the next slot; the model has only this one.
            None => self
                .slots(|word| word.state() == State::Free)
                .filter(|id| self.memory.locks[usize::from(*id)].is_none())
                .map(Call::Join)
                .take(1)
                .collect(),
        }
    }

    fn has_child(&self) -> bool {
        self.processes.iter().any(|process| process.seat.is_some() && process.alive)
    }

    fn slots(&self, ok: impl Fn(Word) -> bool) -> impl Iterator<Item = ParticipantId> {
        (1..=SLOTS).filter(move |id| ok(self.memory.words[*id])).map(|id| id as ParticipantId)
    }

    /// A stopped process stays stopped, so that only helpers can go on.
    fn may_die(&self, i: usize) -> bool {
        self.kills > 0 && self.processes[i].killable && !self.processes[i].stopped
    }

    /// Something may be found: the tenant is dead or can die, or the object of a dead one is still its.
    fn worth_a_visit(&self, id: ParticipantId) -> bool {
        let word = self.memory.words[usize::from(id)];
        let of = if matches!(word.state(), State::Reaping | State::Reserved) { word.who() } else { id };
        match self.memory.locks[usize::from(of)] {
            None => true,
            Some(i) if self.may_die(usize::from(i)) => true,
            Some(_) => word.state() == State::Reaping && self.memory.object.owner() == id,
        }
    }
}

struct Participants {
    second_look: bool,
}

impl Participants {
    fn steps_of(&self, world: &World, i: usize, steps: &mut Vec<(String, World)>) {
        let process = &world.processes[i];
        let started = process.call.as_ref().map(|(call, results)| (*call, results.clone()));
        if world.may_die(i) {
            let mut next = world.clone();
            next.kills -= 1;
            next.end(i);
            steps.push((format!("{i} KILLED in {:?}", started.as_ref().map(|it| it.0)), next));
        }
        if process.killable && world.stops > 0 && started.is_some() {
            let mut next = world.clone();
            next.stops -= 1;
            next.processes[i].stopped = true;
            steps.push((format!("{i} STOPPED"), next));
        }
        let calls = match started {
            Some(started) => vec![started],
            None => world.calls(i).into_iter().map(|call| (call, Vec::new())).collect(),
        };
        for (call, results) in calls {
            let label = format!("{i} {call:?}.{}", results.len());
            let next = world.step(i, call, results, self.second_look);
            let after = format!("{:?} object {}", &next.memory.words[1..], next.memory.object.owner());
            steps.push((format!("{label}: {after}"), next));
        }
    }
}

impl Model for Participants {
    type State = World;

    fn next(&self, world: &World, steps: &mut Vec<(String, World)>) {
        for i in 0..world.processes.len() {
            if world.processes[i].alive && !world.processes[i].stopped {
                self.steps_of(world, i, steps);
            }
        }
    }

    fn bad(&self, world: &World) -> Option<String> {
        let memory = &world.memory;
        if let Some(broken) = memory.broken {
            return Some(broken.into());
        }
        for (i, process) in world.processes.iter().enumerate().filter(|(_, process)| process.alive) {
            let Some(me) = process.me else { continue };
            let word = memory.words[usize::from(me.id)];
            if matches!(process.call, Some((Call::Leave, _))) {
                continue;
            }
            if word != Word::live_of(me.incarnation) {
                return Some(format!("process {i} lives, its slot is {word:?}"));
            }
            if process.owns && process.call.is_none() && memory.object.owner() != me.id {
                return Some(format!("process {i} was robbed"));
            }
        }
        let owner = memory.object.owner();
        (owner != 0 && memory.words[usize::from(owner)].state() == State::Free)
            .then(|| format!("slot {owner} is free, and its last tenant's object is not"))
    }

    fn stuck(&self, world: &World) -> Option<String> {
        let able = |process: &&Process| process.alive && !process.stopped;
        let mut able = world.processes.iter().filter(able);
        if !able.clone().any(|process| process.me.is_some() && process.role == Role::Sweeper) {
            return None;
        }
        let held = |id: ParticipantId| world.memory.locks[usize::from(id)].is_some();
        for id in 1..=SLOTS as ParticipantId {
            let word = world.memory.words[usize::from(id)];
            let fine = match word.state() {
                State::Free | State::Retired => true,
                State::Joining | State::Live => held(id),
                State::Reserved => held(word.who()),
                // Whoever can go on has finished by now.
                State::Reaping => {
                    let reaper = world.memory.locks[usize::from(word.who())];
                    reaper.is_some_and(|i| world.processes[usize::from(i)].stopped)
                }
            };
            if !fine {
                return Some(format!("slot {id} stays {word:?}"));
            }
            if world.memory.object.owner() == id && word.state() == State::Reaping {
                return Some(format!("the object of the dead {id} is not repaired"));
            }
        }
        let waits = able.any(|process| process.me.is_none() && process.seat.is_none());
        let stopped = world.processes.iter().any(|process| process.alive && process.stopped);
        (waits && !stopped).then(|| "a joiner waits for a slot that nobody frees".into())
    }

    fn must_end(&self) -> bool {
        true
    }
}

fn process(role: Role) -> Process {
    Process {
        role,
        me: None,
        seat: None,
        reserved: None,
        served: false,
        owns: false,
        call: None,
        alive: true,
        stopped: false,
        killable: true,
    }
}

fn immortal(role: Role) -> Process {
    Process { killable: false, ..process(role) }
}

/// A world in which the given processes sit in slots 1, 2, ... (true) or have still to join (false). Slots above
/// `slots` are out of use.
fn world(slots: usize, kills: u8, stops: u8, processes: Vec<(Process, bool)>) -> World {
    let mut words = [Word(0); SLOTS + 1];
    words[slots + 1..].fill(Word(5));
    let nobody = [None; SLOTS + 1];
    let memory = Memory { words, locks: nobody, object: Object(0), exclusive: nobody, broken: None };
    let mut world = World { memory, processes: Vec::new(), kills, stops };
    for (i, (mut process, joined)) in processes.into_iter().enumerate() {
        if joined {
            let id = i + 1;
            process.me = Some(Me { id: id as ParticipantId, incarnation: 0 });
            world.memory.words[id] = Word::live_of(0);
            world.memory.locks[id] = Some(i as u8);
        }
        world.processes.push(process);
    }
    world
}

const LIMIT: usize = 3_000_000;

fn holds(name: &str, initial: World) {
    explore(&Participants { second_look: true }, initial, LIMIT).expect_holds(name);
}

/// One slot for two tenants, one after the other; a reaper that may die or stop, and one that stays.
fn tenants(kills: u8, stops: u8, roles: [Role; 2]) -> World {
    let [first, second] = roles.map(process);
    let sweepers = [(immortal(Role::Sweeper), true), (process(Role::Sweeper), true)];
    world(3, kills, stops, sweepers.into_iter().chain([(first, false), (second, false)]).collect())
}

#[test]
fn a_slot_is_used_again_after_any_death() {
    holds("two tenants, two kills", tenants(2, 0, [Role::Tenant; 2]));
    holds("guests that leave, two kills", tenants(2, 0, [Role::Guest; 2]));
}

#[test]
fn a_stopped_reaper_holds_nobody_up() {
    holds("two tenants, a kill, a stop", tenants(1, 1, [Role::Tenant, Role::Guest]));
}

#[test]
fn a_helper_needs_its_second_look() {
    let model = Participants { second_look: false };
    explore(&model, tenants(1, 0, [Role::Tenant; 2]), LIMIT).expect_fails("no second look");
}

/// Slot 1: died while it was reaped by slot 2, which died as well. Then two sweepers, one of which may die, and a
/// joiner that sweeps.
fn adoption() -> World {
    let mut initial = world(
        4,
        1,
        0,
        vec![
            (process(Role::Sweeper), true),
            (process(Role::Sweeper), true),
            (immortal(Role::Sweeper), true),
            (process(Role::Sweeper), true),
            (immortal(Role::Sweeper), false),
        ],
    );
    initial.memory.words[1] = Word::live_of(0).reaping(2);
    initial.memory.object = Object(1);
    initial.end(0);
    initial.end(1);
    initial
}

#[test]
fn adopters_do_not_meet() {
    holds("adoption, one more kill", adoption());
}

/// A parent that reserves a seat, its child, and a sweeper that stays.
fn family(kills: u8, stops: u8) -> World {
    let seat = Some(Seat { id: 3, incarnation: 0 });
    world(
        3,
        kills,
        stops,
        vec![
            (immortal(Role::Sweeper), true),
            (process(Role::Parent), true),
            (Process { seat, ..process(Role::Tenant) }, false),
        ],
    )
}

#[test]
fn a_seat_belongs_to_the_child_or_to_nobody() {
    holds("parent and child, two kills", family(2, 0));
    holds("parent and child, a kill, a stop", family(1, 1));
}

/// Every mutant makes some test above fail: they run again, each in a process of its own with the fault on.
#[test]
fn mutants_are_caught() {
    for (mutant, test) in [
        ("region.state_only", "a_slot_is_used_again_after_any_death"),
        ("region.lock_after_word", "a_slot_is_used_again_after_any_death"),
        ("region.no_repair", "a_slot_is_used_again_after_any_death"),
        ("region.no_turn", "adopters_do_not_meet"),
        ("region.no_adoption", "adopters_do_not_meet"),
    ] {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test])
            .env("PROCESSING_MUTANT", mutant)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("states seen"), "{mutant} was not noticed by {test}: {text}");
    }
}

#[test]
fn without_faults_there_is_something_to_see() {
    match explore(&Participants { second_look: true }, tenants(0, 0, [Role::Tenant; 2]), LIMIT) {
        Outcome::Holds { states } => assert!(states > 100),
        other => panic!("{other:?}"),
    }
}
