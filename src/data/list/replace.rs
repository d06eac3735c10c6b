//! Everything that changes more than the end or one element: another spine, with what segments have changed, and the old one goes. By
//! who has the lock.

use core::ops::Range;

use super::List;
use super::append::{damaged, too_many};
use super::memory::{Fresh, Memory};
use crate::error::Result;
use crate::layout::block_place::BlockPlace;
use crate::layout::list::{
    ADDED, BEFORE, DROPPED, FIRST_SEGMENT, LEN, MOST, SEGMENTS, SPINE_WORDS, first_of, locate, room_of,
    segments_of,
};
use crate::prim::words::Word;
use crate::sync::atomic::Ordering::{Relaxed, Release};
use crate::sync::mutant;

/// What is to follow the first elements, which stay.
struct Change<P> {
    /// Elements that stay where they are.
    keep: u64,
    /// The words of those behind them.
    tail: Vec<u64>,
    /// Indices of before, of elements that are in the tail no more.
    dropped: Range<u64>,
    /// Indices of elements in the tail that were not there before, and their blocks.
    added: Range<u64>,
    blocks: Vec<P>,
}

impl<M: Memory> List<'_, M> {
    /// Puts `new` in the place of the elements `range`, all of which there are.
    ///
    /// # Errors
    /// What the memory answers where there is no room, `Limit`; then nothing was changed.
    pub fn replace(&self, range: Range<u64>, new: Fresh<M::Private>) -> Result<()> {
        let mut tail = new.words;
        let added = range.start..range.start + tail.len() as u64;
        self.tail_of(range.end, &mut tail)?;
        self.swap(Change { keep: range.start, tail, dropped: range, added, blocks: new.blocks })
    }

    /// Puts the elements from `from` on into another order, or the same: `tail` has the words of all of them.
    ///
    /// # Errors
    /// As of [`replace`](Self::replace).
    pub fn arrange(&self, from: u64, tail: Vec<u64>) -> Result<()> {
        self.swap(Change { keep: from, tail, dropped: 0..0, added: 0..0, blocks: Vec::new() })
    }

    /// The words from `from` on, added to `out`.
    fn tail_of(&self, from: u64, out: &mut Vec<u64>) -> Result<()> {
        let spine = self.spine().ok_or_else(damaged)?;
        for index in from..Self::len_of(spine) {
            out.push(self.slot(spine, index).ok_or_else(damaged)?.load(Relaxed));
        }
        Ok(())
    }

    fn swap(&self, change: Change<M::Private>) -> Result<()> {
        let control = self.memory.control();
        let root = control.root.load(Relaxed);
        let old = self.spine().ok_or_else(damaged)?;
        let len = change.keep + change.tail.len() as u64;
        if len > MOST {
            return Err(too_many(len));
        }
        // The first segment that differs.
        let first = locate(change.keep).0;
        let segments = self.new_segments(old, &change, first, len)?;
        let spine = self.memory.alloc(SPINE_WORDS as u64)?;
        let mut words = [0; SPINE_WORDS];
        words[LEN] = len;
        for (k, entry) in old.iter().skip(FIRST_SEGMENT).take(first).enumerate() {
            words[FIRST_SEGMENT + k] = entry.load(Relaxed);
        }
        for (k, block) in (first..).zip(&segments) {
            words[FIRST_SEGMENT + k] = self.memory.place(block).0;
        }
        words[BEFORE] = root;
        (words[DROPPED], words[DROPPED + 1]) = (change.dropped.start, change.dropped.end);
        (words[ADDED], words[ADDED + 1]) = (change.added.start, change.added.end);
        self.fill(&spine, SPINE_WORDS as u64, &words, 0)?;
        // From here on nothing fails.
        let place = self.memory.place(&spine);
        // Release: named before it is VALUE, with all that it names: from then on an heir has to find it.
        if !mutant::on("list.swap_late") {
            control.swap.store(place.0, Release);
        }
        self.memory.make_value(spine);
        segments.into_iter().for_each(|block| self.memory.make_value(block));
        change.blocks.into_iter().for_each(|block| self.memory.make_value(block));
        if mutant::on("list.swap_late") {
            control.swap.store(place.0, Release);
        }
        // Release: the commit. Then the version, before anything of the old spine is changed.
        control.root.store(place.0, Release);
        self.bump();
        self.let_go(place);
        control.swap.store(0, Release);
        Ok(())
    }

    /// Segments `first` and following, as they are to be.
    fn new_segments(
        &self,
        old: &[M::Word],
        change: &Change<M::Private>,
        first: usize,
        len: u64,
    ) -> Result<Vec<M::Private>> {
        let mut head = Vec::new();
        for index in first_of(first)..change.keep {
            head.push(self.slot(old, index).ok_or_else(damaged)?.load(Relaxed));
        }
        let mut rest: &[u64] = &change.tail;
        let mut segments = Vec::new();
        for k in first..segments_of(len) {
            let block = self.memory.alloc(room_of(k))?;
            let count = rest.len().min((room_of(k) as usize).saturating_sub(head.len()));
            let (here, later) = rest.split_at(count);
            head.extend_from_slice(here);
            self.fill(&block, room_of(k), &head, 0)?;
            segments.push(block);
            head.clear();
            rest = later;
        }
        Ok(segments)
    }

    /// After a death: the replacement is finished, or undone.
    pub(super) fn settle_swap(&self) {
        let control = self.memory.control();
        let place = BlockPlace(control.swap.load(Relaxed));
        if place.is_none() {
            return;
        }
        if self.memory.is_value(place) {
            if self.is_committed(place) { self.let_go(place) } else { self.undo(place) }
        }
        control.swap.store(0, Release);
    }

    pub(super) fn is_committed(&self, place: BlockPlace) -> bool {
        self.memory.control().root.load(Relaxed) == place.0
    }

    /// Frees what the root's spine, at `place`, has replaced: what led to others last, so that it can be done again.
    fn let_go(&self, place: BlockPlace) {
        self.each_replaced(place, &mut |place| self.memory.free(place));
    }

    /// Frees a spine that was not put in the place of the root's, and what only it names.
    fn undo(&self, place: BlockPlace) {
        if mutant::on("list.undo_spine_only") {
            return self.memory.free(place);
        }
        self.each_unused(place, &mut |place| self.memory.free(place));
    }

    /// The blocks that the spine at `place` has replaced, leaves first.
    pub(super) fn each_replaced(&self, place: BlockPlace, each: &mut dyn FnMut(BlockPlace)) {
        let Some(new) = self.memory.words(place, SPINE_WORDS as u64) else { return };
        let before = BlockPlace(word(new, BEFORE));
        if self.memory.is_value(before) {
            let Some(old) = self.memory.words(before, SPINE_WORDS as u64) else { return };
            self.each_only_in(old, new, word(new, DROPPED)..word(new, DROPPED + 1), each);
            each(before);
        }
    }

    /// The blocks that only the spine at `place` names, which is not the root's, and itself; leaves first.
    pub(super) fn each_unused(&self, place: BlockPlace, each: &mut dyn FnMut(BlockPlace)) {
        let (Some(new), Some(old)) = (self.memory.words(place, SPINE_WORDS as u64), self.spine()) else {
            return;
        };
        self.each_only_in(new, old, word(new, ADDED)..word(new, ADDED + 1), each);
        each(place);
    }

    /// Elements `range` of one spine, and its segments that the other does not have.
    fn each_only_in(
        &self,
        one: &[M::Word],
        other: &[M::Word],
        range: Range<u64>,
        each: &mut dyn FnMut(BlockPlace),
    ) {
        if mutant::on("list.segments_first") {
            self.each_segment_only_in(one, other, each);
        }
        if self.boxed {
            self.each_element(one, range, each);
        }
        self.each_segment_only_in(one, other, each);
    }

    fn each_segment_only_in(&self, one: &[M::Word], other: &[M::Word], each: &mut dyn FnMut(BlockPlace)) {
        for k in FIRST_SEGMENT..FIRST_SEGMENT + SEGMENTS {
            let place = word(one, k);
            if place != word(other, k) && self.memory.is_value(BlockPlace(place)) {
                each(BlockPlace(place));
            }
        }
    }

    /// The blocks of elements `range` of a spine, where their segments are still there.
    pub(super) fn each_element(
        &self,
        spine: &[M::Word],
        range: Range<u64>,
        each: &mut dyn FnMut(BlockPlace),
    ) {
        let mut index = range.start.min(MOST);
        while index < range.end.min(MOST) {
            let (k, j) = locate(index);
            let place = BlockPlace(word(spine, FIRST_SEGMENT + k));
            let end = range.end.min(first_of(k) + room_of(k));
            if self.memory.is_value(place)
                && let Some(words) = self.memory.words(place, room_of(k))
            {
                let count = (end - index) as usize;
                for element in words.get(j..j + count).unwrap_or_default() {
                    let element = BlockPlace(element.load(Relaxed));
                    if self.memory.is_value(element) {
                        each(element);
                    }
                }
            }
            index = end;
        }
    }
}

/// Word `i`, 0 where there is none.
pub(super) fn word<W: Word>(words: &[W], i: usize) -> u64 {
    words.get(i).map_or(0, |word| word.load(Relaxed))
}
