//! Putting.

use std::time::Duration;

use super::kernel::no_handles;
use super::{Memory, Queue, Shared};
use crate::channel::codec;
use crate::channel::domain::deadline_in;
use crate::channel::errors::PutError;
use crate::channel::message::Message;
use crate::channel::transfer::Scope;
use crate::prim::event_count::WaitEnd;
use crate::prim::limits::Limits;
use crate::ring::plain::plain_bytes;
use crate::ring::policy::WhenFull;
use crate::ring::{ParticipantId, PutClaim, PutFail};

impl<T: Message> Queue<T> {
    /// Puts a message, waiting for room as long as it takes.
    ///
    /// When it returns `Ok`, the message is in the queue, whatever happens to this process. Killed before that,
    /// it is in the queue whole, or not at all.
    ///
    /// Cost: one atomic read-modify-write and the copy of the message; a message that does not fit its slot takes
    /// a block of the arena (one more).
    ///
    /// # Errors
    ///
    /// `Closed`; `TooLarge`; `Other` (the arena is full, the value cannot be serialised, the handle was inherited
    /// through a fork).
    pub fn put(&self, value: &T) -> Result<(), PutError> {
        self.put_within(value, &Limits::NONE)
    }

    /// Puts a message if there is room right now.
    ///
    /// # Errors
    ///
    /// `Full`, and those of [`put`](Self::put).
    pub fn try_put(&self, value: &T) -> Result<(), PutError> {
        self.put_within(value, &Limits::TRY)
    }

    /// Puts a message, waiting for room for at most `timeout`.
    ///
    /// # Errors
    ///
    /// `Full` when the time is up, and those of [`put`](Self::put).
    pub fn put_timeout(&self, value: &T, timeout: Duration) -> Result<(), PutError> {
        self.put_within(value, &deadline_in(timeout))
    }

    #[inline]
    pub(super) fn put_within(&self, value: &T, limits: &Limits<'_>) -> Result<(), PutError> {
        match plain_bytes(value) {
            // Nothing is less than no room: values without a size go the long way, where backends part.
            Some(bytes)
                if bytes.len() <= self.shared.plain_room
                    && (size_of::<T>() != 0 || self.shared.kernel.is_none()) =>
            {
                self.put_bytes(bytes, limits)
            }
            Some(bytes) => self.put_plain_long(bytes, limits),
            None => self.put_encoded(value, limits),
        }
    }

    /// Everything that has to be serialised. Nothing is claimed while user code runs.
    fn put_encoded(&self, value: &T, limits: &Limits<'_>) -> Result<(), PutError> {
        let scope = Scope::open();
        if let Some(kernel) = &self.shared.kernel {
            return codec::encode(value, |bytes| match scope.take().is_empty() {
                true => self.put_to_kernel(kernel, bytes, limits),
                false => Err(no_handles(kernel)),
            })?;
        }
        drop(scope);
        if self.put_in_place(value, limits)? {
            return Ok(());
        }
        let scope = Scope::open();
        codec::encode(value, |bytes| self.put_serialised(bytes, &scope.take(), limits))?
    }

    #[inline]
    pub(super) fn put_bytes(&self, bytes: &[u8], limits: &Limits<'_>) -> Result<(), PutError> {
        let mut claim = self.claim(limits)?;
        if let Some(room) = claim.bytes_mut().get_mut(..bytes.len()) {
            room.copy_from_slice(bytes);
        }
        claim.publish_inline(bytes.len());
        Ok(())
    }

    /// A claimed slot; waits for one within the limits.
    #[inline(always)]
    pub(super) fn claim(&self, limits: &Limits<'_>) -> Result<PutClaim<'_, Memory>, PutError> {
        let me = self.me()?;
        match self.shared.ring.claim_put(&self.cursor, me) {
            Ok(claim) => Ok(claim),
            Err(PutFail::Closed) => Err(PutError::Closed),
            Err(PutFail::Full) => self.claim_when_free(me, limits),
        }
    }

    #[cold]
    pub(super) fn claim_when_free(
        &self,
        me: ParticipantId,
        limits: &Limits<'_>,
    ) -> Result<PutClaim<'_, Memory>, PutError> {
        let Shared { ring, domain, when_full, .. } = &*self.shared;
        ring.note_depth(ring.capacity());
        let drops = *when_full == WhenFull::DropOldest;
        let mut answer = Err(PutError::Full);
        let mut full = || {
            answer = match self.claim_or_drop(me, drops) {
                Ok(Some(claim)) => Ok(claim),
                Ok(None) => return true,
                Err(error) => Err(error),
            };
            false
        };
        if drops && !full() {
            return answer;
        }
        if limits.is_try() || *when_full == WhenFull::Fail {
            // The slot may be held by the dead: ask once, so that a program of non-blocking calls goes on too.
            if ring.put_blocker(&self.cursor).is_some_and(|owner| domain.meet(owner)) {
                full();
            }
            return answer;
        }
        let end = ring.wait_not_full(limits, &self.spinner, &mut full, || domain.look_for_dead());
        if end == WaitEnd::TimedOut && domain.look_now_and_then() {
            full();
        }
        if end == WaitEnd::Cancelled { Err(PutError::Cancelled) } else { answer }
    }
    /// A claimed slot, if there is one, or one can be made free by dropping a message where that is allowed.
    fn claim_or_drop(
        &self,
        me: ParticipantId,
        drops: bool,
    ) -> Result<Option<PutClaim<'_, Memory>>, PutError> {
        if drops {
            return self.claim_by_dropping(me);
        }
        match self.shared.ring.claim_put(&self.cursor, me) {
            Ok(claim) => Ok(Some(claim)),
            Err(PutFail::Closed) => Err(PutError::Closed),
            Err(PutFail::Full) => Ok(None),
        }
    }
}
