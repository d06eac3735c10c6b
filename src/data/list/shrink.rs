//! Taking from the end, by who has the lock.

use super::List;
use super::append::damaged;
use super::memory::Memory;
use crate::error::Result;
use crate::layout::block_place::BlockPlace;
use crate::layout::list::{FIRST_SEGMENT, SEGMENTS, segments_of};
use crate::prim::words::Word;
use crate::sync::atomic::Ordering::{Relaxed, Release};
use crate::sync::mutant;

impl<M: Memory> List<'_, M> {
    /// Takes the last element away, if there is one. Its block, if it has one, is free afterwards.
    ///
    /// # Errors
    /// `InvalidRegion`; then nothing was changed.
    #[inline]
    pub fn pop(&self) -> Result<()> {
        let spine = self.spine().ok_or_else(damaged)?;
        match spine.first().map_or(0, |len| len.load(Relaxed)) {
            0 => Ok(()),
            len => self.shorten(spine, len, len - 1),
        }
    }

    /// Keeps the first `to` elements. Memory that is not needed goes back to the arena, but for one segment.
    ///
    /// # Errors
    /// As of [`pop`](Self::pop).
    pub fn truncate(&self, to: u64) -> Result<()> {
        let spine = self.spine().ok_or_else(damaged)?;
        match spine.first().map_or(0, |len| len.load(Relaxed)) {
            len if len <= to => Ok(()),
            len => self.shorten(spine, len, to),
        }
    }

    #[inline]
    fn shorten(&self, spine: &[M::Word], len: u64, to: u64) -> Result<()> {
        let end = spine.first().ok_or_else(damaged)?;
        if mutant::on("list.version_before_length") {
            self.bump();
            end.store(to, Release);
        } else if mutant::on("list.free_before_commit") {
            self.free_back(spine, to, len);
            end.store(to, Release);
            self.bump();
        } else {
            // Release: the commit. Then the version, before anything that was taken away is changed: who read an element of
            // that by the length of before sees it.
            end.store(to, Release);
            self.bump();
        }
        if self.boxed {
            self.free_back(spine, to, len);
        }
        // The first segment stays, and one that is empty: a list that grows and shrinks there would ask for it each time.
        if segments_of(to) != segments_of(len) {
            self.give_back(spine, 1 + segments_of(to));
        }
        Ok(())
    }

    /// n -> n + 1: something was taken away.
    #[inline(always)]
    pub(super) fn bump(&self) {
        if mutant::on("list.no_version") {
            return;
        }
        let version = &self.memory.control().version;
        version.store(version.load(Relaxed).wrapping_add(1), Release);
    }

    /// Frees the blocks of words `from..to`, which are beyond the length: the last one first, so that what is left begins at the
    /// length, where an heir looks.
    pub(super) fn free_back(&self, spine: &[M::Word], from: u64, to: u64) {
        let forward = mutant::on("list.free_forward");
        for i in 0..to - from {
            let index = if forward { from + i } else { to - 1 - i };
            let Some(slot) = self.slot(spine, index) else { continue };
            self.memory.free(BlockPlace(slot.load(Relaxed)));
            // After it was freed: an heir goes by the word.
            slot.store(0, Release);
        }
    }

    /// Frees the segments from `k` on, the last one first: there are no gaps.
    #[cold]
    fn give_back(&self, spine: &[M::Word], k: usize) {
        let mut end = k;
        while end < SEGMENTS && spine.get(FIRST_SEGMENT + end).is_some_and(|entry| entry.load(Relaxed) != 0) {
            end += 1;
        }
        for entry in spine.get(FIRST_SEGMENT + k..FIRST_SEGMENT + end).unwrap_or_default().iter().rev() {
            let place = entry.load(Relaxed);
            if mutant::on("list.entry_first") {
                entry.store(0, Release);
            }
            self.memory.free(BlockPlace(place));
            // After it was freed: an heir takes back the name of what is not VALUE.
            entry.store(0, Release);
        }
    }
}
