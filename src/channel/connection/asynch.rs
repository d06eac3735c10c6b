//! Feature `async`: sending and receiving without a thread for each wait.

use std::borrow::Cow;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use super::{Connection, Receiver, Sender};
use crate::channel::codec;
use crate::channel::message::Message;
use crate::channel::ready::{Attempt, Source, Wait};
use crate::error::{Error, ErrorKind, Result};
use crate::ring::plain::plain_bytes;

impl Connection {
    /// [`recv`](Self::recv) without a thread for the wait. With the feature `async`, under any runtime.
    ///
    /// It borrows the end mutably, so that a task may own the end and move between threads; [`split`](Self::split) lets one task
    /// send and receive at once.
    ///
    /// Dropped before it is ready, the future has taken nothing: what had come of a long message is kept for the next receive. If the process at the other end
    /// dies, the future ends as `recv` does, at the latest a second later.
    ///
    /// Cost: if there is a message, as `recv`. Else see [`Queue::as_fd`](crate::Queue::as_fd), also for the **one thread** of the process that
    /// sleeps for all futures and descriptors.
    ///
    /// # Errors
    ///
    /// Those of `recv`; `Os` if that thread cannot be started.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> processing::Result<()> {
    /// let (mut a, mut b) = processing::pipe()?;
    /// let (got, sent) = tokio::join!(b.recv_async::<String>(), async { a.send_async(&"hello".to_owned()).await });
    /// sent?;
    /// assert_eq!(got?, "hello");
    /// # Ok(())
    /// # }
    /// ```
    pub fn recv_async<T: Message>(&mut self) -> impl Future<Output = Result<T>> + Send {
        self.receiver.recv_async()
    }

    /// [`send`](Self::send) without a thread for the wait. With the feature `async`, under any runtime.
    ///
    /// The value is serialised once, before the future waits. One over 56 bytes goes out in pieces, as with `send`. Dropped before it is ready, the future has delivered
    /// nothing: the other end forgets what had come of the message.
    ///
    /// Borrowing, death of the other end, cost: see [`recv_async`](Self::recv_async).
    ///
    /// # Errors
    ///
    /// Those of `send`; `Os` if the thread that sleeps cannot be started.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> processing::Result<()> {
    /// let (mut a, b) = processing::pipe()?;
    /// a.send_async(&vec![1u8, 2, 3]).await?;
    /// assert_eq!(b.recv::<Vec<u8>>()?, [1, 2, 3]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn send_async<'a, T: Message + Sync>(
        &'a mut self,
        value: &'a T,
    ) -> impl Future<Output = Result<()>> + Send {
        self.sender.send_async(value)
    }
}

impl Receiver {
    /// See [`Connection::recv_async`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn recv_async<T: Message>(&mut self) -> impl Future<Output = Result<T>> + Send {
        Wait::new(RecvAttempt { receiver: self, value: PhantomData })
    }
}

impl Sender {
    /// See [`Connection::send_async`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn send_async<'a, T: Message + Sync>(
        &'a mut self,
        value: &'a T,
    ) -> impl Future<Output = Result<()>> + Send {
        let tag = self.tag::<T>();
        let bytes = match plain_bytes(value) {
            Some(bytes) => Ok(Cow::Borrowed(bytes)),
            None => codec::encode(value, |bytes| Cow::Owned(bytes.to_vec())),
        };
        Wait::new(SendAttempt { sender: self, tag, bytes: Some(bytes), sent: 0 })
    }
}

/// Of one receive.
struct RecvAttempt<'a, T> {
    receiver: &'a mut Receiver,
    value: PhantomData<fn() -> T>,
}

impl<T: Message> Attempt for RecvAttempt<'_, T> {
    type Got = T;
    type Error = Error;

    fn attempt(&mut self, _again: bool) -> Option<Result<T>> {
        match self.receiver.try_recv() {
            Err(error) if error.kind() == ErrorKind::Empty => None,
            end => Some(end),
        }
    }

    fn source(&mut self) -> Result<Option<Arc<dyn Source>>> {
        self.receiver.source()
    }
}

impl<T> Drop for RecvAttempt<'_, T> {
    fn drop(&mut self) {
        self.receiver.unwatch();
    }
}

/// Of one send.
struct SendAttempt<'a> {
    sender: &'a mut Sender,
    tag: u32,
    /// None: the error that it was has been told.
    bytes: Option<Result<Cow<'a, [u8]>>>,
    /// How many of them are sent.
    sent: usize,
}

impl Attempt for SendAttempt<'_> {
    type Got = ();
    type Error = Error;

    fn attempt(&mut self, _again: bool) -> Option<Result<()>> {
        let bytes = match self.bytes.take()? {
            Ok(bytes) => bytes,
            Err(error) => return Some(Err(error)),
        };
        let end = self.sender.send_some(self.tag, &bytes, &mut self.sent);
        self.bytes = Some(Ok(bytes));
        end
    }

    fn source(&mut self) -> Result<Option<Arc<dyn Source>>> {
        self.sender.source()
    }
}

impl Drop for SendAttempt<'_> {
    fn drop(&mut self) {
        self.sender.unwatch();
    }
}
