//! Taking the oldest message out to make room.

use crate::sync::atomic::Ordering::Acquire;
use crate::sync::hint;

use super::ParticipantId;
use super::cursor::{ClientCursor, Cursor};
use super::get::{GetClaim, try_claim_get};
use super::memory::RingMemory;
use super::mpmc::Ring;
use super::slot::{SlotState, SlotWord};

/// What was done for room.
pub enum Oldest<'r, M: RingMemory> {
    /// The oldest message, claimed: when it is consumed, its slot is free.
    Claimed(GetClaim<'r, M>),
    /// The slot is free, or was: a put may find room now.
    Moved,
    /// The slot is in somebody's hands, and no other one would be room.
    Nothing,
}

/// What the slot of the next ticket holds.
enum Next {
    /// A message of the lap before, at this position.
    Full(SlotWord, u64),
    /// A claim of the lap before.
    Held,
    /// Something newer.
    Moved,
}

impl<M: RingMemory> Ring<M> {
    /// Claims the oldest message that holds a slot, after a put has found no room with this cursor. Room is that slot alone: while somebody
    /// has it, nothing is claimed. Never one that waits in a lease cell, where it takes nobody's room.
    ///
    /// Killed before the message is consumed: [`Ring::repair`] gives it back, marked as redelivered.
    #[cold]
    pub fn claim_oldest(&self, cursor: &ClientCursor, me: ParticipantId) -> Oldest<'_, M> {
        let claimed = cursor.with(|cursor| {
            loop {
                match self.next_slot(cursor) {
                    Next::Full(seen, position) => {
                        let word = self.memory.word(self.shape.index(position));
                        if try_claim_get(word, seen, me) {
                            return Ok(position);
                        }
                    }
                    Next::Held => return Err(Oldest::Nothing),
                    Next::Moved => return Err(Oldest::Moved),
                }
            }
        });
        match claimed {
            Ok(position) if self.bury_if_due(position) => Oldest::Moved,
            Ok(position) => Oldest::Claimed(GetClaim { ring: self, position }),
            Err(answer) => answer,
        }
    }

    /// After [`look_put`](Self::look_put) has found no room: whether dropping the oldest message makes some.
    #[cold]
    pub fn look_oldest(&self, cursor: &ClientCursor) -> bool {
        cursor.with(|cursor| !matches!(self.next_slot(cursor), Next::Held))
    }

    fn next_slot(&self, cursor: &Cursor) -> Next {
        loop {
            // Below the cursor all is claimed: what holds its slot is one lap older, and nothing that holds a slot is older than that.
            let (seen, _) = self.word(cursor.put, Acquire);
            let theirs = self.shape.position_of(seen, cursor.put);
            match seen.state() {
                _ if theirs >= cursor.put => return Next::Moved,
                SlotState::Full => return Next::Full(seen, theirs),
                SlotState::Writing | SlotState::Reading => return Next::Held,
                SlotState::Empty => hint::spin_loop(), // an old value: the newer one is on its way
            }
        }
    }
}
