//! Adding to the end, by who has the lock.

use super::List;
use super::memory::{Fresh, Memory};
use crate::error::{Error, ErrorKind, Result};
use crate::layout::block_place::BlockPlace;
use crate::layout::list::{BEFORE, FIRST_SEGMENT, MOST, locate, room_of, segments_of};
use crate::prim::words::Word;
use crate::sync::atomic::Ordering::{Relaxed, Release};
use crate::sync::mutant;

impl<M: Memory> List<'_, M> {
    /// Adds one element. `block` is the one that `word` names, of a list of blocks.
    ///
    /// # Errors
    /// As of [`append`](Self::append).
    pub fn push(&self, word: u64, block: Option<M::Private>) -> Result<()> {
        if let Some((end, len, slot)) = self.end() {
            self.put(slot, word, block);
            // Release: the commit. Who sees the length sees the element.
            end.store(len + 1, Release);
            return Ok(());
        }
        let mut new = Fresh::default();
        new.push(word, block);
        self.append(new)
    }

    /// [`push`](Self::push) of a value into a list of values. False: that takes another segment, and nothing was changed.
    #[inline(always)]
    #[must_use]
    pub fn push_value(&self, value: u64) -> bool {
        let Some((end, len, slot)) = self.end() else { return false };
        self.put(slot, value, None);
        // Release: as in `push`.
        end.store(len + 1, Release);
        true
    }

    /// The word of the length, the length, and the word behind the last element. `None`: it is in a segment that is not there.
    #[inline(always)]
    fn end(&self) -> Option<(&M::Word, u64, &M::Word)> {
        let spine = self.spine()?;
        let end = spine.first()?;
        let len = end.load(Relaxed);
        let (k, j) = locate(len);
        let segment = BlockPlace(spine.get(..BEFORE)?.get(FIRST_SEGMENT + k)?.load(Relaxed));
        if segment.is_none() {
            return None;
        }
        Some((end, len, self.memory.words(segment, room_of(k))?.get(j)?))
    }

    /// Fills a word beyond the length.
    #[inline(always)]
    fn put(&self, slot: &M::Word, word: u64, block: Option<M::Private>) {
        match block {
            Some(block) if mutant::on("list.value_before_word") => {
                self.memory.make_value(block);
                slot.store(word, Release);
            }
            // Release: a reader of what was here before, which was taken away, is to see the version after that. And named before it
            // is VALUE: from then on an heir has to find it.
            block => {
                slot.store(word, Release);
                if let Some(block) = block {
                    self.memory.make_value(block);
                }
            }
        }
    }

    /// Adds elements, all or none.
    ///
    /// # Errors
    /// What the memory answers where there is no room for another segment, or `Limit`; then nothing was changed.
    #[cold]
    pub fn append(&self, new: Fresh<M::Private>) -> Result<()> {
        let spine = self.spine().ok_or_else(damaged)?;
        let Some(end) = spine.first() else { return self.replace(0..0, new) };
        let len = end.load(Relaxed);
        let target = len.saturating_add(new.words.len() as u64);
        self.make_room(spine, target)?;
        let mut blocks = new.blocks.into_iter();
        for (index, word) in (len..).zip(new.words) {
            let slot = self.slot(spine, index).ok_or_else(damaged)?;
            if mutant::on("list.one_by_one") {
                end.store(index, Release);
            }
            self.put(slot, word, blocks.next());
        }
        // Release: as in `push`.
        end.store(target, Release);
        Ok(())
    }

    /// Adds the segments that `len` elements need.
    fn make_room(&self, spine: &[M::Word], len: u64) -> Result<()> {
        if len > MOST {
            return Err(too_many(len));
        }
        let mut new = Vec::new();
        for k in 0..segments_of(len) {
            let entry = spine.get(FIRST_SEGMENT + k).ok_or_else(damaged)?;
            if entry.load(Relaxed) == 0 {
                new.push((entry, self.segment(k)?));
            }
        }
        for (entry, block) in new {
            let place = self.memory.place(&block);
            if mutant::on("list.entry_late") {
                self.memory.make_value(block);
                entry.store(place.0, Release);
                continue;
            }
            // Named first: an heir takes back the name of what is not VALUE.
            entry.store(place.0, Release);
            self.memory.make_value(block);
        }
        Ok(())
    }

    /// A segment. Of a list of blocks it is all zero: what is not lies there because of a death.
    pub(super) fn segment(&self, k: usize) -> Result<M::Private> {
        let block = self.memory.alloc(room_of(k))?;
        if self.boxed && !mutant::on("list.dirty_segment") {
            self.fill(&block, room_of(k), &[], 0)?;
        }
        Ok(block)
    }

    /// Writes the words of a block of `count`: from `at` on these, and zeros elsewhere.
    pub(super) fn fill(&self, block: &M::Private, count: u64, values: &[u64], at: usize) -> Result<()> {
        let words = self.memory.words(self.memory.place(block), count).ok_or_else(damaged)?;
        for (i, word) in words.iter().enumerate() {
            let value = i.checked_sub(at).and_then(|i| values.get(i)).copied().unwrap_or(0);
            // Release: as in `put`; the block may have been anything that a late reader still looks at.
            word.store(value, Release);
        }
        Ok(())
    }
}

/// A word of the list says what cannot be.
#[cold]
pub(super) fn damaged() -> Error {
    Error::new(ErrorKind::InvalidRegion, "list", "its words in shared memory do not fit each other")
}

#[cold]
pub(super) fn too_many(len: u64) -> Error {
    Error::new(ErrorKind::Limit, "list", format!("{len} elements are more than a list can have, {MOST}"))
}
