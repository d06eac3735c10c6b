//! Sending several values with one wake-up.

use std::cell::RefCell;
use std::time::Duration;

use super::{Connection, Sender};
use crate::channel::domain::deadline_in;
use crate::channel::many_errors::SendManyError;
use crate::channel::message::Message;
use crate::error::{Error, ErrorKind};
use crate::layout::stream::LINE_BYTES;
use crate::prim::limits::Limits;
use crate::ring::plain::{plain_bytes, plain_len};
use crate::ring::stream::{Batch, MappedRx, MappedTx, StreamTx};

impl Connection {
    /// Sends all values, in order, waiting while the pipe is full.
    ///
    /// As so many [`send`](Self::send)s, and cheaper for plain values of up to 56 bytes (numbers, and arrays and structures of them without
    /// gaps): as many of them as fit share one cache line, which is written once, and the receiver is woken once. All are visible
    /// when the call returns, and before it waits. Killed in it, some first part of them was sent.
    ///
    /// ```
    /// let (a, b) = processing::pipe()?;
    /// a.send_many(&[1u64, 2, 3])?;
    /// assert_eq!((b.recv::<u64>()?, b.recv::<u64>()?, b.recv::<u64>()?), (1, 2, 3));
    /// # Ok::<(), processing::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`SendManyError`]: how many were sent, and the error of the next one, as [`send`](Self::send) would have given it.
    pub fn send_many<T: Message>(&self, values: &[T]) -> Result<(), SendManyError> {
        self.sender.send_many(values)
    }

    /// Sends as many values as there is room for right now, from the start of the slice; how many, perhaps 0.
    ///
    /// # Errors
    ///
    /// As [`send_many`](Self::send_many), but for `Full`; `TooLarge` if the next one is larger than the pipe's buffer.
    pub fn try_send_many<T: Message>(&self, values: &[T]) -> Result<usize, SendManyError> {
        self.sender.try_send_many(values)
    }

    /// [`send_many`](Self::send_many) for at most `timeout` in all.
    ///
    /// # Errors
    ///
    /// `Timeout`, with the number of those that were sent, and those of [`send_many`](Self::send_many).
    pub fn send_many_timeout<T: Message>(
        &self,
        values: &[T],
        timeout: Duration,
    ) -> Result<(), SendManyError> {
        self.sender.send_many_timeout(values, timeout)
    }
}

impl Sender {
    /// See [`Connection::send_many`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn send_many<T: Message>(&self, values: &[T]) -> Result<(), SendManyError> {
        self.many(values, &Limits::NONE)
    }

    /// See [`Connection::try_send_many`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn try_send_many<T: Message>(&self, values: &[T]) -> Result<usize, SendManyError> {
        match self.many(values, &Limits::TRY) {
            Ok(()) => Ok(values.len()),
            Err(error) if error.error().kind() == ErrorKind::Full => Ok(error.sent()),
            Err(error) => Err(error),
        }
    }

    /// See [`Connection::send_many_timeout`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn send_many_timeout<T: Message>(
        &self,
        values: &[T],
        timeout: Duration,
    ) -> Result<(), SendManyError> {
        self.many(values, &deadline_in(timeout))
    }

    fn many<T: Message>(&self, values: &[T], limits: &Limits<'_>) -> Result<(), SendManyError> {
        match (&self.stream, plain_len::<T>().filter(|len| *len <= LINE_BYTES)) {
            (Some(stream), Some(len)) => {
                let (sent, end) = self.many_plain(stream, values, len, limits);
                end.map_err(|error| SendManyError::new(sent, error))
            }
            _ => {
                // One by one: each is visible before the next is serialised.
                let mut each = values.iter().enumerate();
                each.try_for_each(|(n, value)| {
                    self.value(value, limits).map_err(|error| SendManyError::new(n, error))
                })
            }
        }
    }

    fn many_plain<T: Message>(
        &self,
        stream: &RefCell<StreamTx<MappedTx, MappedRx>>,
        values: &[T],
        len: usize,
        limits: &Limits<'_>,
    ) -> (usize, Result<(), Error>) {
        if let Err(error) = self.check() {
            return (0, Err(error));
        }
        let Ok(mut stream) = stream.try_borrow_mut() else { return (0, Err(self.end.busy_error())) };
        let message = |n: usize| values.get(n).and_then(plain_bytes).unwrap_or_default();
        let batch = Batch { tag: self.tags.tag::<T>(), len, count: values.len(), message };
        if limits.is_try() {
            let (sent, end) = stream.try_send_many(&batch, 0);
            return (sent, end.map_err(|end| self.refused(end, len)));
        }
        let (sent, end) = stream.send_many(&batch, 0, limits, &self.spinner, || self.end.peer_is_gone());
        (sent, end.map_err(|end| self.given_up(end, limits)))
    }
}
