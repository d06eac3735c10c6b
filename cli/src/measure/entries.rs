//! What dictionaries hold: entries `0..limit`, whose values say which entry they are of, so that a wrong or torn one is seen.

use super::payload::{is_message, message, write_message_bytes};

/// Entries are numbered in so many bits of a value; above them is what number of write it comes from.
const INDEX: u32 = 20;

/// A key and a value for each entry.
pub trait Kind: 'static {
    type Key: Copy;
    type Value: Copy;

    /// The key of an entry: neighbours are not alike.
    fn key(index: u64) -> Self::Key;

    /// What write number `write` gives it.
    fn value(index: u64, write: u64) -> Self::Value;

    /// Whether this is a whole value of that entry, by any write.
    fn is_value(value: &Self::Value, index: u64) -> bool;

    /// For peers that know bytes alone.
    fn key_bytes(key: &Self::Key) -> impl AsRef<[u8]>;

    /// The same of a value.
    fn value_bytes(value: &Self::Value) -> impl AsRef<[u8]>;

    /// What [`value_bytes`](Self::value_bytes) has made bytes of; None of any other number of bytes.
    fn value_of(bytes: &[u8]) -> Option<Self::Value>;
}

/// A u64 -> a u64.
pub struct Small;

/// 16 bytes -> 64 bytes.
pub struct Large;

/// Odd, so that different indices are different keys.
fn scattered(index: u64) -> u64 {
    (index + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[inline(always)]
fn number(index: u64, write: u64) -> u64 {
    write << INDEX | index
}

#[inline(always)]
fn is_number(number: u64, index: u64) -> bool {
    number & ((1 << INDEX) - 1) == index
}

impl Kind for Small {
    type Key = u64;
    type Value = u64;

    #[inline(always)]
    fn key(index: u64) -> u64 {
        scattered(index)
    }

    #[inline(always)]
    fn value(index: u64, write: u64) -> u64 {
        number(index, write)
    }

    #[inline(always)]
    fn is_value(value: &u64, index: u64) -> bool {
        is_number(*value, index)
    }

    #[inline(always)]
    fn key_bytes(key: &u64) -> impl AsRef<[u8]> {
        key.to_be_bytes()
    }

    #[inline(always)]
    fn value_bytes(value: &u64) -> impl AsRef<[u8]> {
        value.to_ne_bytes()
    }

    #[inline(always)]
    fn value_of(bytes: &[u8]) -> Option<u64> {
        Some(u64::from_ne_bytes(bytes.try_into().ok()?))
    }
}

impl Kind for Large {
    type Key = [u8; 16];
    type Value = [u64; 8];

    #[inline(always)]
    fn key(index: u64) -> [u8; 16] {
        let mut key = [0; 16];
        key[..8].copy_from_slice(&scattered(index).to_be_bytes());
        key[8..].copy_from_slice(&(!scattered(index)).to_be_bytes());
        key
    }

    #[inline(always)]
    fn value(index: u64, write: u64) -> [u64; 8] {
        message(number(index, write))
    }

    #[inline(always)]
    fn is_value(value: &[u64; 8], index: u64) -> bool {
        is_number(value[0], index) && is_message(value, value[0])
    }

    #[inline(always)]
    fn key_bytes(key: &[u8; 16]) -> impl AsRef<[u8]> {
        key
    }

    #[inline(always)]
    fn value_bytes(value: &[u64; 8]) -> impl AsRef<[u8]> {
        let mut bytes = [0; 64];
        write_message_bytes(&mut bytes, value[0]);
        bytes
    }

    #[inline(always)]
    fn value_of(bytes: &[u8]) -> Option<[u64; 8]> {
        let (words, []) = bytes.as_chunks::<8>() else { return None };
        let mut value = [0; 8];
        let words: &[[u8; 8]; 8] = words.try_into().ok()?;
        value.iter_mut().zip(words).for_each(|(to, word)| *to = u64::from_ne_bytes(*word));
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn keys_differ_and_values_are_of_their_entry() {
        let keys: HashSet<[u8; 16]> = (0..10_000).map(Large::key).collect();
        assert_eq!(keys.len(), 10_000);
        for (index, write) in [(0, 0), (999_999, 1 << 40)] {
            assert!(Small::is_value(&Small::value(index, write), index));
            assert!(!Small::is_value(&Small::value(index, write), index + 1));
            let mut value = Large::value(index, write);
            assert!(Large::is_value(&value, index) && !Large::is_value(&value, index + 1));
            value[7] ^= 1;
            assert!(!Large::is_value(&value, index));
        }
    }

    #[test]
    fn values_are_the_same_again_after_they_were_bytes() {
        for (index, write) in [(0, 0), (999_999, 1 << 40)] {
            let (small, large) = (Small::value(index, write), Large::value(index, write));
            assert_eq!(Small::value_of(Small::value_bytes(&small).as_ref()), Some(small));
            assert_eq!(Large::value_of(Large::value_bytes(&large).as_ref()), Some(large));
            assert_eq!((Small::value_of(&[0; 9]), Large::value_of(&[0; 63])), (None, None));
        }
    }
}
