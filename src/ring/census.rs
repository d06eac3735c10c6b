//! What is in a ring, for people: a look at each slot and cell while others go on.

use std::collections::BTreeMap;

use crate::sync::atomic::Ordering::{Acquire, Relaxed};

use super::ParticipantId;
use super::memory::RingMemory;
use super::mpmc::Ring;
use super::slot::{CellState, SlotState, SlotWord};

/// What was found. Of different moments of the call, if others are at work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Messages that wait for a consumer; those marked among them.
    pub waiting: u64,
    pub redelivered: u64,
    /// Messages that were given up.
    pub dead_letters: u64,
    /// How many messages each participant has claimed.
    pub claims: BTreeMap<ParticipantId, u64>,
}

impl<M: RingMemory> Ring<M> {
    /// Counts everything.
    #[cold]
    pub fn census(&self) -> Census {
        let mut census = Census { waiting: self.len(), ..Census::default() };
        for index in 0..self.shape.capacity() as u32 {
            let word = SlotWord(self.memory.word(index).load(Acquire));
            match word.state() {
                SlotState::Reading => *census.claims.entry(word.owner()).or_default() += 1,
                SlotState::Full if self.is_due_slot(word) => census.dead_letters += 1,
                SlotState::Full => census.redelivered += u64::from(word.redeliveries() != 0),
                SlotState::Empty | SlotState::Writing => {}
            }
        }
        for cell in 0..self.cells {
            let word = self.cell(cell);
            match word.state() {
                CellState::Held => *census.claims.entry(word.owner()).or_default() += 1,
                CellState::Orphan if self.is_dead_letter(word) => census.dead_letters += 1,
                CellState::Orphan => census.redelivered += 1,
                CellState::Free | CellState::Private => {}
            }
        }
        self.note_depth(census.waiting);
        census
    }

    /// About how many messages waited at once at most; see [`note_depth`](Self::note_depth).
    pub fn high_water(&self) -> u64 {
        self.memory.tail().high_water.load(Relaxed)
    }

    /// So many wait.
    ///
    /// The mark is raised where producers store their hint (every fourth part of a lap), where a put finds no room, and by a census.
    /// Between these it may miss up to half of the ring, and it never falls.
    #[cold]
    pub fn note_depth(&self, messages: u64) {
        let mark = &self.memory.tail().high_water;
        // Relaxed: a number for people. Written only when it rises, so that the line stays everybody's.
        if mark.load(Relaxed) < messages {
            mark.fetch_max(messages.min(self.shape.capacity()), Relaxed);
        }
    }

    /// A producer is at `tail`. The consumers' hint is behind them by up to its period.
    pub(super) fn sample_depth(&self, tail: u64) {
        let head = self.shape.ordinal(self.memory.head().position.load(Relaxed));
        let behind = self.shape.ordinal(tail).saturating_sub(head);
        self.note_depth(behind.saturating_sub(self.shape.period()).min(self.shape.capacity()));
    }

    /// Messages that were dropped to make room for others.
    pub fn dropped(&self) -> u64 {
        self.memory.tail().dropped.load(Relaxed)
    }

    /// One more was.
    #[cold]
    pub fn note_dropped(&self) {
        self.memory.tail().dropped.fetch_add(1, Relaxed);
    }
}
