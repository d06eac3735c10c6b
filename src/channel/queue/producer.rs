//! The half of a queue that puts.

use std::time::Duration;

#[cfg(doc)]
use super::Queue;
use super::{Producer, QueueStats, Reservation};
use crate::channel::errors::PutError;
use crate::channel::many_errors::PutManyError;
use crate::channel::message::Message;

impl<T: Message> Producer<T> {
    /// See [`Queue::put`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn put(&self, value: &T) -> Result<(), PutError> {
        self.queue.put(value)
    }

    /// See [`Queue::try_put`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn try_put(&self, value: &T) -> Result<(), PutError> {
        self.queue.try_put(value)
    }

    /// See [`Queue::put_timeout`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn put_timeout(&self, value: &T, timeout: Duration) -> Result<(), PutError> {
        self.queue.put_timeout(value, timeout)
    }

    /// See [`Queue::put_many`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn put_many(&self, values: &[T]) -> Result<(), PutManyError> {
        self.queue.put_many(values)
    }

    /// See [`Queue::try_put_many`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn try_put_many(&self, values: &[T]) -> Result<usize, PutManyError> {
        self.queue.try_put_many(values)
    }

    /// See [`Queue::put_many_timeout`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn put_many_timeout(&self, values: &[T], timeout: Duration) -> Result<(), PutManyError> {
        self.queue.put_many_timeout(values, timeout)
    }

    /// See [`Queue::reserve`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn reserve(&self, len: usize) -> Result<Reservation<'_, T>, PutError> {
        self.queue.reserve(len)
    }
}

impl Producer<Vec<u8>> {
    /// See [`Queue::reserve_bytes`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn reserve_bytes(&self, len: usize) -> Result<Reservation<'_, Vec<u8>>, PutError> {
        self.queue.reserve_bytes(len)
    }
}

impl<T> Producer<T> {
    /// See [`Queue::capacity`].
    pub fn capacity(&self) -> usize {
        self.queue.capacity()
    }

    /// See [`Queue::len`].
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// See [`Queue::is_empty`].
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// See [`Queue::is_full`].
    pub fn is_full(&self) -> bool {
        self.queue.is_full()
    }

    /// See [`Queue::is_closed`].
    pub fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }

    /// See [`Queue::stats`].
    pub fn stats(&self) -> QueueStats {
        self.queue.stats()
    }

    /// See [`Queue::close`]. For both halves.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn close(&self) -> crate::Result<()> {
        self.queue.close()
    }
}
