//! The chain of a buffered queue (`ring/chain.rs`) state by state: processes put, get, lease, make it grow and shrink, and die at each
//! operation; so do those that take over.
//!
//! What runs is [`Chain`] itself, over links in the model's state. An owner of the lock makes its operations on links one after the other;
//! it is killed before each of them in turn, and the one after it then sees as many as were made. Nobody else sees the links meanwhile,
//! so that nothing need come between; what others do to the *counts* of segments (let go of one) comes before or after, since
//! counting commutes. It may also die *in* an operation: then the entry is neither held nor empty until the reaper has finished or given up
//! the operation, which is the arena's (`arena_states`), and comes before the lock is handed on. Without that order it fails. A segment is freed when nothing leads to it any more, and its links go with it.
//!
//! A segment is a number of messages here: what happens in it is the ring's (`mpmc_loom`, `cells_states`), how a client gets from several
//! in order `series_loom`.

mod bfs;

use std::cell::{Cell, RefCell};

use processing::Result;
use processing::ring::chain::{Chain, Links};
use processing_loom_tests::deep;

/// Names a segment for ever: its number, from 1; 0 is none.
type Id = u8;

/// Messages that fit a segment.
const ROOM: u8 = 1;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Segment {
    exists: bool,
    sealed: bool,
    links: [Id; 2],
    /// Wait to be taken.
    messages: u8,
    /// Are leased.
    leased: u8,
    /// Were put, in all.
    put: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Life {
    Alive,
    /// Killed, and nobody has noticed.
    Dead,
    /// What it leased is given back.
    Repaired,
    /// And its lock handed on.
    Released,
    /// And its references dropped: nothing is left.
    Gone,
    /// It has dropped its handle.
    Left,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Process {
    life: Life,
    /// The segment it puts into, 0: none yet.
    puts_to: Id,
    puts: u8,
    /// The segments it gets from; a set as bits.
    gets_from: u16,
    gets: bool,
    /// The segment of its lease.
    lease: Id,
    leases: u8,
    /// A segment that it has made and not added.
    made: Id,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    segments: [Segment; MOST],
    queue: [Id; 2],
    /// The word of the last segment.
    last: Id,
    made: u8,
    /// Who has the lock: only the dead keep it from step to step.
    owner: Option<usize>,
    /// The last owner died.
    orphan: bool,
    processes: Vec<Process>,
    kills: u8,
    put: u8,
    taken: u8,
    /// An operation on a link that its process died in: the entry says neither held nor empty.
    half: Option<Half>,
    /// Somebody changed an entry that was not as it should be.
    broken: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Half {
    who: usize,
    node: Option<Id>,
    i: u32,
    to: Id,
    add: bool,
}

const MOST: usize = 4;

impl State {
    fn segment(&self, id: Id) -> &Segment {
        &self.segments[usize::from(id) - 1]
    }

    fn segment_mut(&mut self, id: Id) -> &mut Segment {
        &mut self.segments[usize::from(id) - 1]
    }

    fn node(&self, node: Option<Id>) -> [Id; 2] {
        node.map_or(self.queue, |id| self.segment(id).links)
    }

    fn node_mut(&mut self, node: Option<Id>) -> &mut [Id; 2] {
        match node {
            Some(id) => &mut self.segment_mut(id).links,
            None => &mut self.queue,
        }
    }

    fn is_drained(&self, id: Id) -> bool {
        let segment = self.segment(id);
        segment.sealed && segment.messages == 0 && segment.leased == 0
    }

    /// Something leads to it.
    fn is_held(&self, id: Id) -> bool {
        let from_process = self.processes.iter().any(|p| {
            !matches!(p.life, Life::Gone | Life::Left)
                && (p.puts_to == id || p.made == id || p.lease == id || p.gets_from & 1 << id != 0)
        });
        let from_segment = self.segments.iter().any(|s| s.exists && s.links.contains(&id));
        from_process || from_segment || self.queue.contains(&id)
    }

    /// Frees what nothing leads to.
    fn collect(&mut self) {
        loop {
            let loose = (1..=MOST as Id).find(|id| self.segment(*id).exists && !self.is_held(*id));
            let Some(id) = loose else { return };
            let old = *self.segment(id);
            *self.segment_mut(id) =
                Segment { messages: old.messages, leased: old.leased, ..Segment::default() };
        }
    }

    fn chain(&self) -> Vec<Id> {
        let links =
            Shared { state: RefCell::new(self.clone()), left: Cell::new(u32::MAX), half: Cell::new(None) };
        Chain(&links).segments().collect()
    }
}

/// The state while somebody has the lock: after so many operations it is dead, and nothing it does has an effect.
struct Shared {
    state: RefCell<State>,
    left: Cell<u32>,
    /// Who is to die in the middle of its next operation on a link.
    half: Cell<Option<usize>>,
}

impl Shared {
    fn operate(&self, f: impl FnOnce(&mut State)) {
        if self.left.get() > 0 {
            self.left.set(self.left.get() - 1);
            let mut state = self.state.borrow_mut();
            f(&mut state);
            state.collect();
        }
    }

    fn is_dead(&self) -> bool {
        self.left.get() == 0
    }

    /// The operation after the last whole one.
    fn begin(&self, node: Option<Id>, i: u32, to: Id, add: bool) {
        if self.is_dead()
            && let Some(who) = self.half.take()
        {
            self.state.borrow_mut().half = Some(Half { who, node, i, to, add });
        }
    }
}

impl Links for Shared {
    type Id = Id;
    fn link(&self, node: Option<Id>, i: u32) -> Option<Id> {
        let state = self.state.borrow();
        let is_half = state.half.is_some_and(|half| (half.node, half.i) == (node, i));
        Some(state.node(node)[i as usize]).filter(|id| *id != 0 && !is_half)
    }
    fn add(&self, node: Option<Id>, i: u32, to: Id) -> Result<()> {
        self.begin(node, i, to, true);
        self.operate(|state| {
            state.broken |= !state.segment(to).exists || state.node(node)[i as usize] != 0;
            state.node_mut(node)[i as usize] = to;
        });
        Ok(())
    }
    fn drop_link(&self, node: Option<Id>, i: u32) {
        if let Some(to) = self.link(node, i) {
            self.begin(node, i, to, false);
            self.operate(|state| state.node_mut(node)[i as usize] = 0);
        }
    }
    fn number(&self, segment: Id) -> u64 {
        u64::from(segment)
    }
    fn seal(&self, segment: Id) {
        self.operate(|state| state.segment_mut(segment).sealed = true);
    }
}

/// What is done under the lock.
#[derive(Clone, Copy, Debug)]
enum Job {
    /// A put that found no room, or no segment: `go_on` of `buffered/put.rs`.
    GoOn,
    /// A get that found nothing: `tidy` of `buffered/get.rs`.
    Tidy,
}

/// As `structure.rs` does it.
fn work(shared: &Shared, me: usize, job: Job) {
    let chain = Chain(shared);
    if shared.state.borrow().orphan {
        chain.settle();
        let last = chain.segments().last().unwrap_or(0);
        shared.operate(|state| state.last = last);
        shared.operate(|state| state.orphan = false);
    }
    let (last, puts_to, gets_from) = {
        let state = shared.state.borrow();
        (state.last, state.processes[me].puts_to, state.processes[me].gets_from)
    };
    match job {
        Job::GoOn if puts_to == last => {
            shared.operate(|state| {
                state.made += 1;
                let id = state.made;
                *state.segment_mut(id) = Segment { exists: true, ..Segment::default() };
                state.processes[me].made = id;
            });
            let new = shared.state.borrow().processes[me].made;
            if shared.is_dead() {
                return;
            }
            chain.push(last, new).expect("an operation of the model");
            shared.operate(|state| state.last = new);
            shared.operate(|state| {
                let process = &mut state.processes[me];
                (process.puts_to, process.made) = (process.made, 0);
            });
        }
        Job::GoOn => shared.operate(|state| state.processes[me].puts_to = last),
        Job::Tidy => {
            let views: Vec<Id> = (1..=MOST as Id).filter(|id| gets_from & 1 << id != 0).collect();
            let newest = views.last().copied().unwrap_or(0);
            let past = newest == 0 || shared.state.borrow().segment(newest).sealed;
            let next = if past { chain.after(u64::from(newest)) } else { None };
            if let Some(next) = next {
                shared.operate(|state| state.processes[me].gets_from |= 1 << next);
            }
            let drained: Vec<Id> =
                views.into_iter().filter(|id| shared.state.borrow().is_drained(*id)).collect();
            for id in &drained {
                if shared.is_dead() {
                    return;
                }
                chain.remove(*id).expect("an operation of the model");
            }
            for id in drained.into_iter().filter(|id| next.is_some() || *id != newest) {
                shared.operate(|state| state.processes[me].gets_from &= !(1 << id));
            }
        }
    }
}

struct Queue {
    /// Segments that may be made.
    most: u8,
    /// The lock is handed on before the operation under way is finished: as it must not be.
    early: bool,
}

impl Queue {
    /// All ways in which a job under the lock may go: through, or dead after each operation.
    fn locked(&self, state: &State, me: usize, job: Job, out: &mut Vec<(String, State)>) {
        if state.owner.is_some() || matches!(job, Job::GoOn) && state.made >= self.most {
            return;
        }
        for (operations, half) in (0..).flat_map(|operations| [(operations, None), (operations, Some(me))]) {
            let left = Cell::new(operations);
            let shared = Shared { state: RefCell::new(state.clone()), left, half: Cell::new(half) };
            work(&shared, me, job);
            let through = !shared.is_dead();
            let mut next = shared.state.into_inner();
            if !through {
                if state.kills == 0 || half.is_some() && next.half.is_none() {
                    continue;
                }
                next.kills -= 1;
                next.owner = Some(me);
                next.processes[me].life = Life::Dead;
            }
            if next != *state {
                let how = if through { "through" } else { "dead" };
                let half = if next.half.is_some() { " and a half" } else { "" };
                out.push((format!("{me}: {job:?}, {operations} operations{half}, {how}"), next));
            }
            if through {
                return;
            }
        }
    }

    fn alive(&self, state: &State, me: usize, out: &mut Vec<(String, State)>) {
        let mut step = |what: &str, change: &dyn Fn(&mut State, &mut Process)| {
            let mut next = state.clone();
            let mut process = next.processes[me].clone();
            change(&mut next, &mut process);
            next.processes[me] = process;
            next.collect();
            out.push((format!("{me}: {what}"), next));
        };
        let process = &state.processes[me];
        if process.puts > 0 {
            let to = process.puts_to;
            let room = to != 0 && {
                let segment = state.segment(to);
                !segment.sealed && segment.messages + segment.leased < ROOM
            };
            if room {
                step("put", &|next, process| {
                    let segment = next.segment_mut(to);
                    segment.messages += 1;
                    segment.put += 1;
                    next.put += 1;
                    process.puts -= 1;
                });
            }
        }
        let views: Vec<Id> = (1..=MOST as Id).filter(|id| process.gets_from & 1 << id != 0).collect();
        let from = views.iter().copied().find(|id| state.segment(*id).messages > 0);
        if let Some(from) = from.filter(|_| process.gets) {
            step("get", &|next, _| {
                next.segment_mut(from).messages -= 1;
                next.taken += 1;
            });
            if process.leases > 0 && process.lease == 0 {
                step("lease", &|next, process| {
                    let segment = next.segment_mut(from);
                    segment.messages -= 1;
                    segment.leased += 1;
                    process.lease = from;
                    process.leases -= 1;
                });
            }
        }
        if process.lease != 0 {
            let of = process.lease;
            step("release", &|next, process| {
                next.segment_mut(of).leased -= 1;
                next.taken += 1;
                process.lease = 0;
            });
            step("put back", &|next, process| {
                let segment = next.segment_mut(of);
                segment.leased -= 1;
                segment.messages += 1;
                process.lease = 0;
            });
        }
        if process.puts == 0 && !process.gets {
            step("leaves", &|_, process| process.life = Life::Left);
        }
        if state.kills > 0 {
            step("killed", &|next, process| {
                next.kills -= 1;
                process.life = Life::Dead;
            });
        }
        let full = process.puts > 0
            && (process.puts_to == 0 || {
                let segment = state.segment(process.puts_to);
                segment.sealed || segment.messages + segment.leased >= ROOM
            });
        if full {
            self.locked(state, me, Job::GoOn, out);
        }
        let past = views.last().is_none_or(|newest| state.segment(*newest).sealed);
        let drained = views.iter().any(|id| state.is_drained(*id));
        if process.gets && from.is_none() && (past || drained) {
            self.locked(state, me, Job::Tidy, out);
        }
    }

    /// One step of the repair; who makes it may die between any two.
    fn repair(&self, state: &State, dead: usize, out: &mut Vec<(String, State)>) {
        let life = state.processes[dead].life;
        let mut step = |change: &dyn Fn(&mut State)| {
            let mut next = state.clone();
            change(&mut next);
            next.collect();
            out.push((format!("repair of {dead} after {life:?}"), next));
        };
        let hand_on = |next: &mut State| {
            if next.owner == Some(dead) {
                (next.owner, next.orphan) = (None, true);
            }
        };
        let give_back = |next: &mut State| {
            let lease = next.processes[dead].lease;
            if lease != 0 {
                let segment = next.segment_mut(lease);
                segment.leased -= 1;
                segment.messages += 1;
            }
        };
        match life {
            Life::Dead => {
                if self.early && state.owner == Some(dead) {
                    return step(&hand_on);
                }
                // Step (a) of the arena's repair: a drop goes on, an add was done or is given up.
                let half = state.half.filter(|half| half.who == dead);
                for done in [true, false] {
                    if half.is_none_or(|half| half.add) || done {
                        step(&|next| {
                            if let Some(half) = half {
                                let link = &mut next.node_mut(half.node)[half.i as usize];
                                *link = if half.add && done { half.to } else { 0 };
                                next.half = None;
                            }
                            give_back(next);
                            next.processes[dead].life = Life::Repaired;
                        });
                    }
                }
            }
            Life::Repaired => step(&|next| {
                hand_on(next);
                next.processes[dead].life = Life::Released;
            }),
            Life::Released => step(&|next| next.processes[dead].life = Life::Gone),
            Life::Alive | Life::Gone | Life::Left => {}
        }
    }
}

impl bfs::System for Queue {
    type State = State;

    fn next(&self, state: &State, out: &mut Vec<(String, State)>) {
        for (me, process) in state.processes.iter().enumerate() {
            match process.life {
                Life::Alive => self.alive(state, me, out),
                Life::Dead | Life::Repaired | Life::Released => self.repair(state, me, out),
                Life::Gone | Life::Left => {}
            }
        }
    }

    fn wrong(&self, state: &State) -> Option<String> {
        if let Some(id) = (1..=MOST as Id).find(|id| {
            let segment = state.segment(*id);
            !segment.exists && segment.messages + segment.leased > 0
        }) {
            return Some(format!("segment {id} was freed with messages in it"));
        }
        if state.broken {
            return Some(
                "an entry of a link was used that was not empty, or for a segment that was freed".into(),
            );
        }
        if state.owner.is_some() || state.orphan || state.half.is_some() {
            return None;
        }
        // At rest.
        let chain = state.chain();
        if chain.is_empty() || !chain.is_sorted() {
            return Some(format!("the chain is {chain:?}"));
        }
        if std::iter::once(state.queue).chain(state.segments.iter().map(|s| s.links)).any(|l| !l.contains(&0))
        {
            return Some("two links are held".into());
        }
        if chain.last() != Some(&state.last) {
            return Some(format!("{} is not the last of {chain:?}", state.last));
        }
        let unsealed =
            chain.split_last().and_then(|(_, rest)| rest.iter().find(|id| !state.segment(**id).sealed));
        if let Some(id) = unsealed {
            return Some(format!("segment {id} is not sealed, and another one follows"));
        }
        let held_by_hand = |id: Id| {
            let theirs = |p: &&Process| !matches!(p.life, Life::Gone | Life::Left);
            state
                .processes
                .iter()
                .filter(theirs)
                .any(|p| p.puts_to == id || p.made == id || p.lease == id || p.gets_from & 1 << id != 0)
        };
        let leaked = (1..=MOST as Id)
            .find(|id| state.segment(*id).exists && !chain.contains(id) && !held_by_hand(*id));
        leaked.map(|id| format!("segment {id} is not in the chain, and no process holds it"))
    }

    fn stuck(&self, state: &State) -> Option<String> {
        let mut alive = state.processes.iter().filter(|p| p.life == Life::Alive);
        if alive.clone().any(|p| p.puts > 0) && state.made < self.most {
            return Some("a producer cannot go on".into());
        }
        if alive.any(|p| p.gets) {
            if state.put != state.taken {
                return Some(format!("{} of {} messages were taken", state.taken, state.put));
            }
            let chain = state.chain();
            if chain.len() > 1 {
                return Some(format!("everything is consumed, and the chain is {chain:?}"));
            }
        }
        None
    }
}

fn start(processes: &[(u8, bool, u8)], kills: u8) -> State {
    let mut segments = [Segment::default(); MOST];
    segments[0].exists = true;
    let processes = processes
        .iter()
        .map(|&(puts, gets, leases)| Process {
            life: Life::Alive,
            puts_to: 0,
            puts,
            gets_from: 0,
            gets,
            lease: 0,
            leases,
            made: 0,
        })
        .collect();
    State {
        segments,
        queue: [1, 0],
        last: 1,
        made: 1,
        owner: None,
        orphan: false,
        processes,
        kills,
        put: 0,
        taken: 0,
        half: None,
        broken: false,
    }
}

fn holds(name: &str, most: u8, processes: &[(u8, bool, u8)], kills: u8) {
    let states = bfs::check(&Queue { most, early: false }, start(processes, kills), 12_000_000);
    println!("{name}: {} states", states.unwrap_or_else(|what| panic!("{name}: {what}")));
}

#[test]
fn one_puts_one_gets_and_two_die() {
    holds("1 puts, 1 gets and leases, 2 kills", 4, &[(3, false, 0), (0, true, 1)], 2);
    holds("1 puts, 2 get, 1 kill", 3, &[(2, false, 0), (0, true, 1), (0, true, 0)], 1);
}

#[test]
fn two_put_and_two_get_and_one_dies() {
    holds("2 put, 2 get, 1 kill", 3, &[(1, false, 0), (2, false, 0), (0, true, 1), (0, true, 0)], 1);
    if deep() {
        holds("2 put, 2 get, 2 kills", 4, &[(2, false, 0), (2, false, 0), (0, true, 1), (0, true, 0)], 2);
    }
}

#[test]
fn heirs_die_too() {
    holds("1 puts, 2 get, 2 kills", 3, &[(2, false, 0), (0, true, 1), (0, true, 0)], 2);
    holds("2 put, 1 gets, 2 kills", 3, &[(1, false, 0), (2, false, 0), (0, true, 1)], 2);
    if deep() {
        holds("2 put, 1 gets, 3 kills", 4, &[(2, false, 0), (2, false, 0), (0, true, 1)], 3);
    }
}

#[test]
fn what_an_idle_client_keeps_leads_nowhere() {
    // It gets once at most, and may then stand still while three segments come and go.
    holds("1 puts, 1 idles, 1 gets", 4, &[(3, false, 0), (0, true, 1), (0, true, 0)], 0);
}

#[test]
fn a_lock_may_not_be_handed_on_before_the_operation_under_way_is_finished() {
    let queue = Queue { most: 4, early: true };
    let wrong = bfs::check(&queue, start(&[(3, false, 0), (2, false, 0), (0, true, 0)], 1), 12_000_000);
    println!("{}", wrong.expect_err("two operations on one entry"));
}
