//! Where messages of a queue go, as a `Sink`.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_sink::Sink;

use super::Queue;
use super::asynch::PutAttempt;
use crate::channel::errors::PutError;
use crate::channel::message::Message;
use crate::channel::ready::Waiting;

/// Puts messages into a [`Queue`]: made by [`Queue::sink`].
///
/// It holds one message at most, from `start_send` until it is put, which `poll_flush` and the next `poll_ready` do: `SinkExt::send` returns when the message is
/// in the queue, with all that `put` promises of it. What `feed` has left in the sink is lost with it, unless [`take`](Self::take) gets it back.
///
/// With an error the message stays in the sink, and the next attempt puts it again; `take` removes it. Closing the sink flushes it and does
/// not close the queue, which others may go on using. Cost, and the one thread: see [`Queue::get_async`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use futures_util::SinkExt;
///
/// let q = processing::Queue::<u64>::new(4)?;
/// let mut sink = q.sink();
/// sink.send(7).await?;
/// assert_eq!(q.get()?, 7);
/// # Ok(())
/// # }
/// ```
#[must_use = "a sink does nothing unless it is polled"]
pub struct QueueSink<T> {
    /// First: it leaves the registry before the handle goes.
    waiting: Waiting,
    held: Option<T>,
    queue: Queue<T>,
}

// Nothing in it is pinned.
impl<T> Unpin for QueueSink<T> {}

impl<T> QueueSink<T> {
    pub(super) fn over(queue: Queue<T>) -> Self {
        Self { waiting: Waiting::default(), held: None, queue }
    }

    /// The message that was accepted and is not in the queue, if there is one. The sink has it no more.
    pub fn take(&mut self) -> Option<T> {
        self.held.take()
    }
}

impl<T: Message> QueueSink<T> {
    /// Puts what is held.
    fn poll_put(&mut self, context: &mut Context<'_>) -> Poll<Result<(), PutError>> {
        if let Some(value) = &self.held {
            ready!(self.waiting.poll(&mut PutAttempt { queue: &self.queue, value }, context))?;
            self.held = None;
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: Message> Sink<T> for QueueSink<T> {
    type Error = PutError;

    fn poll_ready(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), PutError>> {
        self.get_mut().poll_put(context)
    }

    /// # Errors
    ///
    /// `Full` without a `poll_ready` that was ready before; the message is dropped.
    fn start_send(self: Pin<&mut Self>, value: T) -> Result<(), PutError> {
        let this = self.get_mut();
        if this.held.is_some() {
            return Err(PutError::Full);
        }
        this.held = Some(value);
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), PutError>> {
        self.get_mut().poll_put(context)
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), PutError>> {
        self.get_mut().poll_put(context)
    }
}

impl<T> fmt::Debug for QueueSink<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueSink").field("queue", &self.queue).field("held", &self.held.is_some()).finish()
    }
}
