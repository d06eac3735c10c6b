//! What the processes write down: each operation before it begins, and what came of it.
//!
//! # Safety
//!
//! [`Board`] is made of atomic words.
#![allow(unsafe_code)]
#![allow(clippy::disallowed_types, reason = "what is checked must not be what checks")]

use crate::model::{Answer, Call, Op};
use processing_stress::shared_file::Words;
use rustix::thread::futex;
use rustix::time::{ClockId, Timespec, clock_gettime};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicU32, AtomicU64, fence};
use std::time::Duration;

/// How many processes there are.
pub const PROCESSES: usize = 4;
/// How many operations each of them tries in a round.
pub const CALLS: usize = 150;

/// A count that one goes up by ringing, and others wait for.
#[repr(C)]
pub struct Bell(AtomicU32);

impl Bell {
    pub fn count(&self) -> u32 {
        self.0.load(Acquire)
    }

    pub fn ring(&self) {
        self.0.fetch_add(1, Release);
        // It fails only without a waiter.
        let _ = futex::wake(&self.0, futex::Flags::empty(), i32::MAX as u32);
    }

    /// Until the count is another, or the time is up.
    pub fn wait(&self, count: u32, at_most: Duration) {
        let time = Timespec { tv_sec: at_most.as_secs() as i64, tv_nsec: at_most.subsec_nanos().into() };
        // However it ends, the caller looks again.
        let _ = futex::wait(&self.0, futex::Flags::empty(), count, Some(&time));
    }
}

/// One operation: its words, when it began; its answer, and when it was over, which is zero before.
#[repr(C)]
pub struct Record {
    op: [AtomicU64; 3],
    start: AtomicU64,
    answer: [AtomicU64; 2],
    end: AtomicU64,
}

/// What one process writes down.
#[repr(C)]
pub struct Lane {
    /// The round that it is ready for, and the one that it has done.
    pub ready: AtomicU64,
    pub done: AtomicU64,
    /// Records of this round; the last one may be of an operation that is not over.
    pub len: AtomicU64,
    records: [Record; CALLS],
}

/// What all write down.
#[repr(C)]
pub struct Board {
    /// The round that is on.
    pub round: AtomicU64,
    /// The round in which all may begin.
    pub go: AtomicU64,
    /// Not zero: enough.
    pub stop: AtomicU64,
    /// Operations of all, in all rounds.
    pub operations: AtomicU64,
    /// Of the instrument, for the processes.
    pub called: Bell,
    /// Of the processes, for the instrument.
    pub answered: Bell,
    pub lanes: [Lane; PROCESSES],
}

// SAFETY: see the module.
unsafe impl Words for Board {}

impl Lane {
    /// Writes down an operation and when it begins.
    pub fn begin(&self, at: usize, op: Op) {
        let record = &self.records[at];
        record.op.iter().zip(op.pack()).for_each(|(word, value)| word.store(value, Relaxed));
        record.end.store(0, Relaxed);
        record.start.store(before(), Relaxed);
        // Release: pairs with the Acquire in `read`; but its reader asks the dead, or those who are done.
        self.len.store(at as u64 + 1, Release);
        fence(SeqCst);
    }

    /// Writes down what came of it, and that it is over.
    pub fn end(&self, at: usize, answer: Answer) {
        let end = after();
        let record = &self.records[at];
        record.answer.iter().zip(answer.pack()).for_each(|(word, value)| word.store(value, Relaxed));
        record.end.store(end, Release);
    }

    /// All operations of a process that is done or dead.
    pub fn read(&self, process: usize) -> Option<Vec<Call>> {
        let len = self.len.load(Acquire) as usize;
        self.records.get(..len)?.iter().map(|record| record.read(process)).collect()
    }
}

impl Record {
    fn read(&self, process: usize) -> Option<Call> {
        let end = self.end.load(Acquire);
        let op = Op::unpack(self.op.each_ref().map(|word| word.load(Relaxed)))?;
        let answer = Answer::unpack(self.answer.each_ref().map(|word| word.load(Relaxed)));
        let end = if end == 0 { None } else { Some((answer?, end)) };
        Some(Call { process, op, start: self.start.load(Relaxed), end })
    }
}

/// The time, in nanoseconds, before which nothing of what follows has happened.
///
/// A store is over when others can see it, and a load has not begun before: so all that lies between the two times lies between
/// full fences as well. (Without them a store that has returned may wait in its core for some nanoseconds, and a clock
/// would tell: what is promised is an order between those who tell one another by memory.)
pub fn before() -> u64 {
    let now = now();
    settle();
    now
}

/// The time, in nanoseconds, after which nothing of what came before is still to happen.
pub fn after() -> u64 {
    settle();
    now()
}

fn settle() {
    fence(SeqCst);
    // The fence is for memory, and the clock is none: it must have been read before whatever follows.
    #[cfg(target_arch = "x86_64")]
    // SAFETY: each such processor has it.
    unsafe {
        std::arch::x86_64::_mm_lfence();
    }
}

fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
