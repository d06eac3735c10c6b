//! Getting.

use std::time::Duration;

use super::{Held, Kept, Lease, Memory, Queue, Shared};
use crate::channel::domain::deadline_in;
use crate::channel::errors::GetError;
use crate::channel::message::Message;
use crate::channel::{codec, parcel};
use crate::prim::event_count::WaitEnd;
use crate::prim::limits::Limits;
use crate::ring::frozen::{Frozen, FrozenBytes};
use crate::ring::{GetFail, ParticipantId, Taken};

impl<T: Message> Queue<T> {
    /// Takes the oldest message, waiting for one as long as it takes.
    ///
    /// The message is this process's from the moment its slot is free, just before the call returns: killed
    /// earlier, it goes to another getter, marked `redelivered`; killed later, it is lost with the process. Who must
    /// not lose work uses [`get_ref`](Self::get_ref).
    ///
    /// Cost: one atomic read-modify-write, one store, and the making of the value.
    ///
    /// # Errors
    ///
    /// `Closed` when the queue is closed and drained; `TypeMismatch` if the bytes are not a `T`; `Other` with kind
    /// `Corrupt` if the type's own deserialisation refuses them. In these two the message is **consumed**: nobody else could
    /// make more of it, and it would stop every consumer. Any other error leaves it where it is.
    ///
    /// # Panics
    ///
    /// If the type's own deserialisation does; then the message goes back, marked as redelivered, for a panic may come
    /// from the state of this process. A message that makes every consumer panic is passed by taking it with
    /// [`get_ref`](Self::get_ref) and dropping the lease.
    pub fn get(&self) -> Result<T, GetError> {
        self.get_within(&Limits::NONE)
    }

    /// Takes the oldest message if there is one right now.
    ///
    /// # Errors
    ///
    /// `Empty`, and those of [`get`](Self::get).
    pub fn try_get(&self) -> Result<T, GetError> {
        self.get_within(&Limits::TRY)
    }

    /// Takes the oldest message, waiting for one for at most `timeout`.
    ///
    /// # Errors
    ///
    /// `Empty` when the time is up, and those of [`get`](Self::get).
    pub fn get_timeout(&self, timeout: Duration) -> Result<T, GetError> {
        self.get_within(&deadline_in(timeout))
    }

    /// Borrows the oldest message in place, waiting for one as long as it takes.
    ///
    /// The message stays in the queue's keeping until the [`Lease`] is dropped: if this process dies before, it goes to
    /// another getter, marked [`redelivered`](Lease::redelivered). A lease does not hold up the queue: others go on
    /// putting and getting around it. At least once, therefore: report results by an id.
    ///
    /// ```
    /// let q = processing::Queue::<(u64, String)>::new(4)?;
    /// q.put(&(7, "seven".into()))?;
    /// let lease = q.get_ref()?;
    /// assert_eq!(lease.0, 7); // in place: nothing was deserialised
    /// assert_eq!(lease.1.as_str(), "seven");
    /// assert!(!lease.redelivered());
    /// drop(lease); // done: now the message is consumed
    /// # Ok::<(), processing::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get); the type's deserialisation is not called here but by [`Lease::to_owned`].
    pub fn get_ref(&self) -> Result<Lease<'_, T>, GetError> {
        self.lease_within(&Limits::NONE)
    }

    /// [`get_ref`](Self::get_ref) if there is a message right now.
    ///
    /// # Errors
    ///
    /// `Empty`, and those of [`get`](Self::get).
    pub fn try_get_ref(&self) -> Result<Lease<'_, T>, GetError> {
        self.lease_within(&Limits::TRY)
    }

    /// [`get_ref`](Self::get_ref), waiting for at most `timeout`.
    ///
    /// # Errors
    ///
    /// `Empty` when the time is up, and those of [`get`](Self::get).
    pub fn get_ref_timeout(&self, timeout: Duration) -> Result<Lease<'_, T>, GetError> {
        self.lease_within(&deadline_in(timeout))
    }

    #[inline]
    fn get_within(&self, limits: &Limits<'_>) -> Result<T, GetError> {
        if let Some(kernel) = &self.shared.kernel {
            return self.get_from_kernel(kernel, limits);
        }
        let taken = self.take(limits)?;
        self.consume(taken)
    }

    /// The value of a claimed message, which is consumed.
    #[inline(always)]
    pub(super) fn consume(&self, taken: Taken<'_, Memory>) -> Result<T, GetError> {
        let Some(bytes) = taken.bytes() else {
            return self.get_block(taken);
        };
        // A panic in here drops the claim: the message goes back. With an error it is consumed: it would be one for all.
        let answer = match codec::view::<T>(bytes) {
            Ok(value) => codec::own::<T>(value).map_err(GetError::Other),
            Err(_) => Err(GetError::TypeMismatch),
        };
        taken.commit();
        answer
    }

    /// A message in a block, perhaps with handles.
    fn get_block(&self, taken: Taken<'_, Memory>) -> Result<T, GetError> {
        let held = self.hold(taken)?;
        let answer = match codec::view::<T>(held.bytes()) {
            Ok(value) => parcel::own::<T>(&self.shared.domain, &held, value).map_err(GetError::Other),
            Err(_) => Err(GetError::TypeMismatch),
        };
        // As above; but where this process is short of something, the message waits for another.
        if !matches!(&answer, Err(GetError::Other(error)) if error.is_passing()) {
            held.release();
        }
        answer
    }

    fn lease_within(&self, limits: &Limits<'_>) -> Result<Lease<'_, T>, GetError> {
        if let Some(kernel) = &self.shared.kernel {
            return self.lease_from_kernel(kernel, limits);
        }
        self.shared.object.expect_claims();
        // Out of its slot first: a slow holder must not hold up the ring.
        let taken = self.take(limits)?.detach();
        let redeliveries = taken.redeliveries();
        let held = self.hold(taken)?;
        match Frozen::new(Kept::Claimed(held), |bytes| codec::view::<T>(bytes)) {
            Ok(value) => Ok(Lease::new(value, redeliveries, self)),
            Err((held, _)) => {
                held.release();
                Err(GetError::TypeMismatch)
            }
        }
    }

    pub(super) fn hold<'q>(&'q self, taken: Taken<'q, Memory>) -> Result<Held<'q>, GetError> {
        let store = self.shared.domain.store();
        Ok(Held::new(taken, |reference| store.block(reference))?)
    }

    /// A claimed message; waits for one within the limits.
    #[inline]
    pub(super) fn take(&self, limits: &Limits<'_>) -> Result<Taken<'_, Memory>, GetError> {
        let me = self.me()?;
        match self.shared.ring.claim_get(&self.cursor, me) {
            Ok(taken) => Ok(taken),
            Err(GetFail::Closed) => Err(GetError::Closed),
            Err(GetFail::Empty) => {
                let answer = self.take_when_there(me, limits);
                self.shared.after_get(&answer);
                answer
            }
        }
    }

    #[cold]
    fn take_when_there(&self, me: ParticipantId, limits: &Limits<'_>) -> Result<Taken<'_, Memory>, GetError> {
        let Shared { ring, domain, .. } = &*self.shared;
        let mut answer = Err(GetError::Empty);
        let mut empty = || {
            answer = match ring.claim_get(&self.cursor, me) {
                Ok(taken) => Ok(taken),
                Err(GetFail::Closed) => Err(GetError::Closed),
                Err(GetFail::Empty) => return true,
            };
            false
        };
        if limits.is_try() {
            // A message may be in the hands of the dead: ask once.
            let met = ring.get_blocker(&self.cursor).is_some_and(|owner| domain.meet(owner));
            // A lease of the dead blocks nobody: who only ever tries would not hear of it.
            if met || domain.look_now_and_then() {
                empty();
            }
            return answer;
        }
        let end = ring.wait_not_empty(limits, &self.spinner, &mut empty, || domain.look_for_dead());
        if end == WaitEnd::TimedOut && domain.look_now_and_then() {
            empty();
        }
        if end == WaitEnd::Cancelled { Err(GetError::Cancelled) } else { answer }
    }
}
