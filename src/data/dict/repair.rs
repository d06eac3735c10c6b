//! What heirs do: of a stripe's lock, and of the structural one. Every step may be done twice.

use super::memory::{Memory, Words};
use super::{Chain, Dict};
use crate::layout::block_place::BlockPlace;
use crate::layout::dict::{Armed, BucketHeader, Entry, Phase, Root, at};
use crate::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use crate::sync::mutant;

impl<M: Memory> Dict<M> {
    /// Finishes or undoes what the last holder of a stripe's lock was doing when it died.
    #[cold]
    pub(super) fn repair_stripe(&self, stripe: u64) {
        let armed = self.stripe_word(stripe, at::ARMED);
        if armed == Armed::NOTHING || mutant::on("dict.stripe_not_repaired") {
            return;
        }
        if let Some(loose) = self.decide(stripe, Armed(armed), true) {
            self.memory.free(loose.block());
        }
        self.store_in(stripe, at::ARMED, Armed::NOTHING);
    }

    /// The block that the operation under way leaves linked nowhere: the new one if it has not taken place, else the old one.
    /// `finish`: makes the rest of what has taken place so.
    pub(super) fn decide(&self, stripe: u64, armed: Armed, finish: bool) -> Option<BlockPlace> {
        let chain = Chain::at(&self.memory, armed.bucket())?;
        let new = self.stripe_word(stripe, at::STRIPE_NEW);
        let took_place = self.took_place(stripe, armed)?;
        if took_place && finish {
            match armed.slot() {
                Some(_) => chain.set_header(chain.header().next(chain.header().occupied())),
                None if mutant::on("dict.heir_does_not_count") => {}
                None => {
                    self.store_in(stripe, at::COUNT, self.stripe_word(stripe, at::COUNT_AFTER));
                }
            }
        }
        let loose = if took_place { self.stripe_word(stripe, at::STRIPE_OLD) } else { new };
        (loose != 0).then_some(BlockPlace(loose))
    }

    /// Whether what is under way has had its commit.
    pub(super) fn took_place(&self, stripe: u64, armed: Armed) -> Option<bool> {
        let chain = Chain::at(&self.memory, armed.bucket())?;
        Some(match armed.slot() {
            Some(slot) => chain.value(slot) == self.stripe_word(stripe, at::STRIPE_NEW),
            None => chain.header() != BucketHeader(self.stripe_word(stripe, at::BEFORE)),
        })
    }

    /// `clear` has had its commit, and its end is to come: nobody inserts meanwhile.
    pub(super) fn is_being_cleared(&self) -> bool {
        let body = self.memory.body();
        Phase::unpack(body.load(at::PHASE, Acquire)) == Phase::Clear
            && body.load(at::ROOT, Acquire) == body.load(at::NEW + 1, Relaxed)
    }

    /// What a stripe counts, with what is under way, whose commit may have been its dead owner's last step.
    pub(super) fn count_of(&self, stripe: u64) -> u64 {
        let armed = Armed(self.memory.body().load(self.stripe_at(stripe) + at::ARMED, Acquire));
        let changes = armed.0 != Armed::NOTHING && armed.slot().is_none();
        if changes && self.took_place(stripe, armed) == Some(true) {
            return self.stripe_word(stripe, at::COUNT_AFTER);
        }
        self.stripe_word(stripe, at::COUNT)
    }

    /// Finishes or undoes what the last holder of the structural lock was doing when it died.
    #[cold]
    pub(super) fn repair_structure(&self) {
        let body = self.memory.body();
        let word = |at| body.load(at, Relaxed);
        let [old, first, second] = [at::OLD, at::NEW, at::NEW + 1].map(word);
        match Phase::unpack(word(at::PHASE)) {
            Phase::Idle => {}
            Phase::Built => {
                self.free_segment(first);
                self.free_segment(second);
            }
            Phase::Switch => {
                self.switch();
                self.free_segment(old);
            }
            Phase::Directory => {
                let loose = if word(at::ROOT) == first { old } else { first };
                self.memory.free(Root(loose).block());
            }
            Phase::Clear if word(at::ROOT) == second => self.finish_clear(Root(old)),
            Phase::Clear => {
                self.memory.free(Root(second).block());
                self.free_segment(first);
            }
        }
        self.set_phase(Phase::Idle);
        if !mutant::on("dict.stays_frozen") {
            for stripe in 0..self.stripes() {
                self.store_in(stripe, at::FROZEN, 0);
            }
        }
    }

    /// The last step of a rebuild but for the old segment: the directory names the new ones.
    pub(super) fn switch(&self) {
        let body = self.memory.body();
        let word = |at| body.load(at, Relaxed);
        let (root, first, second) = (Root(word(at::ROOT)), word(at::NEW), word(at::NEW + 1));
        let depth = Entry(word(at::OLD)).depth();
        let shared = root.depth().saturating_sub(depth);
        let start = super::place::prefix(word(at::AT), depth) << shared;
        let count = 1u64 << shared;
        for i in 0..count {
            let entry = if second != 0 && i >= count / 2 { second } else { first };
            if let Some(slot) = self.memory.words(root.offset() + (start + i) * 8, 1) {
                // Release: who finds the segment finds what is in it.
                slot.store(0, entry, Release);
            }
        }
    }

    pub(super) fn free_segment(&self, entry: u64) {
        if entry != 0 {
            self.memory.free(Entry(entry).block());
        }
    }

    /// Release: an heir finds the stores of an operation in order.
    pub(super) fn store_in(&self, stripe: u64, word: usize, value: u64) {
        self.memory.body().store(self.stripe_at(stripe) + word, value, Release);
    }

    pub(super) fn set_phase(&self, phase: Phase) {
        self.memory.body().store(at::PHASE, phase as u64, Release);
    }
}
