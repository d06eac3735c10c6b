//! What happens to the words of the dead. Any number of helpers may do it at the same time, and any of them may
//! die or be stopped in it.
//!
//! # Safety
//!
//! [`Ring::drain_blocks`] and [`Ring::for_each_block`] read payloads of slots and cells that hold messages, at a time
//! when nobody else uses the ring.
#![allow(unsafe_code)]

use crate::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use crate::sync::mutant;

use super::ParticipantId;
use super::get::{Message, message};
use super::memory::RingMemory;
use super::mpmc::Ring;
use super::slot::{CellState, SlotState, SlotWord};

impl<M: RingMemory> Ring<M> {
    /// Undoes what the dead participant `dead` had begun: its cells, its slots, then tells everybody. Idempotent.
    ///
    /// `still_dead` looks at the participant a second time (same incarnation, not yet given back) after a word
    /// was loaded and before it is changed: words name no incarnation. True: everything of `dead` was repaired.
    /// False: it has been reaped by another meanwhile.
    ///
    /// Killed in it: another helper does it again.
    #[cold]
    pub fn repair(&self, dead: ParticipantId, still_dead: &dyn Fn() -> bool) -> bool {
        let silent = mutant::on("mpmc.announce_if_found") && !self.names(dead);
        let complete = self.repair_words(dead, still_dead);
        if !silent {
            self.announce_repair();
        }
        complete
    }

    /// The fault of a repair that tells nobody when it finds nothing to do.
    #[cold]
    fn names(&self, dead: ParticipantId) -> bool {
        let mut slots =
            (0..self.shape.capacity() as u32).map(|at| SlotWord(self.memory.word(at).load(Acquire)));
        let mut cells = (0..self.cells).map(|cell| self.cell(cell));
        slots.any(|word| word.is_claimed() && word.owner() == dead)
            || cells.any(|word| word.state() != CellState::Free && word.owner() == dead)
    }

    /// The first half of [`repair`](Self::repair): cells, then slots.
    #[cold]
    pub fn repair_words(&self, dead: ParticipantId, still_dead: &dyn Fn() -> bool) -> bool {
        if mutant::on("mpmc.slots_before_cells") {
            return self.repair_slots(dead, still_dead) && self.repair_cells(dead, still_dead);
        }
        // A cell is judged by its slot, so it comes first.
        self.repair_cells(dead, still_dead) && self.repair_slots(dead, still_dead)
    }

    /// The second half: always, also when nothing was found, for a helper may have died between the halves.
    #[cold]
    pub fn announce_repair(&self) {
        self.bump_epoch();
        self.not_empty().wake_all();
        self.not_full().wake_all();
    }

    fn repair_slots(&self, dead: ParticipantId, still_dead: &dyn Fn() -> bool) -> bool {
        for index in 0..self.shape.capacity() as u32 {
            let word = self.memory.word(index);
            let seen = SlotWord(word.load(Acquire));
            if !seen.is_claimed() || seen.owner() != dead {
                continue;
            }
            if !still_dead() && !mutant::on("mpmc.no_second_look") {
                return false;
            }
            let next = match seen.state() {
                SlotState::Writing => SlotWord::empty(seen.lap().wrapping_add(1)),
                _ => seen.redelivered(),
            };
            self.repair_word(u64::from(index), seen, next);
        }
        true
    }

    /// Message `ticket`, whose block `who` has committed (its own word says DYING), leaves the slot or cell in
    /// which `who` held it. A ticket names one message for ever, so no block need be compared. `still_dead`: as
    /// in [`repair`](Self::repair).
    #[cold]
    pub fn unlink(&self, ticket: u64, who: ParticipantId, still_dead: &dyn Fn() -> bool) -> bool {
        let (seen, _) = self.word(ticket, Acquire);
        let held =
            self.shape.is_of(seen, ticket) && seen.state() == SlotState::Reading && seen.owner() == who;
        if held && still_dead() && self.repair_word(ticket, seen, self.shape.done(ticket)) {
            return true;
        }
        !mutant::on("mpmc.cells_without_blocks") && self.unlink_cell(ticket, who, still_dead)
    }

    /// Calls `forget` with ticket and block reference of each message that lies in a block, in a slot or cell, then empties the slot or cell. For the teardown of a ring that nobody uses any more.
    #[cold]
    pub fn drain_blocks(&self, mut forget: impl FnMut(u64, u64)) {
        self.visit_blocks(|at, ticket, reference| {
            forget(ticket, reference);
            at.clear(self);
        });
    }

    /// Calls `visit` with ticket and reference of each block in the ring, claimed or not, changing nothing. Only for
    /// a ring at rest. A message that is just being moved to a cell is named twice.
    #[cold]
    pub fn for_each_block(&self, mut visit: impl FnMut(u64, u64)) {
        self.visit_blocks(|_, ticket, reference| visit(ticket, reference));
    }

    fn visit_blocks(&self, mut visit: impl FnMut(Waiting, u64, u64)) {
        if self.fixed {
            return;
        }
        let tail = self.tail();
        for index in 0..self.shape.capacity() as u32 {
            let word = SlotWord(self.memory.word(index).load(Acquire));
            // Claimed ones too: the claims of a ring at rest are leases, or were forgotten.
            if !matches!(word.state(), SlotState::Full | SlotState::Reading) {
                continue;
            }
            let length = self.memory.length(index).load(Relaxed);
            // SAFETY: a message is frozen while nobody uses the ring.
            if let Some(reference) = unsafe { block(self.memory.payload(index), length, self.room) } {
                let position =
                    self.shape.position_of(word, tail & !(self.shape.lap() - 1) | u64::from(index));
                visit(Waiting::Slot(position), position, reference);
            }
        }
        for cell in 0..self.cells {
            if !matches!(self.cell(cell).state(), CellState::Orphan | CellState::Held) {
                continue;
            }
            let length = self.memory.cell_length(cell).load(Relaxed);
            // SAFETY: as above.
            if let Some(reference) = unsafe { block(self.memory.cell_payload(cell), length, self.room) } {
                visit(Waiting::Cell(cell), self.memory.cell_ticket(cell).load(Relaxed), reference);
            }
        }
    }
}

/// # Safety
///
/// As for [`message`].
unsafe fn block(payload: *mut u8, length: u64, room: usize) -> Option<u64> {
    // SAFETY: the caller's.
    match unsafe { message(payload, length, room) } {
        Message::Block { reference, .. } => Some(reference),
        Message::Inline { .. } => None,
    }
}

/// Where a message is.
#[derive(Clone, Copy)]
enum Waiting {
    Slot(u64),
    Cell(u32),
}

impl Waiting {
    fn clear<M: RingMemory>(self, ring: &Ring<M>) {
        match self {
            Self::Slot(position) => {
                ring.memory.word(ring.shape.index(position)).store(ring.shape.done(position).0, Release);
            }
            Self::Cell(cell) => {
                let free = ring.cell(cell).freed();
                ring.memory.cell_word(cell).store(free.0, Release);
            }
        }
    }
}
