//! Copying into and out of the payload of a line.

use crate::layout::stream::{LINE_BYTES, LINE_WORDS, Line};
use crate::sync::atomic::Ordering;

/// Copies `bytes` into the line from word `at` on; the last word is filled up with zeros.
#[inline(always)]
pub(super) fn write(line: &Line, at: usize, bytes: &[u8]) {
    let words = line.payload.get(at..).unwrap_or(&[]);
    let (whole, rest) = bytes.as_chunks::<8>();
    // Relaxed: published by the header.
    for (word, chunk) in words.iter().zip(whole) {
        word.store(u64::from_ne_bytes(*chunk), Ordering::Relaxed);
    }
    if let (false, Some(word)) = (rest.is_empty(), words.get(whole.len())) {
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        word.store(u64::from_ne_bytes(last), Ordering::Relaxed);
    }
}

/// Copies from word `at` of the line on until `into` is full.
#[inline(always)]
pub(super) fn read(line: &Line, at: usize, into: &mut [u8]) {
    let words = line.payload.get(at.min(LINE_WORDS)..).unwrap_or(&[]);
    let (whole, rest) = into.as_chunks_mut::<8>();
    let count = whole.len();
    // Relaxed: ordered by the Acquire load of the header.
    for (word, chunk) in words.iter().zip(whole) {
        *chunk = word.load(Ordering::Relaxed).to_ne_bytes();
    }
    if let (false, Some(word)) = (rest.is_empty(), words.get(count)) {
        let word = word.load(Ordering::Relaxed).to_ne_bytes();
        rest.copy_from_slice(&word[..rest.len()]);
    }
}

/// [`write`] of a whole line.
#[inline(always)]
pub(super) fn write_line(line: &Line, bytes: &[u8; LINE_BYTES]) {
    let (words, _) = bytes.as_chunks::<8>();
    // Relaxed: published by the header.
    for (word, chunk) in line.payload.iter().zip(words) {
        word.store(u64::from_ne_bytes(*chunk), Ordering::Relaxed);
    }
}

/// [`read`] of a whole line.
#[inline(always)]
pub(super) fn read_line(line: &Line) -> [u8; LINE_BYTES] {
    let mut bytes = [0; LINE_BYTES];
    // Relaxed: ordered by the Acquire load of the header.
    for (chunk, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(&line.payload) {
        *chunk = word.load(Ordering::Relaxed).to_ne_bytes();
    }
    bytes
}
