//! The body of an object as a structure and an array behind it.
//!
//! # Safety
//!
//! The reference keeps the body in place and mapped; size and alignment are checked once, the number of rows against the
//! body's length; [`Shared`] structures are made of atomics, for which any bytes are valid.
#![allow(unsafe_code)]

use core::fmt;
use core::ptr::NonNull;

use super::{Body, ObjectRef};
use crate::error::{Error, ErrorKind, Result};
use crate::region::Shared;

/// An object whose body starts with a `T`, which is followed by rows of `R`, and this process's reference to it.
pub struct BodyRows<T: Shared, R: Shared> {
    head: Body<T>,
    rows: NonNull<R>,
    count: usize,
}

// SAFETY: atomics in memory that several processes use anyhow.
unsafe impl<T: Shared, R: Shared> Send for BodyRows<T, R> {}
// SAFETY: as above.
unsafe impl<T: Shared, R: Shared> Sync for BodyRows<T, R> {}

impl<T: Shared, R: Shared> BodyRows<T, R> {
    /// The body of `object`; `count` says how many rows it has.
    ///
    /// # Errors
    /// `InvalidRegion` if it is too small or not aligned.
    pub fn of(object: ObjectRef, count: impl FnOnce(&T) -> u32) -> Result<Self> {
        let head = Body::<T>::of(object)?;
        let count = count(&head) as usize;
        let len = head.object().body_len();
        let fits = (count * size_of::<R>() + size_of::<T>()) as u64 <= len;
        let rows = NonNull::new(head.object().body().wrapping_add(size_of::<T>()).cast::<R>());
        match rows.filter(|rows| fits && rows.is_aligned()) {
            Some(rows) => Ok(Self { head, rows, count }),
            None => Err(Error::new(
                ErrorKind::InvalidRegion,
                format!("object {}", head.object().id().index),
                format!("{count} rows do not fit a body of {len} bytes"),
            )),
        }
    }

    /// What the body starts with.
    #[inline(always)]
    pub fn head(&self) -> &T {
        &self.head
    }

    /// What follows it.
    #[inline(always)]
    pub fn rows(&self) -> &[R] {
        // SAFETY: in the body by the check in `of`; see the module.
        unsafe { core::slice::from_raw_parts(self.rows.as_ptr(), self.count) }
    }

    /// The object.
    pub fn object(&self) -> &ObjectRef {
        self.head.object()
    }
}

impl<T: Shared, R: Shared> fmt::Debug for BodyRows<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.head.fmt(f)
    }
}
