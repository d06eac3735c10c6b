//! The lock of an array, and what its owner may do.

use super::SharedArray;
use crate::channel::domain::Domain;
use crate::data::array::gate::{Lines, Owner, Refusal, Side};
use crate::data::array::{Exclusive, Reading};
use crate::error::{Error, ErrorKind, Result};
use crate::prim::limits::Limits;
use crate::region::Region;
use crate::shared::SharedData;
use crate::shared::lock::Held;
use crate::sync::atomic::Ordering::Acquire;

/// What must be known of the elements.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Nobody died in an edit.
    Whole,
    /// Somebody did.
    Damaged,
}

/// The lock is the calling thread's, until this is dropped.
pub(super) struct Locked<'a, 'l, T: SharedData + Copy> {
    shared: &'a SharedArray<T>,
    limits: &'l Limits<'l>,
    held: Held<'a>,
}

impl<T: SharedData + Copy> SharedArray<T> {
    /// Takes the lock within `limits`; finishes first what a dead owner had committed.
    #[cold]
    pub(super) fn lock<'a, 'l>(
        &'a self,
        limits: &'l Limits<'l>,
        wanted: Wanted,
    ) -> Result<Locked<'a, 'l, T>> {
        let array = self.array();
        let held = self.inner.lock.hold_within(limits, &self.spinner, || array.settle())?;
        match (wanted, array.body().editing.load(Acquire)) {
            (Wanted::Whole, 0) | (Wanted::Damaged, 1..) => Ok(Locked { shared: self, limits, held }),
            (Wanted::Whole, pid) => Err(self.damaged(pid)),
            (Wanted::Damaged, 0) => {
                let what = "nobody died in the middle of an edit";
                Err(Error::new(ErrorKind::InvalidState, self.object(), what))
            }
        }
    }

    /// [`lock`](Self::lock), for what readers are waited for: the calling thread must not be one of them. (It would wait for the lock at
    /// the latest, if somebody else has it who waits for readers.)
    #[cold]
    pub(super) fn lock_alone<'a, 'l>(
        &'a self,
        limits: &'l Limits<'l>,
        wanted: Wanted,
    ) -> Result<Locked<'a, 'l, T>> {
        if self.array().is_present() && self.array().is_read_here() {
            let what = "the calling thread reads it by a guard";
            return Err(Error::new(ErrorKind::Deadlock, self.object(), what).hint("drop the guard first"));
        }
        self.lock(limits, wanted)
    }

    #[cold]
    fn damaged(&self, pid: u64) -> Error {
        let what = format!(
            "a process (pid {pid}) died or panicked in the middle of an edit: its elements may be half-changed"
        );
        Error::new(ErrorKind::OwnerDied, self.object(), what).hint("call recover(), and put them right")
    }

    #[cold]
    fn refused(&self, refusal: Refusal) -> Error {
        let (kind, what, hint) = match refusal {
            Refusal::TimedOut => {
                (ErrorKind::Timeout, "others have guards, or are stopped in a set", "wait longer")
            }
            Refusal::Cancelled => (ErrorKind::Cancelled, "the wait was cancelled", ""),
            Refusal::Unordered => (
                ErrorKind::Unsupported,
                "the kernel refuses membarrier(2) to this process, and others rely on it",
                "allow the call in all processes or in none, or use get and set alone",
            ),
        };
        Error::new(kind, self.object(), what).hint(hint)
    }
}

impl<'a, T: SharedData + Copy> Locked<'a, '_, T> {
    /// What it does as the owner of the lock.
    fn own<R>(&self, act: impl FnOnce(&Owner<'_, Everybody<'_>>) -> Result<R, Refusal>) -> Result<R> {
        let shared = self.shared;
        let region = shared.array().object().arena().region();
        let lines = Everybody { region, domain: shared.inner.lock.domain() };
        let gate = shared.array().gate();
        let owner = Owner { gate, lines: &lines, limits: self.limits, spinner: &shared.spinner };
        act(&owner).map_err(|refusal| shared.refused(refusal))
    }

    /// Lets readers in, and gives the lock back.
    pub(super) fn share(self) -> Result<Reading<'a, T>> {
        let array = self.shared.array();
        self.own(|owner| array.share(owner))
    }

    /// Keeps everybody out, and keeps the lock.
    pub(super) fn exclude(self) -> Result<(Exclusive<'a, T>, Held<'a>)> {
        let array = self.shared.array();
        let excluded = self.own(|owner| array.exclude(owner))?;
        Ok((excluded, self.held))
    }

    /// Stores one element, and gives the lock back.
    pub(super) fn store(self, index: usize, value: T) -> Result<()> {
        let array = self.shared.array();
        self.own(|owner| array.store_locked(owner, index, value))
    }
}

/// The announcements of all threads of all participants.
struct Everybody<'a> {
    region: &'a Region,
    domain: &'a Domain,
}

impl Lines for Everybody<'_> {
    fn order(&self) -> bool {
        self.region.order_announcements()
    }

    fn any(&self, side: Side, name: u64) -> bool {
        let mut found = false;
        self.region.each_announcement(|line| {
            // Acquire: pairs with the Release of who takes it back.
            found |= match side {
                Side::Set => line.set.load(Acquire) == name,
                Side::Read => line.held.iter().any(|word| word.load(Acquire) == name),
            };
        });
        found
    }

    fn look_for_dead(&self) {
        self.domain.look_for_dead();
    }
}
