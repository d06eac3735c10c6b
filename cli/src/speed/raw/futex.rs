//! Two processes that wake each other by futex and never spin: the price of sleeping.
//!
//! # Safety
//!
//! The shared types are made of atomics.
#![allow(unsafe_code)]

use crate::measure::round_trip::{End, crew};
use crate::measure::{Crew, Entry, Place, Plain, shared};
use rustix::io::Errno;
use rustix::thread::futex;
use std::sync::atomic::{AtomicU32, Ordering};

pub fn entries() -> Vec<Entry> {
    vec![two_cores(), one_core()]
}

pub fn two_cores() -> Entry {
    Entry::new("raw.futex", |cores| {
        let (a, b) = cores.two()?;
        sleeping_crew(&a, &b)
    })
}

pub fn one_core() -> Entry {
    Entry::new("raw.futex.one_core", |cores| {
        let place = cores.one()?;
        sleeping_crew(&place, &place)
    })
}

#[repr(align(128))]
struct Word(AtomicU32);

type Words = [Word; 2];

// SAFETY: atomics only.
unsafe impl Plain for Words {}

fn sleeping_crew(a: &Place, b: &Place) -> anyhow::Result<Crew> {
    let [questions, answers]: &'static Words = shared()?;
    let asker = Sleeping { to: questions, from: answers, seen: 0 };
    let answerer = Sleeping { to: answers, from: questions, seen: 0 };
    crew((asker, answerer), (a, b))
}

struct Sleeping {
    to: &'static Word,
    from: &'static Word,
    seen: u32,
}

impl End<1> for Sleeping {
    fn send(&mut self, &[number]: &[u64; 1]) -> anyhow::Result<()> {
        // The low half is enough to tell neighbours apart, and to check.
        self.to.0.store(number as u32, Ordering::Release);
        futex::wake(&self.to.0, futex::Flags::empty(), 1)?;
        Ok(())
    }

    fn receive(&mut self) -> anyhow::Result<[u64; 1]> {
        loop {
            let number = self.from.0.load(Ordering::Acquire);
            if number != self.seen {
                self.seen = number;
                return Ok([u64::from(number)]);
            }
            match futex::wait(&self.from.0, futex::Flags::empty(), number, None) {
                Ok(()) | Err(Errno::AGAIN | Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}
