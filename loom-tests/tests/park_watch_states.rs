//! Parking when somebody else sleeps for the same side, state by state: the reader announces itself for the thread that sleeps for many, then sleeps in a
//! call of its own, and then relies on the other again. A message that waits while both sleep, or while nobody will tell, is lost.
//!
//! Left out: fences and store buffers (`park_states`), time, death.
#![cfg(not(loom))]

mod bfs;

use bfs::System;
use processing::sync::mutant;

const PUBLICATIONS: u8 = 3;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct State {
    data: u8,
    generation: u8,
    parked: bool,
    event: u8,
    waker: Waker,
    served: Option<u8>,
    owner: Owner,
    /// How many it received.
    got: u8,
    /// Sleeps of its own that are still to come.
    own: u8,
    helper: Helper,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Waker {
    Publish,
    Look,
    ChangeEvent,
    Wake,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Owner {
    /// `Sleeper::watch`, and the look after it.
    Watch,
    WatchAnnounce {
        event: u8,
    },
    WatchLook {
        event: u8,
    },
    /// `Sleeper::sleep`.
    Look,
    Announce {
        event: u8,
    },
    SecondLook {
        event: u8,
    },
    Wait {
        event: u8,
    },
    Asleep,
    Retire,
    /// It looks at nothing but the sign.
    Polls,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Helper {
    Idle,
    Armed {
        event: u8,
    },
    Asleep {
        event: u8,
    },
    /// The sign is up.
    Raised,
}

struct Machine;

impl State {
    fn is_there(&self) -> bool {
        self.data > self.got
    }

    /// Whoever sleeps by the event: the states after the wake-up.
    fn woken(&self) -> Vec<Self> {
        let mut owner = self.clone();
        let mut helper = self.clone();
        owner.owner = if self.owner == Owner::Asleep { Owner::Retire } else { self.owner };
        if let Helper::Asleep { event } = self.helper {
            helper.helper = Helper::Armed { event };
        }
        if mutant::on("park.wakes_one") && self.owner == Owner::Asleep && helper.helper != self.helper {
            return vec![owner, helper];
        }
        owner.helper = helper.helper;
        vec![owner]
    }

    fn waker(&self, out: &mut Vec<(String, Self)>) {
        let mut next = self.clone();
        match self.waker {
            Waker::Publish if self.data == PUBLICATIONS => return,
            Waker::Publish => {
                next.data += 1;
                next.waker = Waker::Look;
            }
            Waker::Look if !self.parked || self.served == Some(self.generation) => {
                next.waker = Waker::Publish;
            }
            Waker::Look => {
                next.served = Some(self.generation);
                next.waker = Waker::ChangeEvent;
            }
            Waker::ChangeEvent => {
                next.event += 1;
                next.waker = Waker::Wake;
            }
            Waker::Wake => {
                for mut next in self.woken() {
                    next.waker = Waker::Publish;
                    out.push(("waker:Wake".into(), next));
                }
                return;
            }
        }
        out.push((format!("waker:{:?}", self.waker), next));
    }

    fn owner(&self, out: &mut Vec<(String, Self)>) {
        let mut next = self.clone();
        let announce = |next: &mut Self| {
            next.generation += 1;
            next.parked = true;
        };
        next.owner = match self.owner {
            Owner::Watch => Owner::WatchAnnounce { event: self.event },
            Owner::WatchAnnounce { event } => {
                announce(&mut next);
                Owner::WatchLook { event }
            }
            Owner::WatchLook { event } => {
                next.helper = if self.is_there() { Helper::Raised } else { Helper::Armed { event } };
                Owner::Look
            }
            Owner::Look if self.own == 0 => Owner::Polls,
            Owner::Look if self.is_there() => {
                next.got += 1;
                next.own -= 1;
                Owner::Look
            }
            Owner::Look => Owner::Announce { event: self.event },
            Owner::Announce { event } => {
                announce(&mut next);
                Owner::SecondLook { event }
            }
            Owner::SecondLook { .. } if self.is_there() => Owner::Retire,
            Owner::SecondLook { event } => Owner::Wait { event },
            Owner::Wait { event } if self.event == event => Owner::Asleep,
            Owner::Wait { .. } => Owner::Retire,
            Owner::Retire => {
                // As long as somebody else sleeps for this side the announcement stays.
                if mutant::on("park.sleep_ends_the_watch") {
                    next.parked = false;
                }
                Owner::Look
            }
            Owner::Asleep | Owner::Polls => return,
        };
        out.push((format!("owner:{:?}", self.owner), next));
    }

    fn helper(&self, out: &mut Vec<(String, Self)>) {
        let mut next = self.clone();
        next.helper = match self.helper {
            Helper::Armed { event } if self.event == event => Helper::Asleep { event },
            Helper::Armed { .. } => Helper::Raised,
            Helper::Idle | Helper::Asleep { .. } | Helper::Raised => return,
        };
        out.push((format!("helper:{:?}", self.helper), next));
    }
}

impl System for Machine {
    type State = State;

    fn next(&self, state: &State, out: &mut Vec<(String, State)>) {
        state.waker(out);
        state.owner(out);
        state.helper(out);
    }

    fn wrong(&self, _: &State) -> Option<String> {
        None
    }

    fn stuck(&self, state: &State) -> Option<String> {
        if state.owner == Owner::Asleep && state.is_there() {
            return Some("the owner sleeps, and a message waits".into());
        }
        let untold = state.owner == Owner::Polls && state.is_there() && state.helper != Helper::Raised;
        untold.then(|| "a message waits, and the sign is not up".into())
    }
}

fn run(own: u8) {
    let start = State {
        data: 0,
        generation: 0,
        parked: false,
        event: 0,
        waker: Waker::Publish,
        served: None,
        owner: Owner::Watch,
        got: 0,
        own,
        helper: Helper::Idle,
    };
    match bfs::check(&Machine, start, 1_000_000) {
        Ok(states) => println!("{states} states"),
        Err(wrong) => panic!("{wrong}"),
    }
}

#[test]
fn watched_only() {
    run(0);
}

#[test]
fn watched_while_it_sleeps_itself() {
    run(1);
    run(2);
}
