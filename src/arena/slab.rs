//! Small blocks.
//!
//! # Safety
//!
//! Headers of a chunk that this process has claimed (and nobody else looks into) are cleared as plain bytes.
#![allow(unsafe_code)]

use super::block::Taken;
use super::handle::lock;
use super::hints::Slabs;
use super::{Arena, own};
use crate::error::{ErrorKind, Result};
use crate::layout::block::{BlockHeader, CLASSES, HEADER, Position, blocks_of, class_of, stride_of};
use crate::layout::chunk::{ChunkState, ChunkWord};
use crate::layout::{CHUNK, ParticipantId};
use crate::sync::atomic::Ordering::{AcqRel, Relaxed};
use crate::sync::kill;

/// Hints tried before the cursor, and blocks looked at before another slab is chosen.
const RECENT_TRIES: u32 = 3;
const CURSOR_TRIES: u32 = 24;
/// A slab is worth using if one in so many of its blocks is free.
const WORTH: usize = 8;
/// Slabs looked at before a new one is made.
const SLABS_LOOKED_AT: usize = 2;

impl Arena {
    /// Takes a block of `class` for `need` bytes.
    #[inline(always)]
    pub(super) fn take_small(&self, class: usize, need: u64, me: ParticipantId) -> Result<Taken<'_>> {
        let hints = &self.hints.classes[class];
        for _ in 0..RECENT_TRIES {
            let Some(position) = hints.recent.pop() else { break };
            if let Some(taken) = self.try_take(position, class, me) {
                return Ok(taken);
            }
        }
        if let Some(taken) = self.take_at_cursor(class, me) {
            return Ok(taken);
        }
        self.take_small_slow(class, need, me)
    }

    /// Walks on from where this process took its last block: with messages, the blocks behind are free again when
    /// the walk comes around.
    #[inline(always)]
    fn take_at_cursor(&self, class: usize, me: ParticipantId) -> Option<Taken<'_>> {
        let cursor = &self.hints.classes[class].cursor;
        let mut position = Position::from_bits(cursor.load(Relaxed))?;
        let blocks = blocks_of(class);
        for _ in 0..CURSOR_TRIES.min(u32::from(blocks)) {
            let taken = self.try_take(position, class, me);
            position.index = if position.index + 1 < blocks { position.index + 1 } else { 0 };
            if taken.is_some() {
                cursor.store(position.bits(), Relaxed);
                return taken;
            }
        }
        None
    }

    /// Takes the block at a position that was a slab of `class` once, and so is for ever.
    #[inline(always)]
    fn try_take(&self, position: Position, class: usize, me: ParticipantId) -> Option<Taken<'_>> {
        let at = self.region.geometry().chunk(u64::from(position.chunk))
            + u64::from(position.index) * stride_of(class);
        let header: &BlockHeader = self.region.at(at);
        let own = own::take(header, me)?;
        Some(Taken { header, own, position, bytes: at + HEADER, class: class as u8, zero: false })
    }

    #[cold]
    fn take_small_slow(&self, class: usize, need: u64, me: ParticipantId) -> Result<Taken<'_>> {
        let mut refused = None;
        // Other processes and threads may take what a slab had by the time the walk begins: each turn finds
        // another slab.
        for _ in 0..8 {
            let mut slabs = lock(&self.hints.slabs);
            let chunk = match self.slab_worth_using(&mut slabs, class) {
                Some(chunk) => chunk,
                None => match self.new_slab(&mut slabs, class, me) {
                    Ok(Some(chunk)) => chunk,
                    Ok(None) => break,
                    // The machine has no memory: a free block that exists needs none.
                    Err(error) if error.kind() == ErrorKind::OutOfMemory => {
                        refused = Some(error);
                        break;
                    }
                    Err(error) => return Err(error),
                },
            };
            drop(slabs);
            let start = self.first_free(chunk, class).unwrap_or(0);
            self.hints.classes[class].cursor.store(Position { chunk, index: start }.bits(), Relaxed);
            if let Some(taken) = self.take_at_cursor(class, me) {
                return Ok(taken);
            }
        }
        self.take_any(class, me).ok_or_else(|| refused.unwrap_or_else(|| self.no_room(need)))
    }

    fn first_free(&self, chunk: u32, class: usize) -> Option<u16> {
        (0..blocks_of(class)).find(|index| self.is_free(chunk, class, *index))
    }

    #[inline]
    fn is_free(&self, chunk: u32, class: usize, index: u16) -> bool {
        let at = self.region.geometry().chunk(u64::from(chunk)) + u64::from(index) * stride_of(class);
        let header: &BlockHeader = self.region.at(at);
        use crate::layout::block::{OwnState, OwnWord};
        OwnWord::unpack(header.own.load(Relaxed)).state == OwnState::Free
    }

    /// A slab of the class with a good share of its blocks free. It looks at few, so that taking a block costs
    /// the same however many there are.
    fn slab_worth_using(&self, slabs: &mut Slabs, class: usize) -> Option<u32> {
        let fresh = self.learn(slabs, class);
        let blocks = blocks_of(class);
        let known = slabs.of_class[class].len();
        for turn in 0..known.min(SLABS_LOOKED_AT.max(fresh)) {
            // The newest that were learnt first, then on from where the last one was.
            let at = if turn < fresh { known - 1 - turn } else { (slabs.at[class] + 1) % known };
            slabs.at[class] = at;
            let chunk = slabs.of_class[class][at];
            let free = (0..blocks).filter(|index| self.is_free(chunk, class, *index)).count();
            if free * WORTH >= usize::from(blocks) {
                return Some(chunk);
            }
        }
        None
    }

    /// Takes note of slabs that others made. How many of the class are new, at most [`SLABS_LOOKED_AT`].
    fn learn(&self, slabs: &mut Slabs, class: usize) -> usize {
        let end = self.control().slab_end.load(Relaxed).min(self.chunk_count());
        let before = slabs.of_class[class].len();
        for chunk in slabs.seen..end {
            let word = self.chunk_word(chunk);
            if word.state == ChunkState::Slab && (word.value as usize) < CLASSES.len() {
                slabs.of_class[word.value as usize].push(chunk as u32);
            }
        }
        slabs.seen = slabs.seen.max(end);
        (slabs.of_class[class].len() - before).min(SLABS_LOOKED_AT)
    }

    /// Makes the lowest free chunk a slab. `None`: there is no free chunk.
    fn new_slab(&self, slabs: &mut Slabs, class: usize, me: ParticipantId) -> Result<Option<u32>> {
        let count = self.chunk_count();
        for full_search in [false, true] {
            let mut chunk = if full_search { 0 } else { slabs.low };
            while chunk < count {
                self.ensure_chunk_entry(chunk)?;
                let word = self.chunk_word(chunk);
                if word.state == ChunkState::Free && self.make_slab(chunk, word, class, me)? {
                    slabs.low = chunk + 1;
                    if chunk >= slabs.seen {
                        // What others made below will be learnt; this one must not be learnt twice.
                        self.learn_below(slabs, chunk);
                        slabs.of_class[class].push(chunk as u32);
                    }
                    slabs.at[class] = slabs.of_class[class].len().saturating_sub(1);
                    return Ok(Some(chunk as u32));
                }
                chunk += if word.state == ChunkState::Run { u64::from(word.value.max(1)) } else { 1 };
            }
        }
        Ok(None)
    }

    fn learn_below(&self, slabs: &mut Slabs, chunk: u64) {
        for below in slabs.seen..chunk {
            let word = self.chunk_word(below);
            if word.state == ChunkState::Slab && (word.value as usize) < CLASSES.len() {
                slabs.of_class[word.value as usize].push(below as u32);
            }
        }
        slabs.seen = chunk + 1;
    }

    /// FREE -> CLAIM(me, 1) -> SLAB(class). False: another was first.
    fn make_slab(&self, chunk: u64, word: ChunkWord, class: usize, me: ParticipantId) -> Result<bool> {
        // Before the claim: the mark bounds where a reaper looks for it.
        self.control().slab_end.fetch_max(chunk + 1, AcqRel);
        if !self.change_chunk(chunk, word, word.with(ChunkState::Claim, me, 1)) {
            return Ok(false);
        }
        let base = self.region.geometry().chunk(chunk);
        if word.committed {
            self.took_kept(1);
        } else if let Err(error) = self.region.commit(base, CHUNK) {
            self.set_chunk(chunk, word);
            return Err(error);
        }
        if word.dirty {
            self.clear_headers(base, class);
        }
        self.set_chunk(chunk, ChunkWord { committed: true, ..word.with(ChunkState::Slab, 0, class as u32) });
        Ok(true)
    }

    fn clear_headers(&self, base: u64, class: usize) {
        kill::point();
        for index in 0..u64::from(blocks_of(class)) {
            let header = self.region.ptr(base + index * stride_of(class), HEADER);
            // SAFETY: the chunk is CLAIM(me): nobody takes its bytes for headers before it is a slab.
            unsafe { header.write_bytes(0, HEADER as usize) };
        }
    }

    /// The memory is at its limit: any free block that is large enough, in whatever slab.
    #[cold]
    fn take_any(&self, class: usize, me: ParticipantId) -> Option<Taken<'_>> {
        let mut found = None;
        for wanted in class..CLASSES.len() {
            self.each_used_chunk(|chunk, word| {
                if found.is_some() || word.state != ChunkState::Slab || word.value as usize != wanted {
                    return;
                }
                for index in 0..blocks_of(wanted) {
                    let position = Position { chunk: chunk as u32, index };
                    if let Some(taken) = self.try_take(position, wanted, me) {
                        found = Some(taken);
                        return;
                    }
                }
            });
            if found.is_some() {
                break;
            }
        }
        found
    }
}

const _: () = assert!(class_of(4096 + 128) == class_of(4096));
