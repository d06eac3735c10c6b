//! The half of a queue that gets.

use std::time::Duration;

#[cfg(doc)]
use super::Queue;
use super::{Consumer, DeadLetter, Lease, QueueStats};
use crate::channel::errors::GetError;
use crate::channel::message::Message;

impl<T: Message> Consumer<T> {
    /// See [`Queue::get`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn get(&self) -> Result<T, GetError> {
        self.queue.get()
    }

    /// See [`Queue::try_get`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn try_get(&self) -> Result<T, GetError> {
        self.queue.try_get()
    }

    /// See [`Queue::get_timeout`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn get_timeout(&self, timeout: Duration) -> Result<T, GetError> {
        self.queue.get_timeout(timeout)
    }

    /// See [`Queue::get_many`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn get_many(&self, max: usize) -> Result<Vec<T>, GetError> {
        self.queue.get_many(max)
    }

    /// See [`Queue::try_get_many`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn try_get_many(&self, max: usize) -> Result<Vec<T>, GetError> {
        self.queue.try_get_many(max)
    }

    /// See [`Queue::get_many_timeout`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn get_many_timeout(&self, max: usize, timeout: Duration) -> Result<Vec<T>, GetError> {
        self.queue.get_many_timeout(max, timeout)
    }

    /// See [`Queue::get_ref`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn get_ref(&self) -> Result<Lease<'_, T>, GetError> {
        self.queue.get_ref()
    }

    /// See [`Queue::try_get_ref`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn try_get_ref(&self) -> Result<Lease<'_, T>, GetError> {
        self.queue.try_get_ref()
    }

    /// See [`Queue::get_ref_timeout`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn get_ref_timeout(&self, timeout: Duration) -> Result<Lease<'_, T>, GetError> {
        self.queue.get_ref_timeout(timeout)
    }

    /// See [`Queue::dead_letters`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn dead_letters(&self) -> crate::Result<Vec<DeadLetter<T>>> {
        self.queue.dead_letters()
    }

    /// See [`Queue::take_dead_letter`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn take_dead_letter(&self) -> Result<Option<Lease<'_, T>>, GetError> {
        self.queue.take_dead_letter()
    }
}

impl<T> Consumer<T> {
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
