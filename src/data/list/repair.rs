//! What an heir does before anything else, and what a list consists of.

use super::List;
use super::memory::Memory;
use super::replace::word;
use crate::layout::block_place::BlockPlace;
use crate::layout::list::{FIRST_SEGMENT, MOST, SEGMENTS, SPINE_WORDS, first_of, room_of};
use crate::prim::words::Word;
use crate::sync::atomic::Ordering::{Relaxed, Release};
use crate::sync::mutant;

impl<M: Memory> List<'_, M> {
    /// Finishes or undoes what a dead owner of the lock was doing. Each step may be done twice; killed in it, the next heir does it again.
    #[cold]
    pub fn settle(&self) {
        if !mutant::on("list.heir_no_version") {
            // First: the dead one may have committed and not said so, and what is freed below may be changed at once.
            self.bump();
        }
        self.settle_swap();
        self.settle_set();
        let Some(spine) = self.spine() else { return };
        self.settle_segments(spine);
        if self.boxed {
            self.settle_beyond(spine);
        }
    }

    /// A segment that was being added or freed is not one: the block is the dead one's, or free.
    fn settle_segments(&self, spine: &[M::Word]) {
        if mutant::on("list.keeps_dead_segment") {
            return;
        }
        for entry in spine.iter().skip(FIRST_SEGMENT).take(SEGMENTS) {
            let place = entry.load(Relaxed);
            if place != 0 && !self.memory.is_value(BlockPlace(place)) {
                entry.store(0, Release);
            }
        }
    }

    /// What lies beyond the length was being added, or taken away: it is freed.
    fn settle_beyond(&self, spine: &[M::Word]) {
        let len = Self::len_of(spine);
        let mut end = len;
        while end < MOST && self.slot(spine, end).is_some_and(|slot| slot.load(Relaxed) != 0) {
            end += 1;
        }
        self.free_back(spine, len, end);
    }

    /// Every block that is the list's: each once, leaves first, what leads to others after them. `each` may free them, and it may be
    /// done again after only some were freed. For who is alone: at teardown, or at rest, perhaps with a dead owner's work half done.
    pub fn each_block(&self, each: &mut dyn FnMut(BlockPlace)) {
        let control = self.memory.control();
        let swap = BlockPlace(control.swap.load(Relaxed));
        if self.memory.is_value(swap) {
            if self.is_committed(swap) {
                self.each_replaced(swap, each)
            } else {
                self.each_unused(swap, each)
            }
        }
        let root = BlockPlace(control.root.load(Relaxed));
        if !self.memory.is_value(root) {
            return;
        }
        let Some(spine) = self.memory.words(root, SPINE_WORDS as u64) else { return };
        if self.boxed {
            self.each_set(spine, each);
            // Also beyond the length.
            self.each_element(spine, 0..first_of(SEGMENTS), each);
        }
        for k in FIRST_SEGMENT..FIRST_SEGMENT + SEGMENTS {
            let place = BlockPlace(word(spine, k));
            if self.memory.is_value(place) {
                each(place);
            }
        }
        each(root);
    }

    /// Every block that readers and writers are led to and that is none of the list's. Also when the last owner of the lock died in a call: the root, and what
    /// lies below the length, is VALUE before it is there, and freed after. `settled`: nothing is under way, and so the segments beyond
    /// the length are there, too.
    pub fn astray(&self, settled: bool, each: &mut dyn FnMut(BlockPlace)) {
        let root = BlockPlace(self.memory.control().root.load(Relaxed));
        if root.is_none() {
            return;
        }
        let spine = self.memory.words(root, SPINE_WORDS as u64).filter(|_| self.memory.is_value(root));
        let Some(spine) = spine else { return each(root) };
        let len = Self::len_of(spine).min(MOST);
        for k in 0..SEGMENTS {
            let place = BlockPlace(word(spine, FIRST_SEGMENT + k));
            let used = len.saturating_sub(first_of(k)).min(room_of(k));
            if used == 0 && (!settled || place.is_none()) {
                continue;
            }
            let words = self.memory.words(place, room_of(k)).filter(|_| self.memory.is_value(place));
            let Some(words) = words else {
                each(place);
                continue;
            };
            let places = words.iter().take(if self.boxed { used as usize } else { 0 });
            places
                .map(|element| BlockPlace(element.load(Relaxed)))
                .filter(|p| !self.memory.is_value(*p))
                .for_each(&mut *each);
        }
    }

    /// What the record of a `set` names and the element does not.
    fn each_set(&self, spine: &[M::Word], each: &mut dyn FnMut(BlockPlace)) {
        let control = self.memory.control();
        let new = control.set_new.load(Relaxed);
        if new == 0 {
            return;
        }
        let slot = self.slot(spine, control.set_index.load(Relaxed).min(MOST - 1));
        let committed = slot.is_some_and(|slot| slot.load(Relaxed) == new);
        let other = BlockPlace(if committed { control.set_old.load(Relaxed) } else { new });
        if self.memory.is_value(other) {
            each(other);
        }
    }
}
