//! Getting, in two phases: claim a message, then commit it, put it back, or detach it from its slot.
//!
//! # Safety
//!
//! Between the claim's CAS and the store that frees the slot, its payload is frozen: producers wait for the
//! slot, other consumers for its word.
#![allow(unsafe_code)]

use std::mem;

use crate::layout::ring::BLOCK;
use crate::sync::atomic::AtomicU64;
use crate::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
use crate::sync::{fence, hint, mutant};

use super::ParticipantId;
use super::cells::CellLease;
use super::cursor::{ClientCursor, Cursor, UNSETTLED};
use super::memory::RingMemory;
use super::mpmc::{Ring, order};
use super::slot::{SlotState, SlotWord};

/// Why no message was claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GetFail {
    /// No published message waits.
    Empty,
    /// The ring was closed, and every message is consumed for good.
    Closed,
}

/// Where a claimed message lies.
#[derive(Clone, Copy, Debug)]
pub enum Message {
    /// In the slot or cell: so many bytes from here, frozen while the claim lives.
    Inline { ptr: *const u8, len: usize },
    /// In this block: so many bytes.
    Block { reference: u64, len: u64 },
}

impl<M: RingMemory> Ring<M> {
    /// Claims the next message for `me`, or adopts one whose holder died. Never waits.
    ///
    /// Killed before the commit: [`Ring::repair`] gives it to another consumer, marked as redelivered.
    ///
    /// # Errors
    /// `Empty`, `Closed`.
    #[inline(always)]
    pub fn claim_get(&self, cursor: &ClientCursor, me: ParticipantId) -> Result<Taken<'_, M>, GetFail> {
        // Places, not claims, come out of the closures: they stay in registers.
        let found = cursor.with(|cursor| {
            let position = cursor.get;
            // Acquire: with a new epoch come the words that came back below the cursor.
            let epoch = self.memory.control().redeliver_epoch.load(order("mpmc.epoch_load_relaxed", Acquire));
            if epoch == cursor.settled || mutant::on("mpmc.no_epoch_check") {
                let (seen, word) = self.word(position, order("mpmc.get_load_relaxed", Acquire));
                if seen == self.shape.full(position) && try_claim_get(word, seen, me) {
                    self.passed_get(cursor, position);
                    return Found::Slot(position);
                }
            }
            self.claim_get_slow(cursor, me, &mut || true)
        });
        self.taken(found)
    }

    /// As [`claim_get`](Self::claim_get), if `before()`, asked between the look at a message and its claim: what was found
    /// published stays where it is until the answer is yes. `before` must not use this cursor.
    ///
    /// # Errors
    /// As there; `Empty` if the answer was no.
    #[cold]
    pub fn claim_get_if(
        &self,
        cursor: &ClientCursor,
        me: ParticipantId,
        before: &mut dyn FnMut() -> bool,
    ) -> Result<Taken<'_, M>, GetFail> {
        let found = cursor.with(|cursor| self.claim_get_slow(cursor, me, before));
        self.taken(found)
    }

    #[inline(always)]
    fn taken(&self, found: Found) -> Result<Taken<'_, M>, GetFail> {
        match found {
            Found::Slot(position) => Ok(Taken::Slot(GetClaim { ring: self, position })),
            Found::Cell(cell) => Ok(Taken::Cell(CellLease { ring: self, cell })),
            Found::Nothing(fail) => Err(fail),
        }
    }

    /// Everything below `position` is done or claimed by consumers, and it is claimed now.
    #[inline(always)]
    fn passed_get(&self, cursor: &mut Cursor, position: u64) {
        cursor.get = self.shape.next(position);
        if self.shape.hint_due(position) {
            self.store_head(cursor.get);
        }
    }

    #[cold]
    fn store_head(&self, position: u64) {
        self.memory.head().position.store(position, Release);
    }

    /// Anything but "the next message is there".
    #[cold]
    #[inline(never)]
    fn claim_get_slow(
        &self,
        cursor: &mut Cursor,
        me: ParticipantId,
        before: &mut dyn FnMut() -> bool,
    ) -> Found {
        loop {
            if let Some(cell) = self.settle(cursor, me) {
                return Found::Cell(cell);
            }
            // Before the scan: pairs with the claim of a put, see `claimed_put`.
            let closed = self.is_closed();
            if closed && !mutant::on("mpmc.no_close_fence") {
                fence::fence(SeqCst);
            }
            self.note_head(cursor);
            match self.scan(cursor, me, closed, before) {
                // It came back too often: out of the way with it, and on.
                Some(Found::Slot(position)) if self.dead_letters_after != 0 && self.bury_if_due(position) => {
                }
                Some(found) => return found,
                None => {}
            }
        }
    }

    /// Redelivered tickets may lie below the hint, within a lap.
    pub(super) fn note_head(&self, cursor: &mut Cursor) {
        let head = self.memory.head().position.load(Acquire);
        cursor.get = cursor.get.max(head.saturating_sub(self.shape.lap()));
    }

    /// Goes a lap back if messages came back since the last look. The epoch.
    pub(super) fn note_epoch(&self, cursor: &mut Cursor) -> u64 {
        let epoch = self.memory.control().redeliver_epoch.load(order("mpmc.epoch_load_relaxed", Acquire));
        if epoch != cursor.epoch {
            cursor.epoch = epoch;
            cursor.get = cursor.get.saturating_sub(self.shape.lap());
        }
        epoch
    }

    /// Takes note of a new epoch: goes a lap back, and looks for orphans in the cells before any slot.
    fn settle(&self, cursor: &mut Cursor, me: ParticipantId) -> Option<u32> {
        if mutant::on("mpmc.no_epoch_check") {
            return None;
        }
        let epoch = self.note_epoch(cursor);
        if epoch != cursor.settled {
            // Set only after a complete look that found none.
            cursor.settled = UNSETTLED;
            if let Some(cell) = self.adopt_orphan(me) {
                if mutant::on("mpmc.settled_by_adoption") {
                    cursor.settled = epoch;
                }
                return Some(cell);
            }
            cursor.settled = epoch;
        }
        None
    }

    /// One walk from the cursor. `None`: a word that it went past has changed.
    pub(super) fn scan(
        &self,
        cursor: &mut Cursor,
        me: ParticipantId,
        closed: bool,
        before: &mut dyn FnMut() -> bool,
    ) -> Option<Found> {
        let mut at = cursor.get;
        let mut writers = Writers::default();
        loop {
            let (seen, word) = self.word(at, order("mpmc.get_load_relaxed", Acquire));
            let theirs = self.shape.position_of(seen, at);
            match seen.state() {
                // Also from below the cursor: it came back.
                SlotState::Full if theirs <= at => {
                    if writers.moved(self) {
                        return None;
                    }
                    if !before() {
                        return Some(Found::Nothing(GetFail::Empty));
                    }
                    if !try_claim_get(word, seen, me) {
                        continue;
                    }
                    if writers.is_empty() && theirs == at {
                        self.passed_get(cursor, at);
                    }
                    return Some(Found::Slot(theirs));
                }
                SlotState::Empty if theirs == at => return self.nothing(&writers, closed),
                SlotState::Writing if theirs == at && !mutant::on("mpmc.stop_at_writer") => {
                    writers.remember(at, seen);
                    at = self.shape.next(at);
                }
                SlotState::Writing if theirs == at => return Some(Found::Nothing(GetFail::Empty)),
                _ if theirs == at => at = self.shape.next(at), // R: another consumer has it
                state if theirs > at => {
                    // A claim of a ticket proves that all up to one lap before it are done.
                    let lap = self.shape.lap();
                    let done = match state {
                        SlotState::Empty => (theirs - lap).saturating_sub(lap),
                        _ => theirs - lap,
                    };
                    at = self.shape.next(at).max(self.shape.next(done));
                }
                SlotState::Empty => hint::spin_loop(), // an old value: the newer one is on its way
                // The lap before is still in work: this ticket is unclaimed, and so are all above.
                _ if writers.moved(self) => return None,
                _ => return Some(Found::Nothing(GetFail::Empty)),
            }
            if writers.is_empty() {
                cursor.get = at;
            }
        }
    }

    /// The scan came to a ticket that nobody has claimed.
    fn nothing(&self, writers: &Writers, closed: bool) -> Option<Found> {
        if writers.moved(self) {
            return None;
        }
        let fail =
            if closed && writers.is_empty() && self.is_drained() { GetFail::Closed } else { GetFail::Empty };
        Some(Found::Nothing(fail))
    }

    /// Every slot is free, then every cell: no message can come back any more, if the ring was closed before.
    pub(super) fn is_drained(&self) -> bool {
        let slots = || {
            mutant::on("mpmc.closed_ignores_leases")
                || (0..self.shape.capacity() as u32)
                    .all(|index| SlotWord(self.memory.word(index).load(Acquire)).state() == SlotState::Empty)
        };
        if mutant::on("mpmc.closed_cells_before_slots") {
            return self.cells_free() && slots();
        }
        slots() && (self.cells_free() || mutant::on("mpmc.closed_ignores_cells"))
    }

    /// Whose claim this client's scan goes past, if anybody's: messages behind it may be waiting for it.
    #[cold]
    pub fn get_blocker(&self, cursor: &ClientCursor) -> Option<ParticipantId> {
        let (word, _) = self.word(cursor.with(|cursor| cursor.get), Acquire);
        word.is_claimed().then(|| word.owner())
    }
}

/// F -> R(me).
#[inline(always)]
pub(super) fn try_claim_get(word: &AtomicU64, seen: SlotWord, me: ParticipantId) -> bool {
    // Acquire: the payload. Release: who sees this claim knows of what is below it.
    word.compare_exchange(seen.0, seen.reading(me).0, order("mpmc.get_claim_relaxed", AcqRel), Relaxed)
        .is_ok()
}

/// What a claim got: small enough for registers. The rest stands in the claimed memory.
#[derive(Clone, Copy)]
pub(super) enum Found {
    /// R(position, me).
    Slot(u64),
    /// HELD(me).
    Cell(u32),
    Nothing(GetFail),
}

/// The producers' claims that a scan went past. They are looked at again before a message behind them is taken
/// (first in, first out) and before the ring is called empty.
#[derive(Default)]
struct Writers {
    few: [(u64, u64); 4],
    count: usize,
    more: Vec<(u64, u64)>,
}

impl Writers {
    fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn remember(&mut self, position: u64, word: SlotWord) {
        match self.few.get_mut(self.count) {
            Some(entry) => *entry = (position, word.0),
            None => self.more.push((position, word.0)),
        }
        self.count += 1;
    }

    fn moved<M: RingMemory>(&self, ring: &Ring<M>) -> bool {
        let few = &self.few[..self.count.min(self.few.len())];
        !mutant::on("mpmc.no_revalidate")
            && few.iter().chain(&self.more).any(|&(position, word)| ring.word(position, Acquire).0.0 != word)
    }
}

/// A message claimed in its slot. Dropped without a commit, it goes back, marked as redelivered.
///
/// In a forked child it must not be dropped but forgotten: the claim is its parent's.
#[must_use]
pub struct GetClaim<'r, M: RingMemory> {
    pub(super) ring: &'r Ring<M>,
    pub(super) position: u64,
}

impl<'r, M: RingMemory> GetClaim<'r, M> {
    /// Names the message within its ring, for ever.
    pub fn ticket(&self) -> u64 {
        self.position
    }

    /// The slot's index.
    pub fn index(&self) -> u32 {
        self.ring.shape.index(self.position)
    }

    /// How often it was claimed and came back before; wraps from 7 to 1.
    pub fn redeliveries(&self) -> u8 {
        self.word().redeliveries()
    }

    /// R(t, me, n): nobody else changes it.
    pub(super) fn word(&self) -> SlotWord {
        SlotWord(self.ring.memory.word(self.index()).load(Relaxed))
    }

    /// Where the message lies.
    #[inline(always)]
    pub fn message(&self) -> Message {
        let payload = self.ring.memory.payload(self.index());
        if self.ring.fixed {
            return Message::Inline { ptr: payload, len: self.ring.room };
        }
        // Relaxed: came with the word.
        let length = self.ring.memory.length(self.index()).load(Relaxed);
        // SAFETY: claimed: the payload is frozen.
        unsafe { message(payload, length, self.ring.room) }
    }

    /// Frees the slot: the message is consumed. The commit point.
    #[inline(always)]
    pub fn commit(self) {
        let ring = self.ring;
        self.store_commit();
        ring.notify_freed();
    }

    /// As [`commit`](Self::commit), waking nobody: [`Ring::notify_committed`] must follow soon.
    #[inline(always)]
    pub fn store_commit(self) {
        self.free();
        mem::forget(self);
    }

    /// R(t, me) -> E(t + N).
    #[inline(always)]
    pub(super) fn free(&self) {
        // Release: pairs with the next producer's Acquire: we are done with the payload.
        let done = self.ring.shape.done(self.position);
        self.ring.memory.word(self.index()).store(done.0, order("mpmc.commit_relaxed", Release));
    }

    /// Gives the message back for another consumer, marked as redelivered; as dropping it does.
    pub fn put_back(self) {}

    /// Moves the message into a lease cell and frees its slot, so that a long lease does not hold up the ring.
    ///
    /// # Errors
    /// No cell is free: the claim comes back; it can be kept as it is, but pins its slot.
    pub fn detach(self) -> Result<CellLease<'r, M>, Self> {
        self.ring.detach(self)
    }
}

impl<M: RingMemory> Drop for GetClaim<'_, M> {
    /// R(t, me, n) -> F(t, n + 1).
    #[cold]
    fn drop(&mut self) {
        self.ring.memory.word(self.index()).store(self.word().redelivered().0, Release);
        self.ring.came_back();
    }
}

impl<M: RingMemory> Ring<M> {
    /// A message is there again, possibly below every cursor.
    #[cold]
    pub(super) fn came_back(&self) {
        self.bump_epoch();
        self.not_empty().notify(1);
        // It is room for a put that may drop it.
        self.not_full().notify(1);
    }

    /// After commits without notification: wakes as many producers.
    #[inline(always)]
    pub fn notify_committed(&self, count: u32) {
        for _ in 1..count {
            self.not_full().notify(1);
        }
        self.notify_freed();
    }
}

/// The message in a frozen payload of `room` bytes with this length word.
///
/// # Safety
///
/// `payload` is frozen, has `room` bytes, and is aligned to 8.
#[inline(always)]
pub(super) unsafe fn message(payload: *mut u8, length: u64, room: usize) -> Message {
    if length & BLOCK == 0 {
        // A length that is too large can only be another participant's mistake; it must not become ours.
        return Message::Inline {
            ptr: payload,
            len: usize::try_from(length).map_or(room, |len| len.min(room)),
        };
    }
    // SAFETY: rings with length words have room for 8 bytes.
    let reference = unsafe { payload.cast::<u64>().read() };
    Message::Block { reference, len: length & !BLOCK }
}

/// A claimed message: in its slot, or in a lease cell.
#[must_use]
pub enum Taken<'r, M: RingMemory> {
    /// Still in its slot.
    Slot(GetClaim<'r, M>),
    /// In a cell.
    Cell(CellLease<'r, M>),
}

impl<'r, M: RingMemory> Taken<'r, M> {
    /// Names the message within its ring, for ever.
    pub fn ticket(&self) -> u64 {
        match self {
            Self::Slot(claim) => claim.ticket(),
            Self::Cell(lease) => lease.ticket(),
        }
    }

    /// How often it was claimed and came back before; wraps from 7 to 1.
    pub fn redeliveries(&self) -> u8 {
        match self {
            Self::Slot(claim) => claim.redeliveries(),
            Self::Cell(lease) => lease.redeliveries(),
        }
    }

    /// It was claimed before by somebody who died or gave it back.
    pub fn redelivered(&self) -> bool {
        self.redeliveries() != 0
    }

    /// Where the message lies.
    #[inline(always)]
    pub fn message(&self) -> Message {
        match self {
            Self::Slot(claim) => claim.message(),
            Self::Cell(lease) => lease.message(),
        }
    }

    /// The bytes of a message that lies in the slot or cell; `None` if it lies in a block.
    #[cfg(not(loom))]
    #[inline(always)]
    pub fn bytes(&self) -> Option<&[u8]> {
        match self.message() {
            // SAFETY: see the module: frozen while `self` lives, and within the payload.
            Message::Inline { ptr, len } => Some(unsafe { core::slice::from_raw_parts(ptr, len) }),
            Message::Block { .. } => None,
        }
    }

    /// The message is consumed. The commit point.
    #[inline(always)]
    pub fn commit(self) {
        match self {
            Self::Slot(claim) => claim.commit(),
            Self::Cell(lease) => lease.release(),
        }
    }

    /// As [`commit`](Self::commit), waking nobody: [`Ring::notify_committed`] must follow soon.
    #[inline(always)]
    pub fn store_commit(self) {
        match self {
            Self::Slot(claim) => claim.store_commit(),
            Self::Cell(lease) => lease.store_release(),
        }
    }

    /// Gives the message back for another consumer, marked as redelivered; as dropping it does.
    pub fn put_back(self) {}

    /// Frees the slot if a lease cell is free; the claim stays good either way.
    pub fn detach(self) -> Self {
        match self {
            Self::Slot(claim) => claim.detach().map_or_else(Self::Slot, Self::Cell),
            cell => cell,
        }
    }

    /// It still holds its slot.
    pub fn is_pinned(&self) -> bool {
        matches!(self, Self::Slot(_))
    }
}
