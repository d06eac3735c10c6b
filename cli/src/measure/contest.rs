//! Several processes that want the same thing, for the same time: what a turn costs, and whether all get theirs.

use super::{Batch, Contender, Crew, Report};
use anyhow::ensure;
use std::time::{Duration, Instant};

/// Sides made with [`turns_for_time`].
pub struct Contest {
    crew: Crew,
    sides: u64,
    /// What a turn took last time, to translate turns into time.
    nanos: f64,
}

impl Contest {
    /// So many sides.
    pub fn new(crew: Crew, sides: u64) -> Self {
        Self { crew, sides, nanos: 100.0 }
    }
}

impl Contender for Contest {
    /// As long as it takes all sides together to have `operations` turns.
    fn batch(&mut self, operations: u64) -> anyhow::Result<Batch> {
        let reports = self.crew.run((operations as f64 * self.nanos) as u64)?;
        let turns: u64 = reports.iter().map(|report| report.operations).sum();
        let longest = reports.iter().map(|report| report.nanos).max().unwrap_or(0);
        let fewest = reports.iter().map(|report| report.operations).min().unwrap_or(0);
        ensure!(turns > 0, "nobody had a turn");
        self.nanos = longest as f64 / turns as f64;
        let elapsed = Duration::from_secs_f64(operations as f64 * self.nanos / 1e9);
        let share = (fewest * self.sides) as f64 / turns as f64;
        Ok(Batch { share: Some(share), ..elapsed.into() })
    }
}

/// Takes turns until `nanos` are over. `turn` says whether it was wrong.
///
/// # Errors
/// Those of `turn`.
pub fn turns_for_time(nanos: u64, mut turn: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<Report> {
    let start = Instant::now();
    let (mut operations, mut wrong) = (0, 0);
    loop {
        // The watch costs more than a turn: it is looked at now and then.
        for _ in 0..16 {
            wrong += u64::from(turn()?);
        }
        operations += 16;
        let elapsed = start.elapsed().as_nanos() as u64;
        if elapsed >= nanos {
            return Ok(Report { operations, nanos: elapsed, wrong, each: None });
        }
    }
}

/// Takes so many turns.
///
/// # Errors
/// Those of `turn`.
pub fn turns(operations: u64, mut turn: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<Report> {
    let mut wrong = 0;
    let start = Instant::now();
    for _ in 0..operations {
        wrong += u64::from(turn()?);
    }
    Ok(Report { operations, nanos: start.elapsed().as_nanos() as u64, wrong, each: None })
}

/// [`turns`] of a few nanoseconds. Where a turn needs all registers, a count in the loop is kept in memory, and each turn waits for the last one's
/// store of it, which is more than such a turn takes: here wrong ones are counted out of the way.
///
/// # Errors
/// Those of `turn`.
pub fn short_turns(
    operations: u64,
    mut turn: impl FnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<Report> {
    let mut wrong = 0;
    let start = Instant::now();
    for _ in 0..operations {
        if turn()? {
            one_more(&mut wrong);
        }
    }
    Ok(Report { operations, nanos: start.elapsed().as_nanos() as u64, wrong, each: None })
}

#[cold]
fn one_more(count: &mut u64) {
    *count += 1;
}
