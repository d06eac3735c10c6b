//! The bytes of values that are their own archive.
//!
//! # Safety
//!
//! rkyv's `COPY_OPTIMIZATION` is an unsafe promise of the type: its archive has the same bytes, and none of
//! them is padding. [`plain_value`] goes the other way, and needs more: that the bytes came from a value. They did: a process
//! of the same program wrote them from a value of the type that the tag names; the check of the archive finds what a
//! wrong build could still do. (A peer that may lie is decoded by the type's own `Deserialize` instead.)
#![allow(unsafe_code)]

use core::mem;

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

/// The bytes of several values; none if they cannot travel as they are.
pub fn plain_slice<T: Archive>(values: &[T]) -> &[u8] {
    match plain_len::<T>() {
        // SAFETY: see the module; the slice borrows `values`.
        Some(_) => unsafe { core::slice::from_raw_parts(values.as_ptr().cast::<u8>(), size_of_val(values)) },
        None => &[],
    }
}

/// The value whose bytes `words` begin with. The caller has checked them as the type's archive.
///
/// By value, so that no copy of the bytes need exist in memory.
#[inline(always)]
pub fn plain_value<T: Archive, const N: usize>(words: [u64; N]) -> Option<T> {
    let fits = plain_len::<T>().is_some_and(|len| len <= size_of::<[u64; N]>());
    // SAFETY: the words are at least as long as `T`, and begin with the bytes of a valid archive of it, which are the
    // bytes of a value; see the module.
    fits.then(|| unsafe { mem::transmute_copy::<[u64; N], T>(&words) })
}
