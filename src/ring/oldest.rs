//! Taking the oldest message out to make room.

use super::ParticipantId;
use super::cursor::ClientCursor;
use super::get::{Found, GetClaim};
use super::memory::RingMemory;
use super::mpmc::Ring;

/// What was done for room.
pub enum Oldest<'r, M: RingMemory> {
    /// The oldest message, claimed: when it is consumed, its slot is free.
    Claimed(GetClaim<'r, M>),
    /// A dead letter left its slot.
    Buried,
    /// No message waits in a slot: all are in somebody's hands.
    Nothing,
}

impl<M: RingMemory> Ring<M> {
    /// Claims the oldest message that holds a slot; never one that waits in a lease cell, where it takes nobody's room.
    ///
    /// Killed before the message is consumed: [`Ring::repair`] gives it back, marked as redelivered.
    #[cold]
    pub fn claim_oldest(&self, cursor: &ClientCursor, me: ParticipantId) -> Oldest<'_, M> {
        let found = cursor.with(|cursor| {
            loop {
                self.note_epoch(cursor);
                self.note_head(cursor);
                if let Some(found) = self.scan(cursor, me, false) {
                    return found;
                }
            }
        });
        match found {
            Found::Slot(position) if self.bury_if_due(position) => Oldest::Buried,
            Found::Slot(position) => Oldest::Claimed(GetClaim { ring: self, position }),
            Found::Cell(_) | Found::Nothing(_) => Oldest::Nothing,
        }
    }
}
