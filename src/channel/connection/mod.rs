//! `pipe()`: two connected ends that exchange messages both ways.

#[cfg(feature = "async")]
mod asynch;
mod backend;
mod body;
mod builder;
mod capabilities;
mod end;
mod ready;
mod receiver;
mod recv_many;
mod send_many;
mod sender;
mod socket;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rkyv::rancor::{Fallible, Source};
use rkyv::{Archive, Deserialize, Place, Serialize};

use super::domain::Arena;
use super::kind;
use super::message::Message;
use super::transfer;
use crate::error::Result;
use crate::layout::pipe::PIPE_LINES;
use crate::layout::stream::LINE_BYTES;
use crate::prim::spin::WaitStrategy;
use crate::ring::handle::ArchivedHandle;

pub use backend::PipeBackend;
pub(crate) use body::PipeBody;
pub use builder::ConnectionBuilder;
pub use capabilities::PipeCapabilities;
pub(crate) use end::End;
pub use receiver::Receiver;
pub use sender::Sender;

/// No message over a pipe is longer.
const LONGEST: u64 = 1 << 40;
/// The longest one that rings have room for at once: its length takes 8 bytes of its first line.
const LONGEST_TRY: u64 = (PIPE_LINES as usize * LINE_BYTES - 8) as u64;

/// A duplex pipe: two connected ends, in the arena of this process tree.
///
/// Each end is used by one process at a time; give one to a child as an argument. What one end sends, the other
/// receives, in order. See [`Connection`]; [`Connection::builder`] says what carries the messages, if not what the environment says.
///
/// ```
/// let (a, b) = processing::pipe()?;
/// a.send(&vec![1, 2, 3])?;
/// assert_eq!(b.recv::<Vec<i32>>()?, [1, 2, 3]);
/// b.send_bytes(b"thank you")?;
/// assert_eq!(a.recv_bytes()?, b"thank you");
/// # Ok::<(), processing::Error>(())
/// ```
///
/// # Errors
///
/// `OutOfMemory` or `Limit` if the arena is full, `Os` if it cannot be created; those of [`ConnectionBuilder::build`] if `PROCESSING_PIPE` is set.
pub fn pipe() -> Result<(Connection, Connection)> {
    pipe_in(&Arena::default())
}

/// [`pipe`] in an arena of the caller's choice.
///
/// # Errors
///
/// As [`pipe`].
pub fn pipe_in(arena: &Arena) -> Result<(Connection, Connection)> {
    Connection::builder().arena(arena).build()
}

/// One end of a [`pipe`].
///
/// # Guarantees
///
/// - Messages arrive whole and in order; a message of another type than asked for is an error and stays in place.
/// - A process killed in the middle of a `send` has sent the message or not; its peer receives what was sent, then
///   the end of the stream. A peer that waits learns of the death when the dead process's parent notices, at
///   the latest after one backstop (20 ms, doubling to 1 s while it waits).
/// - While nobody sleeps no call enters the kernel, and a message of up to 56 bytes travels in one cache line. (Over
///   [sockets](PipeBackend::Socket) it does: see [`capabilities`](Self::capabilities).)
///
/// # Not guaranteed
///
/// - What was sent and not yet received is lost with the receiving process.
///
/// An end can be moved between threads but not shared: one sender and one receiver, so that nothing needs an atomic
/// read-modify-write. [`split`](Self::split) gives the two halves to two threads. It travels as an argument of
/// a process.
pub struct Connection {
    sender: Sender,
    receiver: Receiver,
}

impl Connection {
    fn over(end: Arc<End>) -> Self {
        Self { sender: Sender::new(end.clone()), receiver: Receiver::new(end) }
    }

    /// Sets up a pipe: what carries its messages, its arena, how its ends wait.
    pub fn builder() -> ConnectionBuilder {
        ConnectionBuilder::default()
    }

    /// What carries the messages.
    pub fn backend(&self) -> PipeBackend {
        match self.sender.end().rings() {
            Some(_) => PipeBackend::Ring,
            None => PipeBackend::Socket,
        }
    }

    /// What this connection can do, depending on what carries its messages.
    ///
    /// ```
    /// let (a, _b) = processing::pipe()?;
    /// let long = vec![0; a.capabilities().longest_try.saturating_add(1).min(1 << 20) as usize];
    /// assert_eq!(a.try_send_bytes(&long).is_ok(), a.capabilities().whole);
    /// # Ok::<(), processing::Error>(())
    /// ```
    pub fn capabilities(&self) -> PipeCapabilities {
        self.sender.end().capabilities()
    }

    /// Sends a value, waiting while the pipe is full.
    ///
    /// # Errors
    ///
    /// `Closed` or `PeerDied` if nobody is left to receive it; `InvalidInput` if it cannot be serialised.
    pub fn send<T: Message>(&self, value: &T) -> Result<()> {
        self.sender.send(value)
    }

    /// Sends a value if there is room for all of it now.
    ///
    /// # Errors
    ///
    /// `Full` (nothing was sent), `TooLarge` if it is larger than the pipe's buffer, and those of [`send`](Self::send).
    pub fn try_send<T: Message>(&self, value: &T) -> Result<()> {
        self.sender.try_send(value)
    }

    /// [`send`](Self::send) for at most `timeout`.
    ///
    /// # Errors
    ///
    /// `Timeout` (the message was not delivered), and those of [`send`](Self::send).
    pub fn send_timeout<T: Message>(&self, value: &T, timeout: Duration) -> Result<()> {
        self.sender.send_timeout(value, timeout)
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_bytes(&self, bytes: &[u8]) -> Result<()> {
        self.sender.send_bytes(bytes)
    }

    /// Sends bytes if there is room for all of them now.
    ///
    /// # Errors
    ///
    /// As [`try_send`](Self::try_send).
    pub fn try_send_bytes(&self, bytes: &[u8]) -> Result<()> {
        self.sender.try_send_bytes(bytes)
    }

    /// [`send_bytes`](Self::send_bytes) for at most `timeout`.
    ///
    /// # Errors
    ///
    /// As [`send_timeout`](Self::send_timeout).
    pub fn send_bytes_timeout(&self, bytes: &[u8], timeout: Duration) -> Result<()> {
        self.sender.send_bytes_timeout(bytes, timeout)
    }

    /// Receives a value, waiting for one.
    ///
    /// # Errors
    ///
    /// `Closed` at the end of the stream, `PeerDied` if the other process died without closing; `TypeMismatch` if the
    /// next message is not a `T` (it stays in place); `Corrupt` if its bytes are not (it is consumed).
    pub fn recv<T: Message>(&self) -> Result<T> {
        self.receiver.recv()
    }

    /// Receives a value if one is there.
    ///
    /// # Errors
    ///
    /// `Empty`, and those of [`recv`](Self::recv).
    pub fn try_recv<T: Message>(&self) -> Result<T> {
        self.receiver.try_recv()
    }

    /// [`recv`](Self::recv) for at most `timeout`.
    ///
    /// # Errors
    ///
    /// `Timeout`, and those of [`recv`](Self::recv).
    pub fn recv_timeout<T: Message>(&self, timeout: Duration) -> Result<T> {
        self.receiver.recv_timeout(timeout)
    }

    /// Receives a message that was sent as bytes.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn recv_bytes(&self) -> Result<Vec<u8>> {
        self.receiver.recv_bytes()
    }

    /// Receives a message that was sent as bytes into `buffer`; its length.
    ///
    /// # Errors
    ///
    /// `BufferTooShort` if it does not fit: the error carries the whole message, which is consumed
    /// ([`Error::into_message`](crate::Error::into_message)). Else as [`recv`](Self::recv).
    pub fn recv_bytes_into(&self, buffer: &mut [u8]) -> Result<usize> {
        self.receiver.recv_bytes_into(buffer)
    }

    /// Whether a message, or the end of the stream, is there; waits for it at most `timeout`.
    ///
    /// # Errors
    ///
    /// `WrongProcess` if the handle was inherited through a fork.
    pub fn poll(&self, timeout: Duration) -> Result<bool> {
        self.receiver.poll(timeout)
    }

    /// How this end waits (default: adaptive).
    pub fn set_wait_strategy(&mut self, strategy: WaitStrategy) {
        self.sender.set_wait_strategy(strategy);
        self.receiver.set_wait_strategy(strategy);
    }

    /// The sending and the receiving half, for two threads. The end closes when both are gone.
    pub fn split(self) -> (Sender, Receiver) {
        (self.sender, self.receiver)
    }

    /// Closes this end: the peer receives what was sent, then the end of the stream. So does dropping it.
    ///
    /// # Errors
    ///
    /// `WrongProcess` if the handle was inherited through a fork.
    pub fn close(&self) -> Result<()> {
        self.sender.end().close()
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<Connection({})>", self.sender.end().name())
    }
}

impl Archive for Connection {
    type Archived = ArchivedHandle<Connection>;
    type Resolver = u32;

    fn resolve(&self, index: u32, out: Place<Self::Archived>) {
        ArchivedHandle::emplace(index, out);
    }
}

impl<S: Fallible<Error: Source> + ?Sized> Serialize<S> for Connection {
    fn serialize(&self, _: &mut S) -> Result<u32, S::Error> {
        let end = self.sender.end();
        self.receiver.settle().map_err(S::Error::new)?;
        transfer::export(end.child()).map_err(S::Error::new)
    }
}

impl<D: Fallible<Error: Source> + ?Sized> Deserialize<Connection, D> for ArchivedHandle<Connection> {
    fn deserialize(&self, _: &mut D) -> Result<Connection, D::Error> {
        let child = transfer::import(self.index()).map_err(D::Error::new)?;
        let end = End::received(child).map_err(D::Error::new)?;
        Ok(Connection::over(end))
    }
}
