//! Reading one entry.

use super::memory::{Memory, Words};
use super::place::{Key, Place};
use super::{Bytes, Chain, Dict};
use crate::layout::block_place::BlockPlace as Reference;
use crate::layout::dict::{BucketHeader, Lengths, PARTS, SLOTS, VALUES_AT};
use crate::sync::atomic::Ordering::{Acquire, Relaxed};
use crate::sync::{fence, mutant};

/// What was found under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    Absent,
    /// A value that is its own word.
    Inline(u64),
    /// So many bytes were copied.
    Copied(usize),
    /// The value has handles: it is read under the lock only. So many bytes were copied then.
    Handles(Reference, usize),
}

/// Longer values are copied only when it is known that their length is one.
const LONG: u64 = 4096;

/// What is in a block.
pub(super) enum Content {
    Copied(usize),
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
    pub fn try_get(&self, key: &Key<'_>, out: &mut Bytes) -> Option<Seen> {
        let place = self.find(key.hash)?;
        let header = place.chain.header();
        let mut seen = self.look_in(&place, header, 0, key, out)?;
        if seen == Seen::Absent && header.has_overflow() {
            seen = self.look_in_overflow(&place, header, key, out)?;
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

    #[inline(never)]
    fn look_in_overflow(
        &self,
        place: &Place<'_, M>,
        header: BucketHeader,
        key: &Key<'_>,
        out: &mut Bytes,
    ) -> Option<Seen> {
        for part in 1..PARTS {
            let seen = self.look_in(place, header, part, key, out)?;
            if seen != Seen::Absent {
                return Some(seen);
            }
        }
        Some(Seen::Absent)
    }

    #[inline(always)]
    fn look_in(
        &self,
        place: &Place<'_, M>,
        header: BucketHeader,
        part: usize,
        key: &Key<'_>,
        out: &mut Bytes,
    ) -> Option<Seen> {
        let occupied = header.part(part);
        if occupied == 0 {
            return Some(Seen::Absent);
        }
        let words = place.chain.part(part)?;
        let mut hits = Chain::<M>::matches(words, key.word, occupied);
        if self.settings.inline_values {
            if hits == 0 {
                return Some(Seen::Absent);
            }
            return Some(Seen::Inline(words.load(VALUES_AT + hits.trailing_zeros() as usize, Relaxed)));
        }
        while hits != 0 {
            // Acquire: pairs with the commit of a replacement: the block is filled.
            let value = words.load(VALUES_AT + hits.trailing_zeros() as usize, Acquire);
            let reference = Reference(value);
            match self.copy_block(reference, key, out, Some(&|| self.is_unchanged(place, header))) {
                Content::Copied(len) => return Some(Seen::Copied(len)),
                Content::Handles => return Some(Seen::Handles(reference, 0)),
                Content::Another => {}
                Content::Stale => return None,
            }
            hits &= hits - 1;
        }
        Some(Seen::Absent)
    }

    /// Copies the value of a block, if it has this key. `sure`: whether what was read so far belongs to the dictionary; `None` under the lock.
    pub(super) fn copy_block(
        &self,
        reference: Reference,
        key: &Key<'_>,
        out: &mut Bytes,
        sure: Option<&dyn Fn() -> bool>,
    ) -> Content {
        let Some((words, lengths)) = self.open_block(reference, sure) else { return Content::Stale };
        if !self.settings.inline_keys && !has_key(words, lengths, key.bytes) {
            return Content::Another;
        }
        if reference.has_handles() && sure.is_some() {
            return Content::Handles;
        }
        words.copy(1, out.room(lengths.value as usize));
        Content::Copied(lengths.value as usize)
    }

    /// Whether a block, under the lock, has this key.
    pub(super) fn is_key(&self, reference: Reference, key: &Key<'_>) -> bool {
        let open = self.open_block(reference, None);
        open.is_some_and(|(words, lengths)| has_key(words, lengths, key.bytes))
    }

    /// The words of a block's content, from its lengths on. `None`: what was read cannot be.
    pub(super) fn open_block(
        &self,
        reference: Reference,
        sure: Option<&dyn Fn() -> bool>,
    ) -> Option<(M::Words<'_>, Lengths)> {
        let offset = self.memory.content(reference)?;
        let lengths = Lengths::unpack(self.memory.words(offset, 1)?.load(0, Relaxed));
        if lengths.value > LONG || lengths.key > LONG {
            fence::fence(Acquire);
            if sure.is_some_and(|sure| !sure()) {
                return None;
            }
        }
        Some((self.memory.words(offset, lengths.words())?, lengths))
    }
}

fn has_key<W: Words>(words: W, lengths: Lengths, key: &[u8]) -> bool {
    if lengths.key != key.len() as u64 {
        return false;
    }
    let start = 1 + lengths.value_words() as usize;
    (start..).zip(key.chunks(8)).all(|(i, part)| {
        let mut bytes = [0; 8];
        bytes[..part.len()].copy_from_slice(part);
        words.load(i, Relaxed) == u64::from_ne_bytes(bytes)
    })
}

/// The slots of a part that are free.
pub(super) const fn free_slots(header: BucketHeader, part: usize) -> u64 {
    !header.part(part) & ((1 << SLOTS) - 1)
}
