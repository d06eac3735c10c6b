//! Guards that write, by a copy that becomes the array's content in one step.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut, Range, RangeBounds};
use std::thread;

use super::SharedArray;
use super::lock::Wanted;
use crate::arena::Block;
use crate::data::array::Exclusive;
use crate::data::draft::Draft;
use crate::error::Result;
use crate::prim::limits::Limits;
use crate::shared::SharedData;
use crate::shared::lock::Held;

/// Elements of a [`SharedArray`] to be changed; see [`write`](SharedArray::write) and [`write_range`](SharedArray::write_range).
///
/// They become the array's when it is dropped or [`commit`](Self::commit)ted, in one step; not if it is dropped in a panic. A guard that
/// was not changed writes nothing. It stays with its thread. One that is forgotten ([`std::mem::forget`]) changes nothing, and keeps others out until
/// this process drops its last handle of the array, or ends.
#[must_use = "the changes are made, and others let in, when the guard is dropped"]
pub struct ArrayWriteGuard<'a, T: SharedData + Copy> {
    /// `None`: it is committed, or the range is empty.
    draft: Option<Draft<'a, [T]>>,
    changed: bool,
    range: Range<usize>,
    exclusive: Exclusive<'a, T>,
    // After `exclusive`: the mode is said under the lock.
    _held: Held<'a>,
    shared: &'a SharedArray<T>,
    _stays: PhantomData<*const ()>,
}

impl<T: SharedData + Copy> SharedArray<T> {
    pub(super) fn write_within(
        &self,
        range: impl RangeBounds<usize>,
        limits: &Limits<'_>,
    ) -> Result<ArrayWriteGuard<'_, T>> {
        let range = self.range(range)?;
        let room = self.room(range.len())?;
        let (exclusive, held) = self.lock_alone(limits, Wanted::Whole)?.exclude()?;
        let from = exclusive.elements().get(range.clone()).unwrap_or_default();
        let draft = room.and_then(|block| Draft::copied(block, from));
        let (shared, changed) = (self, false);
        Ok(ArrayWriteGuard { draft, changed, range, exclusive, _held: held, shared, _stays: PhantomData })
    }

    /// Replaces the elements of this range, without a look at them.
    pub(super) fn replace<'a>(
        &'a self,
        range: Range<usize>,
        fill: impl FnOnce(Block<'a>) -> Option<Draft<'a, [T]>>,
    ) -> Result<()> {
        let draft = self.room(range.len())?.and_then(fill);
        let (mut exclusive, held) = self.lock_alone(&Limits::NONE, Wanted::Whole)?.exclude()?;
        if let Some(draft) = draft {
            exclusive.commit(range.start, draft);
        }
        // The mode is said under the lock.
        drop(exclusive);
        drop(held);
        Ok(())
    }

    fn room(&self, count: usize) -> Result<Option<Block<'_>>> {
        if !self.array().is_present() {
            return Err(self.stranger());
        }
        self.inner.lock.domain().with_room(|| self.array().room(count))
    }
}

impl<T: SharedData + Copy> ArrayWriteGuard<'_, T> {
    /// Which elements of the array they are.
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// Makes the changes now, lets others in, and says if that fails.
    ///
    /// # Errors
    ///
    /// `WrongProcess` in a forked copy, where nothing is changed.
    pub fn commit(mut self) -> Result<()> {
        self.finish()
    }

    fn finish(&mut self) -> Result<()> {
        let draft = self.draft.take();
        if !self.shared.array().is_present() {
            return Err(self.shared.stranger());
        }
        if let Some(draft) = draft.filter(|_| self.changed) {
            self.exclusive.commit(self.range.start, draft);
        }
        Ok(())
    }
}

impl<T: SharedData + Copy> Deref for ArrayWriteGuard<'_, T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        self.draft.as_deref().unwrap_or_default()
    }
}

impl<T: SharedData + Copy> DerefMut for ArrayWriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        self.changed = true;
        self.draft.as_deref_mut().unwrap_or_default()
    }
}

impl<T: SharedData + Copy> Drop for ArrayWriteGuard<'_, T> {
    fn drop(&mut self) {
        // A panic may have left the copy half-changed.
        if !thread::panicking() {
            // An error only in a forked copy, where there is nothing to do.
            let _ = self.finish();
        }
    }
}

impl<T: SharedData + Copy + fmt::Debug> fmt::Debug for ArrayWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
