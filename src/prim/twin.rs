//! A value that is stored twice, so that changing it is one store.
//!
//! All of it happens under a lock. Who reads and writes is the lock's owner, who pairs with the last one through the lock;
//! the order of its own stores matters to an heir. Nothing is repaired: the root names a whole value at any instruction.

use crate::layout::locked::LockedBody;
use crate::prim::words;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::mutant;

/// The algorithm over a borrowed body and the words behind it.
#[derive(Clone, Copy, Debug)]
pub struct Twin<'a> {
    body: &'a LockedBody,
    words: &'a [AtomicU64],
}

/// So many bytes of serialised value do not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong {
    pub room: usize,
}

impl<'a> Twin<'a> {
    /// `words` are those behind `body`, room for the value twice.
    pub fn new(body: &'a LockedBody, words: &'a [AtomicU64]) -> Self {
        Self { body, words }
    }

    /// Bytes that fit: never more than there are words for.
    pub fn room(self) -> usize {
        let room = usize::try_from(self.body.room.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
        room.min(self.words.len() / 2 * 8) / 8 * 8
    }

    fn of(self, which: usize) -> &'a [AtomicU64] {
        let each = self.room() / 8;
        self.words.get(which * each..(which + 1) * each).unwrap_or_default()
    }

    /// Copies the bytes of the value into the room that there is for so many.
    pub fn read<'o>(self, room: impl FnOnce(usize) -> &'o mut [u8]) {
        // Acquire: pairs with the Release of a writer that died before it gave the lock back.
        let which = (self.body.root.load(Ordering::Acquire) & 1) as usize;
        let len = self.body.lengths[which].load(Ordering::Relaxed).min(self.room() as u64);
        words::load(self.of(which), room(len as usize), Ordering::Relaxed);
    }

    /// Makes `bytes` the value.
    ///
    /// # Errors
    /// If they do not fit; then the value is as before.
    pub fn write(self, bytes: &[u8]) -> Result<(), TooLong> {
        let root = self.body.root.load(Ordering::Relaxed);
        let other = if mutant::on("locked.in_place") { root & 1 } else { !root & 1 } as usize;
        if !words::store(self.of(other), bytes, Ordering::Relaxed) {
            return Err(TooLong { room: self.room() });
        }
        self.body.lengths[other].store(bytes.len() as u64, Ordering::Relaxed);
        // Release: who finds this root finds the bytes, also after the death of this process.
        self.body.root.store((root >> 1).wrapping_add(1) << 1 | other as u64, Ordering::Release);
        Ok(())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn room(bytes: &mut Vec<u8>, len: usize) -> &mut [u8] {
        bytes.resize(len, 0);
        bytes
    }

    #[test]
    fn what_was_written_last_is_read_and_what_does_not_fit_changes_nothing() {
        let body = LockedBody::default();
        body.room.store(24, Ordering::Relaxed);
        let words: Vec<AtomicU64> = (0..6).map(|_| AtomicU64::new(0)).collect();
        let twin = Twin::new(&body, &words);
        let read = || {
            let mut out = Vec::new();
            twin.read(|len| room(&mut out, len));
            out
        };
        assert!(read().is_empty());
        for len in [3usize, 8, 24, 0, 23] {
            let bytes: Vec<u8> = (0..len).map(|i| i as u8 + 1).collect();
            twin.write(&bytes).expect("it fits");
            assert_eq!(read(), bytes);
            assert_eq!(twin.write(&[7; 25]), Err(TooLong { room: 24 }));
            assert_eq!(read(), bytes);
        }
    }

    #[test]
    fn a_room_that_is_a_lie_is_cut_to_the_words_there_are() {
        let body = LockedBody::default();
        body.room.store(u64::MAX, Ordering::Relaxed);
        body.lengths[0].store(u64::MAX, Ordering::Relaxed);
        let words: Vec<AtomicU64> = (0..5).map(|_| AtomicU64::new(0)).collect();
        let twin = Twin::new(&body, &words);
        let mut out = Vec::new();
        twin.read(|len| room(&mut out, len));
        assert_eq!((twin.room(), out.len()), (16, 16));
    }
}
