//! Parking with the asymmetric fence, on machines with store buffers (TSO), state by state.
//!
//! loom has no membarrier, so the steps of `prim::park` are written out here; `fence::light` is no instruction at
//! all, `fence::heavy` empties the store buffer of every core. Stores wait in their thread's buffer and reach memory in
//! order, at any later time; loads see the own buffer first. A system call empties its caller's buffer (both futex
//! calls run a full fence). The publisher makes its publications and ends; a sleeper that then sleeps for ever is
//! a lost wake-up.
#![cfg(not(loom))]

use std::collections::HashMap;
use std::collections::VecDeque;

use processing::prim::park::{ESTABLISHED, PARKED, REQUEST};
use processing::sync::mutant;

const GENERATION: u32 = 1 << 4;
const PUBLICATIONS: u32 = 3;

// Shared words.
const DATA: usize = 0;
const STATE: usize = 1;
const EVENT: usize = 2;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct World {
    memory: [u32; 3],
    buffers: [Vec<(usize, u32)>; 2],
    waker: Waker,
    sleeper: Sleeper,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Waker {
    at: WakerAt,
    published: u32,
    served: Option<u32>,
    seen: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum WakerAt {
    Publish,
    Look,
    Fence,
    LookAgain,
    ChangeEvent,
    Wake,
    Done,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Sleeper {
    at: SleeperAt,
    got: u32,
    event: u32,
    /// The state to go back to.
    awake: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum SleeperAt {
    Look,
    MayRelax,
    ReadEvent,
    Announce,
    Fence,
    Heavy,
    Establish,
    SecondLook,
    Wait,
    Asleep,
    Retire,
    Done,
}

const WAKER: usize = 0;
const SLEEPER: usize = 1;

impl World {
    fn new() -> Self {
        Self {
            memory: [0; 3],
            buffers: [vec![], vec![]],
            waker: Waker { at: WakerAt::Publish, published: 0, served: None, seen: 0 },
            sleeper: Sleeper { at: SleeperAt::Look, got: 0, event: 0, awake: 0 },
        }
    }

    fn load(&self, thread: usize, word: usize) -> u32 {
        let own = self.buffers[thread].iter().rev().find(|(at, _)| *at == word);
        own.map_or(self.memory[word], |(_, value)| *value)
    }

    fn store(&mut self, thread: usize, word: usize, value: u32) {
        self.buffers[thread].push((word, value));
    }

    fn flush_one(&mut self, thread: usize) {
        let (word, value) = self.buffers[thread].remove(0);
        self.memory[word] = value;
    }

    fn flush(&mut self, thread: usize) {
        while !self.buffers[thread].is_empty() {
            self.flush_one(thread);
        }
    }

    /// All states one step further.
    fn next(&self) -> Vec<World> {
        let mut out = Vec::new();
        for thread in [WAKER, SLEEPER] {
            if !self.buffers[thread].is_empty() {
                let mut world = self.clone();
                world.flush_one(thread);
                out.push(world);
            }
        }
        if self.waker.at != WakerAt::Done {
            let mut world = self.clone();
            world.step_waker();
            out.push(world);
        }
        self.step_sleeper(&mut out);
        out
    }

    /// `publish; Bell::ring`.
    fn step_waker(&mut self) {
        let state = self.load(WAKER, STATE);
        match self.waker.at {
            WakerAt::Publish => {
                self.waker.published += 1;
                self.store(WAKER, DATA, self.waker.published);
                self.waker.at = WakerAt::Look; // light(): nothing
            }
            WakerAt::Look if state & (PARKED | REQUEST) != 0 => self.waker.at = WakerAt::Fence,
            WakerAt::Look => self.rung(),
            WakerAt::Fence => {
                if !mutant::on("park.no_waker_fence") {
                    self.flush(WAKER);
                }
                self.waker.at = WakerAt::LookAgain;
            }
            WakerAt::LookAgain => {
                let generation = state / GENERATION;
                if state & PARKED == 0 || self.waker.served == Some(generation) {
                    self.rung();
                } else {
                    self.waker.served = Some(generation);
                    self.waker.seen = self.load(WAKER, EVENT);
                    self.waker.at = WakerAt::ChangeEvent;
                }
            }
            WakerAt::ChangeEvent => {
                if !mutant::on("park.same_event") {
                    self.store(WAKER, EVENT, self.waker.seen + 1);
                }
                self.waker.at = WakerAt::Wake;
            }
            WakerAt::Wake => {
                self.flush(WAKER);
                if self.sleeper.at == SleeperAt::Asleep {
                    self.sleeper.at = SleeperAt::Retire;
                }
                self.rung();
            }
            WakerAt::Done => {}
        }
    }

    fn rung(&mut self) {
        self.waker.at = if self.waker.published == PUBLICATIONS { WakerAt::Done } else { WakerAt::Publish };
        self.waker.seen = 0;
    }

    /// `Sleeper::wait` for each publication in turn.
    fn step_sleeper(&self, out: &mut Vec<World>) {
        let mut world = self.clone();
        let ready = self.load(SLEEPER, DATA) > self.sleeper.got;
        let state = self.load(SLEEPER, STATE);
        match self.sleeper.at {
            SleeperAt::Look => {
                world.sleeper.at = if ready { SleeperAt::MayRelax } else { SleeperAt::ReadEvent }
            }
            SleeperAt::MayRelax => {
                // Spinning has sufficed; now and then the wakers are released. Both ways are explored.
                world.sleeper.got += 1;
                world.sleeper.at =
                    if world.sleeper.got == PUBLICATIONS { SleeperAt::Done } else { SleeperAt::Look };
                let mut relaxed = world.clone();
                let clear = if mutant::on("park.relax_half") { REQUEST } else { REQUEST | ESTABLISHED };
                relaxed.store(SLEEPER, STATE, state & !clear);
                out.push(relaxed);
            }
            SleeperAt::ReadEvent => {
                world.sleeper.event = self.load(SLEEPER, EVENT);
                world.sleeper.at = SleeperAt::Announce;
            }
            SleeperAt::Announce => {
                let next = if mutant::on("park.same_generation") { state } else { state + GENERATION };
                world.sleeper.awake = next | REQUEST;
                if state & ESTABLISHED != 0 {
                    world.sleeper.at = SleeperAt::Fence;
                    world.sleeper.awake = next;
                } else {
                    world.sleeper.at = SleeperAt::Heavy;
                }
                world.store(SLEEPER, STATE, world.sleeper.awake | PARKED);
            }
            SleeperAt::Fence => {
                if !mutant::on("park.no_sleeper_fence") {
                    world.flush(SLEEPER);
                }
                world.sleeper.at = SleeperAt::SecondLook;
            }
            SleeperAt::Heavy => {
                world.flush(SLEEPER);
                if !mutant::on("park.no_heavy") {
                    world.flush(WAKER);
                }
                world.sleeper.at = SleeperAt::Establish;
            }
            SleeperAt::Establish => {
                world.sleeper.awake |= ESTABLISHED;
                world.store(SLEEPER, STATE, world.sleeper.awake | PARKED);
                world.sleeper.at = SleeperAt::SecondLook;
            }
            SleeperAt::SecondLook => {
                let sees = ready && !mutant::on("park.no_second_look");
                world.sleeper.at = if sees { SleeperAt::Retire } else { SleeperAt::Wait };
            }
            SleeperAt::Wait => {
                // The kernel compares and enqueues in one step.
                world.flush(SLEEPER);
                let same = world.memory[EVENT] == world.sleeper.event;
                world.sleeper.at = if same { SleeperAt::Asleep } else { SleeperAt::Retire };
            }
            SleeperAt::Retire => {
                world.store(SLEEPER, STATE, world.sleeper.awake);
                world.sleeper.at = SleeperAt::Look;
            }
            SleeperAt::Asleep | SleeperAt::Done => return,
        }
        out.push(world);
    }
}

/// Breadth first; the steps to a state in which nothing moves and the sleeper still waits.
fn explore(start: World) -> Result<usize, String> {
    let mut from: HashMap<World, Option<World>> = HashMap::from([(start.clone(), None)]);
    let mut queue = VecDeque::from([start]);
    while let Some(world) = queue.pop_front() {
        let next = world.next();
        if next.is_empty() && world.sleeper.at != SleeperAt::Done {
            let mut trace = vec![format!("{world:?}")];
            let mut at = &world;
            while let Some(Some(before)) = from.get(at) {
                trace.push(format!("{before:?}"));
                at = before;
            }
            trace.reverse();
            return Err(trace.join("\n"));
        }
        for state in next {
            if !from.contains_key(&state) {
                from.insert(state.clone(), Some(world.clone()));
                queue.push_back(state);
            }
        }
        assert!(from.len() < 5_000_000, "too many states");
    }
    Ok(from.len())
}

#[test]
fn no_wake_up_is_lost() {
    match explore(World::new()) {
        Ok(states) => {
            println!("{states} states");
            assert!(states > 1000);
        }
        Err(trace) => panic!("asleep for ever:\n{trace}"),
    }
}
