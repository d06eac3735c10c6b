//! How a semaphore is set up.

use super::super::builder::SyncBuilder;
use super::core::Core;
use crate::channel::domain::Arena;
use crate::error::{Error, ErrorKind, Result};
use crate::layout::semaphore::{LANES_MAX, VALUE_MAX};
use crate::prim::spin::{Spinner, WaitStrategy};

/// Lanes unless somebody says otherwise: 4 KiB.
const LANES: u32 = 64;

/// Settings of a new [`Semaphore`](crate::Semaphore) or [`BoundedSemaphore`](crate::BoundedSemaphore).
///
/// ```
/// use processing::{Semaphore, WaitStrategy};
/// let semaphore = Semaphore::builder(3).threads(1000).wait(WaitStrategy::Block).build()?;
/// # Ok::<(), processing::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is made before build is called"]
pub struct SemaphoreBuilder<T> {
    common: SyncBuilder<T>,
    value: u32,
    threads: u32,
}

impl<T> SemaphoreBuilder<T> {
    pub(super) fn new(value: u32) -> Self {
        Self { common: SyncBuilder::new(), value, threads: LANES }
    }

    /// How many threads of all processes may use it at once: from 1 to 16,000, 64 if nothing is said. Each costs 64 bytes.
    pub fn threads(mut self, threads: u32) -> Self {
        self.threads = threads;
        self
    }

    /// Creates it in this arena instead of the process tree's.
    pub fn arena(mut self, arena: &Arena) -> Self {
        self.common = self.common.arena(arena);
        self
    }

    /// How this handle and its clones wait; other processes choose for themselves.
    pub fn wait(mut self, strategy: WaitStrategy) -> Self {
        self.common = self.common.wait(strategy);
        self
    }

    pub(super) fn spinner(&self) -> Spinner {
        self.common.spinner()
    }

    pub(super) fn create(&self, bounded: bool) -> Result<Core> {
        let wrong = |what: String| Error::new(ErrorKind::InvalidInput, "semaphore", what);
        if self.value > VALUE_MAX {
            return Err(wrong(format!("a value of {} is beyond {VALUE_MAX}", self.value)));
        }
        if !(1..=LANES_MAX).contains(&self.threads) {
            return Err(wrong(format!("{} threads are not between 1 and {LANES_MAX}", self.threads)));
        }
        Core::create(&self.common.arena, self.value, self.threads, bounded)
    }
}
