//! A value, or elements, in a block of this process's own: to be changed in place, and then perhaps to become content of an object.
//!
//! # Safety
//!
//! A [`Block`] is PRIVATE to this process, and this one is nobody else's: its bytes may be borrowed, mutably by who has the draft mutably.
//! A value was found in them and checked, elements were written to them; both are changed only through references, which keep them values.
#![allow(unsafe_code)]

use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;

use crate::arena::Block;
use crate::ring::blocks;
use crate::sync::kill;

/// See the module.
#[derive(Debug)]
pub struct Draft<'a, A: ?Sized> {
    value: NonNull<A>,
    block: Block<'a>,
    /// As if it had one.
    owned: PhantomData<A>,
}

impl<'a, A> Draft<'a, A> {
    /// The value that `find` finds in the block's bytes.
    ///
    /// # Errors
    /// Those of `find`; `None` if what it finds is not there.
    pub fn new<E>(
        block: Block<'a>,
        find: impl for<'b> FnOnce(&'b [u8]) -> Result<&'b A, E>,
    ) -> Option<Result<Self, E>> {
        let bytes = blocks::contents(&block);
        let found = match find(bytes) {
            Ok(found) => core::ptr::from_ref(found).addr(),
            Err(error) => return Some(Err(error)),
        };
        let at = found.checked_sub(bytes.as_ptr().addr())?;
        if at.checked_add(size_of::<A>())? > bytes.len() {
            return None;
        }
        // SAFETY: within the block's bytes, by the check above. (Made from the block's own pointer: it will be written through.)
        let value = NonNull::new(unsafe { block.ptr().add(at) }.cast::<A>())?;
        Some(Ok(Self { value, block, owned: PhantomData }))
    }
}

impl<'a, T: Copy> Draft<'a, [T]> {
    /// A copy of these elements. `None`: the block has no room for them.
    pub fn copied(block: Block<'a>, from: &[T]) -> Option<Self> {
        let at = room(&block, from.len())?;
        kill::point();
        // SAFETY: there is room for so many; the block is no part of `from`.
        unsafe { at.copy_from_nonoverlapping(NonNull::from(from).cast(), from.len()) };
        Some(Self::filled(block, at, from.len()))
    }

    /// So many elements, all of them this one. `None`: the block has no room for them.
    pub fn repeated(block: Block<'a>, value: T, count: usize) -> Option<Self> {
        let at = room(&block, count)?;
        kill::point();
        for index in 0..count {
            // SAFETY: there is room for so many.
            unsafe { at.add(index).write(value) };
        }
        Some(Self::filled(block, at, count))
    }

    fn filled(block: Block<'a>, at: NonNull<T>, count: usize) -> Self {
        Self { value: NonNull::slice_from_raw_parts(at, count), block, owned: PhantomData }
    }
}

/// Where so many elements go, if the block has room for them.
fn room<T>(block: &Block<'_>, count: usize) -> Option<NonNull<T>> {
    let fits = count.checked_mul(size_of::<T>()).is_some_and(|need| need as u64 <= block.len());
    NonNull::new(block.ptr().cast::<T>()).filter(|at| fits && at.is_aligned())
}

impl<'a, A: ?Sized> Draft<'a, A> {
    /// The block as it is now.
    pub fn into_block(self) -> Block<'a> {
        self.block
    }
}

impl<A: ?Sized> Deref for Draft<'_, A> {
    type Target = A;

    #[inline]
    fn deref(&self) -> &A {
        // SAFETY: see the module.
        unsafe { self.value.as_ref() }
    }
}

impl<A: ?Sized> DerefMut for Draft<'_, A> {
    #[inline]
    fn deref_mut(&mut self) -> &mut A {
        // SAFETY: see the module.
        unsafe { self.value.as_mut() }
    }
}
