//! `Condition`: round trips between two processes, each of which stores a number under the lock and notifies.
//!
//! # Safety
//!
//! The shared type is made of atomics.
#![allow(unsafe_code)]

use super::hands::{Desk, Figures, Hand, finish, serve};
use crate::measure::round_trip::{Answerer, Asker, End};
use crate::measure::shared::{named, open};
use crate::measure::{Crew, Entry, Place, Plain, Row};
use crate::speed::raw::{condition, futex};
use processing::{Condition, Lock, Process, Queue, WaitStrategy};
use std::sync::atomic::{AtomicU64, Ordering};

pub fn rows() -> Vec<Row> {
    vec![
        Row::ours(adaptive()).against(condition::handoff()),
        Row::ours(handoff("condition.handoff.asleep", true)).against(futex::two_cores()),
    ]
}

/// With default waiting.
pub fn adaptive() -> Entry {
    handoff("condition.handoff.adaptive", false)
}

/// What each direction is about: a number, zero if it was taken.
#[derive(Default)]
#[repr(align(128))]
struct Numbers([AtomicU64; 2]);

// SAFETY: atomics only.
unsafe impl Plain for Numbers {}

fn handoff(name: &str, block: bool) -> Entry {
    Entry::new(name, move |cores| {
        let (a, b) = cores.two()?;
        let (_, memory) = named::<Numbers>()?;
        let (asked, answered) = (Condition::with_lock(&Lock::new()?)?, Condition::with_lock(&Lock::new()?)?);
        let start = |place: &Place, asks: bool| {
            Hand::start(place, |Desk { cores, orders, reports }| {
                let conditions = (asked.clone(), answered.clone());
                Process::new(converse, (cores, orders, reports, memory.clone(), conditions, asks, block))
                    .start()
            })
        };
        Ok(Crew::new([start(&b, false)?, start(&a, true)?]))
    })
}

fn converse(
    cores: Vec<u32>,
    orders: Queue<u64>,
    reports: Queue<Figures>,
    memory: String,
    (mut asked, mut answered): (Condition, Condition),
    asks: bool,
    block: bool,
) {
    let numbers: &'static Numbers = match open(&memory) {
        Ok(numbers) => numbers,
        Err(error) => return finish(Err(error)),
    };
    if block {
        asked.set_wait_strategy(WaitStrategy::Block);
        answered.set_wait_strategy(WaitStrategy::Block);
    }
    let desk = Desk { cores, orders, reports };
    let [question, answer] = &numbers.0;
    finish(if asks {
        let mut asker = Asker::<_, 1>::new(Both { to: (asked, question), from: (answered, answer) });
        serve(&desk, |operations| asker.batch(operations))
    } else {
        let mut answerer = Answerer::<_, 1>::new(Both { to: (answered, answer), from: (asked, question) });
        serve(&desk, |operations| answerer.batch(operations))
    });
}

struct Both {
    to: (Condition, &'static AtomicU64),
    from: (Condition, &'static AtomicU64),
}

impl End<1> for Both {
    fn send(&mut self, &[number]: &[u64; 1]) -> anyhow::Result<()> {
        let (condition, place) = &self.to;
        let guard = condition.acquire().map_err(processing::Error::from)?;
        place.store(number, Ordering::Relaxed);
        guard.notify_one()?;
        Ok(())
    }

    fn receive(&mut self) -> anyhow::Result<[u64; 1]> {
        let (condition, place) = &self.from;
        let mut guard = condition.acquire().map_err(processing::Error::from)?;
        guard.wait_while(|| place.load(Ordering::Relaxed) == 0)?;
        Ok([place.swap(0, Ordering::Relaxed)])
    }
}
