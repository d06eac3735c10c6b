//! The participant table: claim, reserve, detect, reap, adopt and help, over borrowed words.
//!
//! It owns no memory and calls the kernel through [`Kernel`], so that models drive this very source.
//!
//! # Why it holds
//!
//! - *The kernel's lock comes before the word.* A process takes the lock of a slot before it claims it and drops
//!   it after it freed it, so a tenancy (JOINING or LIVE) whose lock is free has ended: no pid is needed.
//! - *Every change is one CAS of the whole word.* The incarnation keeps late detectors from the slot's next
//!   tenant, the turn keeps late adopters from a reaper that lives.
//! - *A word that names a participant does not outlive its tenancy.* Whoever reaps `d` first takes every
//!   slot that is RESERVED(d) or REAPING(d); only `d` itself could make new ones. So "is `who` alive" is a
//!   question about the right tenant.
//!
//! # Orderings
//!
//! - Claims (`-> JOINING`, `-> RESERVED`) are Acquire: they pair with the Release of `-> FREE`, so that a new
//!   tenant sees the region as the reaper left it. (As a value of the word never comes back, the Acquire load
//!   before each CAS would be enough.)
//! - `-> LIVE` is Release: pairs with the Acquire of whoever reads pid, identity and name.
//! - `-> REAPING` is AcqRel: Acquire pairs with the dead one's or the last reaper's stores to the word; what a
//!   dead process wrote otherwise is visible since the kernel's answer (its lock list is guarded by a lock).
//!   Release publishes the death to those who take a second look.
//!
//! A stopped joiner that holds the lock of a slot that it has not claimed (between `lock` and the CAS) hides
//! the death of a tenant that claimed and died in that very moment, until it goes on.

use crate::layout::ParticipantId;
use crate::region::dead::Dead;
use crate::region::kernel::Kernel;
use crate::region::seat::{Me, Seat};
use crate::region::word::{State, Word};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::mutant;

/// The slots' memory.
pub trait Seats {
    /// The word of slot `id`, 1..=`high()`.
    fn word(&self, id: ParticipantId) -> &AtomicU64;
    /// The highest slot that may be touched.
    fn high(&self) -> ParticipantId;
    /// Forgets pid, identity and name of a slot that the caller reaps.
    fn clear(&self, id: ParticipantId);
}

/// The table of one region, seen by one process.
pub struct Table<'a, S: ?Sized, K: ?Sized> {
    pub seats: &'a S,
    pub kernel: &'a K,
}

/// What became of an attempt to take a reserved seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeatClaim {
    /// The seat is this process's.
    Taken(Me),
    /// Another process holds the lock for a moment (it tried the slot while it was free).
    Busy,
    /// The seat was taken back.
    Gone,
}

/// A slot that this process reaps.
#[derive(Clone, Copy)]
struct Taken {
    id: ParticipantId,
    word: Word,
}

impl Taken {
    fn dead(&self) -> Dead {
        Dead { id: self.id, incarnation: self.word.incarnation() }
    }
}

impl<S: Seats + ?Sized, K: Kernel + ?Sized> Table<'_, S, K> {
    /// The word of slot `id`.
    pub fn load(&self, id: ParticipantId) -> Word {
        Word(self.seats.word(id).load(Ordering::Acquire))
    }

    fn change(&self, id: ParticipantId, old: Word, new: Word) -> bool {
        self.seats.word(id).compare_exchange(old.0, new.0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Takes any free slot, which is JOINING then; `None`: all slots up to `high()` are in use.
    pub fn claim(&self) -> Option<Me> {
        (1..=self.seats.high()).find_map(|id| self.claim_slot(id))
    }

    /// Takes slot `id` if it is free; it is JOINING then.
    pub fn claim_slot(&self, id: ParticipantId) -> Option<Me> {
        let word = self.load(id);
        if word.state() != State::Free {
            return None;
        }
        if mutant::on("region.lock_after_word") {
            return (self.change(id, word, word.joining()) && self.kernel.lock(id))
                .then_some(Me { id, incarnation: word.incarnation() });
        }
        // The lock first: from the moment that the word says JOINING its owner's death can be seen.
        if !self.kernel.lock(id) {
            return None;
        }
        if self.change(id, word, word.joining()) {
            return Some(Me { id, incarnation: word.incarnation() });
        }
        self.kernel.unlock(id);
        None
    }

    /// Takes a seat that a parent reserved; it is JOINING then.
    pub fn claim_seat(&self, seat: Seat) -> SeatClaim {
        let word = self.load(seat.id);
        if word.state() != State::Reserved || word.incarnation() != seat.incarnation {
            return SeatClaim::Gone;
        }
        if !self.kernel.lock(seat.id) {
            return SeatClaim::Busy;
        }
        if self.change(seat.id, word, word.joining()) {
            return SeatClaim::Taken(Me { id: seat.id, incarnation: seat.incarnation });
        }
        self.kernel.unlock(seat.id);
        SeatClaim::Gone
    }

    /// JOINING -> LIVE, after pid, identity and name are written. False: this process was declared dead in
    /// between, because it closed the beacon.
    pub fn publish(&self, me: Me) -> bool {
        self.change(me.id, Word::joining_of(me.incarnation), Word::live_of(me.incarnation))
    }

    /// Reserves any free slot for a child of `me`; `None`: all slots up to `high()` are in use.
    pub fn reserve(&self, me: Me) -> Option<Seat> {
        (1..=self.seats.high()).find_map(|id| {
            let word = self.load(id);
            (word.state() == State::Free && self.change(id, word, word.reserved(me.id)))
                .then_some(Seat { id, incarnation: word.incarnation() })
        })
    }

    /// Takes a seat back and undoes what was given to it. False: the child has it, or it is gone.
    pub fn unreserve(&self, me: Me, seat: Seat, repair: &mut dyn FnMut(Dead, bool)) -> bool {
        let word = Word::reserved_of(me.id, seat.incarnation);
        self.load(seat.id) == word && self.reap(me, seat.id, word, repair) > 0
    }

    /// The slot is still REAPING with this incarnation.
    pub fn still_reaping(&self, dead: Dead) -> bool {
        let word = self.load(dead.id);
        word.state() == State::Reaping && word.incarnation() == dead.incarnation
    }

    /// Whether the tenant that `word` shows in slot `id` is beyond doing anything. For REAPING: the reaper.
    fn gone(&self, id: ParticipantId, word: Word) -> bool {
        match word.state() {
            State::Free | State::Retired => false,
            State::Reserved | State::Reaping => !self.kernel.alive(word.who()),
            State::Joining | State::Live => !self.kernel.alive(id),
        }
    }

    /// Whether the tenant of slot `id` is dead or gone. With an incarnation: that tenant.
    pub fn is_dead(&self, id: ParticipantId, incarnation: Option<u32>) -> bool {
        let word = self.load(id);
        if incarnation.is_some_and(|wanted| wanted != word.incarnation()) {
            return true;
        }
        match word.state() {
            State::Free | State::Retired | State::Reaping => true,
            State::Reserved | State::Joining | State::Live => self.gone(id, word),
        }
    }

    /// Looks at one slot and reaps, adopts or helps. The number of participants repaired exclusively;
    /// `None`: the tenant lives.
    pub fn visit(&self, me: Me, id: ParticipantId, repair: &mut dyn FnMut(Dead, bool)) -> Option<usize> {
        let word = self.load(id);
        match word.state() {
            State::Free | State::Retired => Some(0),
            _ if self.gone(id, word) => Some(self.reap(me, id, word, repair)),
            State::Reaping => {
                repair(Dead { id, incarnation: word.incarnation() }, false);
                Some(0)
            }
            State::Reserved | State::Joining | State::Live => None,
        }
    }

    /// Visits all slots; the number of participants repaired exclusively.
    pub fn sweep(&self, me: Me, repair: &mut dyn FnMut(Dead, bool)) -> usize {
        (1..=self.seats.high()).filter_map(|id| self.visit(me, id, repair)).sum()
    }

    /// The end of `me` by itself: as a death, but in an orderly state. The caller drops the lock afterwards.
    /// `last` runs after the repair, before the slot may have a new tenant.
    pub fn leave(&self, me: Me, repair: &mut dyn FnMut(Dead, bool), last: impl FnOnce()) -> usize {
        let live = Word::live_of(me.incarnation);
        let Some(first) = self.take(me, me.id, live) else {
            last();
            return 0;
        };
        let taken = self.take_all(me, first);
        Self::repair_all(&taken, repair);
        last();
        self.free_all(&taken);
        taken.len()
    }

    /// Takes the slot as `word` shows it, repairs, and frees it. Zero: somebody else was faster.
    fn reap(&self, me: Me, id: ParticipantId, word: Word, repair: &mut dyn FnMut(Dead, bool)) -> usize {
        let Some(first) = self.take(me, id, word) else {
            return 0;
        };
        let taken = self.take_all(me, first);
        Self::repair_all(&taken, repair);
        self.free_all(&taken);
        taken.len()
    }

    fn take(&self, me: Me, id: ParticipantId, word: Word) -> Option<Taken> {
        if mutant::on("region.state_only") {
            return self.take_by_state(me, id, word);
        }
        let new = self.reaping(word, me);
        self.change(id, word, new).then_some(Taken { id, word: new })
    }

    fn reaping(&self, word: Word, me: Me) -> Word {
        let new = word.reaping(me.id);
        if mutant::on("region.no_turn") { Word(new.0 & !0xffff_0000 | 0x1_0000) } else { new }
    }

    /// The fault of a CAS that compares the state only.
    #[cold]
    fn take_by_state(&self, me: Me, id: ParticipantId, word: Word) -> Option<Taken> {
        let now = self.load(id);
        let new = now.reaping(me.id);
        (now.state() == word.state() && self.change(id, now, new)).then_some(Taken { id, word: new })
    }

    /// `first`, and every slot that waits for one of those taken.
    fn take_all(&self, me: Me, first: Taken) -> Vec<Taken> {
        let mut taken = vec![first];
        let mut next = 0;
        while let Some(Taken { id: dead, .. }) = taken.get(next).copied() {
            next += 1;
            if mutant::on("region.no_adoption") {
                continue;
            }
            for id in (1..=self.seats.high()).filter(|id| *id != dead) {
                let word = self.load(id);
                if word.names(dead) {
                    // Failing, somebody else took it: then it does not name `dead` any more either.
                    taken.extend(self.take(me, id, word));
                }
            }
        }
        taken
    }

    fn repair_all(taken: &[Taken], repair: &mut dyn FnMut(Dead, bool)) {
        if mutant::on("region.no_repair") {
            return;
        }
        for slot in taken {
            repair(slot.dead(), true);
        }
    }

    fn free_all(&self, taken: &[Taken]) {
        for slot in taken {
            self.free(*slot);
        }
    }

    fn free(&self, slot: Taken) {
        self.seats.clear(slot.id);
        // Fails only if this process was itself declared dead, because it closed the beacon.
        self.change(slot.id, slot.word, slot.word.freed());
    }
}
