//! Putting several messages with one wake-up.

use std::time::Duration;

use super::{Memory, Queue};
use crate::channel::domain::deadline_in;
use crate::channel::errors::PutError;
use crate::channel::many_errors::PutManyError;
use crate::channel::message::Message;
use crate::prim::limits::Limits;
use crate::ring::plain::plain_bytes;
use crate::ring::{PutClaim, PutFail, Ring};

impl<T: Message> Queue<T> {
    /// Puts all messages, in order, waiting for room as long as it takes.
    ///
    /// As so many [`put`](Self::put)s, with fewer wake-ups. Each message is in the queue, for everyone to take, before the next
    /// one is looked at: a batch is no transaction. Killed in it, some first part of the batch is in the queue. Sleeping getters are
    /// told at the end, after each 64 messages, and before anything that may take long (a wait for room, a value that has to
    /// be serialised): no message is held back. Messages of other producers may come between.
    ///
    /// ```
    /// let q = processing::Queue::<u64>::new(8)?;
    /// q.put_many(&[1, 2, 3])?;
    /// assert_eq!(q.get_many(8)?, [1, 2, 3]);
    /// # Ok::<(), processing::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`PutManyError`]: how many messages are in, and the error of the next one, as [`put`](Self::put) would have given it.
    /// One message that can never be put (`TooLarge`) so keeps those behind it out: go on behind it.
    ///
    /// # Panics
    ///
    /// If the type's own serialisation does; the messages before that one are in the queue.
    pub fn put_many(&self, values: &[T]) -> Result<(), PutManyError> {
        self.put_many_within(values, &Limits::NONE)
    }

    /// Puts as many messages as there is room for right now, from the start of the slice; how many.
    ///
    /// No room is no error here: the answer is then less than the length, perhaps 0.
    ///
    /// # Errors
    ///
    /// As [`put_many`](Self::put_many), but for `Full`.
    pub fn try_put_many(&self, values: &[T]) -> Result<usize, PutManyError> {
        match self.put_many_within(values, &Limits::TRY) {
            Ok(()) => Ok(values.len()),
            Err(error) if error.error().is_full() => Ok(error.put()),
            Err(error) => Err(error),
        }
    }

    /// [`put_many`](Self::put_many), waiting for room for at most `timeout` in all.
    ///
    /// # Errors
    ///
    /// `Full` when the time is up, with the number of those that are in, and those of [`put_many`](Self::put_many).
    pub fn put_many_timeout(&self, values: &[T], timeout: Duration) -> Result<(), PutManyError> {
        self.put_many_within(values, &deadline_in(timeout))
    }

    fn put_many_within(&self, values: &[T], limits: &Limits<'_>) -> Result<(), PutManyError> {
        let mut told = Flush { ring: &self.shared.ring, count: 0, last: 0 };
        for (n, value) in values.iter().enumerate() {
            let one = match plain_bytes(value) {
                Some(bytes) if bytes.len() <= self.shared.plain_room && self.shared.kernel.is_none() => {
                    self.put_quietly(bytes, &mut told, limits)
                }
                _ => {
                    told.now();
                    self.put_within(value, limits)
                }
            };
            one.map_err(|error| PutManyError::new(n, error))?;
        }
        Ok(())
    }

    #[inline]
    fn put_quietly(&self, bytes: &[u8], told: &mut Flush<'_>, limits: &Limits<'_>) -> Result<(), PutError> {
        let me = self.me()?;
        let mut claim = match self.shared.ring.claim_put(&self.cursor, me) {
            Ok(claim) => claim,
            Err(PutFail::Closed) => return Err(PutError::Closed),
            Err(PutFail::Full) => {
                told.now();
                self.claim_when_free(me, limits)?
            }
        };
        if let Some(room) = claim.bytes_mut().get_mut(..bytes.len()) {
            room.copy_from_slice(bytes);
        }
        told.publish(claim, bytes.len());
        Ok(())
    }
}

/// The most that are published with one notification: who sleeps is not to wait for a whole long batch.
const MOST: u32 = 64;

/// Messages that are published, and of which sleeping getters are not told yet. They are when it is dropped.
struct Flush<'q> {
    ring: &'q Ring<Memory>,
    count: u32,
    last: u64,
}

impl Flush<'_> {
    #[inline(always)]
    fn publish(&mut self, claim: PutClaim<'_, Memory>, len: usize) {
        self.last = claim.ticket();
        self.count += 1;
        claim.store_inline(len);
        if self.count == MOST {
            self.now();
        }
    }

    #[inline]
    fn now(&mut self) {
        if self.count > 0 {
            self.ring.notify_published(self.count, self.last);
            self.count = 0;
        }
    }
}

impl Drop for Flush<'_> {
    fn drop(&mut self) {
        self.now();
    }
}
