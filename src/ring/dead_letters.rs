//! Dead letters: messages that came back so often that they are not delivered again, and wait in lease cells to be looked at.
//!
//! No state of its own: a cell ORPHAN(n) with n at least the ring's `dead_letters_after`, k below. Nobody adopts it but who asks for dead
//! letters, and for all else (the end of a closed ring, the count of what waits) it is not there.
//!
//! ```text
//! HELD(me,n-1) -> ORPHAN(n)                            n >= k: put back, or died: as ever
//! F(t,n) -> R(t,me,n); FREE -> PRIVATE(me) -> HELD(me,n); R -> E(t+N); HELD(me,n) -> ORPHAN(n)
//!                                                      a consumer that claimed a slot with n >= k buries it
//! ORPHAN(n) -> HELD(me,n) -> FREE                      taken, and consumed
//! ORPHAN(n) -> HELD(me,n) -> ORPHAN(n)                 looked at
//! ```
//!
//! | a death of d after | leaves | repair |
//! |---|---|---|
//! | the claim | R(t,d,n) | F(t,n+1): the next consumer buries it |
//! | PRIVATE, or HELD | PRIVATE(d) or HELD(d,n), and R(t,d,n) | cell FREE, F(t,n+1) |
//! | E(t+N) | HELD(d,n) | ORPHAN(n+1), which is a dead letter |
//! | ORPHAN | nothing of d's | |
//!
//! The count of a slot wraps from 7 to 1 (see [`super::slot`]), that of a cell stays at 7: a dead letter remains one. Without a free cell
//! a message is delivered once more, marked.

use std::mem;

use crate::sync::atomic::Ordering::{Acquire, Release};
use crate::sync::mutant;

use super::ParticipantId;
use super::cells::CellLease;
use super::get::{GetClaim, try_claim_get};
use super::memory::RingMemory;
use super::mpmc::Ring;
use super::slot::{CellState, CellWord, SlotState, SlotWord};

impl<M: RingMemory> Ring<M> {
    /// A message that came back so often is not delivered again. 0: none is refused.
    pub fn set_dead_letters_after(&mut self, times: u8) {
        self.dead_letters_after = times;
    }

    fn is_due(&self, redeliveries: u8) -> bool {
        self.dead_letters_after != 0 && redeliveries >= self.dead_letters_after
    }

    /// Whether the cell holds a dead letter.
    pub(super) fn is_dead_letter(&self, word: CellWord) -> bool {
        word.state() == CellState::Orphan && self.is_due(word.redeliveries())
    }

    /// Whether the slot's message is to be buried by whoever claims it.
    pub(super) fn is_due_slot(&self, word: SlotWord) -> bool {
        word.state() == SlotState::Full && self.is_due(word.redeliveries())
    }

    /// A claimed message that is due: into a cell with it, and its slot is free. False: it is not due, or no cell is free, and the claim
    /// is the caller's still.
    #[cold]
    pub(super) fn bury_if_due(&self, position: u64) -> bool {
        let claim = GetClaim { ring: self, position };
        if !self.is_due(claim.redeliveries()) {
            mem::forget(claim);
            return false;
        }
        match self.bury(claim) {
            Ok(()) => true,
            Err(claim) => {
                mem::forget(claim);
                false
            }
        }
    }

    fn bury<'r>(&'r self, claim: GetClaim<'r, M>) -> Result<(), GetClaim<'r, M>> {
        let mut burying = claim.begin_detach()?;
        burying.hold_cell();
        if mutant::on("mpmc.laid_down_first") {
            burying.lay_down();
            burying.free_slot();
        } else {
            burying.free_slot();
            burying.finish().lay_down();
        }
        self.notify_freed();
        Ok(())
    }

    /// Buries what is due in the slots, which nobody may have claimed yet.
    #[cold]
    pub fn bury_all(&self, me: ParticipantId) {
        if self.dead_letters_after == 0 {
            return;
        }
        for index in 0..self.shape.capacity() as u32 {
            let word = self.memory.word(index);
            let seen = SlotWord(word.load(Acquire));
            if self.is_due_slot(seen) && try_claim_get(word, seen, me) {
                // The position that speaks of this lap.
                let position = self.shape.position_of(seen, self.near(index));
                if !self.bury_if_due(position) {
                    drop(GetClaim { ring: self, position }); // no cell: it goes back
                    return;
                }
            }
        }
    }

    /// The dead letters, one after the other, claimed for `me`; each is out of the list as long as its lease lives.
    pub fn claim_dead_letters(&self, me: ParticipantId) -> impl Iterator<Item = CellLease<'_, M>> {
        (0..self.cells).filter_map(move |cell| {
            let seen = self.cell(cell);
            let claimed = self.is_dead_letter(seen) && self.cas_cell(cell, seen, seen.adopted(me));
            claimed.then(|| CellLease { ring: self, cell })
        })
    }
}

impl<M: RingMemory> CellLease<'_, M> {
    /// HELD(me,n) -> ORPHAN(n): the message is a dead letter, or goes on being one.
    pub fn lay_down(self) {
        let ring = self.ring;
        let word = match mutant::on("mpmc.laid_down_afresh") {
            true => self.word().held(0).orphaned(),
            false => self.word().laid_down(),
        };
        // Release: who takes it next finds the message as it is.
        ring.memory.cell_word(self.cell).store(word.0, Release);
        mem::forget(self);
        ring.notify_released();
    }
}
