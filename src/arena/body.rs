//! The body of an object as the structure that it is.
//!
//! # Safety
//!
//! The reference keeps the body in place and mapped; size and alignment are checked once; [`Shared`] structures are made
//! of atomics, for which any bytes are valid.
#![allow(unsafe_code)]

use core::fmt;
use core::ops::Deref;
use core::ptr::NonNull;

use super::ObjectRef;
use crate::error::{Error, ErrorKind, Result};
use crate::region::Shared;
use crate::sync::atomic::AtomicU64;

/// An object whose body starts with a `T`, and this process's reference to it.
pub struct Body<T: Shared> {
    at: NonNull<T>,
    object: ObjectRef,
}

// SAFETY: atomics in memory that several processes use anyhow.
unsafe impl<T: Shared> Send for Body<T> {}
// SAFETY: as above.
unsafe impl<T: Shared> Sync for Body<T> {}

impl<T: Shared> Body<T> {
    /// The body of `object`.
    ///
    /// # Errors
    /// `InvalidRegion` if it is too small or not aligned.
    pub fn of(object: ObjectRef) -> Result<Self> {
        let at = NonNull::new(object.body().cast::<T>())
            .filter(|at| at.is_aligned() && object.body_len() >= size_of::<T>() as u64);
        match at {
            Some(at) => Ok(Self { at, object }),
            None => Err(Error::new(
                ErrorKind::InvalidRegion,
                format!("object {}", object.id().index),
                format!("a body of {} bytes is too small for its kind", object.body_len()),
            )),
        }
    }

    /// The whole body as words.
    #[inline(always)]
    pub fn all_words(&self) -> &[AtomicU64] {
        let words = self.object.body_len() as usize / 8;
        // SAFETY: inside of the body; bodies are aligned to 64; atomics, as above.
        unsafe { core::slice::from_raw_parts(self.at.as_ptr().cast(), words) }
    }

    /// What the body has behind its structure, in whole words.
    pub fn words(&self) -> &[AtomicU64] {
        const { assert!(size_of::<T>().is_multiple_of(8)) };
        let words = (self.object.body_len() as usize - size_of::<T>()) / 8;
        // SAFETY: behind the structure and inside of the body, whose length `of` has compared; bodies are aligned to 64;
        // atomics, as above.
        unsafe { core::slice::from_raw_parts(self.at.as_ptr().add(1).cast(), words) }
    }

    /// The object.
    pub fn object(&self) -> &ObjectRef {
        &self.object
    }
}

impl<T: Shared> Deref for Body<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: see the module.
        unsafe { self.at.as_ref() }
    }
}

impl<T: Shared> fmt::Debug for Body<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.object.fmt(f)
    }
}
