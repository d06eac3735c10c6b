//! The kill-safe ring: many producers, many consumers, bounded, first in first out.
//!
//! # Guarantees
//!
//! - A message whose publishing store was made is consumed once, whoever dies; a claim whose owner dies before it
//!   is undone by [`Ring::repair`]. A consumer that dies before its commit gives the message back, marked.
//! - `Full` and `Empty` are exact: a `put` finds room, and a `get` a message, if the operations that made it
//!   possible had returned. `Closed` comes only after the last message is consumed for good.
//! - Messages leave in the order of their tickets, except redelivered ones.
//!
//! # Non-guarantees
//!
//! - A client that is stopped, not dead, between claim and publication holds up producers that need its slot.
//!   Consumers go past it.
//! - A redelivery count wraps from 7 to 1.
//!
//! # How
//!
//! A put or get is one CAS on one slot word that names the owner, the payload, one store. Each client walks with
//! a private cursor; there is no shared counter, only two hints. The control line is read by all and written by
//! nobody while nobody sleeps, dies or closes.
//!
//! # Orderings
//!
//! - F(t) Release pairs with the Acquire load (or CAS) that finds it: the payload. E(t+N) Release pairs with the
//!   producer's: the consumer is done with the payload, and all claims it knew of are known.
//! - Claims are AcqRel: Release, so that who sees a claim knows of all claims below it (otherwise a wrong `Full`).
//! - `closed` is a store-load pair with the claim of a put: the put claims, then looks at `closed`; the closing
//!   process stores it, a consumer that sees it looks at all slots. SeqCst on both; loom, which treats SeqCst
//!   accesses as AcqRel, needs fences instead.
//! - `redeliver_epoch`: Release after words came back, Acquire before a scan.
//! - Hints are Release and Acquire, as they stand for the claims below them.

use crate::layout::ring::Geometry;
use crate::prim::event_count::{EventCount, SpinRun, WaitEnd};
use crate::prim::limits::Limits;
use crate::prim::spin::Spinner;
use crate::sync::atomic::Ordering::{self, AcqRel, Acquire, Relaxed, Release, SeqCst};
use crate::sync::{fence, mutant};

use super::memory::RingMemory;
#[cfg(not(loom))]
use super::policy::Policy;
use super::shape::Shape;
use super::slot::{SlotState, SlotWord};

/// A ring over some memory: a process-local view, shared by all its threads.
#[derive(Debug)]
pub struct Ring<M> {
    pub(super) memory: M,
    pub(super) shape: Shape,
    pub(super) room: usize,
    pub(super) cells: u32,
    pub(super) fixed: bool,
    /// See [`super::dead_letters`]; 0: never.
    pub(super) dead_letters_after: u8,
    empty_run: SpinRun,
    full_run: SpinRun,
}

#[cfg(not(loom))]
impl<B: super::memory::Body> Ring<super::memory::Mapped<B>> {
    /// The bytes that a ring of this geometry takes.
    pub fn body_len(geometry: &Geometry) -> u64 {
        geometry.body_len()
    }

    /// Makes a ring in `body`, which nobody else uses yet. With `zeroed` (all bytes are zero) it touches one
    /// page only; otherwise it writes every slot's word.
    ///
    /// # Errors
    /// `InvalidRegion`: the geometry is not possible or does not fit.
    pub fn init(body: B, geometry: &Geometry, zeroed: bool) -> crate::Result<Self> {
        let (memory, geometry) = super::memory::Mapped::init(body, geometry, zeroed)?;
        Ok(Self::over(memory, &geometry))
    }

    /// The ring that somebody made in `body`.
    ///
    /// # Errors
    /// `InvalidRegion`: it is not a ring, or does not fit its memory.
    pub fn attach(body: B) -> crate::Result<Self> {
        let (memory, geometry) = super::memory::Mapped::attach(body)?;
        let mut ring = Self::over(memory, &geometry);
        ring.set_dead_letters_after(ring.policy().dead_letters_after);
        Ok(ring)
    }
}

#[cfg(not(loom))]
impl<B: super::memory::Body> Ring<super::memory::Mapped<B>> {
    /// The longest message that its users accept; kept for them, the ring itself does not look at it.
    pub fn max_message(&self) -> u64 {
        self.memory.header().max_message.load(Relaxed)
    }

    /// What a chain of rings keeps of this one; the ring itself does not look at it.
    pub fn header(&self) -> &crate::layout::ring::Header {
        self.memory.header()
    }

    /// What its users agree on.
    pub fn policy(&self) -> Policy {
        Policy::decode(self.memory.header().policy.load(Relaxed))
    }

    /// Sets [`policy`](Self::policy) for all that attach from now on; before anybody else sees the ring.
    pub fn set_policy(&self, policy: Policy) {
        self.memory.header().policy.store(policy.encode(), Relaxed);
    }

    /// Sets [`max_message`](Self::max_message); before anybody else sees the ring.
    pub fn set_max_message(&self, bytes: u64) {
        self.memory.header().max_message.store(bytes, Relaxed);
    }

    /// How many messages fit where they travel, if not through this ring; kept for its users, as above.
    pub fn capacity_elsewhere(&self) -> u64 {
        self.memory.header().number.load(Relaxed)
    }

    /// Sets [`capacity_elsewhere`](Self::capacity_elsewhere); before anybody else sees the ring.
    pub fn set_capacity_elsewhere(&self, messages: u64) {
        self.memory.header().number.store(messages, Relaxed);
    }
}

impl<M: RingMemory> Ring<M> {
    /// A ring over `memory`, which has the measures of `geometry`.
    pub fn over(memory: M, geometry: &Geometry) -> Self {
        Self::with_hint_period(memory, geometry, Shape::hint_period(geometry.capacity))
    }

    /// As [`over`](Self::over), with hints every `period` tickets (a power of two; all processes may differ).
    pub fn with_hint_period(memory: M, geometry: &Geometry, period: u64) -> Self {
        Self {
            memory,
            shape: Shape::new(geometry.capacity, period),
            room: geometry.room as usize,
            cells: geometry.cells,
            fixed: geometry.fixed,
            dead_letters_after: 0,
            empty_run: SpinRun::default(),
            full_run: SpinRun::default(),
        }
    }

    /// The memory given to it.
    pub fn memory(&self) -> &M {
        &self.memory
    }

    /// Messages that fit.
    pub fn capacity(&self) -> u64 {
        self.shape.capacity()
    }

    /// All messages have as many bytes as a slot has room for, and none lies in a block.
    pub fn is_fixed(&self) -> bool {
        self.fixed
    }

    /// Payload bytes of a slot.
    pub fn room(&self) -> usize {
        self.room
    }

    /// Refuses further puts; what is in the ring can still be taken. Wakes everybody. Idempotent.
    ///
    /// Killed in it: closed or not; sleepers see it at their next backstop, or when the killed one is reaped.
    #[cold]
    pub fn close(&self) {
        let control = self.memory.control();
        control.closed.store(1, SeqCst);
        // A consumer that commits does so without a fence, then looks at `closed`: either it sees it, or its
        // commit is out by now and the woken find all slots empty.
        fence::heavy();
        self.not_empty().wake_all();
        self.not_full().wake_all();
    }

    /// Refuses further puts, and tells nobody: for a ring that another one follows, by whose words all sleep.
    #[cold]
    pub fn seal(&self) {
        // SeqCst: pairs with the claim of a put, as in `close`.
        self.memory.control().closed.store(1, SeqCst);
    }

    /// The number of the last repair, or other return of a message: a look at everything that began after this load
    /// has seen all that came back before.
    #[inline]
    pub fn epoch(&self) -> u64 {
        // Acquire: pairs with `bump_epoch`.
        self.memory.control().redeliver_epoch.load(Acquire)
    }

    /// [`close`](Self::close) was called. Never goes back.
    pub fn is_closed(&self) -> bool {
        self.memory.control().closed.load(SeqCst) != 0
    }

    #[inline(always)]
    pub(super) fn not_empty(&self) -> EventCount<'_> {
        EventCount::new(&self.memory.control().not_empty)
    }

    #[inline(always)]
    pub(super) fn not_full(&self) -> EventCount<'_> {
        EventCount::new(&self.memory.control().not_full)
    }

    /// Waits while `still_empty()`, which should try the get itself. `on_backstop` asks after the dead.
    #[cold]
    pub fn wait_not_empty(
        &self,
        limits: &Limits<'_>,
        spinner: &Spinner,
        still_empty: impl FnMut() -> bool,
        on_backstop: impl FnMut(),
    ) -> WaitEnd {
        self.not_empty().wait(limits, spinner, &self.empty_run, still_empty, on_backstop)
    }

    /// Waits while `still_full()`, which should try the put itself. `on_backstop` asks after the dead.
    #[cold]
    pub fn wait_not_full(
        &self,
        limits: &Limits<'_>,
        spinner: &Spinner,
        still_full: impl FnMut() -> bool,
        on_backstop: impl FnMut(),
    ) -> WaitEnd {
        self.not_full().wait(limits, spinner, &self.full_run, still_full, on_backstop)
    }

    /// After `count` publications without notification, the last one at `last`: wakes consumers, and hands on
    /// a producer's wake-up.
    #[inline(always)]
    pub fn notify_published(&self, count: u32, last: u64) {
        self.not_empty().notify(count);
        self.hand_on(last);
    }

    /// A producer is woken for one free slot, but if the slot before it is still held, it sleeps again, and
    /// when that one is freed only one producer is woken for two slots. So who publishes while others sleep
    /// wakes the next one if the next slot is free as well.
    #[inline(always)]
    fn hand_on(&self, last: u64) {
        if self.not_full().has_waiters() && !mutant::on("mpmc.no_hand_on") {
            self.hand_on_slow(last);
        }
    }

    #[cold]
    #[inline(never)]
    fn hand_on_slow(&self, last: u64) {
        let next = self.shape.next(last);
        if self.word(next, Acquire).0 == self.shape.empty(next) {
            self.not_full().notify(1);
        }
    }

    /// After a slot was freed at `position`.
    #[inline(always)]
    pub(super) fn notify_freed(&self) {
        self.not_full().notify(1);
        // After the light fence in `notify`: pairs with `close`.
        if self.memory.control().closed.load(Relaxed) != 0 {
            self.tell_closed();
        }
    }

    /// Something ended after the close: consumers that waited for it may now see `Closed`.
    #[cold]
    #[inline(never)]
    pub(super) fn tell_closed(&self) {
        fence::fence(SeqCst);
        self.not_empty().wake_all();
    }

    /// A message may have come back below the cursors.
    #[cold]
    pub(super) fn bump_epoch(&self) {
        if !mutant::on("mpmc.no_epoch_bump") {
            // Release: who sees the epoch sees the word that came back.
            self.memory.control().redeliver_epoch.fetch_add(1, order("mpmc.epoch_bump_relaxed", Release));
        }
    }

    /// The word of the slot of `position`, and the position that it speaks of is
    /// `self.shape.position_of(word, position)`.
    #[inline(always)]
    pub(super) fn word(&self, position: u64, order: Ordering) -> (SlotWord, &crate::sync::atomic::AtomicU64) {
        let word = self.memory.word(self.shape.index(position));
        (SlotWord(word.load(order)), word)
    }

    /// Who holds the slot of `ticket`, if its word is of that ticket; `None` if it has moved on.
    pub fn slot_state(&self, ticket: u64) -> Option<(SlotState, super::ParticipantId)> {
        let (word, _) = self.word(ticket, Acquire);
        self.shape.is_of(word, ticket).then(|| (word.state(), word.owner()))
    }

    /// Whether `who` claimed the slot of `ticket` for a put and has not published.
    pub fn is_writing(&self, ticket: u64, who: super::ParticipantId) -> bool {
        self.slot_state(ticket) == Some((SlotState::Writing, who))
    }

    /// One CAS of a slot word by somebody who is not its owner.
    #[cold]
    pub(super) fn repair_word(&self, position: u64, seen: SlotWord, next: SlotWord) -> bool {
        let word = self.memory.word(self.shape.index(position));
        word.compare_exchange(seen.0, next.0, AcqRel, Relaxed).is_ok()
    }
}

/// `strong`, unless the named mutant asks for Relaxed.
#[inline(always)]
pub(super) fn order(name: &str, strong: Ordering) -> Ordering {
    if mutant::on(name) { Relaxed } else { strong }
}
