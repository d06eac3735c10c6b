//! The sending half.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::end::End;
#[cfg(feature = "async")]
use super::ready::{Announced, SocketSource, Wanted};
use crate::channel::codec::{self, TagCache};
use crate::channel::domain::deadline_in;
use crate::channel::message::Message;
#[cfg(feature = "async")]
use crate::channel::ready::Source;
use crate::error::{Error, ErrorKind, Result};
use crate::prim::event_count::SpinRun;
use crate::prim::limits::Limits;
use crate::prim::spin::{Spinner, WaitStrategy};
use crate::region::Presence;
use crate::ring::plain::plain_bytes;
use crate::ring::stream::{MappedRx, MappedTx, SendEnd, StreamTx, TrySend};

/// The tag of messages that are bytes and no value.
pub(super) const BYTES: u32 = 0;

/// The sending half of a [`Connection`](super::Connection); see there.
pub struct Sender {
    /// None: the messages go through the end's socket.
    pub(super) stream: Option<RefCell<StreamTx<MappedTx, MappedRx>>>,
    pub(super) tags: TagCache,
    pub(super) spinner: Spinner,
    /// Of waits for room in a socket.
    run: SpinRun,
    presence: Presence,
    pub(super) end: Arc<End>,
}

impl Sender {
    /// Whether this process may use the end.
    #[inline(always)]
    pub(super) fn check(&self) -> Result<()> {
        if self.presence.id().is_some() && !self.end.is_closed() { Ok(()) } else { self.end.check() }
    }

    pub(super) fn new(end: Arc<End>) -> Self {
        let index = end.index();
        let stream =
            end.rings().map(|rings| RefCell::new(StreamTx::new(rings.tx(index), rings.rx(1 - index))));
        Self {
            stream,
            run: SpinRun::default(),
            tags: TagCache::default(),
            spinner: Spinner::new(WaitStrategy::default()),
            presence: end.presence().clone(),
            end,
        }
    }

    pub(super) fn end(&self) -> &End {
        &self.end
    }

    pub(super) fn run(&self) -> &SpinRun {
        &self.run
    }

    /// See [`Connection::set_wait_strategy`](super::Connection::set_wait_strategy).
    pub fn set_wait_strategy(&mut self, strategy: WaitStrategy) {
        self.spinner = Spinner::new(strategy);
    }

    /// See [`Connection::send`](super::Connection::send).
    ///
    /// # Errors
    ///
    /// As there.
    #[inline]
    pub fn send<T: Message>(&self, value: &T) -> Result<()> {
        self.value(value, &Limits::NONE)
    }

    /// See [`Connection::try_send`](super::Connection::try_send).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn try_send<T: Message>(&self, value: &T) -> Result<()> {
        self.value(value, &Limits::TRY)
    }

    /// See [`Connection::send_timeout`](super::Connection::send_timeout).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn send_timeout<T: Message>(&self, value: &T, timeout: Duration) -> Result<()> {
        self.value(value, &deadline_in(timeout))
    }

    /// See [`Connection::send_bytes`](super::Connection::send_bytes).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn send_bytes(&self, bytes: &[u8]) -> Result<()> {
        self.bytes(BYTES, bytes, &Limits::NONE)
    }

    /// See [`Connection::try_send_bytes`](super::Connection::try_send_bytes).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn try_send_bytes(&self, bytes: &[u8]) -> Result<()> {
        self.bytes(BYTES, bytes, &Limits::TRY)
    }

    /// See [`Connection::send_bytes_timeout`](super::Connection::send_bytes_timeout).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn send_bytes_timeout(&self, bytes: &[u8], timeout: Duration) -> Result<()> {
        self.bytes(BYTES, bytes, &deadline_in(timeout))
    }

    /// Closes the whole end, also for the other half.
    ///
    /// # Errors
    ///
    /// `WrongProcess` if the handle was inherited through a fork.
    pub fn close(&self) -> Result<()> {
        self.end.close()
    }

    /// The tag of a type's messages.
    #[cfg(feature = "async")]
    pub(super) fn tag<T: Message>(&self) -> u32 {
        self.tags.tag::<T>()
    }

    /// Sends what there is room for of a message, of which `sent` bytes went before. None: there is more.
    #[cfg(feature = "async")]
    pub(super) fn send_some(&mut self, tag: u32, bytes: &[u8], sent: &mut usize) -> Option<Result<()>> {
        if let Err(error) = self.check() {
            return Some(Err(error));
        }
        let Some(stream) = &mut self.stream else {
            return match self.end.through() {
                Ok(wired) => self.try_through(wired, tag, bytes),
                Err(error) => Some(Err(error)),
            };
        };
        match stream.get_mut().send_some(tag, bytes, *sent, &self.spinner) {
            Ok(all) if all == bytes.len() => Some(Ok(())),
            Ok(some) => {
                *sent = some;
                None
            }
            Err(TrySend::Full) => None,
            Err(end) => Some(Err(self.refused(end, bytes.len()))),
        }
    }

    /// What others may watch until there is room. None: there is, or never will be.
    #[cfg(feature = "async")]
    pub(super) fn source(&mut self) -> Result<Option<Arc<dyn Source>>> {
        if self.end.is_closed() {
            return Ok(None);
        }
        let Some(stream) = &mut self.stream else {
            return SocketSource::of(&self.end, Wanted::Room);
        };
        let announced = stream.get_mut().watch();
        if announced.is_none() {
            self.unwatch();
        }
        Ok(announced.map(|announced| Arc::new(Announced::new(&self.end, End::peer_reads, announced)) as _))
    }

    /// Nobody sleeps elsewhere any more.
    #[cfg(feature = "async")]
    pub(super) fn unwatch(&mut self) {
        if let Some(stream) = &mut self.stream {
            stream.get_mut().unwatch();
        }
    }

    #[inline]
    pub(super) fn value<T: Message>(&self, value: &T, limits: &Limits<'_>) -> Result<()> {
        let tag = self.tags.tag::<T>();
        match plain_bytes(value) {
            Some(bytes) => self.bytes(tag, bytes, limits),
            None => codec::encode(value, |bytes| self.bytes(tag, bytes, limits))?,
        }
    }

    #[inline]
    fn bytes(&self, tag: u32, bytes: &[u8], limits: &Limits<'_>) -> Result<()> {
        self.check()?;
        let Some(stream) = &self.stream else {
            return self.send_through(tag, bytes, limits);
        };
        let mut stream = stream.try_borrow_mut().map_err(|_| self.end.busy_error())?;
        if limits.is_try() {
            return stream.try_send(tag, bytes).map_err(|end| self.refused(end, bytes.len()));
        }
        stream
            .send(tag, bytes, limits, &self.spinner, || self.end.peer_is_gone())
            .map_err(|end| self.given_up(end, limits))
    }

    #[cold]
    pub(super) fn refused(&self, end: TrySend, len: usize) -> Error {
        match end {
            TrySend::Full => {
                Error::new(ErrorKind::Full, self.end.name(), "there is no room for the message now")
            }
            TrySend::Larger => Error::new(
                ErrorKind::TooLarge,
                self.end.name(),
                format!("a message of {len} bytes is larger than the pipe's buffer"),
            )
            .hint("use send, which passes it through in pieces"),
            TrySend::Closed => self.end.closed_error(),
            TrySend::Fault(fault) => Error::new(ErrorKind::Corrupt, self.end.name(), fault.to_string()),
        }
    }

    #[cold]
    pub(super) fn given_up(&self, end: SendEnd, limits: &Limits<'_>) -> Error {
        match end {
            SendEnd::TimedOut => {
                self.end.late_error(limits, ErrorKind::Full, "no room in time; nothing was delivered")
            }
            SendEnd::Cancelled => Error::new(ErrorKind::Cancelled, self.end.name(), "the wait was cancelled"),
            SendEnd::Closed | SendEnd::PeerGone => self.end.closed_error(),
            SendEnd::Fault(fault) => Error::new(ErrorKind::Corrupt, self.end.name(), fault.to_string()),
        }
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<Sender({})>", self.end.name())
    }
}
