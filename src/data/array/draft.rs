//! New elements that are not the array's yet.
//!
//! # Safety
//!
//! The block is PRIVATE to this process: nobody else reads or writes its bytes while the draft lives, so that they may be borrowed as slices,
//! mutably by who has it mutably. It was taken for as many bytes, is aligned to 64, and is filled with elements before it becomes a draft.
#![allow(unsafe_code)]

use core::ops::{Deref, DerefMut, Range};

use super::elements::Array;
use crate::arena::Block;
use crate::error::Result;
use crate::sync::kill;

/// Elements of a block of this process's own, which may become those of a range of the array.
pub struct Draft<'a, T: Copy> {
    /// `None`: the range is empty.
    block: Option<Block<'a>>,
    range: Range<usize>,
    first: core::marker::PhantomData<T>,
}

/// Room for one, not filled.
pub struct Room<'a> {
    block: Option<Block<'a>>,
    range: Range<usize>,
}

impl<T: Copy> Array<T> {
    /// Room for new elements of this range, which lies in the array.
    ///
    /// # Errors
    /// As [`Arena::alloc`](crate::arena::Arena::alloc).
    pub fn room(&self, range: Range<usize>) -> Result<Room<'_>> {
        debug_assert!(range.start <= range.end && range.end <= self.len());
        let bytes = range.len() as u64 * size_of::<T>() as u64;
        let block = if range.is_empty() { None } else { Some(self.arena().alloc(bytes, 0)?) };
        Ok(Room { block, range })
    }
}

impl<'a> Room<'a> {
    /// Which elements it is for.
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// A draft of these. `None`: they are not as many as there is room for.
    pub fn copied<T: Copy>(self, from: &[T]) -> Option<Draft<'a, T>> {
        let at = self.start::<T>(from.len())?;
        kill::point();
        // SAFETY: there is room for so many; the block is no part of `from`.
        unsafe { at.copy_from_nonoverlapping(from.as_ptr(), from.len()) };
        Some(self.draft())
    }

    /// A draft of nothing but this one.
    pub fn filled<T: Copy>(self, value: T) -> Option<Draft<'a, T>> {
        let len = self.range.len();
        let at = self.start::<T>(len)?;
        kill::point();
        for index in 0..len {
            // SAFETY: there is room for so many.
            unsafe { at.add(index).write(value) };
        }
        Some(self.draft())
    }

    /// Where `count` elements go, if it has room for just so many.
    fn start<T>(&self, count: usize) -> Option<*mut T> {
        let Some(block) = &self.block else {
            return (count == 0).then(|| core::ptr::NonNull::dangling().as_ptr());
        };
        let at = block.ptr().cast::<T>();
        let fits = count == self.range.len() && block.len() >= (count * size_of::<T>()) as u64;
        (fits && at.is_aligned()).then_some(at)
    }

    fn draft<T: Copy>(self) -> Draft<'a, T> {
        Draft { block: self.block, range: self.range, first: core::marker::PhantomData }
    }
}

impl<'a, T: Copy> Draft<'a, T> {
    /// Which elements it may become.
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// Its block, which is not freed any more.
    pub(super) fn into_block(self) -> Option<Block<'a>> {
        self.block
    }
}

impl<T: Copy> Deref for Draft<'_, T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        match &self.block {
            // SAFETY: filled with as many elements, see the module.
            Some(block) => unsafe { core::slice::from_raw_parts(block.ptr().cast(), self.range.len()) },
            None => &[],
        }
    }
}

impl<T: Copy> DerefMut for Draft<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        match &self.block {
            // SAFETY: as above, and borrowed mutably.
            Some(block) => unsafe { core::slice::from_raw_parts_mut(block.ptr().cast(), self.range.len()) },
            None => &mut [],
        }
    }
}
