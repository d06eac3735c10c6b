//! How much waits in a ring.

use crate::sync::atomic::Ordering::Acquire;

use super::memory::RingMemory;
use super::mpmc::Ring;
use super::slot::{CellState, SlotState, SlotWord};

impl<M: RingMemory> Ring<M> {
    /// Messages that wait to be taken; claimed ones and dead letters are not counted. Exact at rest; otherwise some number of
    /// messages that the ring held between call and return, never more than its capacity and its cells.
    /// Cost: a look at each slot.
    #[cold]
    pub fn len(&self) -> u64 {
        let tail = self.tail();
        let base = tail & !(self.shape.lap() - 1);
        let slots = (0..self.shape.capacity() as u32).filter(|&index| {
            let word = SlotWord(self.memory.word(index).load(Acquire));
            // Not what was put after the start: a message a moment would be counted in each slot.
            let waits = word.state() == SlotState::Full && !self.is_due_slot(word);
            waits && self.shape.position_of(word, base | u64::from(index)) < tail
        });
        let orphans = (0..self.cells).filter(|&cell| {
            let word = self.cell(cell);
            word.state() == CellState::Orphan && !self.is_dead_letter(word)
        });
        (slots.count() + orphans.count()) as u64
    }

    /// No message waits to be taken. As [`len`](Self::len).
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first unclaimed ticket, at some moment of the call. Claimed(t) is monotone: the slots before it have
    /// been claimed in the lap of slot 0, those behind it have not.
    pub(super) fn tail(&self) -> u64 {
        // Only to undo the wrapping of laps.
        let near = self.memory.tail().position.load(Acquire) & !(self.shape.lap() - 1);
        let first = self.unclaimed(near);
        let (mut low, mut high) = (0, self.shape.capacity());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.unclaimed(first | middle) >= first { low = middle + 1 } else { high = middle }
        }
        if low == self.shape.capacity() { first } else { (first - self.shape.lap()) | low }
    }

    /// A position near those that the slot's word may speak of.
    pub(super) fn near(&self, index: u32) -> u64 {
        self.memory.tail().position.load(Acquire) & !(self.shape.lap() - 1) | u64::from(index)
    }

    /// The first unclaimed ticket of the slot of `near`.
    fn unclaimed(&self, near: u64) -> u64 {
        let (word, _) = self.word(near, Acquire);
        let position = self.shape.position_of(word, near);
        if word.state() == SlotState::Empty { position } else { position + self.shape.lap() }
    }
}
