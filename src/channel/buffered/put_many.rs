//! Putting several messages with one wake-up.

use super::{BufferedQueue, Shared};
use crate::channel::many_errors::PutManyError;
use crate::channel::message::Message;
use crate::ring::plain::plain_bytes;

impl<T: Message> BufferedQueue<T> {
    /// Puts all messages, in order. It never waits for room.
    ///
    /// As so many [`put`](Self::put)s, with fewer wake-ups. Each message is in the queue, for everyone to take, before the next
    /// one is looked at: a batch is no transaction. Killed in it, some first part of the batch is in the queue. Sleeping getters are
    /// told at the end, after each 64 messages, and before a value is serialised. Messages of other producers may come between.
    ///
    /// ```
    /// let q = processing::BufferedQueue::<u64>::new()?;
    /// q.put_many(&[1, 2, 3])?;
    /// assert_eq!((q.get()?, q.get()?, q.get()?), (1, 2, 3));
    /// # Ok::<(), processing::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`PutManyError`]: how many messages are in, and the error of the next one, as [`put`](Self::put) would have given it.
    ///
    /// # Panics
    ///
    /// If the type's own serialisation does; the messages before that one are in the queue.
    pub fn put_many(&self, values: &[T]) -> Result<(), PutManyError> {
        let mut told = Flush { shared: &self.shared, count: 0 };
        for (n, value) in values.iter().enumerate() {
            if plain_bytes(value).is_none() {
                told.now();
            }
            self.put_quietly(value).map_err(|error| PutManyError::new(n, error))?;
            told.one_more();
        }
        Ok(())
    }
}

/// The most that are published with one notification: who sleeps is not to wait for a whole long batch.
const MOST: u32 = 64;

/// Messages of which sleeping getters are not told yet. They are when it is dropped.
struct Flush<'q> {
    shared: &'q Shared,
    count: u32,
}

impl Flush<'_> {
    #[inline]
    fn one_more(&mut self) {
        self.count += 1;
        if self.count == MOST {
            self.now();
        }
    }

    #[inline]
    fn now(&mut self) {
        if self.count > 0 {
            self.shared.not_empty().notify(self.count);
            self.count = 0;
        }
    }
}

impl Drop for Flush<'_> {
    fn drop(&mut self) {
        self.now();
    }
}
