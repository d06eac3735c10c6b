//! Guards that write in place.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::{process, thread};

use super::SharedArray;
use super::lock::Wanted;
use crate::data::array::Exclusive;
use crate::error::Result;
use crate::prim::limits::Limits;
use crate::shared::SharedData;
use crate::shared::lock::Held;

/// All elements of a [`SharedArray`], to be changed one after the other; see [`edit`](SharedArray::edit) and
/// [`recover`](SharedArray::recover).
///
/// It reads as a slice; each change is made at once, in place. It stays with its thread.
#[must_use = "others are let in when the guard is dropped"]
pub struct ArrayEditGuard<'a, T: SharedData + Copy> {
    exclusive: Exclusive<'a, T>,
    // After `exclusive`: the mode is said under the lock.
    _held: Held<'a>,
    shared: &'a SharedArray<T>,
    _stays: PhantomData<*const ()>,
}

impl<'a, T: SharedData + Copy> ArrayEditGuard<'a, T> {
    pub(super) fn of(shared: &'a SharedArray<T>, recover: bool) -> Result<Self> {
        let wanted = if recover { Wanted::Damaged } else { Wanted::Whole };
        let (mut exclusive, held) = shared.lock_alone(&Limits::NONE, wanted)?.exclude()?;
        exclusive.mark_editing(process::id());
        Ok(Self { exclusive, _held: held, shared, _stays: PhantomData })
    }

    /// Changes one element.
    ///
    /// # Errors
    ///
    /// `OutOfRange` if there is no such element; `WrongProcess` in a forked copy.
    pub fn set(&mut self, index: usize, value: T) -> Result<()> {
        self.write(index, &[value])
    }

    /// Changes as many elements as there are in `elements`, from `at` on.
    ///
    /// # Errors
    ///
    /// `OutOfRange` if they do not lie in the array; `WrongProcess` in a forked copy.
    pub fn write(&mut self, at: usize, elements: &[T]) -> Result<()> {
        let range = self.shared.range(at..at.saturating_add(elements.len()))?;
        if !self.shared.array().is_present() {
            return Err(self.shared.stranger());
        }
        self.exclusive.overwrite(range.start, elements);
        Ok(())
    }

    /// Makes all elements this value.
    ///
    /// # Errors
    ///
    /// `WrongProcess` in a forked copy.
    pub fn fill(&mut self, value: T) -> Result<()> {
        (0..self.len()).try_for_each(|index| self.set(index, value))
    }
}

impl<T: SharedData + Copy> Deref for ArrayEditGuard<'_, T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        self.exclusive.elements()
    }
}

impl<T: SharedData + Copy> Drop for ArrayEditGuard<'_, T> {
    fn drop(&mut self) {
        // A panic may have left them half-changed.
        if self.shared.array().is_present() && !thread::panicking() {
            self.exclusive.mark_editing(0);
        }
    }
}

impl<T: SharedData + Copy + fmt::Debug> fmt::Debug for ArrayEditGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
