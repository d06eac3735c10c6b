//! Bytes in words that others may change meanwhile: word by word, so that nobody races with a plain access.

use crate::sync::atomic::AtomicU64;
use crate::sync::atomic::Ordering::Relaxed;

/// Copies the first `out.len()` bytes of `words`; fewer if there are not so many. Tells how many. Whether they belong together is for the caller to
/// find out, after a fence (Acquire).
#[inline]
pub fn load(words: &[AtomicU64], out: &mut [u8]) -> usize {
    let len = out.len().min(words.len() * 8);
    let (whole, rest) = out.split_at_mut(len / 8 * 8);
    for (bytes, word) in whole.as_chunks_mut::<8>().0.iter_mut().zip(words) {
        *bytes = word.load(Relaxed).to_ne_bytes();
    }
    let rest_len = len % 8;
    if let (Some(word), Some(rest)) = (words.get(len / 8), rest.get_mut(..rest_len)) {
        rest.copy_from_slice(&word.load(Relaxed).to_ne_bytes()[..rest_len]);
    }
    len
}

/// Stores `bytes` from the first word on; what is left of the last word becomes zero. False: there is no room, and nothing is stored.
///
/// The caller has run a fence (Release) since the last store by which a reader may have been led here: who sees one of these words then sees
/// that store, too.
#[inline]
#[must_use]
pub fn store(words: &[AtomicU64], bytes: &[u8]) -> bool {
    let (whole, rest) = bytes.as_chunks::<8>();
    let need = whole.len() + usize::from(!rest.is_empty());
    if words.len() < need {
        return false;
    }
    for (word, bytes) in words.iter().zip(whole) {
        word.store(u64::from_ne_bytes(*bytes), Relaxed);
    }
    if let (Some(word), false) = (words.get(whole.len()), rest.is_empty()) {
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        word.store(u64::from_ne_bytes(last), Relaxed);
    }
    true
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back() {
        let words: Vec<AtomicU64> = (0..3).map(|_| AtomicU64::new(u64::MAX)).collect();
        let bytes: Vec<u8> = (0..24).collect();
        for len in 0..=24 {
            assert!(store(&words, &bytes[..len]));
            let mut out = vec![0xee; len];
            assert_eq!(load(&words, &mut out), len);
            assert_eq!(out, &bytes[..len]);
        }
        assert!(store(&words, &[1, 2]));
        assert_eq!(words[0].load(Relaxed), u64::from_ne_bytes([1, 2, 0, 0, 0, 0, 0, 0]));
    }

    #[test]
    fn there_may_be_less_room() {
        let words = [AtomicU64::new(7)];
        assert!(!store(&words, &[1; 9]));
        assert_eq!(words[0].load(Relaxed), 7);
        let mut out = [0; 9];
        assert_eq!(load(&words, &mut out), 8);
        assert_eq!(load(&[], &mut out), 0);
    }
}
