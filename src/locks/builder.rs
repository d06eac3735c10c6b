//! How a lock, semaphore, event or shared value is set up.

use std::marker::PhantomData;

use super::backend::LockBackend;
use crate::channel::domain::Arena;
use crate::error::Result;
use crate::prim::spin::{Spinner, WaitStrategy};

/// Settings of a new object of type `T`: see `T::builder`.
///
/// ```
/// use processing::{Lock, WaitStrategy};
/// let lock = Lock::builder().wait(WaitStrategy::Block).build()?;
/// # Ok::<(), processing::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is made before build is called"]
pub struct SyncBuilder<T> {
    pub(super) arena: Arena,
    strategy: WaitStrategy,
    /// Of locks: what they chose.
    backend: Option<LockBackend>,
    made: PhantomData<fn() -> T>,
}

impl<T> SyncBuilder<T> {
    pub(crate) fn new() -> Self {
        Self { arena: Arena::default(), strategy: WaitStrategy::default(), backend: None, made: PhantomData }
    }

    /// Creates it in this arena instead of the process tree's.
    pub fn arena(mut self, arena: &Arena) -> Self {
        self.arena = arena.clone();
        self
    }

    /// How this handle and its clones wait; other processes choose for themselves.
    pub fn wait(mut self, strategy: WaitStrategy) -> Self {
        self.strategy = strategy;
        self
    }

    pub(super) fn with_backend(mut self, backend: LockBackend) -> Self {
        self.backend = Some(backend);
        self
    }

    /// What was chosen for this lock, or else for all.
    pub(super) fn chosen_backend(&self) -> Result<LockBackend> {
        self.backend.map_or_else(LockBackend::of_environment, Ok)
    }

    /// The arena that was chosen.
    pub(crate) fn arena_chosen(&self) -> &Arena {
        &self.arena
    }

    pub(crate) fn spinner(&self) -> Spinner {
        Spinner::new(self.strategy)
    }
}
