//! Feature `async`: getting and putting without a thread for each wait.

use std::future::Future;
use std::sync::Arc;

use super::sink::QueueSink;
use super::stream::QueueStream;
use super::{Lease, Queue};
use crate::channel::errors::{GetError, PutError};
use crate::channel::message::Message;
use crate::channel::ready::{Attempt, Source, Wait};
use crate::error::Result;
use crate::ring::policy::WhenFull;

impl<T: Message> Queue<T> {
    /// [`get`](Self::get) without a thread for the wait. With the feature `async`, under any runtime.
    ///
    /// Dropped before it is ready, the future has taken nothing, and a message that it was woken for goes to another. A message that is there is
    /// taken by the poll that says so, with which it is this process's, as with `get`.
    ///
    /// If the process of a producer dies, the future goes on as a `get` would: with the next message, or with `Closed`, at
    /// the latest a second later.
    ///
    /// Cost: if there is a message, as `get`. Else see [`as_fd`](Self::as_fd), also for the **one thread** of the process that sleeps for all
    /// futures and descriptors: a message wakes it, and it all tasks of this process that wait for this queue.
    ///
    /// # Errors
    ///
    /// Those of `get`; `Other` with kind `Os` if that thread cannot be started.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let q = processing::Queue::<u64>::new(4)?;
    /// let (got, put) = tokio::join!(q.get_async(), q.put_async(&7));
    /// put?;
    /// assert_eq!(got?, 7);
    /// # Ok(())
    /// # }
    /// ```
    pub fn get_async(&self) -> impl Future<Output = Result<T, GetError>> + Send {
        Wait::new(GetAttempt(self))
    }

    /// [`get_ref`](Self::get_ref) without a thread for the wait; else as [`get_async`](Self::get_async). The lease stays on the thread
    /// that polls the future as it ends.
    ///
    /// # Errors
    ///
    /// Those of `get_ref`; `Other` with kind `Os` if the thread that sleeps cannot be started.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let q = processing::Queue::<String>::new(4)?;
    /// q.put_async(&"seven".into()).await?;
    /// assert_eq!(q.get_ref_async().await?.as_str(), "seven");
    /// # Ok(())
    /// # }
    /// ```
    pub fn get_ref_async(&self) -> impl Future<Output = Result<Lease<'_, T>, GetError>> + Send {
        Wait::new(LeaseAttempt(self))
    }

    /// [`put`](Self::put) without a thread for the wait. With the feature `async`, under any runtime.
    ///
    /// Dropped before it is ready, the future has put nothing, and room that it was woken for is told to another. The value is serialised anew
    /// by each poll that finds room.
    ///
    /// Cost: see [`get_async`](Self::get_async).
    ///
    /// # Errors
    ///
    /// Those of `put`; `Other` with kind `Os` if the thread that sleeps cannot be started.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let q = processing::Queue::<u64>::new(1)?;
    /// q.put_async(&1).await?;
    /// let wait = std::time::Duration::from_millis(1);
    /// assert!(tokio::time::timeout(wait, q.put_async(&2)).await.is_err(), "it is full");
    /// assert_eq!(q.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn put_async<'a>(&'a self, value: &'a T) -> impl Future<Output = Result<(), PutError>> + Send
    where
        T: Sync,
    {
        Wait::new(PutAttempt { queue: self, value })
    }

    /// Its messages as a [`futures_core::Stream`], see [`QueueStream`]. With the feature `async`.
    pub fn stream(&self) -> QueueStream<T> {
        QueueStream::over(self.clone())
    }

    /// Where messages go, as a [`futures_sink::Sink`], see [`QueueSink`]. With the feature `async`.
    pub fn sink(&self) -> QueueSink<T> {
        QueueSink::over(self.clone())
    }
}

/// Of one get.
pub(super) struct GetAttempt<'a, T>(pub(super) &'a Queue<T>);

impl<T: Message> Attempt for GetAttempt<'_, T> {
    type Got = T;
    type Error = GetError;

    fn attempt(&mut self, _again: bool) -> Option<Result<T, GetError>> {
        unless_empty(self.0.try_get())
    }

    fn source(&mut self) -> Result<Option<Arc<dyn Source>>> {
        self.0.shared.message_source().map(Some)
    }
}

/// Of one lease.
struct LeaseAttempt<'a, T>(&'a Queue<T>);

impl<'a, T: Message> Attempt for LeaseAttempt<'a, T> {
    type Got = Lease<'a, T>;
    type Error = GetError;

    fn attempt(&mut self, _again: bool) -> Option<Result<Lease<'a, T>, GetError>> {
        unless_empty(self.0.try_get_ref())
    }

    fn source(&mut self) -> Result<Option<Arc<dyn Source>>> {
        self.0.shared.message_source().map(Some)
    }
}

/// Of one put.
pub(super) struct PutAttempt<'a, T> {
    pub(super) queue: &'a Queue<T>,
    pub(super) value: &'a T,
}

impl<T: Message> Attempt for PutAttempt<'_, T> {
    type Got = ();
    type Error = PutError;

    fn attempt(&mut self, again: bool) -> Option<Result<(), PutError>> {
        // Nothing is serialised in vain.
        if again && self.queue.shared.is_full_for(&self.queue.cursor) {
            return None;
        }
        match self.queue.try_put(self.value) {
            Err(PutError::Full) if self.queue.shared.when_full != WhenFull::Fail => None,
            end => Some(end),
        }
    }

    fn source(&mut self) -> Result<Option<Arc<dyn Source>>> {
        self.queue.shared.room_source().map(Some)
    }
}

fn unless_empty<V>(got: Result<V, GetError>) -> Option<Result<V, GetError>> {
    match got {
        Err(GetError::Empty) => None,
        end => Some(end),
    }
}
