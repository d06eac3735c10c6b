//! Putting, in two phases: claim a slot, fill it, publish.
//!
//! # Safety
//!
//! Between the claim's CAS and the publishing store the slot's payload belongs to the claim alone.
#![allow(unsafe_code)]

use std::mem;

use crate::layout::ring::BLOCK;
use crate::sync::atomic::AtomicU64;
use crate::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use crate::sync::{hint, kill, mutant};

use super::ParticipantId;
use super::cursor::{ClientCursor, Cursor};
use super::memory::RingMemory;
use super::mpmc::{Ring, order};
use super::slot::SlotState;

/// Why no slot was claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutFail {
    /// The slot of the next ticket is not free.
    Full,
    /// The ring was closed.
    Closed,
}

impl<M: RingMemory> Ring<M> {
    /// Claims the slot of the next ticket for `me`. Never waits.
    ///
    /// Killed between claim and publication: [`Ring::repair`] frees the slot, and the ticket is never used.
    ///
    /// # Errors
    /// `Full`, `Closed`.
    #[inline(always)]
    pub fn claim_put(&self, cursor: &ClientCursor, me: ParticipantId) -> Result<PutClaim<'_, M>, PutFail> {
        // Positions, not claims, come out of the closures: they stay in registers.
        let claimed = cursor.with(|cursor| {
            let position = cursor.put;
            let (seen, word) = self.word(position, order("mpmc.put_load_relaxed", Acquire));
            if seen == self.shape.empty(position) && self.try_claim_put(word, position, me) {
                self.passed_put(cursor, position);
                Ok(position)
            } else {
                self.claim_put_slow(cursor, me)
            }
        });
        claimed.and_then(|position| self.admit(PutClaim { ring: self, position }))
    }

    /// E(position) -> W(position, me).
    #[inline(always)]
    fn try_claim_put(&self, word: &AtomicU64, position: u64, me: ParticipantId) -> bool {
        let (empty, writing) = (self.shape.empty(position).0, self.shape.writing(position, me).0);
        // Acquire: the last consumer is done with the payload. Release: who sees this claim knows of the
        // claims below it. SeqCst: pairs with `close`, see `admit`.
        word.compare_exchange(empty, writing, order("mpmc.put_claim_relaxed", SeqCst), Relaxed).is_ok()
    }

    #[inline(always)]
    fn passed_put(&self, cursor: &mut Cursor, position: u64) {
        cursor.put = self.shape.next(position);
        if self.shape.hint_due(position) {
            self.store_tail(cursor.put);
        }
    }

    /// A claim in a closed ring is given back.
    #[inline(always)]
    fn admit<'r>(&self, claim: PutClaim<'r, M>) -> Result<PutClaim<'r, M>, PutFail> {
        #[cfg(loom)]
        if !mutant::on("mpmc.no_close_fence") {
            crate::sync::fence::fence(SeqCst);
        }
        // SeqCst: the claim first, then this load. A consumer that saw `closed` before it scanned has either seen
        // our claim, or we see `closed` here.
        if self.memory.control().closed.load(SeqCst) != 0 && !mutant::on("mpmc.no_closed_recheck") {
            return claim.refuse();
        }
        Ok(claim)
    }

    #[cold]
    fn store_tail(&self, position: u64) {
        self.memory.tail().position.store(position, Release);
        // A model has better things to look at.
        if !cfg!(loom) {
            self.sample_depth(position);
        }
    }

    /// The cursor is behind, or another producer was faster, or the ring is full.
    #[cold]
    #[inline(never)]
    fn claim_put_slow(&self, cursor: &mut Cursor, me: ParticipantId) -> Result<u64, PutFail> {
        // All tickets below the hint are claimed, as all below the cursor are.
        cursor.put = cursor.put.max(self.memory.tail().position.load(Acquire));
        loop {
            let position = cursor.put;
            let (seen, word) = self.word(position, order("mpmc.put_load_relaxed", Acquire));
            let theirs = self.shape.position_of(seen, position);
            let empty = seen.state() == SlotState::Empty;
            if theirs == position && empty {
                if self.try_claim_put(word, position, me) {
                    self.passed_put(cursor, position);
                    return Ok(position);
                }
            } else if theirs == position {
                cursor.put = self.shape.next(position); // claimed, and so are all below
            } else if theirs > position {
                // A claim of a ticket proves that all below it are claimed; that a slot is free for a ticket
                // proves it of the ticket one lap before.
                let claimed = if empty { theirs - self.shape.lap() } else { theirs };
                cursor.put = self.shape.next(claimed);
            } else if empty {
                hint::spin_loop(); // an old value: the newer one is on its way
            } else {
                return Err(if self.is_closed() { PutFail::Closed } else { PutFail::Full });
            }
        }
    }

    /// Whose claim makes the ring full for this client, if anybody's: of a message that waits, nobody's.
    #[cold]
    pub fn put_blocker(&self, cursor: &ClientCursor) -> Option<ParticipantId> {
        let (word, _) = self.word(cursor.with(|cursor| cursor.put), Acquire);
        word.is_claimed().then(|| word.owner())
    }
}

/// A slot claimed for a message. Dropped without being published, it gives the slot back; the ticket is never used.
///
/// In a forked child it must not be dropped but forgotten: the claim is its parent's.
#[must_use]
pub struct PutClaim<'r, M: RingMemory> {
    ring: &'r Ring<M>,
    position: u64,
}

impl<'r, M: RingMemory> PutClaim<'r, M> {
    /// Names the message within its ring, for ever.
    pub fn ticket(&self) -> u64 {
        self.position
    }

    /// The slot's index.
    pub fn index(&self) -> u32 {
        self.ring.shape.index(self.position)
    }

    /// The slot's payload bytes, the ring's `room` of them.
    #[inline(always)]
    pub fn payload(&mut self) -> *mut u8 {
        self.ring.memory.payload(self.index())
    }

    /// The slot's payload bytes. What they hold at first is left over from messages before.
    #[cfg(not(loom))]
    #[inline(always)]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        kill::point();
        // SAFETY: see the module: claimed, `room` bytes, and initialised as all bytes of a mapping are.
        unsafe { core::slice::from_raw_parts_mut(self.payload(), self.ring.room) }
    }

    /// Publishes the first `len` payload bytes (in a ring of fixed length: `room`) and wakes a consumer.
    #[inline(always)]
    pub fn publish_inline(self, len: usize) {
        let (ring, position) = (self.ring, self.position);
        self.store_inline(len);
        ring.notify_published(1, position);
    }

    /// Publishes a message of `len` bytes that lies in block `reference` and wakes a consumer.
    pub fn publish_block(self, reference: u64, len: u64) {
        let (ring, position) = (self.ring, self.position);
        self.store_block(reference, len);
        ring.notify_published(1, position);
    }

    /// As [`publish_inline`](Self::publish_inline), waking nobody: several may be published with one
    /// [`Ring::notify_published`] after them. Do not wait before it.
    #[inline(always)]
    pub fn store_inline(self, len: usize) {
        debug_assert!(len <= self.ring.room && (!self.ring.fixed || len == self.ring.room));
        if !self.ring.fixed {
            self.ring.memory.length(self.index()).store(len.min(self.ring.room) as u64, Relaxed);
        }
        self.store_full();
    }

    /// As [`publish_block`](Self::publish_block), waking nobody.
    pub fn store_block(self, reference: u64, len: u64) {
        debug_assert!(!self.ring.fixed, "a ring of fixed length has no room for references");
        if !self.ring.fixed {
            kill::point();
            // SAFETY: claimed, and such a ring has room for at least 8 bytes, aligned.
            unsafe { self.ring.memory.payload(self.index()).cast::<u64>().write(reference) };
            self.ring.memory.length(self.index()).store(len & !BLOCK | BLOCK, Relaxed);
            self.store_full();
        }
    }

    /// W(t, me) -> F(t).
    #[inline(always)]
    fn store_full(self) {
        let full = self.ring.shape.full(self.position);
        // Release: pairs with the consumer's Acquire; the payload.
        let word = self.ring.memory.word(self.index());
        word.store(full.0, order("mpmc.publish_relaxed", Release));
        mem::forget(self);
    }

    /// Gives the slot back as dropping does, and wakes no producer: the ticket is never used.
    pub(super) fn withdraw(self) {
        let ring = self.ring;
        let done = ring.shape.done(self.position);
        // Release: a consumer that finds the slot free sees what was done under the claim.
        ring.memory.word(self.index()).store(done.0, Release);
        mem::forget(self);
    }

    #[cold]
    fn refuse(self) -> Result<Self, PutFail> {
        drop(self);
        Err(PutFail::Closed)
    }
}

impl<M: RingMemory> Drop for PutClaim<'_, M> {
    /// W(t, me) -> E(t + N).
    #[cold]
    fn drop(&mut self) {
        let done = self.ring.shape.done(self.position);
        self.ring.memory.word(self.index()).store(done.0, Release);
        self.ring.notify_freed();
    }
}
