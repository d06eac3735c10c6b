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
        let words: &'static Words = shared()?;
        spinning_crew(cores, words, 0)
    })
}

pub fn two_line() -> Entry {
    Entry::new("raw.two_line", |cores| {
        let words: &'static Words = shared()?;
        spinning_crew(cores, words, 1)
    })
}

/// A word far from its neighbours: processors fetch lines in pairs.
#[repr(align(128))]
struct Word(AtomicU64);

/// Two words on each of many pages. How far a line is from a core depends on its address, by a fifth of a round
/// trip: so the exchange moves on from page to page, as it does in a ring.
type Words = [Page; PAGES];

#[repr(align(4096))]
struct Page([Word; 2]);

const PAGES: usize = 64;
/// Round trips on one page; both sides count.
const STAY: usize = 256;

// SAFETY: atomics only.
unsafe impl Plain for Words {}

/// `answers`: which word of a page the answers go to; questions go to the first.
fn spinning_crew(cores: &Cores, words: &'static Words, answers: usize) -> anyhow::Result<Crew> {
    let asker = Spinning { words, to: 0, from: answers, sent: 0, received: 0, seen: [0; PAGES] };
    let answerer = Spinning { words, to: answers, from: 0, sent: 0, received: 0, seen: [0; PAGES] };
    let (a, b) = cores.two()?;
    crew((asker, answerer), (&a, &b))
}

struct Spinning {
    words: &'static Words,
    to: usize,
    from: usize,
    sent: usize,
    received: usize,
    /// For each page the number that is not news: the last one received, or sent.
    seen: [u64; PAGES],
}

/// The page of the exchange after so many messages in one direction.
#[inline(always)]
fn page(messages: usize) -> usize {
    messages / STAY % PAGES
}

impl End<1> for Spinning {
    #[inline(always)]
    fn send(&mut self, &[number]: &[u64; 1]) -> anyhow::Result<()> {
        let page = page(self.sent);
        self.sent += 1;
        if self.to == self.from {
            self.seen[page] = number;
        }
        // Release: pairs with the Acquire in `receive`. (Nothing but the number travels here, but a real
        // message would not do with less.)
        self.words[page].0[self.to].0.store(number, Ordering::Release);
        Ok(())
    }

    #[inline(always)]
    fn receive(&mut self) -> anyhow::Result<[u64; 1]> {
        let page = page(self.received);
        self.received += 1;
        loop {
            let number = self.words[page].0[self.from].0.load(Ordering::Acquire);
            if number != self.seen[page] {
                self.seen[page] = number;
                return Ok([number]);
            }
            std::hint::spin_loop();
        }
    }
}
