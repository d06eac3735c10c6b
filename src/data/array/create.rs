//! Making an array.
//!
//! # Safety
//!
//! The body of a new object is given to its initialiser as bytes, all zero, while its block is PRIVATE(me): nobody else reads or writes
//! it. It is aligned to 64, and as long as it was asked for.
#![allow(unsafe_code)]

use std::sync::Arc;

use crate::arena::{Arena, ObjectRef};
use crate::error::{Error, ErrorKind, Result};
use crate::layout::array::ArrayBody;
use crate::ring::plain::plain_bytes;
use crate::sync::atomic::Ordering::Relaxed;

/// What the elements are at first.
#[derive(Clone, Copy, Debug)]
pub enum First<'a, T> {
    /// All the same, and so many.
    Same(usize, &'a T),
    /// These.
    These(&'a [T]),
}

impl<T> First<'_, T> {
    fn len(&self) -> usize {
        match self {
            Self::Same(len, _) => *len,
            Self::These(these) => these.len(),
        }
    }
}

/// Creates an array object. Memory that is zero, as fresh memory is, is not touched where the elements are zero, too.
///
/// # Errors
/// `TooLarge` if the arena could never hold it; what [`Arena::create_object`] answers.
pub fn create<T: rkyv::Archive + Copy>(
    arena: &Arc<Arena>,
    kind: u32,
    type_hash: u64,
    name: &str,
    first: First<'_, T>,
) -> Result<ObjectRef> {
    let too_large = || {
        let what = format!("{} elements of {} bytes can never fit", first.len(), size_of::<T>());
        Error::new(ErrorKind::TooLarge, "array", what).hint("make it shorter")
    };
    let bytes = first.len().checked_mul(size_of::<T>()).ok_or_else(too_large)?;
    let len = (bytes as u64).checked_add(size_of::<ArrayBody>() as u64).ok_or_else(too_large)?;
    arena.create_object(kind, type_hash, name, len, |body| {
        // SAFETY: `len` bytes, aligned to 64, zero: a valid body; nobody else has them.
        unsafe { &*body.cast::<ArrayBody>() }.count.store(first.len() as u64, Relaxed);
        // SAFETY: within the `len` bytes.
        let elements = unsafe { body.add(size_of::<ArrayBody>()) }.cast::<T>();
        match first {
            // SAFETY: as many as there is room for, aligned to no more than 64.
            First::These(these) => unsafe {
                elements.copy_from_nonoverlapping(these.as_ptr(), these.len());
            },
            First::Same(_, value)
                if plain_bytes(value).is_some_and(|bytes| bytes.iter().all(|b| *b == 0)) => {}
            First::Same(count, value) => {
                for index in 0..count {
                    // SAFETY: as above.
                    unsafe { elements.add(index).write(*value) };
                }
            }
        }
    })
}

const _: () = assert!(align_of::<ArrayBody>() <= 64 && size_of::<ArrayBody>().is_multiple_of(64));
