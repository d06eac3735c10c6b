//! Feature `async`: getting without a thread for each wait. There is nothing to wait for in a put.

use std::future::Future;
use std::sync::Arc;

use super::stream::BufferedStream;
use super::{BufferedLease, BufferedQueue};
use crate::channel::errors::GetError;
use crate::channel::message::Message;
use crate::channel::ready::{Attempt, Source, Wait};
use crate::error::Result;

impl<T: Message> BufferedQueue<T> {
    /// [`get`](Self::get) without a thread for the wait. With the feature `async`, under any runtime.
    ///
    /// Dropped before it is ready, the future has taken nothing, and a message that it was woken for goes to another. A message that is there is
    /// taken by the poll that says so, with which it is this process's, as with `get`.
    ///
    /// If the process of a producer dies, the future goes on as a `get` would: with the next message, or with `Closed`, at
    /// the latest a second later.
    ///
    /// Cost: if there is a message, as `get`. Else see [`as_fd`](Self::as_fd), also for the **one thread** of the process that sleeps for all
    /// futures and descriptors: a message wakes it, and it all tasks of this process that wait for this queue. A poll waits for nobody
    /// but, for at most 20 ms, for who is just making the queue grow or shrink, as [`try_get`](Self::try_get) does.
    ///
    /// # Errors
    ///
    /// Those of `get`; `Other` with kind `Os` if that thread cannot be started.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let q = processing::BufferedQueue::<u64>::new()?;
    /// let (got, put) = tokio::join!(q.get_async(), async { q.put(&7) });
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
    /// let q = processing::BufferedQueue::<String>::new()?;
    /// q.put(&"seven".into())?;
    /// assert_eq!(q.get_ref_async().await?.as_str(), "seven");
    /// # Ok(())
    /// # }
    /// ```
    pub fn get_ref_async(&self) -> impl Future<Output = Result<BufferedLease<'_, T>, GetError>> + Send {
        Wait::new(LeaseAttempt(self))
    }

    /// Its messages as a [`futures_core::Stream`], see [`BufferedStream`]. With the feature `async`.
    pub fn stream(&self) -> BufferedStream<T> {
        BufferedStream::over(self.clone())
    }
}

/// Of one get.
pub(super) struct GetAttempt<'a, T>(pub(super) &'a BufferedQueue<T>);

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
struct LeaseAttempt<'a, T>(&'a BufferedQueue<T>);

impl<'a, T: Message> Attempt for LeaseAttempt<'a, T> {
    type Got = BufferedLease<'a, T>;
    type Error = GetError;

    fn attempt(&mut self, _again: bool) -> Option<Result<BufferedLease<'a, T>, GetError>> {
        unless_empty(self.0.try_get_ref())
    }

    fn source(&mut self) -> Result<Option<Arc<dyn Source>>> {
        self.0.shared.message_source().map(Some)
    }
}

fn unless_empty<V>(got: Result<V, GetError>) -> Option<Result<V, GetError>> {
    match got {
        Err(GetError::Empty) => None,
        end => Some(end),
    }
}
