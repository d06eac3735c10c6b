//! What can be measured.

use hdrhistogram::Histogram;
use std::time::Duration;

/// Longer operations count as this long in the tail.
const LONGEST: Duration = Duration::from_secs(60);

/// Something set up and ready to be timed.
pub trait Contender {
    /// Runs `operations` operations and says how long they took together.
    ///
    /// # Errors
    /// A payload that did not arrive as it was sent, or a process of the contender that ended.
    fn batch(&mut self, operations: u64) -> anyhow::Result<Batch>;
}

/// The outcome of a batch.
pub struct Batch {
    /// All operations together.
    pub elapsed: Duration,
    /// Each operation by itself, in nanoseconds, where an operation is long enough to be timed alone.
    pub each: Option<Histogram<u64>>,
    /// Where several wanted the same: what the one with the least had, of what would have been fair.
    pub share: Option<f64>,
}

impl From<Duration> for Batch {
    fn from(elapsed: Duration) -> Self {
        Self { elapsed, each: None, share: None }
    }
}

impl Batch {
    /// Times each call of `operation` alone.
    ///
    /// # Errors
    /// Those of `operation`.
    pub fn timing_each(
        operations: u64,
        mut operation: impl FnMut() -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        Self::measured_each(operations, || {
            let start = std::time::Instant::now();
            operation()?;
            Ok(start.elapsed())
        })
    }

    /// Runs `operation` so often; it says itself how long it took.
    ///
    /// # Errors
    /// Those of `operation`.
    pub fn measured_each(
        operations: u64,
        mut operation: impl FnMut() -> anyhow::Result<Duration>,
    ) -> anyhow::Result<Self> {
        let mut each = Histogram::new_with_bounds(1, LONGEST.as_nanos() as u64, 2)?;
        let mut elapsed = Duration::ZERO;
        for _ in 0..operations {
            let took = operation()?;
            elapsed += took;
            each.saturating_record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
        }
        Ok(Self { elapsed, each: Some(each), share: None })
    }
}
