//! The bytes of values that are their own archive.
//!
//! # Safety
//!
//! rkyv's `COPY_OPTIMIZATION` is an unsafe promise of the type: its archive has the same bytes, and none of
//! them is padding.
#![allow(unsafe_code)]

use rkyv::Archive;

/// The size of `T` if its bytes can travel as they are.
#[inline(always)]
pub const fn plain_len<T: Archive>() -> Option<usize> {
    if T::COPY_OPTIMIZATION.is_enabled() && size_of::<T>() == size_of::<T::Archived>() {
        Some(size_of::<T>())
    } else {
        None
    }
}

/// The bytes of `value` if they can travel as they are.
#[inline(always)]
pub fn plain_bytes<T: Archive>(value: &T) -> Option<&[u8]> {
    plain_len::<T>().map(|len| {
        // SAFETY: see the module; the slice borrows `value`.
        unsafe { core::slice::from_raw_parts(core::ptr::from_ref(value).cast::<u8>(), len) }
    })
}
