//! The event count's asymmetric fences on a machine with store buffers: every interleaving of publishers whose
//! stores become visible late, sleepers that run a heavy fence once, and a process that takes the request back.
//! The steps of the word are the library's own functions.
//!
//! What is left out: time (a sleep ends only by a wake-up), and reordering other than of a store with later loads.
#![cfg(not(loom))]

mod bfs;

use bfs::System;
use processing::prim::event_count::{ESTABLISHED, WAITERS, step};
use processing::sync::mutant;

const COUNT_MASK: u32 = 0x00ff_fff0;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct State {
    word: u32,
    /// 0 nothing, 1 published, 2 taken; by publisher and number of its message.
    data: Vec<u8>,
    publishers: Vec<Publisher>,
    sleepers: Vec<Sleeper>,
    relaxer: Relaxer,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Publisher {
    at: Publishing,
    left: u8,
    /// A store that nobody else sees yet: an index into `data`.
    buffer: Option<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Publishing {
    Store,
    Load,
    Fence,
    Note,
    Wake { mine: u32 },
    Clear { mine: u32 },
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Sleeper {
    at: Sleeping,
    left: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Sleeping {
    Look,
    Announce,
    /// The heavy fence reaches the publishers one after the other.
    Heavy {
        mine: u32,
        reached: u8,
    },
    Establish {
        mine: u32,
    },
    LookAgain {
        key: u32,
    },
    Wait {
        key: u32,
    },
    Asleep,
    Done,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Relaxer {
    left: u8,
    seen: Option<u32>,
}

impl State {
    fn flush(&mut self, publisher: usize) {
        if let Some(index) = self.publishers[publisher].buffer.take() {
            self.data[index as usize] = 1;
        }
    }

    fn take(&mut self) -> bool {
        let found = self.data.iter_mut().find(|message| **message == 1);
        found.map(|message| *message = 2).is_some()
    }

    /// Counts matter only by being the word's or an older one.
    fn canonical(mut self) -> Self {
        let now = self.word & COUNT_MASK;
        let fix = |saved: &mut u32| {
            let count = if *saved & COUNT_MASK == now { 0 } else { COUNT_MASK };
            *saved = *saved & !COUNT_MASK | count;
        };
        for publisher in &mut self.publishers {
            match &mut publisher.at {
                Publishing::Wake { mine } | Publishing::Clear { mine } => fix(mine),
                _ => {}
            }
        }
        for sleeper in &mut self.sleepers {
            match &mut sleeper.at {
                Sleeping::Heavy { mine, .. } | Sleeping::Establish { mine } => fix(mine),
                Sleeping::LookAgain { key } | Sleeping::Wait { key } => fix(key),
                _ => {}
            }
        }
        if let Some(seen) = &mut self.relaxer.seen {
            fix(seen);
        }
        self.word &= !COUNT_MASK;
        self
    }
}

struct Machine {
    /// The publishers registered for heavy fences: they do not fence for themselves.
    registered: bool,
    messages: u8,
}

impl Machine {
    fn publisher(&self, state: &State, who: usize, out: &mut Vec<(String, State)>) {
        let publisher = &state.publishers[who];
        let mut emit = |what: &str, change: &dyn Fn(&mut State)| {
            let mut next = state.clone();
            change(&mut next);
            out.push((format!("p{who}:{what}"), next.canonical()));
        };
        if publisher.buffer.is_some() {
            emit("visible", &|next| next.flush(who));
        }
        match publisher.at {
            Publishing::Store if publisher.left == 0 => {}
            Publishing::Store => emit("store", &|next| {
                next.flush(who); // one entry is enough: older stores leave first
                let publisher = &mut next.publishers[who];
                publisher.left -= 1;
                publisher.buffer = Some(who as u8 * self.messages + publisher.left);
                publisher.at = Publishing::Load;
            }),
            Publishing::Load => emit("load", &|next| {
                if !self.registered {
                    next.flush(who);
                }
                let word = next.word;
                next.publishers[who].at = match word {
                    _ if !step::is_busy(word) => Publishing::Store,
                    _ if step::asks_for_fence(word) => Publishing::Fence,
                    _ if word & WAITERS != 0 => Publishing::Note,
                    _ => Publishing::Store,
                };
            }),
            Publishing::Fence => emit("fence, load", &|next| {
                next.flush(who);
                let waiters = next.word & WAITERS != 0;
                next.publishers[who].at = if waiters { Publishing::Note } else { Publishing::Store };
            }),
            Publishing::Note => emit("note", &|next| {
                next.flush(who);
                next.word = step::noted(next.word);
                next.publishers[who].at = Publishing::Wake { mine: next.word };
            }),
            Publishing::Wake { mine } => {
                let asleep: Vec<_> =
                    (0..state.sleepers.len()).filter(|&i| state.sleepers[i].at == Sleeping::Asleep).collect();
                for &sleeper in &asleep {
                    emit(&format!("wake s{sleeper}"), &|next| {
                        next.sleepers[sleeper].at = Sleeping::Look;
                        next.publishers[who].at = Publishing::Store;
                    });
                }
                if asleep.is_empty() {
                    emit("wakes nobody", &|next| next.publishers[who].at = Publishing::Clear { mine });
                }
            }
            Publishing::Clear { mine } => emit("clear", &|next| {
                next.flush(who);
                if next.word == mine {
                    next.word = step::emptied(mine);
                }
                next.publishers[who].at = Publishing::Store;
            }),
        }
    }

    fn sleeper(&self, state: &State, who: usize, out: &mut Vec<(String, State)>) {
        let sleeper = &state.sleepers[who];
        let mut emit = |what: &str, change: &dyn Fn(&mut State)| {
            let mut next = state.clone();
            change(&mut next);
            out.push((format!("s{who}:{what}"), next.canonical()));
        };
        let took = |next: &mut State, otherwise| {
            let took = next.take();
            let sleeper = &mut next.sleepers[who];
            sleeper.left -= u8::from(took);
            sleeper.at = match (took, sleeper.left) {
                (true, 0) => Sleeping::Done,
                (true, _) => Sleeping::Look,
                (false, _) => otherwise,
            };
        };
        match sleeper.at {
            Sleeping::Look => emit("look", &|next| took(next, Sleeping::Announce)),
            Sleeping::Announce => emit("announce", &|next| {
                next.word = step::announced(next.word);
                let mine = next.word;
                next.sleepers[who].at = if mine & ESTABLISHED != 0 {
                    Sleeping::LookAgain { key: mine }
                } else if mutant::on("event_count.no_heavy") {
                    Sleeping::Establish { mine }
                } else {
                    Sleeping::Heavy { mine, reached: 0 }
                };
            }),
            Sleeping::Heavy { mine, reached } => emit("heavy", &|next| {
                if self.registered {
                    next.flush(reached as usize);
                }
                let all = reached as usize + 1 == next.publishers.len();
                next.sleepers[who].at = if all {
                    Sleeping::Establish { mine }
                } else {
                    Sleeping::Heavy { mine, reached: reached + 1 }
                };
            }),
            Sleeping::Establish { mine } => emit("establish", &|next| {
                next.sleepers[who].at = match step::established(mine, next.word) {
                    Some(word) => {
                        next.word = word;
                        Sleeping::LookAgain { key: word }
                    }
                    None => Sleeping::Announce,
                };
            }),
            Sleeping::LookAgain { key } => emit("look again", &|next| took(next, Sleeping::Wait { key })),
            Sleeping::Wait { key } => emit("wait", &|next| {
                next.sleepers[who].at = if next.word == key { Sleeping::Asleep } else { Sleeping::Look };
            }),
            Sleeping::Asleep | Sleeping::Done => {}
        }
    }

    fn relaxer(&self, state: &State, out: &mut Vec<(String, State)>) {
        if state.relaxer.left == 0 {
            return;
        }
        let mut next = state.clone();
        match state.relaxer.seen {
            None => next.relaxer.seen = Some(state.word),
            Some(seen) => {
                if let (true, Some(relaxed)) = (seen == state.word, step::relaxed(seen)) {
                    next.word = relaxed;
                }
                next.relaxer = Relaxer { left: state.relaxer.left - 1, seen: None };
            }
        }
        out.push(("relax".into(), next.canonical()));
    }
}

impl System for Machine {
    type State = State;

    fn next(&self, state: &State, out: &mut Vec<(String, State)>) {
        for who in 0..state.publishers.len() {
            self.publisher(state, who, out);
        }
        for who in 0..state.sleepers.len() {
            self.sleeper(state, who, out);
        }
        self.relaxer(state, out);
    }

    fn wrong(&self, _: &State) -> Option<String> {
        None
    }

    fn stuck(&self, state: &State) -> Option<String> {
        let waits = state.data.contains(&1);
        let asleep = state.sleepers.iter().any(|sleeper| sleeper.at == Sleeping::Asleep);
        (waits && asleep).then(|| "asleep although a message waits".into())
    }
}

fn run(publishers: usize, messages: u8, sleepers: usize, wants: u8, relaxes: u8, registered: bool) {
    let start = State {
        word: 0,
        data: vec![0; publishers * messages as usize],
        publishers: vec![Publisher { at: Publishing::Store, left: messages, buffer: None }; publishers],
        sleepers: vec![Sleeper { at: Sleeping::Look, left: wants }; sleepers],
        relaxer: Relaxer { left: relaxes, seen: None },
    };
    match bfs::check(&Machine { registered, messages }, start, 8_000_000) {
        Ok(states) => println!("{states} states"),
        Err(wrong) => panic!("{wrong}"),
    }
}

#[test]
fn one_and_one() {
    run(1, 2, 1, 2, 0, true);
    run(1, 2, 1, 2, 0, false);
}

#[test]
fn two_publishers_one_sleeper() {
    run(2, 1, 1, 2, 1, true);
}

#[test]
fn one_publisher_two_sleepers() {
    run(1, 3, 2, 2, 1, true);
}

#[test]
fn two_and_two() {
    run(2, 1, 2, 1, 1, true);
    run(2, 1, 2, 1, 1, false);
}

#[test]
fn relaxed_again_and_again() {
    run(1, 3, 1, 3, 3, true);
}

/// A sleeper in its heavy fence misses that its request was taken back and made anew by the other, whose own
/// fence then shows two messages to one sleeper.
#[test]
fn relaxed_between_two_requests() {
    run(2, 2, 2, 2, 1, true);
}
