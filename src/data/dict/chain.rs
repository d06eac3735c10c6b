//! A bucket with its overflow buckets.

use core::hint::select_unpredictable;

use super::memory::{Memory, Words};
use crate::layout::dict::{
    BUCKET, BUCKET_WORDS, BucketHeader, KEYS_AT, LINKS_AT, Overflow, PARTS, SLOTS, VALUES_AT,
};
use crate::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// See the module.
pub struct Chain<'a, M: Memory + 'a> {
    pub memory: &'a M,
    pub home: M::Words<'a>,
    /// Of `home`.
    pub offset: u64,
}

impl<M: Memory> Clone for Chain<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M: Memory> Copy for Chain<'_, M> {}

impl<'a, M: Memory> Chain<'a, M> {
    /// The bucket at this offset.
    pub fn at(memory: &'a M, offset: u64) -> Option<Self> {
        let home = memory.words(offset, BUCKET_WORDS as u64)?;
        Some(Self { memory, home, offset })
    }

    #[inline(always)]
    pub fn header(self) -> BucketHeader {
        // Acquire: pairs with the commit: the slots that it says are occupied are filled.
        BucketHeader(self.home.load(0, Acquire))
    }

    /// The commit of whoever changes the bucket.
    #[inline(always)]
    pub fn set_header(self, header: BucketHeader) {
        self.home.store(0, header.0, Release);
    }

    /// The words of a part: 0 is the bucket itself. `None`: it has none.
    #[inline(always)]
    pub fn part(self, part: usize) -> Option<M::Words<'a>> {
        if part == 0 {
            return Some(self.home);
        }
        // Relaxed: set before the header that made the caller look.
        let distance = Overflow(self.home.load(LINKS_AT, Relaxed)).get(part);
        if distance == 0 {
            return None;
        }
        self.memory.words(self.offset + distance * BUCKET, BUCKET_WORDS as u64)
    }

    /// The occupied slots with this key word: a bit each, from the part's first.
    #[inline(always)]
    pub fn matches(words: M::Words<'a>, word: u64, occupied: u64) -> u64 {
        let hits =
            (0..SLOTS).fold(0, |hits, i| hits | u64::from(words.load(KEYS_AT + i, Relaxed) == word) << i);
        hits & occupied
    }

    /// The first slot with this key word, occupied or not; [`SLOTS`]: there is none.
    #[inline(always)]
    pub fn first(words: M::Words<'a>, word: u64) -> usize {
        let is_hit = |i| words.load(KEYS_AT + i, Relaxed) == word;
        // Where it is nobody can foresee.
        (0..SLOTS).rev().fold(SLOTS, |first, i| select_unpredictable(is_hit(i), i, first))
    }

    /// Every occupied slot with the words of its part.
    pub fn each(self, header: BucketHeader, mut each: impl FnMut(usize, M::Words<'a>, usize)) {
        for part in 0..PARTS {
            let mut left = header.part(part);
            let Some(words) = (left != 0).then(|| self.part(part)).flatten() else { continue };
            while left != 0 {
                let i = left.trailing_zeros() as usize;
                left &= left - 1;
                each(part * SLOTS + i, words, i);
            }
        }
    }

    /// The words of a slot's part, and its index there.
    #[inline(always)]
    pub fn slot(self, slot: usize) -> Option<(M::Words<'a>, usize)> {
        if slot < SLOTS {
            return Some((self.home, slot));
        }
        Some((self.part(slot / SLOTS)?, slot % SLOTS))
    }

    /// The value of a slot, Acquire: it may name a block.
    pub fn value(self, slot: usize) -> u64 {
        self.slot(slot).map_or(0, |(words, i)| words.load(VALUES_AT + i, Acquire))
    }

    /// Stores the value of a slot, Release: it may name a block, and a reader may copy it.
    #[inline(always)]
    pub fn set_value(self, slot: usize, value: u64) {
        if let Some((words, i)) = self.slot(slot) {
            words.store(VALUES_AT + i, value, Release);
        }
    }
}
