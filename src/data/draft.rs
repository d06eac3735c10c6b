//! A value in a block of this process's own, to be changed in place.
//!
//! # Safety
//!
//! A [`Block`] is PRIVATE to this process, and this one is nobody else's: its bytes may be borrowed, mutably by who has the draft mutably.
//! The value was found in them and checked; it is changed only through references to it, which keep it a value.
#![allow(unsafe_code)]

use core::marker::PhantomData;
use core::ptr::NonNull;

use crate::arena::Block;
use crate::ring::blocks;

/// See the module.
#[derive(Debug)]
pub struct Draft<'a, A> {
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

    /// The value.
    pub fn value(&self) -> &A {
        // SAFETY: see the module.
        unsafe { self.value.as_ref() }
    }

    /// The value, to be changed.
    pub fn value_mut(&mut self) -> &mut A {
        // SAFETY: see the module.
        unsafe { self.value.as_mut() }
    }

    /// The block as it is now.
    pub fn into_block(self) -> Block<'a> {
        self.block
    }
}
