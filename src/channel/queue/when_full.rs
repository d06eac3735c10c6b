//! What a put does when there is no room, where that is not to wait.

use super::{Memory, Queue};
use crate::channel::errors::PutError;
use crate::channel::message::Message;
use crate::error::Error;
use crate::ring::{Oldest, ParticipantId, PutClaim, PutFail, Taken};

impl<T: Message> Queue<T> {
    /// A slot that was made free by dropping the oldest message, or more than one if others were faster. `None`: the slot that comes next
    /// is in somebody's hands, and to drop another message would make no room.
    #[cold]
    pub(super) fn claim_by_dropping(
        &self,
        me: ParticipantId,
    ) -> Result<Option<PutClaim<'_, Memory>>, PutError> {
        let ring = &self.shared.ring;
        loop {
            match ring.claim_put(&self.cursor, me) {
                Ok(claim) => return Ok(Some(claim)),
                Err(PutFail::Closed) => return Err(PutError::Closed),
                Err(PutFail::Full) => {}
            }
            match ring.claim_oldest(&self.cursor, me) {
                Oldest::Claimed(claim) => {
                    // As a get that looks at nothing: killed before the commit, the message is there again.
                    let held = self.hold(Taken::Slot(claim));
                    held.map_err(|error| PutError::Other(Error::from(error)))?.release();
                    ring.note_dropped();
                }
                Oldest::Moved => {}
                Oldest::Nothing => return Ok(None),
            }
        }
    }
}
