//! Several conversations at once, on too few cores.
//!
//! Each runs until the same time is over, rather than for the same number of round trips: a pair that the
//! scheduler favours would be done early, and leave the last one alone on two idle cores, where sleeping
//! costs much more than in the crowd.

use super::{Batch, Contender, Crew, Tail};
use anyhow::ensure;
use std::time::Duration;

/// Pairs of [`Asker::for_time`](super::round_trip::Asker::for_time) and
/// [`Answerer::until_stopped`](super::round_trip::Answerer::until_stopped).
pub struct Crowd {
    crew: Crew,
    pairs: u64,
    /// What a round trip took last time, to translate operations into time.
    nanos: f64,
}

impl Crowd {
    /// The sides of `pairs` conversations.
    pub fn new(crew: Crew, pairs: u64) -> Self {
        Self { crew, pairs, nanos: 1e5 }
    }
}

impl Contender for Crowd {
    /// As if each pair had made `operations` round trips at the mean rate of all pairs.
    fn batch(&mut self, operations: u64) -> anyhow::Result<Batch> {
        let reports = self.crew.run((operations as f64 * self.nanos) as u64)?;
        let done: u64 = reports.iter().map(|report| report.operations).sum();
        let nanos: u64 = reports.iter().map(|report| report.nanos).sum();
        ensure!(done >= self.pairs, "only {done} round trips of {} pairs", self.pairs);
        self.nanos = nanos as f64 / done as f64;
        let each = Tail::all(reports.iter().filter_map(|report| report.each.as_ref()))?;
        Ok(Batch { each, ..Duration::from_secs_f64(operations as f64 * self.nanos / 1e9).into() })
    }
}
