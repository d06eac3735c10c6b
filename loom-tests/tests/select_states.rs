//! `select` beside blocking getters: who is woken for a message and does not take it wakes another, state by state.
//!
//! Two queues, each with the event count's own steps; a selector sleeps by both words at once, and the kernel may take a wake-up from
//! each before it runs. It takes nothing. A getter that sleeps although a message waits, and nobody is about to wake it, is
//! a stranded message (a backstop would find it; here there is none).
//!
//! Left out: fences (`event_count_states`), time, death.
#![cfg(not(loom))]

mod bfs;

use bfs::System;
use processing::prim::event_count::{WAITERS, step};
use processing::sync::mutant;

const QUEUES: usize = 2;
const COUNT_MASK: u32 = 0x00ff_fff0;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct State {
    words: [u32; QUEUES],
    messages: [u8; QUEUES],
    producers: Vec<Producer>,
    getters: Vec<Getter>,
    selectors: Vec<Selector>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Producer {
    queue: usize,
    left: u8,
    at: Notifying,
}

/// A notification, of a producer or handed on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Notifying {
    Idle,
    Load,
    Note,
    Wake { mine: u32 },
    Clear { mine: u32 },
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Getter {
    queue: usize,
    at: Getting,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Getting {
    Look,
    Announce,
    LookAgain { key: u32 },
    Wait { key: u32 },
    Asleep,
    Done,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Selector {
    at: Selecting,
    /// What was announced at each word; it stands until the word changes.
    keys: [Option<u32>; QUEUES],
    /// It has slept, and the sleep ended with a wake-up.
    woken: bool,
    left: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Selecting {
    Look,
    Announce(usize),
    LookAgain,
    Wait,
    /// In the kernel: from which words a wake-up was taken.
    Asleep([bool; QUEUES]),
    /// It hands on, for the queues that were ready.
    HandOn {
        ready: [bool; QUEUES],
        at: Notifying,
    },
    Done,
}

impl State {
    /// Counts matter only by being the word's or an older one.
    fn canonical(mut self) -> Self {
        let now = self.words.map(|word| word & COUNT_MASK);
        let fix = |queue: usize, saved: &mut u32| {
            let count = if *saved & COUNT_MASK == now[queue] { 0 } else { COUNT_MASK };
            *saved = *saved & !COUNT_MASK | count;
        };
        for producer in &mut self.producers {
            fix_notifying(&mut producer.at, |mine| fix(producer.queue, mine));
        }
        for getter in &mut self.getters {
            if let Getting::LookAgain { key } | Getting::Wait { key } = &mut getter.at {
                fix(getter.queue, key);
            }
        }
        for selector in &mut self.selectors {
            for (queue, key) in selector.keys.iter_mut().enumerate() {
                key.iter_mut().for_each(|key| fix(queue, key));
            }
            if let Selecting::HandOn { ready, at } = &mut selector.at
                && let Some(queue) = ready.iter().position(|ready| *ready)
            {
                fix_notifying(at, |mine| fix(queue, mine));
            }
        }
        for word in &mut self.words {
            *word &= !COUNT_MASK;
        }
        self
    }
}

fn fix_notifying(at: &mut Notifying, fix: impl FnOnce(&mut u32)) {
    if let Notifying::Wake { mine } | Notifying::Clear { mine } = at {
        fix(mine);
    }
}

struct Machine;

type Steps = Vec<(String, State)>;

/// Who sleeps by the word of a queue: the states after each of them was woken once.
fn woken(state: &State, queue: usize) -> Vec<State> {
    let mut out = Vec::new();
    for (i, getter) in state.getters.iter().enumerate() {
        if getter.queue == queue && getter.at == Getting::Asleep {
            let mut next = state.clone();
            next.getters[i].at = Getting::Look;
            out.push(next);
        }
    }
    for (i, selector) in state.selectors.iter().enumerate() {
        if let Selecting::Asleep(mut taken) = selector.at
            && !taken[queue]
        {
            let mut next = state.clone();
            taken[queue] = true;
            next.selectors[i].at = Selecting::Asleep(taken);
            out.push(next);
        }
    }
    out
}

/// One step of a notification: the states after it, with where the notifier is then.
fn notify(state: &State, queue: usize, at: Notifying) -> Vec<(State, Notifying)> {
    let mut next = state.clone();
    let then = match at {
        Notifying::Idle => return Vec::new(),
        Notifying::Load if state.words[queue] & WAITERS != 0 => Notifying::Note,
        Notifying::Load => Notifying::Idle,
        Notifying::Note => {
            next.words[queue] = step::noted(next.words[queue]);
            Notifying::Wake { mine: next.words[queue] }
        }
        Notifying::Wake { mine } => {
            let woken = woken(state, queue);
            if !woken.is_empty() {
                return woken.into_iter().map(|state| (state, Notifying::Idle)).collect();
            }
            Notifying::Clear { mine }
        }
        Notifying::Clear { mine } => {
            if next.words[queue] == mine {
                next.words[queue] = step::emptied(mine);
            }
            Notifying::Idle
        }
    };
    vec![(next, then)]
}

impl Machine {
    fn producer(&self, state: &State, who: usize, out: &mut Steps) {
        let producer = &state.producers[who];
        if producer.at == Notifying::Idle && producer.left > 0 {
            let mut next = state.clone();
            next.messages[producer.queue] += 1;
            next.producers[who].left -= 1;
            next.producers[who].at = Notifying::Load;
            out.push((format!("p{who}:publish"), next));
        }
        for (mut next, at) in notify(state, producer.queue, producer.at) {
            next.producers[who].at = at;
            out.push((format!("p{who}:{:?}", producer.at), next));
        }
    }

    fn getter(&self, state: &State, who: usize, out: &mut Steps) {
        let Getter { queue, at } = state.getters[who];
        let mut next = state.clone();
        let take = |next: &mut State, otherwise| {
            if next.messages[queue] == 0 {
                return otherwise;
            }
            next.messages[queue] -= 1;
            Getting::Done
        };
        next.getters[who].at = match at {
            Getting::Look => take(&mut next, Getting::Announce),
            Getting::Announce => {
                next.words[queue] = step::announced(next.words[queue]);
                Getting::LookAgain { key: next.words[queue] }
            }
            Getting::LookAgain { key } => take(&mut next, Getting::Wait { key }),
            Getting::Wait { key } if next.words[queue] == key => Getting::Asleep,
            Getting::Wait { .. } => Getting::Look,
            Getting::Asleep | Getting::Done => return,
        };
        out.push((format!("g{who}:{at:?}"), next));
    }

    fn selector(&self, state: &State, who: usize, out: &mut Steps) {
        let selector = &state.selectors[who];
        let ready = state.messages.map(|messages| messages != 0);
        let mut next = state.clone();
        next.selectors[who].at = match selector.at {
            Selecting::Look | Selecting::LookAgain if ready != [false; QUEUES] => {
                Self::ends(&mut next.selectors[who], ready)
            }
            Selecting::Look => Selecting::Announce(0),
            Selecting::Announce(queue) => {
                if selector.keys[queue] != Some(state.words[queue]) {
                    next.words[queue] = step::announced(next.words[queue]);
                    next.selectors[who].keys[queue] = Some(next.words[queue]);
                }
                if queue + 1 < QUEUES { Selecting::Announce(queue + 1) } else { Selecting::LookAgain }
            }
            Selecting::LookAgain => Selecting::Wait,
            Selecting::Wait if state.words.map(Some) == selector.keys => Selecting::Asleep([false; QUEUES]),
            Selecting::Wait => Selecting::Look,
            Selecting::Asleep(taken) if taken == [false; QUEUES] => return,
            Selecting::Asleep(_) => {
                next.selectors[who].woken = true;
                Selecting::Look
            }
            Selecting::HandOn { ready, at } => return self.hand_on(state, who, ready, at, out),
            Selecting::Done => return,
        };
        out.push((format!("s{who}:{:?}", selector.at), next));
    }

    /// It returns what is ready, and takes nothing; then it may come again.
    fn ends(selector: &mut Selector, mut ready: [bool; QUEUES]) -> Selecting {
        let woken = std::mem::take(&mut selector.woken);
        selector.keys = [None; QUEUES];
        if woken && !mutant::on("select.no_hand_on") {
            if mutant::on("select.hands_on_the_first") && ready[0] {
                ready[1] = false;
            }
            return Selecting::HandOn { ready, at: Notifying::Idle };
        }
        Self::again(selector)
    }

    fn again(selector: &mut Selector) -> Selecting {
        selector.left -= 1;
        if selector.left == 0 { Selecting::Done } else { Selecting::Look }
    }

    fn hand_on(&self, state: &State, who: usize, ready: [bool; QUEUES], at: Notifying, out: &mut Steps) {
        let Some(queue) = ready.iter().position(|ready| *ready) else {
            let mut next = state.clone();
            next.selectors[who].at = Self::again(&mut next.selectors[who]);
            out.push((format!("s{who}:ends"), next));
            return;
        };
        if at == Notifying::Idle {
            // As `hand_on_get`: somebody sleeps, and there is something.
            let mut next = state.clone();
            let begins = state.words[queue] & WAITERS != 0 && state.messages[queue] != 0;
            let mut rest = ready;
            rest[queue] = begins;
            let at = if begins { Notifying::Load } else { Notifying::Idle };
            next.selectors[who].at = Selecting::HandOn { ready: rest, at };
            out.push((format!("s{who}:hand on {queue}"), next));
        }
        for (mut next, then) in notify(state, queue, at) {
            let mut rest = ready;
            rest[queue] = then != Notifying::Idle;
            next.selectors[who].at = Selecting::HandOn { ready: rest, at: then };
            out.push((format!("s{who}:{at:?}"), next));
        }
    }
}

impl System for Machine {
    type State = State;

    fn next(&self, state: &State, out: &mut Steps) {
        (0..state.producers.len()).for_each(|who| self.producer(state, who, out));
        (0..state.getters.len()).for_each(|who| self.getter(state, who, out));
        (0..state.selectors.len()).for_each(|who| self.selector(state, who, out));
        for (_, next) in out {
            *next = next.clone().canonical();
        }
    }

    fn wrong(&self, _: &State) -> Option<String> {
        None
    }

    fn stuck(&self, state: &State) -> Option<String> {
        let waits = |queue: usize| state.messages[queue] != 0;
        let getter = state.getters.iter().any(|getter| getter.at == Getting::Asleep && waits(getter.queue));
        let selector = state.selectors.iter().any(|selector| matches!(selector.at, Selecting::Asleep(_)));
        if getter {
            return Some("a getter sleeps, and its message waits".into());
        }
        (selector && (0..QUEUES).any(waits)).then(|| "a selector sleeps, and one is ready".into())
    }
}

/// `producers` and `getters` by queue.
fn run(producers: &[(usize, u8)], getters: &[usize], selectors: usize, selects: u8) {
    let start = State {
        words: [0; QUEUES],
        messages: [0; QUEUES],
        producers: producers
            .iter()
            .map(|&(queue, left)| Producer { queue, left, at: Notifying::Idle })
            .collect(),
        getters: getters.iter().map(|&queue| Getter { queue, at: Getting::Look }).collect(),
        selectors: vec![
            Selector { at: Selecting::Look, keys: [None; QUEUES], woken: false, left: selects };
            selectors
        ],
    };
    match bfs::check(&Machine, start, 8_000_000) {
        Ok(states) => println!("{states} states"),
        Err(wrong) => panic!("{wrong}"),
    }
}

#[test]
fn one_message_a_getter_and_a_selector() {
    run(&[(0, 1)], &[0], 1, 2);
}

#[test]
fn one_message_a_getter_and_two_selectors() {
    run(&[(0, 1)], &[0], 2, 1);
}

#[test]
fn a_message_in_each_queue() {
    run(&[(0, 1), (1, 1)], &[0, 1], 1, 1);
}

#[test]
fn two_messages_two_getters() {
    run(&[(0, 2)], &[0, 0], 1, 2);
}
