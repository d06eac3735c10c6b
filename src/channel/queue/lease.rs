//! A message read in place.

use std::fmt;
use std::ops::Deref;
use std::thread;

use super::{Kept, Queue};
use crate::channel::message::Message;
use crate::channel::{codec, parcel};
use crate::error::Result;
use crate::ring::frozen::Frozen;

/// A message that is read where it lies and is not consumed before the lease is dropped.
///
/// It derefs to the archived value. If the process dies first, another consumer gets the message, marked
/// [`redelivered`](Self::redelivered); [`put_back`](Self::put_back) gives it to another one at once. A lease stays in the
/// process and on the thread's stack that took it; the queue closes for consumers only when its leases
/// have ended. One that was forgotten (`std::mem::forget`) ends as if its holder had died, with the process's last handle of the
/// queue or with the process.
///
/// A panic that unwinds through the lease gives the message back, too: the work was not done.
///
/// Where the kernel carries the messages ([`Backend`](crate::Backend)) the lease is over a copy, which is consumed already: it dies
/// with its holder, and given back it is put at the end again, without a mark, or is lost if there is no room.
#[must_use = "dropping a lease consumes its message"]
pub struct Lease<'q, T: Message> {
    value: Option<Frozen<Kept<'q>, T::Archived>>,
    redeliveries: u8,
    queue: &'q Queue<T>,
}

impl<'q, T: Message> Lease<'q, T> {
    pub(super) fn new(value: Frozen<Kept<'q>, T::Archived>, redeliveries: u8, queue: &'q Queue<T>) -> Self {
        Self { value: Some(value), redeliveries, queue }
    }

    /// Whether somebody had the message before and died, or gave it back: the work may have been done already.
    pub fn redelivered(&self) -> bool {
        self.redeliveries != 0
    }

    /// How often that happened; beyond 7 the count means no more than "often".
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
        match &self.value {
            Some(value) => match value.claim() {
                Kept::Claimed(held) => parcel::own::<T>(&self.queue.shared.domain, held, value),
                Kept::Copied(_) => codec::own::<T>(value),
            },
            None => unreachable_lease(),
        }
    }

    /// Gives the message back: another consumer gets it, marked as redelivered, out of order.
    pub fn put_back(mut self) {
        let Some(value) = self.value.take() else { return };
        // In a forked child the claim is its parent's.
        if self.queue.shared.domain.me().is_err() {
            std::mem::forget(value);
        } else {
            self.queue.give_back(value.into_claim());
        }
    }
}

impl<T> Queue<T> {
    /// A message was not used.
    fn give_back(&self, kept: Kept<'_>) {
        match (kept, &self.shared.kernel) {
            (Kept::Copied(bytes), Some(kernel)) => self.put_again(kernel, &bytes),
            // Its own drop does it.
            (kept, _) => drop(kept),
        }
    }
}

impl<T: Message> Deref for Lease<'_, T> {
    type Target = T::Archived;

    #[inline]
    fn deref(&self) -> &T::Archived {
        match &self.value {
            Some(value) => value,
            None => unreachable_lease(),
        }
    }
}

impl<T: Message> Drop for Lease<'_, T> {
    fn drop(&mut self) {
        let Some(value) = self.value.take() else { return };
        let held = value.into_claim();
        if self.queue.presence.id().is_none() {
            // A forked child: the claim is its parent's.
            std::mem::forget(held);
        } else if thread::panicking() {
            // The work was not done.
            self.queue.give_back(held);
        } else {
            held.release();
        }
    }
}

#[cold]
fn unreachable_lease() -> ! {
    unreachable!("a lease has its value until it is dropped")
}

impl<T: Message<Archived: fmt::Debug>> fmt::Debug for Lease<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lease").field(&**self).finish()
    }
}
