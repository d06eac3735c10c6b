//! How long messages are and may be.

use super::Shared;
use crate::sync::atomic::{AtomicU64, Ordering};

/// The length of the last long message that was put by this process: the next one is probably as long.
#[derive(Debug, Default)]
pub(crate) struct LastLen(AtomicU64);

/// A guess is rounded up to so many bytes, which a long block takes anyway.
const GRAIN: u64 = 64 << 10;
/// Messages below are not noted.
const SHORT: usize = 16 << 10;

impl Shared {
    /// No message can be longer.
    pub(super) fn longest(&self) -> u64 {
        let room = self.exact_len().map_or(u64::MAX, |len| len as u64);
        self.max_message.min(room)
    }

    /// The length of all messages, in a queue of values that are their own archive.
    pub(super) fn exact_len(&self) -> Option<usize> {
        match &self.kernel {
            None => self.ring.is_fixed().then(|| self.ring.room()),
            Some(kernel) => kernel.exact_len(),
        }
    }

    /// How long the next message may be; 0 if the last one was short.
    pub(super) fn guess(&self) -> usize {
        // Relaxed: a guess.
        let last = self.last_len.0.load(Ordering::Relaxed);
        usize::try_from(last.next_multiple_of(GRAIN)).unwrap_or(0)
    }

    /// A message of this length, which does not fit a slot, is put.
    pub(super) fn note_len(&self, len: usize) {
        let len = if len < SHORT { 0 } else { len as u64 };
        if self.last_len.0.load(Ordering::Relaxed) != len {
            self.last_len.0.store(len, Ordering::Relaxed);
        }
    }
}
