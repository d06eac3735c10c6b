//! Bytes in words that others may change meanwhile: word by word, so that nobody races with a plain access.
//!
//! The order is the caller's protocol: *relaxed* words between fences (a dictionary, a value), or each word with Release and Acquire (a list).

use crate::sync::atomic::{AtomicU64, Ordering};

/// A shared word: of a region, or of a model.
pub trait Word {
    fn load(&self, order: Ordering) -> u64;
    fn store(&self, value: u64, order: Ordering);
}

impl Word for AtomicU64 {
    #[inline(always)]
    fn load(&self, order: Ordering) -> u64 {
        AtomicU64::load(self, order)
    }

    #[inline(always)]
    fn store(&self, value: u64, order: Ordering) {
        AtomicU64::store(self, value, order);
    }
}

/// The words that these bytes fill; what is left of the last one is zero.
#[inline(always)]
pub fn of(bytes: &[u8]) -> impl Iterator<Item = u64> {
    let (whole, rest) = bytes.as_chunks::<8>();
    whole.iter().map(|bytes| u64::from_ne_bytes(*bytes)).chain((!rest.is_empty()).then(|| last_of(rest)))
}

/// The word that begins with less than eight bytes.
#[inline(always)]
fn last_of(rest: &[u8]) -> u64 {
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    u64::from_ne_bytes(last)
}

/// Copies the first `out.len()` bytes of `words`; fewer if there are not so many. Tells how many. Whether they belong together is for the caller to
/// find out, after a fence (Acquire).
#[inline(always)]
pub fn load<W: Word>(words: &[W], out: &mut [u8], order: Ordering) -> usize {
    let len = out.len().min(words.len() * 8);
    let (whole, rest) = out.split_at_mut(len / 8 * 8);
    for (bytes, word) in whole.as_chunks_mut::<8>().0.iter_mut().zip(words) {
        *bytes = word.load(order).to_ne_bytes();
    }
    let rest_len = len % 8;
    if let (Some(word), Some(rest)) = (words.get(len / 8), rest.get_mut(..rest_len))
        && rest_len > 0
    {
        rest.copy_from_slice(&word.load(order).to_ne_bytes()[..rest_len]);
    }
    len
}

/// Stores `bytes` from the first word on; what is left of the last word becomes zero. False: there is no room, and nothing is stored.
///
/// With relaxed stores the caller has run a fence (Release) since the last store by which a reader may have been led here: who sees one of these words
/// then sees that store, too.
#[inline(always)]
#[must_use]
pub fn store<W: Word>(words: &[W], bytes: &[u8], order: Ordering) -> bool {
    let (whole, rest) = bytes.as_chunks::<8>();
    if words.len() < bytes.len().div_ceil(8) {
        return false;
    }
    for (word, bytes) in words.iter().zip(whole) {
        word.store(u64::from_ne_bytes(*bytes), order);
    }
    if let (Some(word), false) = (words.get(whole.len()), rest.is_empty()) {
        word.store(last_of(rest), order);
    }
    true
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::sync::atomic::Ordering::{Acquire, Relaxed, Release};

    #[test]
    fn bytes_come_back() {
        let words: Vec<AtomicU64> = (0..3).map(|_| AtomicU64::new(u64::MAX)).collect();
        let bytes: Vec<u8> = (0..24).collect();
        for len in 0..=24 {
            assert!(store(&words, &bytes[..len], Release));
            let mut out = vec![0xee; len];
            assert_eq!(load(&words, &mut out, Acquire), len);
            assert_eq!(out, &bytes[..len]);
        }
        assert!(store(&words, &[1, 2], Relaxed));
        assert_eq!(words[0].load(Relaxed), u64::from_ne_bytes([1, 2, 0, 0, 0, 0, 0, 0]));
    }

    #[test]
    fn there_may_be_less_room() {
        let words = [AtomicU64::new(7)];
        assert!(!store(&words, &[1; 9], Relaxed));
        assert_eq!(words[0].load(Relaxed), 7);
        let mut out = [0; 9];
        assert_eq!(load(&words, &mut out, Relaxed), 8);
        assert_eq!(load::<AtomicU64>(&[], &mut out, Relaxed), 0);
    }
}
