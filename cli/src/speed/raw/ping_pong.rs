//! Two processes that pass a number to and fro through memory, spinning.
//!
//! `raw.one_line`: both write the same word, so that one cache line travels once each way.
//! `raw.two_line`: each side writes a line of its own, which is the least that any pair of one-way buffers
//! can do.
//!
//! # Safety
//!
//! The shared types are made of atomics.
#![allow(unsafe_code)]

use crate::measure::round_trip::{End, crew};
use crate::measure::{Cores, Crew, Entry, Plain, shared};
use std::sync::atomic::{AtomicU64, Ordering};

pub fn entries() -> Vec<Entry> {
    vec![one_line(), two_line()]
}

pub fn one_line() -> Entry {
    Entry::new("raw.one_line", |cores| {
        let [word, _]: &'static Words = shared()?;
        spinning_crew(cores, word, word)
    })
}

pub fn two_line() -> Entry {
    Entry::new("raw.two_line", |cores| {
        let [questions, answers]: &'static Words = shared()?;
        spinning_crew(cores, questions, answers)
    })
}

/// A word far from its neighbours: processors fetch lines in pairs.
#[repr(align(128))]
struct Word(AtomicU64);

type Words = [Word; 2];

// SAFETY: atomics only.
unsafe impl Plain for Words {}

fn spinning_crew(cores: &Cores, questions: &'static Word, answers: &'static Word) -> anyhow::Result<Crew> {
    let asker = Spinning { to: questions, from: answers, seen: 0 };
    let answerer = Spinning { to: answers, from: questions, seen: 0 };
    let (a, b) = cores.two()?;
    crew((asker, answerer), (&a, &b))
}

struct Spinning {
    to: &'static Word,
    from: &'static Word,
    /// The number that is not news: the last one received, or sent.
    seen: u64,
}

impl End<1> for Spinning {
    #[inline(always)]
    fn send(&mut self, &[number]: &[u64; 1]) -> anyhow::Result<()> {
        if std::ptr::eq(self.to, self.from) {
            self.seen = number;
        }
        // Release: pairs with the Acquire in `receive`. (Nothing but the number travels here, but a real
        // message would not do with less.)
        self.to.0.store(number, Ordering::Release);
        Ok(())
    }

    #[inline(always)]
    fn receive(&mut self) -> anyhow::Result<[u64; 1]> {
        loop {
            let number = self.from.0.load(Ordering::Acquire);
            if number != self.seen {
                self.seen = number;
                return Ok([number]);
            }
            std::hint::spin_loop();
        }
    }
}
