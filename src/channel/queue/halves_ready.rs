//! The halves of a queue in `select`, by a descriptor, and (feature `async`) as futures.

#[cfg(feature = "async")]
use std::future::Future;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use super::Consumer;
#[cfg(doc)]
use super::Queue;
#[cfg(feature = "async")]
use super::{Lease, Producer};
use crate::channel::domain::Domain;
#[cfg(feature = "async")]
use crate::channel::errors::{GetError, PutError};
#[cfg(feature = "async")]
use crate::channel::message::Message;
use crate::channel::ready::sealed::Selects;
use crate::error::Result;
use crate::prim::spin::Spinner;
use crate::prim::watch::Watch;

impl<T> Consumer<T> {
    /// See [`Queue::as_fd`]: readable, too, when the last producer is gone and everything was taken.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn as_fd(&self) -> Result<BorrowedFd<'_>> {
        self.queue.as_fd()
    }
}

impl<T> Selects for Consumer<T> {
    fn is_ready(&self) -> Result<bool> {
        self.queue.is_ready()
    }

    fn watch(&self) -> Result<Option<Watch>> {
        self.queue.watch()
    }

    fn word(&self) -> u32 {
        self.queue.word()
    }

    fn hand_on(&self) {
        self.queue.hand_on();
    }

    fn spinner(&self) -> &Spinner {
        self.queue.spinner()
    }

    fn domain(&self) -> &Arc<Domain> {
        self.queue.domain()
    }
}

#[cfg(feature = "async")]
impl<T: Message> Consumer<T> {
    /// See [`Queue::get_async`]. With the feature `async`.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn get_async(&self) -> impl Future<Output = Result<T, GetError>> + Send {
        self.queue.get_async()
    }

    /// See [`Queue::get_ref_async`]. With the feature `async`.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn get_ref_async(&self) -> impl Future<Output = Result<Lease<'_, T>, GetError>> + Send {
        self.queue.get_ref_async()
    }
}

#[cfg(feature = "async")]
impl<T: Message> Producer<T> {
    /// See [`Queue::put_async`]. With the feature `async`.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn put_async<'a>(&'a self, value: &'a T) -> impl Future<Output = Result<(), PutError>> + Send
    where
        T: Sync,
    {
        self.queue.put_async(value)
    }
}
