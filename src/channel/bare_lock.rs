//! A robust lock over one word of a body, for structures that repair themselves: nobody is told that an owner died.

use crate::channel::domain::Domain;
use crate::error::{Error, ErrorKind, Result};
use crate::layout::ParticipantId;
use crate::layout::lock::{INCARNATION_MASK, LockWord};
use crate::prim::limits::Limits;
use crate::prim::lock::{Owners, RawLock, Taken};
use crate::prim::spin::Spinner;
use crate::region::Me;
use crate::sync::atomic::AtomicU64;
use crate::sys::thread;

/// The lock of one process's handle. Who uses it has asked that this is still the process that made the handle.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BareLock<'a> {
    word: &'a AtomicU64,
    me: LockWord,
    domain: &'a Domain,
}

/// The lock is the calling thread's, until this is dropped.
#[must_use]
#[derive(Debug)]
pub(crate) struct BareHeld<'a> {
    lock: RawLock<'a>,
    mine: LockWord,
}

impl<'a> BareLock<'a> {
    pub(crate) fn new(word: &'a AtomicU64, me: Me, domain: &'a Domain) -> Self {
        Self { word, me: LockWord::owned(me.id, me.incarnation), domain }
    }

    /// Takes it, waiting within `limits`. If its owner died, `repair` runs first, with the lock held: it finishes or undoes what the dead
    /// one was doing, and may be killed and run again by the next one. It must not panic: then the lock stays poisoned.
    ///
    /// # Errors
    /// `Timeout`; `Cancelled`; `Deadlock` if this thread has it; `Poisoned` after a panic in a repair.
    #[inline]
    pub(crate) fn lock(
        self,
        limits: &Limits<'_>,
        spinner: &Spinner,
        repair: impl FnOnce(),
    ) -> Result<BareHeld<'a>> {
        let (lock, mine) = (RawLock::new(self.word), self.me.by(thread::tag()));
        if lock.try_fast(mine) {
            return Ok(BareHeld { lock, mine });
        }
        self.lock_slow(limits, spinner, repair)
    }

    #[cold]
    fn lock_slow(
        self,
        limits: &Limits<'_>,
        spinner: &Spinner,
        repair: impl FnOnce(),
    ) -> Result<BareHeld<'a>> {
        let (lock, mine) = (RawLock::new(self.word), self.me.by(thread::tag()));
        let refuse = |kind, what| Err(Error::new(kind, "shared data", what));
        match lock.take(mine, limits, spinner, &Asking(self.domain)) {
            Taken::Owned => Ok(BareHeld { lock, mine }),
            Taken::Inherited(_) => {
                let held = BareHeld { lock, mine };
                repair();
                lock.recover(mine);
                Ok(held)
            }
            Taken::TimedOut => refuse(ErrorKind::Timeout, "others are changing it"),
            Taken::Cancelled => refuse(ErrorKind::Cancelled, "the wait was cancelled"),
            Taken::Mine => refuse(ErrorKind::Deadlock, "the calling thread is changing it already"),
            Taken::Poisoned => refuse(ErrorKind::Poisoned, "a repair after a death panicked"),
        }
    }
}

impl Drop for BareHeld<'_> {
    #[inline]
    fn drop(&mut self) {
        self.lock.release(self.mine);
    }
}

/// Asks the kernel after the owners that a word names.
struct Asking<'a>(&'a Domain);

impl Owners for Asking<'_> {
    fn is_dead(&self, who: ParticipantId, incarnation: u32) -> bool {
        let region = self.0.region();
        let tenant = region.participant(who);
        let is_another = tenant.incarnation & INCARNATION_MASK != incarnation;
        is_another || region.is_dead(who, Some(tenant.incarnation))
    }

    fn look_for_dead(&self) {
        self.0.look_for_dead();
    }
}
