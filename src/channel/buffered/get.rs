//! Getting.

use std::mem;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::{BufferedLease, BufferedQueue, Client, Lent, Shared};
use crate::channel::domain::deadline_in;
use crate::channel::errors::GetError;
use crate::channel::message::Message;
use crate::channel::queue::Memory;
use crate::channel::{codec, parcel};
use crate::layout::ParticipantId;
use crate::prim::event_count::WaitEnd;
use crate::prim::limits::Limits;
use crate::ring::frozen::{Frozen, FrozenBytes};
use crate::ring::held::Held;
use crate::ring::kept::{Kept, Leased};
use crate::ring::series::View;
use crate::ring::{Ring, Taken};
use crate::sync::atomic::Ordering::{Relaxed, SeqCst};
use crate::sync::fence;

impl<T: Message> BufferedQueue<T> {
    /// Takes the oldest message, waiting for one as long as it takes.
    ///
    /// The message is this process's from the moment its slot is free, just before the call returns: killed
    /// earlier, it goes to another getter, marked `redelivered`; killed later, it is lost with the process. Who must
    /// not lose work uses [`get_ref`](Self::get_ref).
    ///
    /// Cost: one atomic read-modify-write, one store, and the making of the value. Once a segment: the lock of the queue, and
    /// the end of the segment, some microseconds.
    ///
    /// # Errors
    ///
    /// `Closed` when the queue is closed and drained; `TypeMismatch` if the bytes are not a `T`; `Other` with kind
    /// `Corrupt` if the type's own deserialisation refuses them. In these two the message is **consumed**: nobody else could
    /// make more of it, and it would stop every consumer. Any other error leaves it where it is.
    ///
    /// # Panics
    ///
    /// If the type's own deserialisation does; then the message goes back, marked as redelivered.
    pub fn get(&self) -> Result<T, GetError> {
        self.get_within(&Limits::NONE)
    }

    /// Takes the oldest message if there is one right now.
    ///
    /// Where another thread or process is just making the queue grow or shrink, it waits for that, for at most 20 ms.
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
    /// The message stays in the queue's keeping until the [lease](BufferedLease) is dropped: if this process dies before, it goes to
    /// another getter, marked [`redelivered`](BufferedLease::redelivered). A lease does not hold up the queue, and keeps no more of its
    /// memory than one segment. At least once, therefore: report results by an id.
    ///
    /// ```
    /// let q = processing::BufferedQueue::<(u64, String)>::new()?;
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
    /// As [`get`](Self::get); the type's deserialisation is not called here but by [`BufferedLease::to_owned`].
    pub fn get_ref(&self) -> Result<BufferedLease<'_, T>, GetError> {
        self.lease_within(&Limits::NONE)
    }

    /// [`get_ref`](Self::get_ref) if there is a message right now.
    ///
    /// # Errors
    ///
    /// `Empty`, and those of [`get`](Self::get).
    pub fn try_get_ref(&self) -> Result<BufferedLease<'_, T>, GetError> {
        self.lease_within(&Limits::TRY)
    }

    /// [`get_ref`](Self::get_ref), waiting for at most `timeout`.
    ///
    /// # Errors
    ///
    /// `Empty` when the time is up, and those of [`get`](Self::get).
    pub fn get_ref_timeout(&self, timeout: Duration) -> Result<BufferedLease<'_, T>, GetError> {
        self.lease_within(&deadline_in(timeout))
    }

    #[inline]
    fn get_within(&self, limits: &Limits<'_>) -> Result<T, GetError> {
        let me = self.me()?;
        let mut client = self.clients.take();
        let answer = self.get_one(&mut client, me, limits);
        self.clients.give(client);
        answer
    }

    #[inline(always)]
    pub(super) fn get_one(
        &self,
        client: &mut Client,
        me: ParticipantId,
        limits: &Limits<'_>,
    ) -> Result<T, GetError> {
        if let Some((view, taken)) = newest(&client.get, me) {
            return self.make(taken, &view.ring);
        }
        self.get_slow(client, me, limits)
    }

    #[cold]
    fn get_slow(&self, client: &mut Client, me: ParticipantId, limits: &Limits<'_>) -> Result<T, GetError> {
        let kept = self.find(client, me, limits)?;
        let ring = kept.ring().clone();
        kept.give(|taken| self.make(taken, &ring)).unwrap_or(Err(GetError::Empty))
    }

    /// The value of a claimed message, which is consumed.
    #[inline]
    fn make(&self, taken: Taken<'_, Memory>, ring: &Ring<Memory>) -> Result<T, GetError> {
        // The guard first: it tells others when the claim is back.
        let (back, taken) = (Back(&self.shared), taken);
        let Some(bytes) = taken.bytes() else {
            return self.make_of_block(taken, ring, back);
        };
        // A panic in here drops the claim: the message goes back. With an error it is consumed: it would be one for all.
        let answer = match codec::view::<T>(bytes) {
            Ok(value) => codec::own::<T>(value).map_err(GetError::Other),
            Err(_) => Err(GetError::TypeMismatch),
        };
        taken.store_commit();
        back.committed(ring);
        answer
    }

    /// Of a message in a block, perhaps with handles.
    fn make_of_block(
        &self,
        taken: Taken<'_, Memory>,
        ring: &Ring<Memory>,
        back: Back<'_>,
    ) -> Result<T, GetError> {
        let domain = &self.shared.structure.domain;
        let store = domain.store();
        let held = Held::new(taken, |reference| store.block(reference))?;
        let answer = match codec::view::<T>(held.bytes()) {
            Ok(value) => parcel::own::<T>(domain, &held, value).map_err(GetError::Other),
            Err(_) => Err(GetError::TypeMismatch),
        };
        // As above; but where this process is short of something, the message waits for another.
        if !matches!(&answer, Err(GetError::Other(error)) if error.is_passing()) {
            held.release_quietly();
            back.committed(ring);
        }
        answer
    }

    fn lease_within(&self, limits: &Limits<'_>) -> Result<BufferedLease<'_, T>, GetError> {
        let me = self.me()?;
        let mut client = self.clients.take();
        let kept = if let Some((view, taken)) = newest(&client.get, me) {
            Kept::new(&view.ring, taken.detach()).ok_or(GetError::Empty)
        } else {
            self.find(&mut client, me, limits).and_then(detach)
        };
        self.clients.give(client);
        let kept = kept?;
        self.shared.keep(kept.ring());
        let ring = kept.ring().clone();
        let leased =
            Leased::new(kept, self.shared.structure.store()).inspect_err(|_| self.shared.let_go(&ring))?;
        match Frozen::new(leased, |bytes| codec::view::<T>(bytes)) {
            Ok(value) => Ok(BufferedLease::new(value, self)),
            Err((leased, _)) => {
                self.release(leased);
                Err(GetError::TypeMismatch)
            }
        }
    }

    /// A claimed message; waits for one within the limits.
    #[cold]
    fn find(
        &self,
        client: &mut Client,
        me: ParticipantId,
        limits: &Limits<'_>,
    ) -> Result<Kept<Memory>, GetError> {
        let answer = self.find_within(client, me, limits);
        self.shared.after_get(&answer);
        answer
    }

    fn find_within(
        &self,
        client: &mut Client,
        me: ParticipantId,
        limits: &Limits<'_>,
    ) -> Result<Kept<Memory>, GetError> {
        let (shared, structure, domain) =
            (&*self.shared, &self.shared.structure, &self.shared.structure.domain);
        if limits.is_try() {
            let answer = structure.claim(&mut client.get, me, limits);
            if !matches!(answer, Err(GetError::Empty)) {
                return answer;
            }
            // A message may be in the hands of the dead: ask once.
            let mut blockers = client.get.iter().filter_map(|view| view.ring.get_blocker(&view.cursor));
            let met = blockers.any(|owner| domain.meet(owner));
            // A lease of the dead blocks nobody: who only ever tries would not hear of it.
            let again = met || domain.look_now_and_then();
            return if again { structure.claim(&mut client.get, me, limits) } else { answer };
        }
        let mut answer = Err(GetError::Empty);
        let mut empty = || {
            answer = structure.claim(&mut client.get, me, limits);
            matches!(answer, Err(GetError::Empty))
        };
        let run = &shared.empty_run;
        let end = shared.not_empty().wait(limits, &self.spinner, run, &mut empty, || domain.look_for_dead());
        if end == WaitEnd::TimedOut && domain.look_now_and_then() {
            empty();
        }
        if end == WaitEnd::Cancelled { Err(GetError::Cancelled) } else { answer }
    }

    pub(super) fn release(&self, leased: Leased<Memory>) {
        let ring = leased.ring();
        leased.release();
        if let Some(ring) = ring {
            self.shared.after_commit(&ring);
            self.shared.let_go(&ring);
        }
    }
}

/// A lease that was forgotten must end with the last handle: so not the lease keeps its segment, but this.
impl Shared {
    fn keep(&self, ring: &Arc<Ring<Memory>>) {
        let object = ring.memory().body();
        object.expect_claims();
        let mut leased = self.leased.lock().unwrap_or_else(PoisonError::into_inner);
        leased.entry(object.id()).or_insert_with(|| Lent { _ring: ring.clone(), leases: 0 }).leases += 1;
    }

    pub(super) fn let_go(&self, ring: &Ring<Memory>) {
        let id = ring.memory().body().id();
        let mut leased = self.leased.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = leased.get_mut(&id).is_some_and(|lent| {
            lent.leases -= 1;
            lent.leases == 0
        });
        let last = gone.then(|| leased.remove(&id));
        drop(leased);
        drop(last); // not under the lock: a segment may go with it
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let leased = mem::take(self.leased.get_mut().unwrap_or_else(PoisonError::into_inner));
        if !leased.is_empty() {
            // Messages come back with the last reference to their segments; others may sleep for them.
            drop((leased, mem::take(&mut self.ready)));
            if self.structure.domain.me().is_ok() {
                self.not_empty().wake_all();
            }
        }
    }
}

impl Shared {
    /// A message is consumed. Who waits for the end of a closed queue may see it now.
    #[inline]
    pub(super) fn after_commit(&self, ring: &Ring<Memory>) {
        // Pairs with the heavy fence of `close`: either it is seen here, or the commit is seen by those that `close` wakes.
        fence::light();
        if ring.is_closed() && self.structure.body.closed.load(Relaxed) != 0 {
            self.tell_closed();
        }
    }

    #[cold]
    fn tell_closed(&self) {
        fence::fence(SeqCst);
        self.not_empty().wake_all();
    }
}

/// A message of the newest segment that the client knows, if the others (mostly there are none) hold nothing: the fast path.
#[inline(always)]
pub(super) fn newest(
    views: &[View<Memory>],
    me: ParticipantId,
) -> Option<(&View<Memory>, Taken<'_, Memory>)> {
    let (view, older) = views.split_last()?;
    // What comes back to one of those from now on is redelivered, and need not come first.
    if older.iter().any(View::may_hold) {
        return None;
    }
    view.ring.claim_get(&view.cursor, me).ok().map(|taken| (view, taken))
}

/// Out of its slot: a slow holder must not pin it.
fn detach(kept: Kept<Memory>) -> Result<Kept<Memory>, GetError> {
    let ring: Arc<Ring<Memory>> = kept.ring().clone();
    kept.give(|taken| Kept::new(&ring, taken.detach())).flatten().ok_or(GetError::Empty)
}

/// Of a claim: if it is not committed it goes back, and then somebody else is to know.
pub(super) struct Back<'q>(pub(super) &'q Shared);

impl Back<'_> {
    /// The message is consumed.
    #[inline(always)]
    pub(super) fn committed(self, ring: &Ring<Memory>) {
        self.0.after_commit(ring);
        mem::forget(self);
    }
}

impl Drop for Back<'_> {
    #[cold]
    fn drop(&mut self) {
        self.0.not_empty().notify(1);
    }
}
