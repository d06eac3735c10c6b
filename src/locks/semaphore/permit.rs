//! A permit in hand.

use std::fmt;
use std::marker::PhantomData;

use super::core::Core;
use crate::layout::semaphore::SemaphoreWord;

/// A permit of a [`Semaphore`](crate::Semaphore) or [`BoundedSemaphore`](crate::BoundedSemaphore). Dropped, it is free again.
///
/// It stays with its thread. In a forked copy of the process its drop does nothing: the permit is the parent's.
#[must_use = "the permit is given back when it is dropped"]
pub struct Permit<'a> {
    core: &'a Core,
    lane: u32,
    /// The semaphore's word as it was then.
    taken: SemaphoreWord,
    /// The holder is a thread: the lane is written without a read-modify-write.
    _stays: PhantomData<*const ()>,
}

impl<'a> Permit<'a> {
    #[inline(always)]
    pub(super) fn new(core: &'a Core, lane: u32, taken: SemaphoreWord) -> Self {
        Self { core, lane, taken, _stays: PhantomData }
    }

    /// Keeps it taken for good: nobody gives it back, also not if this process dies. Only a `release` of the semaphore makes
    /// up for it.
    ///
    /// Killed in it, the permit is forgotten or free.
    pub fn forget(self) {
        self.core.forget(self.lane);
        std::mem::forget(self);
    }
}

impl Drop for Permit<'_> {
    #[inline]
    fn drop(&mut self) {
        self.core.put_back(self.lane, self.taken);
    }
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Permit({})", self.core.object())
    }
}
