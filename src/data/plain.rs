//! A plain value from the words that it was stored as.
//!
//! # Safety
//!
//! The archive of a plain type is its own bytes ([`crate::ring::plain`]): it points nowhere, so that a check needs to look at nothing but these bytes, which
//! lie aligned in a buffer of the caller's own.
#![allow(unsafe_code)]

use rkyv::Archive;
use rkyv::api::low::LowValidator;
use rkyv::bytecheck::CheckBytes;
use rkyv::rancor::{self, Strategy};
use rkyv::validation::Validator;
use rkyv::validation::archive::ArchiveValidator;

use crate::ring::plain::plain_value;

/// As far as any archive here may be aligned.
#[repr(align(16))]
struct Aligned<const N: usize>([u64; N]);

/// The value that `words` begin with. `None` if they are none, or the type is not plain, or longer.
///
/// Whoever stored them had a value; the check is for a wrong build on the other side, and costs nothing where all bytes are values.
#[inline(always)]
pub fn checked<T, const N: usize>(words: [u64; N]) -> Option<T>
where
    T: Archive<Archived: for<'a> CheckBytes<LowValidator<'a, rancor::Error>>>,
{
    const { assert!(align_of::<T::Archived>() <= align_of::<Aligned<N>>()) };
    if size_of::<T::Archived>() > size_of::<[u64; N]>() {
        return None;
    }
    let place = Aligned(words);
    let mut validator = Validator::new(ArchiveValidator::new(&[]), ());
    let context = Strategy::<_, rancor::Error>::wrap(&mut validator);
    // SAFETY: aligned by `Aligned`, as many bytes as the type has by the check above; it points nowhere, see the module.
    let checked = unsafe { T::Archived::check_bytes(core::ptr::from_ref(&place).cast(), context) };
    checked.ok()?;
    plain_value(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_stored_comes_back_and_nothing_else() {
        assert_eq!(checked::<u64, 1>([7]), Some(7));
        assert_eq!(checked::<[u32; 3], 2>([1 | 2 << 32, 3]), Some([1, 2, 3]));
        assert_eq!((checked::<bool, 1>([1]), checked::<bool, 1>([2])), (Some(true), None));
        assert_eq!(checked::<char, 1>([0xd800]), None);
        assert_eq!(checked::<[u64; 3], 2>([1, 2]), None);
        assert_eq!(checked::<String, 1>([0]), None);
    }
}
