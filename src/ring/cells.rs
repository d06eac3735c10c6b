//! Lease cells: where a message waits while its holder works, so that a slow worker does not pin a slot and
//! fill the ring after one lap. The words' steps stand in [`super::slot::CellWord`].
//!
//! # Orderings
//!
//! HELD Release comes before E(t+N) Release: who finds the slot free finds the cell taken (the closed test),
//! and who finds the slot still R(t,d) knows the cell to be a copy (repair). Repair looks at the cell
//! first, then at its slot.
//!
//! # Safety
//!
//! A cell's payload belongs to the owner of a PRIVATE or HELD word alone; it is written only while PRIVATE.
#![allow(unsafe_code)]

use std::mem;

use crate::layout::ring::BLOCK;
use crate::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
use crate::sync::{fence, mutant};

use super::ParticipantId;
use super::get::{GetClaim, Message, message};
use super::memory::RingMemory;
use super::mpmc::Ring;
use super::slot::{CellState, CellWord, SlotState};

impl<M: RingMemory> Ring<M> {
    pub(super) fn cell(&self, cell: u32) -> CellWord {
        CellWord(self.memory.cell_word(cell).load(Acquire))
    }

    pub(super) fn cas_cell(&self, cell: u32, seen: CellWord, next: CellWord) -> bool {
        self.memory.cell_word(cell).compare_exchange(seen.0, next.0, AcqRel, Relaxed).is_ok()
    }

    /// Every cell was found free, or with a dead letter, one after the other.
    pub(super) fn cells_free(&self) -> bool {
        (0..self.cells).all(|cell| {
            let word = self.cell(cell);
            word.state() == CellState::Free
                || self.is_dead_letter(word) && !mutant::on("mpmc.closed_waits_for_dead_letters")
        })
    }

    /// FREE -> PRIVATE(me), of any cell. Each participant begins at a place of its own.
    fn reserve_cell(&self, me: ParticipantId) -> Option<(u32, CellWord)> {
        let from = u32::from(me).checked_rem(self.cells)?;
        (from..self.cells).chain(0..from).find_map(|cell| {
            let seen = self.cell(cell);
            let mine = seen.reserved(me);
            (seen.state() == CellState::Free && self.cas_cell(cell, seen, mine)).then_some((cell, mine))
        })
    }

    /// R(t,me) -> PRIVATE(me) -> HELD(me) -> E(t+N).
    #[cold]
    pub(super) fn detach<'r>(&'r self, claim: GetClaim<'r, M>) -> Result<CellLease<'r, M>, GetClaim<'r, M>> {
        let mut detaching = claim.begin_detach()?;
        if mutant::on("mpmc.slot_before_cell") {
            detaching.free_slot();
            detaching.hold_cell();
        } else {
            detaching.hold_cell();
            detaching.free_slot();
        }
        let lease = detaching.finish();
        self.not_full().notify(1);
        Ok(lease)
    }

    fn fill_cell(&self, cell: u32, claim: &GetClaim<'_, M>) {
        self.memory.cell_ticket(cell).store(claim.position, Relaxed);
        let (len, length) = match claim.message() {
            Message::Inline { len, .. } => (len, len as u64),
            Message::Block { len, .. } => (8, len | BLOCK),
        };
        self.memory.cell_length(cell).store(length, Relaxed);
        // SAFETY: the slot is claimed by `claim`, the cell is PRIVATE to us; `len` is at most the room.
        unsafe { self.memory.copy_to_cell(claim.index(), cell, len) };
    }

    /// ORPHAN -> HELD(me), of any cell but those of dead letters.
    pub(super) fn adopt_orphan(&self, me: ParticipantId) -> Option<u32> {
        (0..self.cells).find(|&cell| {
            let seen = self.cell(cell);
            let adoptable = seen.state() == CellState::Orphan
                && (!self.is_dead_letter(seen) || mutant::on("mpmc.dead_letters_adopted"));
            adoptable && self.cas_cell(cell, seen, seen.adopted(me))
        })
    }

    /// The cells of a dead participant: copies of what is still in its slots go, leases become orphans. False if
    /// `still_dead` said no between the look at a word and its change.
    pub(super) fn repair_cells(&self, dead: ParticipantId, still_dead: &dyn Fn() -> bool) -> bool {
        for cell in 0..self.cells {
            let seen = self.cell(cell);
            let owned = matches!(seen.state(), CellState::Private | CellState::Held) && seen.owner() == dead;
            if !owned {
                continue;
            }
            let ticket = self.memory.cell_ticket(cell).load(Relaxed);
            if !still_dead() && !mutant::on("mpmc.no_second_look") {
                return false;
            }
            let copied = seen.state() == CellState::Private
                || self.slot_state(ticket) == Some((SlotState::Reading, dead));
            self.cas_cell(cell, seen, if copied { seen.freed() } else { seen.orphaned() });
        }
        true
    }

    /// HELD(who) of `ticket` -> FREE: its block is dying by `who`'s own hand.
    pub(super) fn unlink_cell(&self, ticket: u64, who: ParticipantId, still_dead: &dyn Fn() -> bool) -> bool {
        (0..self.cells).any(|cell| {
            let seen = self.cell(cell);
            seen.state() == CellState::Held
                && seen.owner() == who
                && self.memory.cell_ticket(cell).load(Relaxed) == ticket
                && still_dead()
                && self.cas_cell(cell, seen, seen.freed())
        })
    }
}

/// A message on its way from its slot to a cell: the steps of [`GetClaim::detach`], between any two of which the
/// process may die. Not to be dropped half-way.
#[must_use]
pub struct Detaching<'r, M: RingMemory> {
    claim: mem::ManuallyDrop<GetClaim<'r, M>>,
    cell: u32,
    word: CellWord,
}

impl<'r, M: RingMemory> GetClaim<'r, M> {
    /// FREE -> PRIVATE(me), and the copy; the slot stays R(t,me).
    pub fn begin_detach(self) -> Result<Detaching<'r, M>, Self> {
        let Some((cell, word)) = self.ring.reserve_cell(self.word().owner()) else { return Err(self) };
        self.ring.fill_cell(cell, &self);
        Ok(Detaching { claim: mem::ManuallyDrop::new(self), cell, word })
    }
}

impl<'r, M: RingMemory> Detaching<'r, M> {
    /// PRIVATE(me) -> HELD(me).
    pub fn hold_cell(&mut self) {
        self.word = self.word.held(self.claim.redeliveries());
        // Release: the copy; see the module.
        self.claim.ring.memory.cell_word(self.cell).store(self.word.0, Release);
    }

    /// R(t,me) -> E(t+N).
    pub fn free_slot(&mut self) {
        self.claim.free();
    }

    /// HELD(me) -> ORPHAN, before its time: for a mutant.
    pub(super) fn lay_down(&self) {
        CellLease { ring: self.claim.ring, cell: self.cell }.lay_down();
    }

    /// After both.
    pub fn finish(self) -> CellLease<'r, M> {
        CellLease { ring: self.claim.ring, cell: self.cell }
    }
}

/// A leased message in a cell. Dropped without a release, it goes to another consumer, marked as redelivered; so
/// it does if its holder dies.
///
/// In a forked child it must not be dropped but forgotten: the lease is its parent's.
#[must_use]
pub struct CellLease<'r, M: RingMemory> {
    pub(super) ring: &'r Ring<M>,
    pub(super) cell: u32,
}

impl<M: RingMemory> CellLease<'_, M> {
    /// Names the message within its ring, for ever.
    pub fn ticket(&self) -> u64 {
        self.ring.memory.cell_ticket(self.cell).load(Relaxed)
    }

    /// HELD(me, n): nobody else changes it.
    pub(super) fn word(&self) -> CellWord {
        CellWord(self.ring.memory.cell_word(self.cell).load(Relaxed))
    }

    /// The cell's index.
    pub fn cell(&self) -> u32 {
        self.cell
    }

    /// How often it was claimed and came back before; not counted on from 7.
    pub fn redeliveries(&self) -> u8 {
        self.word().redeliveries()
    }

    /// Where the message lies.
    pub fn message(&self) -> Message {
        let payload = self.ring.memory.cell_payload(self.cell);
        let length = self.ring.memory.cell_length(self.cell).load(Relaxed);
        // SAFETY: HELD by us: frozen.
        unsafe { message(payload, length, self.ring.room) }
    }

    /// HELD(me) -> FREE: the message is consumed. The commit point (of a message in a block: the block's own word
    /// is, before this).
    pub fn release(self) {
        let ring = self.ring;
        self.store_release();
        ring.notify_released();
    }

    /// As [`release`](Self::release), telling nobody: [`Ring::notify_released`] must follow soon.
    pub fn store_release(self) {
        // Release: pairs with the next `reserve_cell`: we are done with the payload.
        self.ring.memory.cell_word(self.cell).store(self.word().freed().0, Release);
        mem::forget(self);
    }

    /// Gives the message to another consumer, marked as redelivered; as dropping it does.
    pub fn put_back(self) {}
}

impl<M: RingMemory> Drop for CellLease<'_, M> {
    /// HELD(me, n) -> ORPHAN(n + 1), which may be a dead letter.
    #[cold]
    fn drop(&mut self) {
        let orphan = self.word().orphaned();
        self.ring.memory.cell_word(self.cell).store(orphan.0, Release);
        if !self.ring.is_dead_letter(orphan) {
            self.ring.came_back();
        } else if !mutant::on("mpmc.dead_letter_untold") {
            // For those that wait for the end of a closed ring it is as if it were released.
            self.ring.notify_released();
        }
    }
}

impl<M: RingMemory> Ring<M> {
    /// After a release of a cell: consumers that wait for the end of a closed ring may see it.
    pub fn notify_released(&self) {
        // SeqCst: the release first, then this load; pairs with `close`.
        fence::fence(SeqCst);
        if self.memory.control().closed.load(Relaxed) != 0 {
            self.tell_closed();
        }
    }
}
