//! A condition whose lock the calling thread has.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use super::Condition;
use crate::error::Result;
use crate::locks::errors::{Recover, sealed};

/// The lock of a [`Condition`], acquired through it. Dropped, it is given back.
///
/// It stays with its thread. In a forked copy of the process its drop does nothing: the lock is the parent's. The calls are
/// those of [`Condition`], where they are described.
#[must_use = "the lock is released when the guard is dropped"]
pub struct ConditionGuard<'a> {
    condition: &'a Condition,
    /// The holder is a thread.
    _stays: PhantomData<*const ()>,
}

impl<'a> ConditionGuard<'a> {
    #[inline(always)]
    pub(super) fn new(condition: &'a Condition) -> Self {
        Self { condition, _stays: PhantomData }
    }

    /// See [`Condition::wait`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn wait(&mut self) -> Result<()> {
        self.condition.wait()
    }

    /// See [`Condition::wait_timeout`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn wait_timeout(&mut self, timeout: Duration) -> Result<bool> {
        self.condition.wait_timeout(timeout)
    }

    /// See [`Condition::wait_while`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn wait_while(&mut self, blocked: impl FnMut() -> bool) -> Result<()> {
        self.condition.wait_while(blocked)
    }

    /// See [`Condition::wait_while_timeout`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn wait_while_timeout(&mut self, blocked: impl FnMut() -> bool, timeout: Duration) -> Result<bool> {
        self.condition.wait_while_timeout(blocked, timeout)
    }

    /// See [`Condition::notify`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn notify(&self, n: usize) -> Result<usize> {
        self.condition.notify(n)
    }

    /// See [`Condition::notify_one`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn notify_one(&self) -> Result<usize> {
        self.condition.notify_one()
    }

    /// See [`Condition::notify_all`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn notify_all(&self) -> Result<usize> {
        self.condition.notify_all()
    }

    /// See [`Condition::recover`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn recover(&self) -> Result<()> {
        self.condition.recover()
    }

    /// Keeps the lock without the guard, until [`Condition::release`].
    pub fn leak(self) {
        std::mem::forget(self);
    }
}

impl Drop for ConditionGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        self.condition.lock.give_back();
    }
}

impl sealed::Sealed for ConditionGuard<'_> {}

impl Recover for ConditionGuard<'_> {
    fn recovered(&self) {
        let core = self.condition.lock.core();
        core.recover(core.mine());
    }

    fn object(&self) -> String {
        self.condition.name()
    }
}

impl fmt::Debug for ConditionGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConditionGuard({})", self.condition)
    }
}
