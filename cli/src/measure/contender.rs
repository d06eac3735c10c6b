//! What can be measured.

use super::Tail;
use std::time::Duration;

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
    /// Single operations, all of them or a sample, where an operation is long enough to be timed alone.
    pub each: Option<Tail>,
    /// Where several wanted the same: what the one with the least had, of what would have been fair.
    pub share: Option<f64>,
    /// Where operations come by a schedule: nanoseconds from one to the next.
    pub every: Option<f64>,
    /// Where one other wrote meanwhile: how often, in writes a second.
    pub writer: Option<f64>,
    /// Where something is filled: bytes for each of what it holds then.
    pub bytes_each: Option<f64>,
}

impl From<Duration> for Batch {
    fn from(elapsed: Duration) -> Self {
        Self { elapsed, each: None, share: None, every: None, writer: None, bytes_each: None }
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
        let mut each = Tail::new()?;
        let mut elapsed = Duration::ZERO;
        for _ in 0..operations {
            let took = operation()?;
            elapsed += took;
            each.record(took);
        }
        Ok(Self { each: Some(each), ..elapsed.into() })
    }
}
