//! What each process writes down: before it does something, and after.
//!
//! # Safety
//!
//! [`Journals`] is made of atomic words.
#![allow(unsafe_code)]
#![allow(clippy::disallowed_types, reason = "what is checked must not be what checks")]

use processing_stress::shared_file::Words;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

/// Processes of each side.
pub const SIDE: usize = 3;
/// What a consumer notes before it makes room for the next.
const RECORDS: usize = 1 << 20;

#[repr(C)]
pub struct Journals {
    /// Not zero: producers, enough.
    pub stop: AtomicU64,
    /// How often something was wrong.
    pub violations: AtomicU64,
    /// Goes up with everything that anybody does.
    pub progress: AtomicU64,
    pub producers: [ProducerJournal; SIDE],
    pub consumers: [ConsumerJournal; SIDE],
}

// SAFETY: see the module.
unsafe impl Words for Journals {}

impl Journals {
    pub fn violation(&self, what: &str) {
        self.violations.fetch_add(1, SeqCst);
        eprintln!("soak: process {}: {what}", std::process::id());
    }
}

/// The messages up to `done` were put; up to `begun` they may have been.
#[repr(C)]
pub struct ProducerJournal {
    pub begun: AtomicU64,
    pub done: AtomicU64,
}

/// What was consumed, in that order.
#[repr(C)]
pub struct ConsumerJournal {
    /// So many messages may be on their way from the queue to the records: what a `get` consumed just before it was killed.
    pub taking: AtomicU64,
    len: AtomicU64,
    records: [AtomicU64; RECORDS],
}

/// How a consumer saw a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// By a lease, without the mark.
    First,
    /// By a lease that says `redelivered`.
    Again,
    /// By value, which tells nothing of earlier ones. There must be no later one: the message was consumed.
    Value,
}

/// A message as a consumer saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    pub life: u64,
    pub number: u64,
    pub sight: Sight,
}

impl Record {
    fn pack(self) -> u64 {
        (self.sight as u64) << 62 | self.life << 40 | self.number
    }

    fn unpack(word: u64) -> Self {
        let sight = match word >> 62 {
            0 => Sight::First,
            1 => Sight::Again,
            _ => Sight::Value,
        };
        Self { sight, life: word >> 40 & 0x3f_ffff, number: word & 0xff_ffff_ffff }
    }
}

impl ConsumerJournal {
    pub fn note(&self, record: Record) {
        let len = self.len.load(Relaxed);
        self.records[len as usize].store(record.pack(), Relaxed);
        // Release: pairs with the Acquire in `read_all`; but its reader asks the dead, which orders everything anyhow.
        self.len.store(len + 1, Release);
    }

    /// There is room for so many more.
    pub fn has_room(&self, more: usize) -> bool {
        self.len.load(Relaxed) as usize + more <= RECORDS
    }

    /// Of a process that has ended: what it saw, and how many it may have taken without a note. The journal is empty then.
    pub fn read_all(&self) -> (Vec<Record>, u64) {
        let len = self.len.swap(0, Acquire) as usize;
        let records = self.records[..len].iter().map(|word| Record::unpack(word.load(Relaxed)));
        (records.collect(), self.taking.swap(0, Acquire))
    }
}
