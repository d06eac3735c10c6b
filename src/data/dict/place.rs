//! From a hash to its bucket.

use super::memory::{Memory, Words};
use super::{Dict, chain::Chain};
use crate::layout::dict::{BUCKET, BUCKET_WORDS, Entry, Root, STRIPE_WORDS, SegmentSize, at};
use crate::sync::atomic::Ordering::{Acquire, Relaxed};

/// A key as the dictionary sees it.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    pub hash: u64,
    /// What a slot has of it: the key itself, or its hash.
    pub word: u64,
    /// Of a key that is not inline: its archive.
    pub bytes: &'a [u8],
}

/// A bucket, and how it was found.
pub(super) struct Place<'a, M: Memory + 'a> {
    pub root: Root,
    /// The entry's word.
    slot: M::Words<'a>,
    pub entry: Entry,
    /// The index of the bucket in its segment.
    pub bucket: u64,
    pub chain: Chain<'a, M>,
}

impl<M: Memory> Clone for Place<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M: Memory> Copy for Place<'_, M> {}

/// The index of a bucket in a segment of `homes`.
#[inline(always)]
pub(super) const fn bucket_of(hash: u64, depth: u32, homes: u32) -> u64 {
    (((hash << depth) >> 32) * homes as u64) >> 32
}

/// The first `bits` bits of a hash, at most 63, as a number.
#[inline(always)]
pub(super) const fn prefix(hash: u64, bits: u32) -> u64 {
    hash >> 1 >> (63 - bits)
}

impl<M: Memory> Dict<M> {
    #[inline(always)]
    pub(super) fn root(&self) -> Root {
        Root(self.memory.root(Acquire))
    }

    /// The hash of a key as a slot has it.
    #[inline(always)]
    pub(super) fn hash_of(&self, key: u64) -> u64 {
        if self.settings().inline_keys { self.memory.hash(key) } else { key }
    }

    #[inline(always)]
    pub(super) fn size_of(&self, entry: Entry) -> Option<SegmentSize> {
        M::SEGMENTS.get(entry.size()).copied()
    }

    /// The bucket for a hash. `None`: what was read on the way was not, or is not any more, a dictionary's. It may be stale: see
    /// [`is_still`](Self::is_still).
    #[inline(always)]
    pub(super) fn find(&self, hash: u64) -> Option<Place<'_, M>> {
        let root = self.root();
        let index = prefix(hash, root.depth());
        let slot = self.memory.words(root.offset() + index * 8, 1)?;
        let entry = Entry(slot.load(0, Acquire));
        let bucket = bucket_of(hash, entry.depth(), self.size_of(entry)?.homes);
        let offset = entry.offset() + bucket * BUCKET;
        let home = self.memory.words(offset, BUCKET_WORDS as u64)?;
        Some(Place { root, slot, entry, bucket, chain: Chain { memory: &self.memory, home, offset } })
    }

    /// The entry led to the bucket since [`find`](Self::find): so the segment was in use, and what was read of it belongs to it. After a fence
    /// (Acquire).
    #[inline(always)]
    pub(super) fn is_still(&self, place: &Place<'_, M>) -> bool {
        Entry(place.slot.load(0, Relaxed)) == place.entry && self.memory.root(Relaxed) == place.root.0
    }

    /// How many stripes there are.
    #[inline(always)]
    pub(super) fn stripes(&self) -> u64 {
        1 << (self.settings.stripes & 31)
    }

    /// The stripes of a segment's buckets: the first, and how many as a power of two.
    pub(super) fn stripes_of(&self, entry: Entry, hash: u64) -> (u64, u32) {
        let shared = self.settings.stripes.saturating_sub(entry.depth());
        (prefix(hash, self.settings.stripes - shared) << shared, shared)
    }

    /// The stripe of a bucket. Any function of the bucket would do that leads to one of the segment's stripes.
    #[inline(always)]
    pub(super) fn stripe_of(&self, entry: Entry, bucket: u64, hash: u64) -> u64 {
        let (first, shared) = self.stripes_of(entry, hash);
        first + (bucket & ((1 << shared) - 1))
    }

    /// Index of a stripe's first word in the body.
    #[inline(always)]
    pub(super) fn stripe_at(&self, stripe: u64) -> usize {
        at::STRIPES + stripe as usize * STRIPE_WORDS
    }

    #[inline(always)]
    pub(super) fn stripe_word(&self, stripe: u64, word: usize) -> u64 {
        self.memory.body().load(self.stripe_at(stripe) + word, Relaxed)
    }
}
