//! Plain values of at most 8 bytes: lists and dictionaries have them as words, without a block.

use crate::data::plain;
use crate::error::Result;
use crate::ring::plain::plain_len;
use crate::shared::data::{self, SharedData};

/// The values of this type are words.
#[inline(always)]
pub(super) const fn is_inline<T: SharedData>() -> bool {
    matches!(plain_len::<T>(), Some(0..=8))
}

/// The word that such bytes are.
#[inline(always)]
pub(super) fn word_of(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    let len = bytes.len().min(8);
    word[..len].copy_from_slice(&bytes[..len]);
    u64::from_ne_bytes(word)
}

/// The value of such a word.
///
/// # Errors
/// `Corrupt` if it is none.
#[inline(always)]
pub(super) fn of_word<T: SharedData>(word: u64) -> Result<T> {
    match if is_inline::<T>() { plain::checked([word]) } else { None } {
        Some(value) => Ok(value),
        None => explain(word),
    }
}

/// A word as the archive that it begins with.
#[repr(align(16))]
struct Aligned([u8; 8]);

/// Why it is none.
#[cold]
fn explain<T: SharedData>(word: u64) -> Result<T> {
    let copy = Aligned(word.to_ne_bytes());
    data::decode(copy.0.get(..size_of::<T::Archived>()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn small_plain_values_are_words() {
        assert!(is_inline::<u64>() && is_inline::<[u16; 4]>() && is_inline::<bool>());
        assert!(!is_inline::<[u64; 2]>() && !is_inline::<String>());
        assert_eq!(
            of_word::<[u16; 3]>(word_of([1u16, 2, 3].map(u16::to_ne_bytes).as_flattened())).unwrap(),
            [1, 2, 3]
        );
        assert_eq!(of_word::<bool>(2).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}
