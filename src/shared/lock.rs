//! The lock of those who change shared data. Who takes it from the dead repairs first; nobody is told.

use std::sync::Arc;

use crate::arena::{Body, ObjectRef};
use crate::channel::bare_lock::{self, BareHeld, BareLock};
use crate::channel::domain::Domain;
use crate::error::{Error, Result};
use crate::layout::lock::{LockBody, LockWord};
use crate::prim::limits::Limits;
use crate::prim::spin::Spinner;
use crate::region::Presence;

/// The lock at the start of an object's body, in this process.
pub(super) struct DataLock {
    body: Body<LockBody>,
    /// The word of this process as its owner.
    me: LockWord,
    presence: Presence,
    noun: &'static str,
    domain: Arc<Domain>,
}

/// It is the calling thread's until this is dropped; in a forked copy of the process it is the parent's all the same.
pub(super) type Held<'a> = BareHeld<'a>;

impl DataLock {
    /// That of an object of shared data, whose kind the caller has compared.
    pub(super) fn open(object: ObjectRef, noun: &'static str) -> Result<Self> {
        let domain = Domain::of(&object)?;
        let presence = domain.region().presence()?;
        // A guard may be forgotten: then the lock is an orphan when this process lets go of the handle.
        object.expect_claims();
        Ok(Self { body: Body::of(object)?, me: bare_lock::owner(&presence), presence, noun, domain })
    }

    pub(super) fn domain(&self) -> &Arc<Domain> {
        &self.domain
    }

    /// "shared list 7".
    pub(super) fn object(&self) -> String {
        format!("{} {}", self.noun, self.body.object().id().index)
    }

    /// Whether the calling thread has it.
    pub(super) fn is_mine(&self) -> bool {
        self.bare().is_mine()
    }

    /// Takes it, however long that takes. If its last owner died, `repair` runs first; it does not panic.
    ///
    /// # Errors
    /// `Deadlock` if this thread has it; `WrongProcess`; `Poisoned` if a repair panicked all the same.
    #[inline]
    pub(super) fn hold(&self, spinner: &Spinner, repair: impl FnOnce()) -> Result<Held<'_>> {
        self.hold_within(&Limits::NONE, spinner, repair)
    }

    /// [`hold`](Self::hold), within `limits`.
    ///
    /// # Errors
    /// As of [`hold`](Self::hold); `Timeout`, `Cancelled`.
    #[inline]
    pub(super) fn hold_within(
        &self,
        limits: &Limits<'_>,
        spinner: &Spinner,
        repair: impl FnOnce(),
    ) -> Result<Held<'_>> {
        self.presence.check(self.domain.region())?;
        self.bare().lock(limits, spinner, repair).map_err(|error| self.named(error))
    }

    #[inline(always)]
    fn bare(&self) -> BareLock<'_> {
        BareLock::new(&self.body.word, self.me, &self.presence, &self.domain)
    }

    /// An error of the lock, which does not know whose it is.
    #[cold]
    fn named(&self, error: Error) -> Error {
        error.about(self.object())
    }
}
