//! A buffered queue's messages as a `Stream`.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use super::BufferedQueue;
use super::asynch::GetAttempt;
use crate::channel::errors::GetError;
use crate::channel::message::Message;
use crate::channel::ready::Waiting;

/// The messages of a [`BufferedQueue`], as they are got: made by [`BufferedQueue::stream`].
///
/// It ends when the queue is closed and drained. Any other error is an item, and the next one may be a message again. It takes a message when it
/// is polled and not before: dropped, it leaves the rest in the queue, and a message that it was woken for goes to another. Several
/// streams of one queue share its messages, as several getters do. Cost, and the one thread: see
/// [`BufferedQueue::get_async`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use futures_util::StreamExt;
///
/// let q = processing::BufferedQueue::<u64>::new()?;
/// q.put(&1)?;
/// q.put(&2)?;
/// q.close()?;
/// let mut stream = q.stream();
/// let mut sum = 0;
/// while let Some(message) = stream.next().await {
///     sum += message?;
/// }
/// assert_eq!(sum, 3);
/// # Ok(())
/// # }
/// ```
#[must_use = "a stream does nothing unless it is polled"]
pub struct BufferedStream<T> {
    /// First: it leaves the registry before the handle goes.
    waiting: Waiting,
    queue: BufferedQueue<T>,
}

impl<T> BufferedStream<T> {
    pub(super) fn over(queue: BufferedQueue<T>) -> Self {
        Self { waiting: Waiting::default(), queue }
    }
}

impl<T: Message> Stream for BufferedStream<T> {
    type Item = Result<T, GetError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { waiting, queue } = self.get_mut();
        waiting.poll(&mut GetAttempt(queue), context).map(|end| match end {
            Err(GetError::Closed) => None,
            end => Some(end),
        })
    }
}

impl<T> fmt::Debug for BufferedStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BufferedStream").field(&self.queue).finish()
    }
}
