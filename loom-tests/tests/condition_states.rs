//! All states of a condition, and of an event, under sequential consistency: waiters (some in a hurry), notifiers, the reaper and
//! a helper of it, with kills between any two steps of any of them.
//!
//! The steps are those of the library's own source (`processing::prim::condition`, `event`): a process is a call into it and
//! the results of its shared operations so far. To take a step, the call runs again from its start with those
//! results, does one more operation on the model's memory, and is broken off before the next one. The lock is one
//! step each way; a dead owner of it is found at once. Time passes only for those who are in a hurry, while they sleep.
//!
//! There is no backstop here: whoever sleeps is woken by a notifier or by the reaper, or stays asleep.
#![cfg(not(loom))]

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use processing::layout::condition::CellWord;
use processing::layout::event::EventWord;
use processing::layout::lock::LockWord;
use processing::prim::condition::{Cells, Monitor, RawCondition};
use processing::prim::event::{Place, RawEvent};
use processing::prim::limits::{Limits, WaitEnd};
use processing::prim::spin::{Spinner, WaitStrategy};
use processing::sync::atomic::{AtomicU32, Ordering};
use processing_loom_tests::{Model, explore};

/// What processes share.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Memory {
    cells: Vec<CellWord>,
    sequence: u32,
    /// The process that has the lock.
    owner: Option<u8>,
    /// What the lock protects, and waiters wait for.
    items: u8,
    event: EventWord,
    /// Where each process sleeps: at a cell, or (at number `cells`) at the event.
    asleep: Vec<Option<u32>>,
    /// Whether each process lives, and whether it was reaped.
    alive: Vec<bool>,
    reaped: Vec<bool>,
    notified: u8,
}

/// A call into the library.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Call {
    Wait,
    Notify,
    WaitEvent,
    Set,
    Clear,
    /// After this process died.
    Repair(u8),
}

/// What a process does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Role {
    /// Takes one item, waiting for it.
    Waiter,
    /// The same, but gives up when the time of its wait is up.
    Hurried,
    /// Adds so many items, and notifies one each time.
    Notifier(u8),
    /// Waits for the event.
    Watcher,
    /// Sets the event, and clears it.
    Setter,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum At {
    /// Needs the lock, and looks under it.
    Outside,
    /// Is about to begin a call.
    Calls(Call),
    /// Has the lock and is about to give it back.
    Leaves,
    Done,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Process {
    role: Role,
    at: At,
    /// Results of the operations of its present call.
    results: Vec<u64>,
}

/// Somebody who repairs: the first is the reaper, the second a helper.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Repairer {
    dead: u8,
    results: Vec<u64>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct World {
    memory: Memory,
    processes: Vec<Process>,
    repairers: [Option<Repairer>; 2],
    kills: u8,
    reaper_kills: u8,
    helps: u8,
    died: bool,
    /// Waits that ended with a notification, as long as nobody has died.
    returns: u8,
    /// A load is a step of its own, and not one with what follows.
    fine: bool,
}

/// Thrown when a call has done its one new operation, and when it cannot do it now.
struct Enough;
struct Blocked;

/// One call, run again from its start.
struct Replay {
    process: u8,
    memory: RefCell<Memory>,
    results: RefCell<Vec<u64>>,
    at: Cell<usize>,
    fresh: Cell<bool>,
    /// The next operation is that the time is up.
    time_is_up: Cell<bool>,
    cancel: AtomicU32,
    fine: bool,
}

impl Replay {
    /// The result of the next operation: recorded, or by `new` on the memory; `None` from it: not possible now.
    fn operation(&self, new: impl FnOnce(&mut Memory) -> Option<u64>) -> u64 {
        self.next(true, new)
    }

    /// One that no other process can meet at that point: it goes together with the next.
    fn quiet(&self, new: impl FnOnce(&mut Memory) -> u64) -> u64 {
        self.next(false, |memory| Some(new(memory)))
    }

    fn next(&self, counts: bool, new: impl FnOnce(&mut Memory) -> Option<u64>) -> u64 {
        let at = self.at.replace(self.at.get() + 1);
        if let Some(recorded) = self.results.borrow().get(at) {
            return *recorded;
        }
        if self.fresh.get() {
            resume_unwind(Box::new(Enough));
        }
        self.fresh.set(counts);
        let result = new(&mut self.memory.borrow_mut());
        let result = result.unwrap_or_else(|| resume_unwind(Box::new(Blocked)));
        self.results.borrow_mut().push(result);
        result
    }

    /// Compares and goes to sleep, in one step of the kernel; the end of the sleep is another.
    fn sleep_at(&self, place: u32, same: impl FnOnce(&Memory) -> bool) {
        let me = usize::from(self.process);
        let slept = self.operation(|memory| {
            let same = same(memory);
            memory.asleep[me] = same.then_some(place);
            Some(same.into())
        });
        if slept == 0 {
            return;
        }
        let late = self.time_is_up.get();
        let woken = self.operation(|memory| match (memory.asleep[me].take(), late) {
            (None, false) => Some(0),
            (Some(_), true) => Some(1),
            _ => None,
        });
        if woken == 1 {
            self.time_is_up.set(false);
            self.cancel.store(1, Ordering::Relaxed);
        }
    }

    fn wake_at(&self, place: u32) {
        self.operation(|memory| {
            memory.asleep.iter_mut().filter(|at| **at == Some(place)).for_each(|at| *at = None);
            Some(0)
        });
    }

    /// The call, from its start. For waits: whether they ended with a notification.
    fn run(&self, call: Call) -> bool {
        let (condition, event) = (RawCondition::new(self), RawEvent::new(self));
        let spinner = Spinner::new(WaitStrategy::Block);
        let limits = Limits { deadline: None, cancel: Some(&self.cancel) };
        match call {
            Call::Wait => {
                let me = LockWord::owned(u16::from(self.process) + 1, 1);
                let waited = condition.wait(me, self, &limits, &spinner, || ());
                waited.expect("a cell for each").0 == WaitEnd::Ready
            }
            Call::Notify => condition.notify(1) > 0,
            Call::WaitEvent => event.wait(&limits, &spinner, || ()) == WaitEnd::Ready,
            Call::Set => {
                event.set();
                true
            }
            Call::Clear => {
                event.clear();
                true
            }
            Call::Repair(dead) => {
                if self.memory.borrow().cells.is_empty() {
                    event.repair();
                } else {
                    // No id comes back here: the second look would always say so.
                    condition.repair(u16::from(dead) + 1, &|| true);
                }
                true
            }
        }
    }
}

impl Memory {
    fn lock(&mut self, process: u8) -> bool {
        let free = self.owner.is_none_or(|owner| !self.alive[usize::from(owner)]);
        if free {
            self.owner = Some(process);
        }
        free
    }
}

impl Monitor for Replay {
    type Back = ();

    fn leave(&self) {
        self.operation(|memory| {
            memory.owner = None;
            Some(0)
        });
    }

    fn come_back(&self) {
        self.operation(|memory| memory.lock(self.process).then_some(0));
    }
}

impl Cells for Replay {
    fn count(&self) -> u32 {
        self.memory.borrow().cells.len() as u32
    }

    fn used(&self) -> u32 {
        self.count()
    }

    fn use_below(&self, _: u32) {}

    fn sequence(&self) -> u32 {
        self.quiet(|memory| memory.sequence.into()) as u32
    }

    fn set_sequence(&self, next: u32) {
        self.quiet(|memory| {
            memory.sequence = next;
            0
        });
    }

    fn load(&self, cell: u32) -> CellWord {
        let now = |memory: &mut Memory| memory.cells[cell as usize].0;
        CellWord(if self.fine { self.operation(|memory| Some(now(memory))) } else { self.quiet(now) })
    }

    fn change(&self, cell: u32, old: CellWord, new: CellWord) -> bool {
        let changed = self.operation(|memory| {
            let word = &mut memory.cells[cell as usize];
            let same = *word == old;
            if same {
                *word = new;
                memory.notified += u8::from(new == old.notified() && old != new);
            }
            Some(same.into())
        });
        changed != 0
    }

    fn sleep(&self, cell: u32, expected: CellWord, _: u64) {
        self.sleep_at(cell, |memory| memory.cells[cell as usize].futex() == expected.futex());
    }

    fn wake(&self, cell: u32) {
        self.wake_at(cell);
    }
}

/// Where those sleep who wait for the event.
const EVENT: u32 = u32::MAX;

impl Place for Replay {
    fn load(&self) -> EventWord {
        EventWord(self.operation(|memory| Some(memory.event.0.into())) as u32)
    }

    fn change(&self, old: EventWord, new: EventWord) -> bool {
        let changed = self.operation(|memory| {
            let same = memory.event == old;
            if same {
                memory.event = new;
            }
            Some(same.into())
        });
        changed != 0
    }

    fn sleep(&self, expected: EventWord, _: u64) {
        self.sleep_at(EVENT, |memory| memory.event == expected);
    }

    fn wake(&self) {
        self.wake_at(EVENT);
    }
}

/// How a step of a call went.
enum Stepped {
    /// It goes on, with these results.
    On(Vec<u64>),
    Returned(bool),
}

impl World {
    /// One more operation of a call, if it is possible.
    fn operate(
        &self,
        process: u8,
        call: Call,
        results: &[u64],
        time_is_up: bool,
    ) -> Option<(Stepped, Memory)> {
        let replay = Replay {
            process,
            memory: RefCell::new(self.memory.clone()),
            results: RefCell::new(results.to_vec()),
            at: Cell::new(0),
            fresh: Cell::new(false),
            time_is_up: Cell::new(time_is_up),
            cancel: AtomicU32::new(0),
            fine: self.fine,
        };
        let ended = catch_unwind(AssertUnwindSafe(|| replay.run(call)));
        let memory = replay.memory.into_inner();
        match ended {
            // The time was to be up, and nobody asked for it.
            _ if replay.time_is_up.get() => None,
            Ok(returned) => Some((Stepped::Returned(returned), memory)),
            Err(payload) if payload.is::<Enough>() => {
                Some((Stepped::On(replay.results.into_inner()), memory))
            }
            Err(payload) if payload.is::<Blocked>() => None,
            Err(payload) => resume_unwind(payload),
        }
    }

    fn step(&self, i: usize, time_is_up: bool) -> Option<World> {
        let process = &self.processes[i];
        let mut next = self.clone();
        match process.at {
            At::Done => return None,
            At::Outside => {
                if time_is_up || !next.memory.lock(i as u8) {
                    return None;
                }
                next.look(i);
            }
            At::Leaves => {
                if time_is_up {
                    return None;
                }
                next.memory.owner = None;
                next.processes[i].at = match process.role {
                    Role::Notifier(left) if left > 0 => At::Outside,
                    _ => At::Done,
                };
            }
            At::Calls(call) => {
                let (stepped, memory) = self.operate(i as u8, call, &process.results, time_is_up)?;
                next.take(memory);
                match stepped {
                    Stepped::On(results) => next.processes[i].results = results,
                    Stepped::Returned(notified) => next.returned(i, call, notified),
                }
            }
        }
        Some(next)
    }

    /// With the lock: takes an item, or waits; adds one.
    fn look(&mut self, i: usize) {
        let process = &mut self.processes[i];
        process.at = match &mut process.role {
            Role::Notifier(left) => {
                *left -= 1;
                self.memory.items += 1;
                At::Calls(Call::Notify)
            }
            _ if self.memory.items > 0 => {
                self.memory.items -= 1;
                At::Leaves
            }
            _ => At::Calls(Call::Wait),
        };
    }

    fn returned(&mut self, i: usize, call: Call, notified: bool) {
        self.processes[i].results.clear();
        match call {
            Call::Wait if notified => {
                self.returns += u8::from(!self.died);
                self.look(i);
            }
            Call::Wait | Call::Notify => self.processes[i].at = At::Leaves,
            Call::Set => self.processes[i].at = At::Calls(Call::Clear),
            _ => self.processes[i].at = At::Done,
        }
    }

    fn kill(&self, i: usize) -> World {
        let mut next = self.clone();
        next.kills -= 1;
        next.died = true;
        (next.returns, next.memory.notified) = (0, 0);
        next.memory.alive[i] = false;
        next.memory.asleep[i] = None;
        next.processes[i].at = At::Done;
        next.processes[i].results.clear();
        next
    }

    /// The reaper (0) or its helper goes on, or begins.
    fn repair(&self, who: usize, steps: &mut Vec<(String, World)>) {
        let Some(repairer) = &self.repairers[who] else {
            let dead =
                (0..self.processes.len()).filter(|i| !self.memory.alive[*i] && !self.memory.reaped[*i]);
            for dead in dead {
                let mut next = self.clone();
                if who == 1 {
                    if self.helps == 0 {
                        return;
                    }
                    next.helps -= 1;
                }
                next.repairers[who] = Some(Repairer { dead: dead as u8, results: Vec::new() });
                steps.push((format!("repairer {who} begins with {dead}"), next));
            }
            return;
        };
        if who == 0 && self.reaper_kills > 0 {
            let mut next = self.clone();
            next.reaper_kills -= 1;
            next.repairers[0] = None;
            steps.push(("kill reaper".into(), next));
        }
        let nobody = self.processes.len() as u8;
        let call = Call::Repair(repairer.dead);
        let Some((stepped, memory)) = self.operate(nobody, call, &repairer.results, false) else {
            return;
        };
        let mut next = self.clone();
        next.take(memory);
        match stepped {
            Stepped::On(results) => next.repairers[who] = Some(Repairer { dead: repairer.dead, results }),
            Stepped::Returned(_) => {
                next.memory.reaped[usize::from(repairer.dead)] |= who == 0;
                next.repairers[who] = None;
            }
        }
        steps.push((format!("repairer {who} after {}", repairer.dead), next));
    }

    /// What is counted only until somebody dies must not tell states apart after that.
    fn take(&mut self, memory: Memory) {
        self.memory = memory;
        if self.died {
            self.memory.notified = 0;
        }
    }

    fn is_asleep(&self, i: usize) -> bool {
        self.memory.asleep[i].is_some()
    }

    /// Lives, and is not done.
    fn is_busy(&self, i: usize) -> bool {
        self.memory.alive[i] && self.processes[i].at != At::Done
    }
}

struct Protocol;

impl Model for Protocol {
    type State = World;

    fn next(&self, world: &World, steps: &mut Vec<(String, World)>) {
        for i in 0..world.processes.len() {
            if !world.is_busy(i) {
                continue;
            }
            if world.kills > 0 {
                steps.push((format!("kill {i}"), world.kill(i)));
            }
            if world.processes[i].role == Role::Hurried
                && world.is_asleep(i)
                && let Some(next) = world.step(i, true)
            {
                steps.push((format!("{i}: the time is up"), next));
            }
            if let Some(next) = world.step(i, false) {
                steps.push((format!("{i}: {:?}", world.processes[i].at), next));
            }
        }
        world.repair(0, steps);
        world.repair(1, steps);
    }

    fn bad(&self, world: &World) -> Option<String> {
        (!world.died && world.returns > world.memory.notified)
            .then(|| "more waits ended than were notified, and nobody died".into())
    }

    fn stuck(&self, world: &World) -> Option<String> {
        for i in (0..world.processes.len()).filter(|i| world.is_busy(*i)) {
            let process = &world.processes[i];
            if !world.is_asleep(i) {
                return Some(format!("{i} is blocked outside of a wait"));
            }
            if process.at == At::Calls(Call::Wait) && world.memory.items > 0 {
                return Some(format!("{i} sleeps, and there are {} items", world.memory.items));
            }
            if process.at == At::Calls(Call::WaitEvent) {
                let before = EventWord(process.results[0] as u32);
                let now = world.memory.event;
                if now.is_set() || now.generation() != before.generation() {
                    return Some(format!("{i} sleeps through a set"));
                }
            }
        }
        None
    }
}

const MOST: usize = 20_000_000;

/// How many processes may die, and reapers; how often a helper joins in.
#[derive(Clone, Copy)]
struct Trouble {
    kills: u8,
    reaper_kills: u8,
    helps: u8,
}

const PEACE: Trouble = Trouble { kills: 0, reaper_kills: 0, helps: 0 };

fn check(name: &str, roles: &[Role], trouble: Trouble, fine: bool) {
    let Trouble { kills, reaper_kills, helps } = trouble;
    let waiters = roles.iter().filter(|role| matches!(role, Role::Waiter | Role::Hurried)).count();
    let first = |role: &Role| match role {
        Role::Watcher => At::Calls(Call::WaitEvent),
        Role::Setter => At::Calls(Call::Set),
        _ => At::Outside,
    };
    let world = World {
        memory: Memory {
            cells: vec![CellWord::FREE; waiters],
            sequence: 0,
            owner: None,
            items: 0,
            event: EventWord::default(),
            asleep: vec![None; roles.len()],
            alive: vec![true; roles.len()],
            reaped: vec![false; roles.len()],
            notified: 0,
        },
        processes: roles
            .iter()
            .map(|role| Process { role: *role, at: first(role), results: Vec::new() })
            .collect(),
        repairers: [None, None],
        kills,
        reaper_kills,
        helps,
        died: false,
        returns: 0,
        fine,
    };
    explore(&Protocol, world, MOST).expect_holds(name);
}

use Role::{Hurried, Notifier, Setter, Waiter, Watcher};

#[test]
fn condition_two_deaths() {
    check("two deaths", &[Waiter, Waiter, Notifier(1)], Trouble { kills: 2, ..PEACE }, false);
}

#[test]
fn condition_two_items_and_a_dead_reaper() {
    let trouble = Trouble { kills: 1, reaper_kills: 1, helps: 0 };
    check("two items and a dead reaper", &[Waiter, Waiter, Notifier(2)], trouble, false);
}

#[test]
fn condition_a_helper() {
    let trouble = Trouble { kills: 1, reaper_kills: 0, helps: 1 };
    check("a helper", &[Waiter, Notifier(1)], trouble, false);
}

#[test]
fn condition_three_waiters() {
    check("three waiters", &[Hurried, Waiter, Waiter, Notifier(2)], PEACE, false);
}

#[test]
fn condition_in_a_hurry() {
    let trouble = Trouble { kills: 1, ..PEACE };
    check("in a hurry", &[Hurried, Waiter, Notifier(1)], trouble, false);
}

#[test]
fn condition_each_load_in_peace() {
    check("each load, in a hurry", &[Hurried, Waiter, Notifier(1)], PEACE, true);
    check("each load, two items", &[Hurried, Waiter, Notifier(2)], PEACE, true);
    check("each load, two notifiers", &[Waiter, Waiter, Notifier(1), Notifier(1)], PEACE, true);
}

#[test]
fn condition_each_load_and_a_death() {
    if processing_loom_tests::deep() {
        let trouble = Trouble { kills: 1, ..PEACE };
        check("each load, a death", &[Hurried, Waiter, Notifier(1)], trouble, true);
        let trouble = Trouble { reaper_kills: 1, ..trouble };
        check("each load, a death and one of a reaper", &[Waiter, Waiter, Notifier(1)], trouble, true);
    }
}

#[test]
fn event_two_of_each() {
    let trouble = Trouble { kills: 2, reaper_kills: 1, helps: 0 };
    check("event", &[Watcher, Watcher, Setter, Setter], trouble, false);
}
