//! One entry under its stripe's lock: reading, inserting, replacing, removing.

use super::get::{Content, Seen, free_slots};
use super::memory::{Words, Writers};
use super::place::Key;
use super::{Bytes, Chain, Dict};
use crate::error::{Error, ErrorKind};
use crate::layout::block_place::BlockPlace;
use crate::layout::dict::{
    Armed, BUCKET, BUCKET_WORDS, BucketHeader, Entry, KEYS_AT, LINKS_AT, Overflow, PARTS, SLOTS, VALUES_AT,
    at,
};
use crate::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use crate::sync::{fence, hint, mutant};

/// A value to be linked.
pub enum Put<B> {
    /// It is its own word.
    Inline(u64),
    /// PRIVATE and filled.
    Block(B),
}

/// The right to change what is in one bucket.
pub struct Entered<'a, M: Writers + 'a> {
    dict: &'a Dict<M>,
    chain: Chain<'a, M>,
    entry: Entry,
    bucket: u64,
    stripe: u64,
    _held: M::Held<'a>,
}

/// Looks without a lock before a reader takes it.
const TRIES: u32 = 64;
/// Looks of who has the lock before it says that the memory is damaged: nobody but a doubling directory is in its way.
const MANY: u32 = 1 << 20;

impl<M: Writers> Dict<M> {
    /// Reads without a lock; after some tries with one.
    ///
    /// # Errors
    /// Those of [`enter`](Self::enter).
    #[inline(always)]
    pub fn get(&self, key: &Key<'_>, out: &mut Bytes) -> Result<Seen, M::Error> {
        match self.try_get(key, out) {
            Some(seen) => Ok(seen),
            None => self.get_slow(key, out),
        }
    }

    #[cold]
    fn get_slow(&self, key: &Key<'_>, out: &mut Bytes) -> Result<Seen, M::Error> {
        for _ in 0..TRIES {
            if let Some(seen) = self.try_get(key, out) {
                return Ok(seen);
            }
            hint::spin_loop();
        }
        let entered = self.enter(key.hash)?;
        Ok(match entered.find(key, out) {
            Some((_, Seen::Handles(reference, _))) => Seen::Handles(reference, 0),
            Some((_, seen)) => seen,
            None => Seen::Absent,
        })
    }

    /// Takes the lock of the stripe that a hash belongs to. If it was a dead one's, what that one was doing is finished or undone first.
    ///
    /// # Errors
    /// Those of the lock; `Corrupt` if the memory is damaged.
    #[inline(always)]
    pub fn enter(&self, hash: u64) -> Result<Entered<'_, M>, M::Error> {
        match self.try_enter(hash)? {
            Some(entered) => Ok(entered),
            None => self.enter_again(hash),
        }
    }

    #[cold]
    fn enter_again(&self, hash: u64) -> Result<Entered<'_, M>, M::Error> {
        for _ in 0..MANY {
            if let Some(entered) = self.try_enter(hash)? {
                return Ok(entered);
            }
            hint::spin_loop();
        }
        Err(damaged().into())
    }

    /// `None`: the directory, or the segment, is another than a moment ago.
    #[inline(always)]
    fn try_enter(&self, hash: u64) -> Result<Option<Entered<'_, M>>, M::Error> {
        let Some(place) = self.find(hash) else { return Ok(None) };
        // Perhaps of an entry that is none: that shows under the lock.
        let stripe = self.stripe_of(place.entry, place.bucket, hash).min(self.stripes() - 1);
        let word = self.stripe_at(stripe);
        let held = self.memory.lock(word, &|| self.repair_stripe(stripe))?;
        if self.memory.body().load(word + at::FROZEN, Acquire) != 0 && !mutant::on("dict.frozen_ignored") {
            drop(held);
            // Somebody died while changing the structure (nobody else lets go of frozen stripes).
            drop(self.lock_structure()?);
            return Ok(None);
        }
        fence::fence(Acquire);
        // The entry led there before the lock was taken, and does so now: the segment stays as long as the lock is held. (The
        // directory may be another each time.)
        if !self.is_still(&place) {
            return Ok(None);
        }
        let (chain, entry, bucket) = (place.chain, place.entry, place.bucket);
        Ok(Some(Entered { dict: self, chain, entry, bucket, stripe, _held: held }))
    }
}

#[cold]
pub(super) fn damaged() -> Error {
    Error::new(ErrorKind::Corrupt, "shared dictionary", "its directory leads nowhere")
}

impl<'a, M: Writers> Entered<'a, M> {
    /// The segment, as the directory names it: what [`Dict::grow`] is told if there is no slot.
    pub fn segment(&self) -> Entry {
        self.entry
    }

    pub(super) fn bucket(&self) -> u64 {
        self.bucket
    }

    pub(super) fn chain(&self) -> Chain<'a, M> {
        self.chain
    }

    /// The slot of a key; its value is copied into `out`, as in a read without a lock, but also with handles.
    pub fn find(&self, key: &Key<'_>, out: &mut Bytes) -> Option<(usize, Seen)> {
        let slot = self.slot(key)?;
        Some((slot, self.seen(self.chain.value(slot), key, out)?))
    }

    /// The slot of a key.
    #[inline(always)]
    pub fn slot(&self, key: &Key<'_>) -> Option<usize> {
        let header = self.chain.header();
        match self.slot_in(header, 0, key) {
            None if header.has_overflow() => self.slot_in_overflow(header, key),
            found => found,
        }
    }

    #[inline(never)]
    fn slot_in_overflow(&self, header: BucketHeader, key: &Key<'_>) -> Option<usize> {
        (1..PARTS).find_map(|part| self.slot_in(header, part, key))
    }

    #[inline(always)]
    fn slot_in(&self, header: BucketHeader, part: usize, key: &Key<'_>) -> Option<usize> {
        let occupied = header.part(part);
        if occupied == 0 {
            return None;
        }
        let words = self.chain.part(part)?;
        let mut hits = Chain::<M>::matches(words, key.word, occupied);
        while hits != 0 {
            let i = hits.trailing_zeros() as usize;
            if self.dict.settings.inline_keys
                || self.dict.is_key(BlockPlace(words.load(VALUES_AT + i, Acquire)), key)
            {
                return Some(part * SLOTS + i);
            }
            hits &= hits - 1;
        }
        None
    }

    fn seen(&self, value: u64, key: &Key<'_>, out: &mut Bytes) -> Option<Seen> {
        if self.dict.settings.inline_values {
            return Some(Seen::Inline(value));
        }
        let reference = BlockPlace(value);
        match self.dict.copy_block(reference, key, out, None) {
            Content::Copied(len) if reference.has_handles() => Some(Seen::Handles(reference, len)),
            Content::Copied(len) => Some(Seen::Copied(len)),
            Content::Another | Content::Handles | Content::Stale => None,
        }
    }

    /// There is a slot for another key, and stays as long as the lock is held.
    pub fn has_room(&self) -> bool {
        self.free_slot(self.chain.header()).is_some()
    }

    /// Links a value under a key that is not there.
    ///
    /// # Errors
    /// The value, if there is no slot: the segment must [grow](Dict::grow).
    pub fn insert<'b>(&self, key: &Key<'_>, value: Put<M::Block<'b>>) -> Result<(), Put<M::Block<'b>>> {
        let header = self.chain.header();
        let Some((part, slot)) = self.free_slot(header) else { return Err(value) };
        let Some(words) = self.chain.part(part) else { return Err(value) };
        let count = self.load(at::COUNT).wrapping_add(1);
        let (word, new, block) = self.word_of(value);
        self.arm(Armed::header(self.chain.offset), header, count, new, 0);
        if let Some(block) = block {
            self.dict.memory.make_value(block);
        }
        if !mutant::on("dict.no_release_fence") {
            // Who sees one of these words sees the header that gave the slot up.
            fence::fence(Release);
        }
        words.store(KEYS_AT + slot, key.word, Relaxed);
        words.store(VALUES_AT + slot, word, Relaxed);
        let occupied = header.occupied() | 1 << (part * SLOTS + slot);
        self.chain.set_header(header.next(occupied));
        self.store(at::COUNT, count);
        self.disarm();
        Ok(())
    }

    /// Replaces the value of a slot.
    #[inline(always)]
    pub fn replace(&self, slot: usize, value: Put<M::Block<'_>>) {
        match value {
            Put::Inline(word) => self.chain.set_value(slot, word),
            Put::Block(block) => self.replace_block(slot, block),
        }
    }

    fn replace_block(&self, slot: usize, block: M::Block<'_>) {
        let new = self.dict.memory.place(&block).0;
        let old = self.chain.value(slot);
        let header = self.chain.header();
        self.arm(Armed::value(self.chain.offset, slot), header, 0, new, old);
        self.dict.memory.make_value(block);
        self.chain.set_value(slot, new);
        if !mutant::on("dict.replace_keeps_version") {
            self.chain.set_header(header.next(header.occupied()));
        }
        self.dict.memory.free(BlockPlace(old).block());
        self.disarm();
    }

    /// Takes a slot out.
    pub fn remove(&self, slot: usize) {
        let header = self.chain.header();
        let old = if self.dict.settings.inline_values { 0 } else { self.chain.value(slot) };
        let count = self.load(at::COUNT).wrapping_sub(1);
        self.arm(Armed::header(self.chain.offset), header, count, 0, old);
        self.chain.set_header(header.next(header.occupied() & !(1 << slot)));
        self.store(at::COUNT, count);
        if old != 0 {
            self.dict.memory.free(BlockPlace(old).block());
        }
        self.disarm();
    }

    /// The word that a slot will have, the same if it names a block, and the block.
    fn word_of<'b>(&self, value: Put<M::Block<'b>>) -> (u64, u64, Option<M::Block<'b>>) {
        match value {
            Put::Inline(word) => (word, 0, None),
            Put::Block(block) => {
                let word = self.dict.memory.place(&block).0;
                (word, word, Some(block))
            }
        }
    }

    fn load(&self, word: usize) -> u64 {
        self.dict.stripe_word(self.stripe, word)
    }

    /// Release: an heir finds the stores of an operation in order.
    fn store(&self, word: usize, value: u64) {
        self.dict.memory.body().store(self.dict.stripe_at(self.stripe) + word, value, Release);
    }

    fn arm(&self, what: Armed, before: BucketHeader, count_after: u64, new: u64, old: u64) {
        let (body, stripe) = (self.dict.memory.body(), self.dict.stripe_at(self.stripe));
        body.store(stripe + at::BEFORE, before.0, Relaxed);
        body.store(stripe + at::COUNT_AFTER, count_after, Relaxed);
        body.store(stripe + at::STRIPE_NEW, new, Relaxed);
        body.store(stripe + at::STRIPE_OLD, old, Relaxed);
        if !mutant::on("dict.unarmed") {
            self.store(at::ARMED, what.0);
        }
    }

    fn disarm(&self) {
        self.store(at::ARMED, Armed::NOTHING);
    }

    /// A free slot: its part, and its index there. Takes another overflow bucket if there is none.
    fn free_slot(&self, header: BucketHeader) -> Option<(usize, usize)> {
        for part in 0..PARTS {
            let free = free_slots(header, part);
            if free != 0 && (self.chain.part(part).is_some() || self.add_part(part)) {
                return Some((part, free.trailing_zeros() as usize));
            }
        }
        None
    }

    /// Links an overflow bucket. Buckets of other stripes take theirs at the same time: a claim is a CAS.
    #[cold]
    fn add_part(&self, part: usize) -> bool {
        let links = Overflow(self.chain.home.load(LINKS_AT, Relaxed));
        if part > 1 && links.get(part - 1) == 0 {
            return false;
        }
        let Some(size) = self.dict.size_of(self.entry) else { return false };
        let mine = self.bucket + 1;
        let claims = |index: u64, claim: bool| {
            let offset = self.entry.offset() + index * BUCKET;
            let Some(words) = self.dict.memory.words(offset, BUCKET_WORDS as u64) else { return false };
            let linked = (1..part).any(|part| links.get(part) == index - self.bucket);
            let left = words.load(0, Acquire) == mine && !linked;
            left || claim && words.load(0, Relaxed) == 0 && words.compare_exchange(0, 0, mine)
        };
        // One that somebody claimed for this bucket, and was killed.
        let overflow = || u64::from(size.homes)..u64::from(size.buckets);
        let found = overflow().find(|index| claims(*index, false));
        let Some(index) = found.or_else(|| overflow().find(|index| claims(*index, true))) else {
            return false;
        };
        self.chain.home.store(LINKS_AT, links.with(part, index - self.bucket).0, Release);
        true
    }
}
