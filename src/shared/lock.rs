//! The lock of those who change shared data. Who takes it from the dead repairs first; nobody is told.

use std::sync::Arc;

use crate::arena::ObjectRef;
use crate::channel::domain::Domain;
use crate::error::{Error, ErrorKind, Result};
use crate::layout::lock::LockWord;
use crate::locks::core::{Core, Got, Missed};
use crate::prim::limits::Limits;
use crate::prim::spin::Spinner;

/// The lock at the start of an object's body, in this process.
pub(super) struct DataLock {
    core: Core,
}

/// It is the calling thread's until this is dropped; in a forked copy of the process it is the parent's all the same.
#[must_use]
pub(super) struct Held<'a> {
    core: &'a Core,
    mine: LockWord,
}

impl DataLock {
    pub(super) fn open(object: ObjectRef, kind: u32, noun: &'static str) -> Result<Self> {
        Ok(Self { core: Core::open(object, kind, noun)? })
    }

    pub(super) fn domain(&self) -> &Arc<Domain> {
        self.core.domain()
    }

    /// Takes it, however long that takes. If its last owner died, `repair` runs first; it does not panic.
    ///
    /// # Errors
    /// `Deadlock` if this thread has it; `WrongProcess`; `Cancelled`.
    #[inline]
    pub(super) fn hold(&self, spinner: &Spinner, repair: impl FnOnce()) -> Result<Held<'_>> {
        match self.core.try_fast() {
            Some(mine) => Ok(Held { core: &self.core, mine }),
            None => self.hold_slow(spinner, repair),
        }
    }

    #[cold]
    fn hold_slow(&self, spinner: &Spinner, repair: impl FnOnce()) -> Result<Held<'_>> {
        let got = self.core.take(&Limits::NONE, spinner);
        let mine = self.core.mine();
        match got {
            Ok(Got::Owned) => Ok(Held { core: &self.core, mine }),
            Ok(Got::Inherited { .. }) => {
                let held = Held { core: &self.core, mine };
                repair();
                self.core.recover(mine);
                Ok(held)
            }
            Err(Missed::Error(error)) => Err(self.explained(error)),
            Err(Missed::Busy) => Err(self.refused(ErrorKind::Timeout, "others are changing it")),
            Err(Missed::Cancelled) => Err(self.refused(ErrorKind::Cancelled, "the wait was cancelled")),
        }
    }

    #[cold]
    fn refused(&self, kind: ErrorKind, what: &'static str) -> Error {
        Error::new(kind, self.core.object(), what)
    }

    /// In terms of the data, not of a lock that its user knows nothing of.
    #[cold]
    fn explained(&self, error: Error) -> Error {
        if error.kind() != ErrorKind::Deadlock {
            return error;
        }
        self.refused(ErrorKind::Deadlock, "the calling thread is changing it already")
            .hint("end the change that is under way (its closure or guard) first")
    }
}

impl Drop for Held<'_> {
    #[inline]
    fn drop(&mut self) {
        self.core.release(self.mine);
    }
}
