//! The receiving half.

use std::cell::{Cell, RefCell, RefMut};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::LONGEST;
use super::end::End;
use super::ready::{Announced, SocketSource, Wanted};
use super::sender::BYTES;
use super::socket::{Missed, Wired};
use crate::channel::codec::{self, TagCache};
use crate::channel::domain::deadline_in;
use crate::channel::message::Message;
use crate::channel::ready::{Readable, Source};
use crate::error::{Error, ErrorKind, Result};
use crate::layout::stream::LINE_BYTES;
use crate::prim::event_count::SpinRun;
use crate::prim::limits::Limits;
use crate::prim::spin::{Spinner, WaitStrategy};
use crate::prim::watch::Watch;
use crate::region::Presence;
use crate::ring::plain::plain_len;
use crate::ring::stream::{AwaitedLine, MappedRx, MappedTx, Next, RecvEnd, StreamRx};
use crate::sys::clock;

pub(super) type Stream = StreamRx<MappedTx, MappedRx>;

/// The receiving half of a [`Connection`](super::Connection); see there.
pub struct Receiver {
    /// First: it lets go of what is watched before that goes.
    readable: Readable,
    /// None: the messages come through the end's socket.
    pub(super) stream: Option<RefCell<Stream>>,
    pub(super) tags: TagCache,
    spinner: Spinner,
    /// Of waits for a message in a socket.
    run: SpinRun,
    /// A message that came through a socket is being made into a value.
    making: Cell<bool>,
    presence: Presence,
    end: Arc<End>,
}

impl Receiver {
    /// Whether this process may use the end.
    #[inline(always)]
    pub(super) fn check(&self) -> Result<()> {
        if self.presence.id().is_some() && !self.end.is_closed() { Ok(()) } else { self.end.check() }
    }

    /// The stream; not while a message is being made into a value, by whose code this is called then.
    #[inline(always)]
    pub(super) fn borrow<'a>(&self, stream: &'a RefCell<Stream>) -> Result<RefMut<'a, Stream>> {
        stream.try_borrow_mut().map_err(|_| self.end.busy_error())
    }

    /// The end's socket, as [`borrow`](Self::borrow) gives the stream.
    pub(super) fn through(&self) -> Result<Wired<'_>> {
        if self.making.get() { Err(self.end.busy_error()) } else { self.end.through() }
    }

    /// While `f` makes a message into a value, nothing is received.
    pub(super) fn making<R>(&self, f: impl FnOnce() -> R) -> R {
        struct Made<'a>(&'a Cell<bool>);
        impl Drop for Made<'_> {
            fn drop(&mut self) {
                self.0.set(false);
            }
        }
        self.making.set(true);
        let _made = Made(&self.making);
        f()
    }

    pub(super) fn new(end: Arc<End>) -> Self {
        let index = end.index();
        let stream =
            end.rings().map(|rings| RefCell::new(Stream::new(rings.tx(1 - index), rings.rx(index), LONGEST)));
        Self {
            readable: Readable::default(),
            stream,
            run: SpinRun::default(),
            making: Cell::new(false),
            tags: TagCache::default(),
            spinner: Spinner::new(WaitStrategy::default()),
            presence: end.presence().clone(),
            end,
        }
    }

    /// See [`Connection::set_wait_strategy`](super::Connection::set_wait_strategy).
    pub fn set_wait_strategy(&mut self, strategy: WaitStrategy) {
        self.spinner = Spinner::new(strategy);
    }

    pub(super) fn end(&self) -> &Arc<End> {
        &self.end
    }

    pub(super) fn readable(&self) -> &Readable {
        &self.readable
    }

    /// How it waits.
    pub(super) fn waits(&self) -> &Spinner {
        &self.spinner
    }

    pub(super) fn run(&self) -> &SpinRun {
        &self.run
    }

    /// Whether a message has come or begun to come, or none will.
    pub(super) fn has_something(&self) -> Result<bool> {
        self.end.check_process()?;
        if self.end.is_closed() {
            return Ok(true);
        }
        match &self.stream {
            Some(stream) => Ok(self.borrow(stream)?.peek() != Ok(Next::Empty)),
            None => Ok(!self.through()?.is_empty()),
        }
    }

    /// Announces a sleeper, for a `select`. None: there is something to look at.
    pub(super) fn watch(&self) -> Result<Option<Watch>> {
        match &self.stream {
            Some(stream) => Ok(self.announce(stream)?.map(|(watch, _)| watch)),
            None => {
                let wired = self.through()?;
                Ok(wired.wire.watch_message(|| wired.is_empty()))
            }
        }
    }

    fn announce(&self, stream: &RefCell<Stream>) -> Result<Option<(Watch, AwaitedLine<MappedTx>)>> {
        let announced = self.borrow(stream)?.watch();
        if announced.is_none() {
            self.unwatch();
        }
        Ok(announced)
    }

    /// Nobody sleeps elsewhere any more, but for the descriptor, if there is one.
    pub(super) fn unwatch(&self) {
        if !self.readable.is_made()
            && let Some(stream) = &self.stream
            && let Ok(mut stream) = self.borrow(stream)
        {
            stream.unwatch();
        }
    }

    /// What others may watch until there is something to look at. None: there is.
    pub(super) fn source(&self) -> Result<Option<Arc<dyn Source>>> {
        if self.end.is_closed() {
            return Ok(None);
        }
        let Some(stream) = &self.stream else {
            return SocketSource::of(&self.end, Wanted::Message);
        };
        let announced = self.announce(stream)?;
        Ok(announced.map(|announced| Arc::new(Announced::new(&self.end, End::peer_writes, announced)) as _))
    }

    /// A call has found nothing: the descriptor, if there is one, becomes unreadable.
    pub(super) fn found_nothing(&self) {
        self.readable.found_nothing(|| self.source());
    }

    /// Makes the reading position exact, for a new owner of the end.
    pub(super) fn settle(&self) -> Result<()> {
        match &self.stream {
            Some(stream) if !self.borrow(stream)?.settle() => {}
            _ => return Ok(()),
        }
        Err(Error::new(ErrorKind::InvalidState, self.end.name(), "a long message was received in part")
            .hint("receive it before the end is given away"))
    }

    /// See [`Connection::recv`](super::Connection::recv).
    ///
    /// # Errors
    ///
    /// As there.
    #[inline]
    pub fn recv<T: Message>(&self) -> Result<T> {
        self.value(&Limits::NONE)
    }

    /// See [`Connection::try_recv`](super::Connection::try_recv).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn try_recv<T: Message>(&self) -> Result<T> {
        self.value(&Limits::TRY)
    }

    /// See [`Connection::recv_timeout`](super::Connection::recv_timeout).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn recv_timeout<T: Message>(&self, timeout: Duration) -> Result<T> {
        self.value(&deadline_in(timeout))
    }

    /// See [`Connection::recv_bytes`](super::Connection::recv_bytes).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn recv_bytes(&self) -> Result<Vec<u8>> {
        let limits = Limits::NONE;
        self.check()?;
        let Some(stream) = &self.stream else { return self.bytes_through() };
        let answer =
            self.receive(stream, &limits, |stream, gone| stream.recv_vec(&limits, &self.spinner, gone));
        answer.map(|(_, bytes)| bytes)
    }

    /// See [`Connection::recv_bytes_into`](super::Connection::recv_bytes_into).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn recv_bytes_into(&self, buffer: &mut [u8]) -> Result<usize> {
        let limits = Limits::NONE;
        self.check()?;
        let Some(stream) = &self.stream else {
            return self.bytes_into_through(buffer);
        };
        let answer = self.receive(stream, &limits, |stream, gone| {
            match stream.recv_into(buffer, &limits, &self.spinner, gone) {
                Ok((_, len)) => Ok(Ok(len)),
                Err(RecvEnd::TooShort { .. }) => {
                    stream.recv_vec(&limits, &self.spinner, gone).map(|(_, message)| Err(message))
                }
                Err(end) => Err(end),
            }
        });
        answer?.map_err(|message| self.too_short(buffer.len(), message))
    }

    /// See [`Connection::poll`](super::Connection::poll).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn poll(&self, timeout: Duration) -> Result<bool> {
        self.end.check_process()?;
        let limits = deadline_in(timeout);
        let there = match &self.stream {
            Some(stream) => matches!(
                self.borrow(stream)?.wait(&limits, &self.spinner, || self.end.peer_is_gone()),
                Ok(_) | Err(RecvEnd::End | RecvEnd::PeerGone | RecvEnd::Fault(_))
            ),
            None => !matches!(self.find(self.through()?, &limits), Err(Missed::Late | Missed::Cancelled)),
        };
        if !there {
            self.found_nothing();
        }
        Ok(there)
    }

    /// Closes the whole end, also for the other half.
    ///
    /// # Errors
    ///
    /// `WrongProcess` if the handle was inherited through a fork.
    pub fn close(&self) -> Result<()> {
        self.end.close()
    }

    #[inline]
    pub(super) fn value<T: Message>(&self, limits: &Limits<'_>) -> Result<T> {
        self.check()?;
        let tag = self.tags.tag::<T>();
        let Some(stream) = &self.stream else {
            return self.value_through(tag, limits);
        };
        let gone = || self.end.peer_is_gone();
        if let Some(len) = plain_len::<T>().filter(|len| *len <= LINE_BYTES) {
            let answer = self.borrow(stream)?.recv_words(tag, len, limits, &self.spinner, gone);
            match answer {
                Ok(Some(words)) => return codec::decode_words(words),
                Ok(None) => {} // its length says that it is not a `T`: decoding it will, too
                Err(end) => return self.value_otherwise(tag, end, limits),
            }
        }
        let answer =
            self.borrow(stream)?.recv_tagged(tag, limits, &self.spinner, gone, codec::decode_anywhere);
        match answer {
            Ok(value) => value,
            Err(end) => self.value_otherwise(tag, end, limits),
        }
    }

    #[cold]
    fn value_otherwise<T: Message>(&self, tag: u32, end: RecvEnd, limits: &Limits<'_>) -> Result<T> {
        match end {
            // Its sender gave up a long message: the next one may come.
            RecvEnd::Withdrawn => {
                self.check_time(limits)?;
                self.value(limits)
            }
            RecvEnd::OtherTag { tag: found, len } => {
                Err(self.mismatch(std::any::type_name::<T>(), tag, found, len))
            }
            end => Err(self.nothing(end, limits)),
        }
    }

    /// Bytes by `recv`, which is tried again if their sender gives them up in the middle.
    fn receive<V>(
        &self,
        stream: &RefCell<Stream>,
        limits: &Limits<'_>,
        mut recv: impl FnMut(&mut Stream, &dyn Fn() -> bool) -> Result<V, RecvEnd>,
    ) -> Result<V> {
        loop {
            self.wait_for(stream, BYTES, "bytes", limits)?;
            match recv(&mut *self.borrow(stream)?, &|| self.end.peer_is_gone()) {
                Ok(value) => return Ok(value),
                Err(RecvEnd::Withdrawn) => self.check_time(limits)?,
                Err(end) => return Err(self.nothing(end, limits)),
            }
        }
    }

    /// A sender that begins messages and gives them up must not hold a reader beyond its time.
    #[cold]
    fn check_time(&self, limits: &Limits<'_>) -> Result<()> {
        if limits.expired(clock::now()) { Err(self.nothing(RecvEnd::TimedOut, limits)) } else { Ok(()) }
    }

    /// Waits for a message and looks whether it carries `tag`.
    #[inline]
    pub(super) fn wait_for(
        &self,
        stream: &RefCell<Stream>,
        tag: u32,
        what: &'static str,
        limits: &Limits<'_>,
    ) -> Result<()> {
        loop {
            let answer = self.borrow(stream)?.wait(limits, &self.spinner, || self.end.peer_is_gone());
            match answer {
                Ok((found, _)) if found == tag => return Ok(()),
                Ok((found, len)) => return Err(self.mismatch(what, tag, found, len)),
                Err(RecvEnd::Withdrawn) => self.check_time(limits)?,
                Err(end) => return Err(self.nothing(end, limits)),
            }
        }
    }

    #[cold]
    pub(super) fn too_short(&self, room: usize, message: Vec<u8>) -> Error {
        let what = format!("a message of {} bytes does not fit a buffer of {room}", message.len());
        Error::new(ErrorKind::BufferTooShort, self.end.name(), what)
            .hint("the error carries the message: Error::into_message")
            .with_message(message)
    }

    #[cold]
    pub(super) fn mismatch(&self, what: &str, tag: u32, found: u32, len: u64) -> Error {
        let next =
            if found == BYTES { "raw bytes".to_owned() } else { format!("a value with tag {found:#x}") };
        Error::new(
            ErrorKind::TypeMismatch,
            self.end.name(),
            format!("the next message is {next} ({len} bytes), not {what} (tag {tag:#x})"),
        )
        .hint("it stays in place: receive it as what it is")
    }

    #[cold]
    pub(super) fn nothing(&self, end: RecvEnd, limits: &Limits<'_>) -> Error {
        match end {
            RecvEnd::TimedOut => {
                self.found_nothing();
                self.end.late_error(limits, ErrorKind::Empty, "no message in time")
            }
            RecvEnd::Cancelled => Error::new(ErrorKind::Cancelled, self.end.name(), "the wait was cancelled"),
            RecvEnd::End | RecvEnd::PeerGone => self.end.closed_error(),
            RecvEnd::Withdrawn => {
                Error::new(ErrorKind::Empty, self.end.name(), "the message was withdrawn by its sender")
            }
            RecvEnd::TooShort { len, .. } | RecvEnd::OtherTag { len, .. } => Error::new(
                ErrorKind::BufferTooShort,
                self.end.name(),
                format!("the next message has {len} bytes"),
            ),
            RecvEnd::OutOfMemory { len } => Error::new(
                ErrorKind::OutOfMemory,
                self.end.name(),
                format!("this process has no memory for a message of {len} bytes"),
            ),
            RecvEnd::Fault(fault) => Error::new(ErrorKind::Corrupt, self.end.name(), fault.to_string()),
        }
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<Receiver({})>", self.end.name())
    }
}
