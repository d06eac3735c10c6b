//! How much waits in a ring.

use crate::sync::atomic::Ordering::{Acquire, Relaxed, SeqCst};
use crate::sync::fence::fence;
use crate::sync::mutant;

use super::memory::RingMemory;
use super::mpmc::Ring;
use super::slot::{CellState, SlotState, SlotWord};
use crate::layout::ring::BLOCK;

/// What there is in a ring that takes no more; see [`Ring::rest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// Something can be taken, or a put is under way.
    More,
    /// Everything is in the hands of consumers: it is consumed, or comes back, and the epoch tells.
    Held,
    /// Every message is consumed for good.
    Drained,
}

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

    /// What there is in a closed or sealed ring, which the caller has seen to be so. Cost: a look at each slot and cell.
    #[cold]
    pub fn rest(&self) -> Rest {
        // SeqCst: a claim that this scan misses sees that the ring is closed; as in a get that looks for the end.
        if !mutant::on("series.no_rest_fence") {
            fence(SeqCst);
        }
        let mut held = false;
        // Slots before cells: a message moves from the one to the other.
        for index in 0..self.shape.capacity() as u32 {
            match SlotWord(self.memory.word(index).load(Acquire)).state() {
                SlotState::Full | SlotState::Writing => return Rest::More,
                SlotState::Reading => held = true,
                SlotState::Empty => {}
            }
        }
        for cell in 0..self.cells {
            match self.cell(cell).state() {
                CellState::Orphan => return Rest::More,
                CellState::Held | CellState::Private => held = true,
                CellState::Free => {}
            }
        }
        if held { Rest::Held } else { Rest::Drained }
    }

    /// Bytes of the messages that lie in blocks. As [`len`](Self::len).
    #[cold]
    pub fn bytes_in_blocks(&self) -> u64 {
        if self.fixed {
            return 0;
        }
        let block = |length: u64| if length & BLOCK == 0 { 0 } else { length & !BLOCK };
        let slots = (0..self.shape.capacity() as u32).filter(|&index| {
            let state = SlotWord(self.memory.word(index).load(Acquire)).state();
            matches!(state, SlotState::Full | SlotState::Reading)
        });
        let cells = (0..self.cells)
            .filter(|&cell| matches!(self.cell(cell).state(), CellState::Held | CellState::Orphan));
        // Relaxed: came with the word, or is of another message: then it was one at some moment.
        slots.map(|index| block(self.memory.length(index).load(Relaxed))).sum::<u64>()
            + cells.map(|cell| block(self.memory.cell_length(cell).load(Relaxed))).sum::<u64>()
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
