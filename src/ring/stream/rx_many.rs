//! Receiving several short messages at once.

use super::memory::{RxMemory, TxMemory};
use super::rx::StreamRx;
use super::rx_long::FREED_AT_ONCE;
use super::word;
use crate::layout::stream::{LINE_BYTES, LINE_WORDS};
use crate::sync::atomic::Ordering;
use crate::sync::mutant;

impl<T: TxMemory, R: RxMemory> StreamRx<T, R> {
    /// Shows `take` the messages that are there, up to `max`, as long as they are of this tag and length, which is at most 56 bytes. One to which it
    /// says no stays in place and is the last. How many were taken.
    ///
    /// Never waits. The lines that are read are free when it returns, also by a panic of `take`.
    #[inline]
    pub fn take_words(
        &mut self,
        tag: u32,
        len: usize,
        max: usize,
        mut take: impl FnMut([u64; LINE_WORDS]) -> bool,
    ) -> usize {
        debug_assert!(len <= LINE_BYTES, "longer messages are received one by one");
        let freeing = Freeing(self);
        let stream = &mut *freeing.0;
        let code = word::short_code(len);
        let mut count = 0;
        while count < max && stream.short_is_here() && (stream.tag, stream.code) == (tag, code) {
            let here = (stream.valid - stream.taken) / word::stride(code);
            for _ in 0..(max - count).min(here as usize) {
                if !take(stream.words(len)) {
                    return count;
                }
                stream.taken += word::stride(code);
                count += 1;
            }
            if stream.taken + word::stride(code) > LINE_BYTES as u32 {
                stream.step();
                if stream.number.is_multiple_of(FREED_AT_ONCE) {
                    stream.free();
                }
            }
        }
        count
    }

    /// The next short message, whose length is `len`.
    #[inline(always)]
    pub(super) fn words(&self, len: usize) -> [u64; LINE_WORDS] {
        let payload = &self.peer.line(self.number).payload;
        let first = self.taken as usize / 8;
        let mut words = [0; LINE_WORDS];
        for (i, word) in words.iter_mut().enumerate().take(len.div_ceil(8)) {
            // Relaxed: ordered by the Acquire load of the header.
            *word = payload.get(first + i).map_or(0, |word| word.load(Ordering::Relaxed));
        }
        words
    }
}

/// Frees what is read when it goes.
struct Freeing<'s, T: TxMemory, R: RxMemory>(&'s mut StreamRx<T, R>);

impl<T: TxMemory, R: RxMemory> Drop for Freeing<'_, T, R> {
    #[inline(always)]
    fn drop(&mut self) {
        if !mutant::on("stream.run_unfreed") {
            self.0.free();
        }
    }
}
