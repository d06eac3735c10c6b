//! Many processes that wait for the same thing: from the moment it comes to the return of the last one.
//!
//! # Safety
//!
//! The shared type is made of atomics.
#![allow(unsafe_code)]

use super::{Batch, Contender, Plain, Report, Side, shared};
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

    /// One waiter's rounds of one order.
    ///
    /// # Errors
    /// Those of `wait`.
    pub fn attend(
        &self,
        rounds: u64,
        mut wait: impl FnMut() -> anyhow::Result<()>,
    ) -> anyhow::Result<Report> {
        for _ in 0..rounds {
            self.came.fetch_add(1, Ordering::AcqRel);
            wait()?;
            self.back.fetch_add(1, Ordering::AcqRel);
        }
        Ok(Report::default())
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
    /// The waiters get one order for all rounds: who is back goes on to wait for the next one, and does nothing else that
    /// would keep the others from coming back.
    fn batch(&mut self, operations: u64) -> anyhow::Result<Batch> {
        self.waiters.iter().try_for_each(|waiter| waiter.order(operations))?;
        let batch = Batch::measured_each(operations, || {
            let round = self.round;
            self.round += 1;
            let all = self.round * self.waiters.len() as u64;
            until(&self.roll.came, all)?;
            std::thread::sleep(SETTLE);
            let start = Instant::now();
            (self.release)(round)?;
            until(&self.roll.back, all)?;
            Ok(start.elapsed())
        })?;
        self.waiters.iter().try_for_each(|waiter| waiter.report(PATIENCE).map(drop))?;
        Ok(batch)
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
