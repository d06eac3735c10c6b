//! Many processes that wait for the same thing: from the moment it comes to the return of the last one.
//!
//! # Safety
//!
//! The shared type is made of atomics.
#![allow(unsafe_code)]

use super::{Batch, Contender, Plain, Side, shared};
use anyhow::ensure;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How many came to wait, and how many have returned, in all rounds together.
#[derive(Default)]
#[repr(align(128))]
pub struct Roll {
    came: AtomicU64,
    back: AtomicU64,
}

// SAFETY: atomics only.
unsafe impl Plain for Roll {}

impl Roll {
    /// A roll that this process and those it will fork share.
    ///
    /// # Errors
    /// No memory.
    pub fn new() -> anyhow::Result<&'static Self> {
        shared()
    }

    /// One waiter's round.
    ///
    /// # Errors
    /// Those of `wait`.
    pub fn attend(&self, wait: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
        self.came.fetch_add(1, Ordering::AcqRel);
        wait()?;
        self.back.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }
}

/// Between the last one's coming and the start of the watch: so that all are asleep.
const SETTLE: Duration = Duration::from_millis(2);
/// How long a round may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// So many waiters, and what they wait for.
pub struct Gathering<F> {
    pub roll: &'static Roll,
    pub waiters: Vec<Box<dyn Side>>,
    /// Lets them go, in round `k`.
    pub release: F,
    pub round: u64,
}

impl<F: FnMut(u64) -> anyhow::Result<()>> Contender for Gathering<F> {
    fn batch(&mut self, operations: u64) -> anyhow::Result<Batch> {
        Batch::measured_each(operations, || {
            for waiter in &self.waiters {
                waiter.order(self.round)?;
            }
            self.round += 1;
            let all = self.round * self.waiters.len() as u64;
            until(&self.roll.came, all)?;
            std::thread::sleep(SETTLE);
            let start = Instant::now();
            (self.release)(self.round - 1)?;
            until(&self.roll.back, all)?;
            let took = start.elapsed();
            for waiter in &self.waiters {
                waiter.report(PATIENCE)?;
            }
            Ok(took)
        })
    }
}

/// Looks until the count is there, and lets others run meanwhile.
fn until(count: &AtomicU64, all: u64) -> anyhow::Result<()> {
    let start = Instant::now();
    while count.load(Ordering::Acquire) < all {
        ensure!(start.elapsed() < PATIENCE, "a waiter did not return");
        std::thread::yield_now();
    }
    Ok(())
}
