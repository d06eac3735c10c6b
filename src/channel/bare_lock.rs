//! A robust lock over one word of a body, for structures that repair themselves: nobody is told that an owner died.

use crate::channel::domain::Domain;
use crate::error::{Error, ErrorKind, Result};
use crate::layout::ParticipantId;
use crate::layout::lock::{INCARNATION_MASK, LockWord};
use crate::prim::limits::Limits;
use crate::prim::lock::{Owners, RawLock, Taken};
use crate::prim::spin::Spinner;
use crate::region::{Presence, Region};
use crate::sync::atomic::AtomicU64;
use crate::sys::thread;

/// The lock of one process's handle. Who uses it has asked that this is still the process that made the handle.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BareLock<'a> {
    lock: RawLock<'a>,
    me: LockWord,
    presence: &'a Presence,
    domain: &'a Domain,
}

/// The lock is the calling thread's, until this is dropped; in a forked copy of the process it is the parent's all the same.
#[must_use]
#[derive(Debug)]
pub(crate) struct BareHeld<'a> {
    lock: RawLock<'a>,
    mine: LockWord,
    presence: &'a Presence,
}

impl<'a> BareLock<'a> {
    /// `me` is the [`owner`] that `presence` stands for.
    #[inline(always)]
    pub(crate) fn new(word: &'a AtomicU64, me: LockWord, presence: &'a Presence, domain: &'a Domain) -> Self {
        Self { lock: RawLock::new(word), me, presence, domain }
    }

    /// The word of a lock that the calling thread has.
    #[inline(always)]
    fn mine(self) -> LockWord {
        self.me.by(thread::tag())
    }

    /// Whether the calling thread has it.
    pub(crate) fn is_mine(self) -> bool {
        self.lock.look().owner() == self.mine() && self.presence.id().is_some()
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
        let mine = self.mine();
        if self.lock.try_fast(mine) {
            return Ok(self.held(mine));
        }
        self.lock_slow(limits, spinner, repair)
    }

    #[inline(always)]
    fn held(self, mine: LockWord) -> BareHeld<'a> {
        BareHeld { lock: self.lock, mine, presence: self.presence }
    }

    #[cold]
    fn lock_slow(
        self,
        limits: &Limits<'_>,
        spinner: &Spinner,
        repair: impl FnOnce(),
    ) -> Result<BareHeld<'a>> {
        let mine = self.mine();
        let refuse = |kind, what| Err(Error::new(kind, "shared data", what));
        match self.lock.take(mine, limits, spinner, &Asking(self.domain)) {
            Taken::Owned => Ok(self.held(mine)),
            Taken::Inherited(_) => {
                let held = self.held(mine);
                repair();
                self.lock.recover(mine);
                Ok(held)
            }
            Taken::TimedOut => refuse(ErrorKind::Timeout, "others are changing it"),
            Taken::Cancelled => refuse(ErrorKind::Cancelled, "the wait was cancelled"),
            Taken::Mine => refuse(ErrorKind::Deadlock, "the calling thread is changing it already")
                .map_err(|error| error.hint("end the change that is under way (its closure or guard) first")),
            Taken::Poisoned => refuse(ErrorKind::Poisoned, "a repair after a death panicked"),
        }
    }
}

impl Drop for BareHeld<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.presence.id().is_some() {
            self.lock.release(self.mine);
        }
    }
}

/// The word of this process as the owner of a lock.
pub(crate) fn owner(presence: &Presence) -> LockWord {
    let me = presence.me();
    LockWord::owned(me.id, me.incarnation)
}

/// Asks the kernel after the owners that a word names.
struct Asking<'a>(&'a Domain);

impl Owners for Asking<'_> {
    fn is_dead(&self, who: ParticipantId, incarnation: u32) -> bool {
        is_dead(self.0.region(), who, incarnation)
    }

    fn look_for_dead(&self) {
        self.0.look_for_dead();
    }
}

/// Whether the owner that a word names is dead, or gone. `incarnation`: its low bits.
pub(super) fn is_dead(region: &Region, who: ParticipantId, incarnation: u32) -> bool {
    let tenant = region.participant(who);
    let is_another = tenant.incarnation & INCARNATION_MASK != incarnation;
    is_another || region.is_dead(who, Some(tenant.incarnation))
}
