//! Reading one entry.

use super::memory::{Memory, Words};
use super::place::{Key, Place};
use super::{Bytes, Chain, Copies, Dict};
use crate::layout::block::FRONT;
use crate::layout::block_place::BlockPlace;
use crate::layout::dict::{BucketHeader, Lengths, PARTS, SLOTS, VALUES_AT};
use crate::sync::atomic::Ordering::{Acquire, Relaxed};
use crate::sync::{fence, mutant};

/// What was found under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen<C = usize> {
    Absent,
    /// A value that is its own word.
    Inline(u64),
    /// What was copied: into [`Bytes`] so many.
    Copied(C),
    /// The value has handles: it is read under the lock only. So many bytes were copied then.
    Handles(BlockPlace, usize),
}

/// Longer values are copied only when it is known that their length is one.
const LONG: u64 = 4096;

/// What is in a block.
pub enum Content<C = usize> {
    Copied(C),
    /// It has handles, and nothing was copied.
    Handles,
    /// It has another key.
    Another,
    /// What was read cannot be.
    Stale,
}

impl<M: Memory> Dict<M> {
    /// One look, without a lock. `None`: somebody changed it meanwhile, and what is in `out` is of no use.
    #[inline(always)]
    pub fn try_get<C: Copies>(&self, key: &Key<'_>, out: &mut C) -> Option<Seen<C::Copy>> {
        let place = self.find(key.hash)?;
        // Which of the values it is the keys will tell: their line need not wait for that.
        place.chain.home.prefetch(VALUES_AT);
        let header = place.chain.header();
        // Nearly always the first slot with this key word is the one, or there is none.
        let home = place.chain.home;
        let slot = Chain::<M>::first(home, key.word);
        let mut seen = Seen::Absent;
        if slot < SLOTS && header.part(0) >> slot & 1 != 0 {
            seen = self.look_at(&place, header, home, slot, key, out)?;
        }
        if matches!(seen, Seen::Absent) && (slot < SLOTS || header.has_overflow()) {
            let Key { hash, word, bytes } = *key;
            seen = self.look_everywhere(place, header, hash, word, bytes, out)?;
        }
        if !mutant::on("dict.no_acquire_fence") {
            // Pairs with the fences (Release) of those who fill slots and blocks anew.
            fence::fence(Acquire);
        }
        self.is_unchanged(&place, header).then_some(seen)
    }

    #[inline(always)]
    fn is_unchanged(&self, place: &Place<'_, M>, header: BucketHeader) -> bool {
        let same = BucketHeader(place.chain.home.load(0, Relaxed)) == header;
        (same || mutant::on("dict.no_second_header"))
            && (self.is_still(place) || mutant::on("dict.no_second_entry"))
    }

    /// Every slot of the bucket with this key word. Place and key come by value, and the key in parts, so that they are in registers where nobody calls this.
    #[inline(never)]
    fn look_everywhere<C: Copies>(
        &self,
        place: Place<'_, M>,
        header: BucketHeader,
        hash: u64,
        word: u64,
        bytes: &[u8],
        out: &mut C,
    ) -> Option<Seen<C::Copy>> {
        let key = Key { hash, word, bytes };
        for part in 0..PARTS {
            let occupied = header.part(part);
            if occupied == 0 {
                continue;
            }
            let words = place.chain.part(part)?;
            let mut hits = Chain::<M>::matches(words, word, occupied);
            while hits != 0 {
                let slot = hits.trailing_zeros() as usize;
                let seen = self.look_at(&place, header, words, slot, &key, out)?;
                if !matches!(seen, Seen::Absent) {
                    return Some(seen);
                }
                hits &= hits - 1;
            }
        }
        Some(Seen::Absent)
    }

    /// The value of an occupied slot with this key word, if it has this key.
    #[inline(always)]
    fn look_at<C: Copies>(
        &self,
        place: &Place<'_, M>,
        header: BucketHeader,
        words: M::Words<'_>,
        slot: usize,
        key: &Key<'_>,
        out: &mut C,
    ) -> Option<Seen<C::Copy>> {
        // Acquire: pairs with the commit of a replacement: the block is filled.
        let value = words.load(VALUES_AT + slot, Acquire);
        if C::is_inline(self.settings) {
            return Some(Seen::Inline(value));
        }
        let reference = BlockPlace(value);
        match out.copy(self, reference, key, Some(&|| self.is_unchanged(place, header))) {
            Content::Copied(copy) => Some(Seen::Copied(copy)),
            Content::Handles => Some(Seen::Handles(reference, 0)),
            Content::Another => Some(Seen::Absent),
            Content::Stale => None,
        }
    }

    /// Copies the value of a block, if it has this key. `sure`: as in [`Copies::copy`].
    pub(super) fn copy_block(
        &self,
        reference: BlockPlace,
        key: &Key<'_>,
        out: &mut Bytes,
        sure: Option<&dyn Fn() -> bool>,
    ) -> Content {
        let Some((words, lengths)) = self.open_block(reference, sure) else { return Content::Stale };
        if !self.settings.inline_keys && !self.has_key(words, lengths, key.bytes) {
            return Content::Another;
        }
        if reference.has_handles() && sure.is_some() {
            return Content::Handles;
        }
        words.copy(Lengths::value_at(self.settings.in_front), out.room(lengths.value as usize));
        Content::Copied(lengths.value as usize)
    }

    /// Whether a block, under the lock, has this key.
    pub(super) fn is_key(&self, reference: BlockPlace, key: &Key<'_>) -> bool {
        let open = self.open_block(reference, None);
        open.is_some_and(|(words, lengths)| self.has_key(words, lengths, key.bytes))
    }

    /// The words of a block's content, from its lengths on. `None`: what was read cannot be.
    pub(super) fn open_block(
        &self,
        reference: BlockPlace,
        sure: Option<&dyn Fn() -> bool>,
    ) -> Option<(M::Words<'_>, Lengths)> {
        let in_front = self.settings.in_front;
        let offset = self.memory.content(reference)?.wrapping_sub(if in_front { FRONT } else { 0 });
        let lengths = Lengths::unpack(self.memory.words(offset, 1)?.load(0, Relaxed));
        if lengths.value > LONG || lengths.key > LONG {
            fence::fence(Acquire);
            if sure.is_some_and(|sure| !sure()) {
                return None;
            }
        }
        Some((self.memory.words(offset, lengths.words(in_front))?, lengths))
    }

    fn has_key(&self, words: M::Words<'_>, lengths: Lengths, key: &[u8]) -> bool {
        lengths.key == key.len() as u64 && is_key_at(words, lengths.key_at(self.settings.in_front), key)
    }
}

/// Whether the words from `start` on are this key. Looks at all of them: the hash has been compared, so it nearly always is.
#[inline(always)]
pub(super) fn is_key_at<W: Words>(words: W, start: usize, key: &[u8]) -> bool {
    let (whole, rest) = key.as_chunks::<8>();
    let difference = |i: usize, bytes: [u8; 8]| words.load(start + i, Relaxed) ^ u64::from_ne_bytes(bytes);
    let mut sum = whole.iter().enumerate().fold(0, |sum, (i, bytes)| sum | difference(i, *bytes));
    if !rest.is_empty() {
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        sum |= difference(whole.len(), last);
    }
    sum == 0
}

/// The slots of a part that are free.
pub(super) const fn free_slots(header: BucketHeader, part: usize) -> u64 {
    !header.part(part) & ((1 << SLOTS) - 1)
}
