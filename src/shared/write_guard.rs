//! A shared struct's value, changed in place.

use std::fmt;
use std::ops::Deref;
use std::thread;

use rkyv::seal::Seal;

use super::data::{self, SharedData};
use super::lock::Held;
use super::structure::SharedStruct;
use crate::arena::Block;
use crate::data::draft::Draft;
use crate::error::Result;

/// The value of a [`SharedStruct`], for the one who changes it.
///
/// It is a copy of the bytes. What was changed becomes the value in one step, at [`commit`](Self::commit) or when the guard is dropped; after a
/// panic, or [`discard`](Self::discard), nothing has changed. A guard that gave nobody a [`seal`](Self::seal) changes nothing. It keeps other writers out,
/// and stays with its thread.
///
/// rkyv's [`Seal`] allows what keeps the archive whole: numbers, bytes of strings and elements of lists change, and nothing changes
/// its length. For that there is [`set`](crate::SharedStruct::set).
///
/// ```
/// use processing::SharedStruct;
/// use processing::rkyv::vec::ArchivedVec;
///
/// let prices = SharedStruct::new(&vec![1u32, 2, 3])?;
/// let mut guard = prices.write()?;
/// ArchivedVec::as_slice_seal(guard.seal()).unseal()[1] = 7.into();
/// assert_eq!(prices.get()?, [1, 2, 3]); // not yet
/// guard.commit()?;
/// assert_eq!(prices.get()?, [1, 7, 3]);
/// # Ok::<(), processing::Error>(())
/// ```
#[must_use = "the change is made when the guard is dropped"]
pub struct StructWriteGuard<'a, T: SharedData> {
    /// Until it is the value.
    draft: Option<Draft<'a, T::Archived>>,
    changed: bool,
    shared: &'a SharedStruct<T>,
    held: Held<'a>,
}

impl<'a, T: SharedData> StructWriteGuard<'a, T> {
    /// `None`: the block holds no such value.
    pub(super) fn over(
        shared: &'a SharedStruct<T>,
        block: Block<'a>,
        held: Held<'a>,
    ) -> Option<Result<Self>> {
        let draft = match Draft::new(block, data::view::<T>)? {
            Ok(draft) => Some(draft),
            Err(error) => return Some(Err(error)),
        };
        Some(Ok(Self { draft, changed: false, shared, held }))
    }

    /// The value, to be changed.
    pub fn seal(&mut self) -> Seal<'_, T::Archived> {
        self.changed = true;
        match &mut self.draft {
            Some(draft) => Seal::new(draft),
            None => no_draft(),
        }
    }

    /// Makes what was changed the value. It needs no memory, and so cannot fail for lack of it.
    ///
    /// Killed in it, a process has changed the value or has not.
    ///
    /// # Errors
    ///
    /// `WrongProcess` in a forked copy: there the guard is its parent's.
    pub fn commit(mut self) -> Result<()> {
        self.shared.check()?;
        self.finish();
        Ok(())
    }

    /// Drops what was changed; the value is as before.
    pub fn discard(mut self) {
        self.changed = false;
    }

    fn finish(&mut self) {
        if let Some(draft) = self.draft.take().filter(|_| self.changed) {
            self.shared.replace(&self.held, draft.into_block());
        }
    }
}

impl<T: SharedData> Deref for StructWriteGuard<'_, T> {
    type Target = T::Archived;

    fn deref(&self) -> &T::Archived {
        match &self.draft {
            Some(draft) => draft,
            None => no_draft(),
        }
    }
}

impl<T: SharedData> Drop for StructWriteGuard<'_, T> {
    fn drop(&mut self) {
        // A panic may have left it half-changed. In a forked copy the block is the parent's, and its own drop knows that.
        if !thread::panicking() && self.shared.check().is_ok() {
            self.finish();
        }
    }
}

#[cold]
fn no_draft() -> ! {
    unreachable!("a guard has its draft until it is dropped")
}

impl<T: SharedData<Archived: fmt::Debug>> fmt::Debug for StructWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
