//! A message read in place.

use std::fmt;
use std::ops::Deref;
use std::thread;

use super::BufferedQueue;
use crate::channel::message::Message;
use crate::channel::parcel;
use crate::channel::queue::Memory;
use crate::error::Result;
use crate::ring::frozen::Frozen;
use crate::ring::kept::Leased;

/// A message of a [`BufferedQueue`] that is read where it lies and is not consumed before the lease is dropped.
///
/// It derefs to the archived value. If the process dies first, another consumer gets the message, marked
/// [`redelivered`](Self::redelivered); [`put_back`](Self::put_back) gives it to another one at once. A lease stays in the
/// process that took it; the queue closes for consumers only when its leases have ended. One that was forgotten (`std::mem::forget`) ends as if its
/// holder had died, with the process's last handle of the queue or with the process.
///
/// A panic that unwinds through the lease gives the message back, too: the work was not done.
#[must_use = "dropping a lease consumes its message"]
pub struct BufferedLease<'q, T: Message> {
    value: Option<Frozen<Leased<Memory>, T::Archived>>,
    redeliveries: u8,
    queue: &'q BufferedQueue<T>,
}

impl<'q, T: Message> BufferedLease<'q, T> {
    pub(super) fn new(value: Frozen<Leased<Memory>, T::Archived>, queue: &'q BufferedQueue<T>) -> Self {
        Self { redeliveries: value.claim().redeliveries(), value: Some(value), queue }
    }

    /// Whether somebody had the message before and died, or gave it back: the work may have been done already.
    pub fn redelivered(&self) -> bool {
        self.redeliveries != 0
    }

    /// How often that happened; counts 1 to 7 and then from 1 again.
    pub fn redeliveries(&self) -> u32 {
        u32::from(self.redeliveries)
    }

    /// The value itself, made from the archive. The lease goes on.
    ///
    /// # Errors
    ///
    /// `Corrupt` if the type's own deserialisation refuses it; `Limit` if the message holds handles and this process
    /// has no room for more.
    pub fn to_owned(&self) -> Result<T> {
        let value = self.value.as_ref().unwrap_or_else(|| unreachable_lease());
        let domain = &self.queue.shared.structure.domain;
        value
            .claim()
            .with(|held| parcel::own::<T>(domain, held, value))
            .unwrap_or_else(|| unreachable_lease())
    }

    /// Gives the message back: another consumer gets it, marked as redelivered, out of order.
    pub fn put_back(mut self) {
        if let Some(value) = self.value.take() {
            self.give_back(value.into_claim());
        }
    }

    fn give_back(&self, leased: Leased<Memory>) {
        if self.queue.presence.id().is_none() {
            // A forked child: the claim is its parent's.
            std::mem::forget(leased);
        } else {
            // The claim's own drop gives it back.
            let ring = leased.ring();
            drop(leased);
            self.queue.shared.not_empty().notify(1);
            if let Some(ring) = ring {
                self.queue.shared.let_go(&ring);
            }
        }
    }
}

impl<T: Message> Deref for BufferedLease<'_, T> {
    type Target = T::Archived;

    #[inline]
    fn deref(&self) -> &T::Archived {
        match &self.value {
            Some(value) => value,
            None => unreachable_lease(),
        }
    }
}

impl<T: Message> Drop for BufferedLease<'_, T> {
    fn drop(&mut self) {
        let Some(value) = self.value.take() else { return };
        let leased = value.into_claim();
        if self.queue.presence.id().is_none() || thread::panicking() {
            // The work was not done.
            self.give_back(leased);
        } else {
            self.queue.release(leased);
        }
    }
}

#[cold]
fn unreachable_lease() -> ! {
    unreachable!("a lease has its value until it is dropped")
}

impl<T: Message<Archived: fmt::Debug>> fmt::Debug for BufferedLease<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BufferedLease").field(&**self).finish()
    }
}
