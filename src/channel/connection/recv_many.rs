//! Receiving several values in one call.

use std::any::type_name;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::receiver::Stream;
use super::{Connection, Receiver};
use crate::channel::codec;
use crate::channel::domain::deadline_in;
use crate::channel::message::Message;
use crate::error::Result;
use crate::layout::stream::LINE_BYTES;
use crate::prim::limits::Limits;
use crate::ring::plain::plain_len;

/// Room for so many values is made at once.
const FIRST_ROOM: usize = 64;

impl Connection {
    /// Waits for a value as long as it takes, then takes what else is there, up to `max` values in all.
    ///
    /// Never waits for a second one. As so many [`recv`](Self::recv)s, and cheaper for plain values of up to 56 bytes (numbers, and arrays and
    /// structures of them without gaps): a cache line of them is looked at once. A message of another type ends the call before it and
    /// stays in place. With a `max` of 0 it answers at once, with nothing.
    ///
    /// ```
    /// let (a, b) = processing::pipe()?;
    /// a.send_many(&[1u64, 2, 3])?;
    /// a.send(&"other".to_owned())?;
    /// assert_eq!(b.recv_many::<u64>(100)?, [1, 2, 3]);
    /// assert_eq!(b.recv::<String>()?, "other");
    /// # Ok::<(), processing::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`recv`](Self::recv), of the first message only. A later one that cannot be made into a value ends the call; a plain one
    /// stays in a ring, and the next call says so, any other is consumed by the call that meets it.
    ///
    /// # Panics
    ///
    /// If the type's own deserialisation of the first message does. A later one that panics is consumed and ends the call.
    pub fn recv_many<T: Message>(&self, max: usize) -> Result<Vec<T>> {
        self.receiver.recv_many(max)
    }

    /// Takes up to `max` values that are there right now: at least one.
    ///
    /// # Errors
    ///
    /// `Empty` if there is none (and `max` is not 0), and those of [`recv_many`](Self::recv_many).
    pub fn try_recv_many<T: Message>(&self, max: usize) -> Result<Vec<T>> {
        self.receiver.try_recv_many(max)
    }

    /// [`recv_many`](Self::recv_many), waiting for the first value for at most `timeout`.
    ///
    /// # Errors
    ///
    /// `Timeout`, and those of [`recv_many`](Self::recv_many).
    pub fn recv_many_timeout<T: Message>(&self, max: usize, timeout: Duration) -> Result<Vec<T>> {
        self.receiver.recv_many_timeout(max, timeout)
    }
}

impl Receiver {
    /// See [`Connection::recv_many`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Panics
    ///
    /// As there.
    pub fn recv_many<T: Message>(&self, max: usize) -> Result<Vec<T>> {
        self.many(max, &Limits::NONE)
    }

    /// See [`Connection::try_recv_many`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn try_recv_many<T: Message>(&self, max: usize) -> Result<Vec<T>> {
        self.many(max, &Limits::TRY)
    }

    /// See [`Connection::recv_many_timeout`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn recv_many_timeout<T: Message>(&self, max: usize, timeout: Duration) -> Result<Vec<T>> {
        self.many(max, &deadline_in(timeout))
    }

    fn many<T: Message>(&self, max: usize, limits: &Limits<'_>) -> Result<Vec<T>> {
        self.check()?;
        let mut values = Vec::with_capacity(max.min(FIRST_ROOM));
        if max == 0 {
            return Ok(values);
        }
        let plain = plain_len::<T>().filter(|len| *len <= LINE_BYTES);
        if let (Some(stream), Some(len)) = (&self.stream, plain) {
            self.wait_for(stream, self.tags.tag::<T>(), type_name::<T>(), limits)?;
            self.take_plain(stream, len, max, &mut values)?;
            if values.is_empty() {
                values.push(self.value(limits)?);
            }
            return Ok(values);
        }
        values.push(self.value(limits)?);
        // The type's own code runs in here: a panic must not take along what was received before.
        let _ = catch_unwind(AssertUnwindSafe(|| self.take_others(max, &mut values)));
        Ok(values)
    }

    /// Values whose bytes travel as they are, and lie within a line.
    fn take_plain<T: Message>(
        &self,
        stream: &RefCell<Stream>,
        len: usize,
        max: usize,
        values: &mut Vec<T>,
    ) -> Result<()> {
        let tag = self.tags.tag::<T>();
        self.borrow(stream)?.take_words(tag, len, max, |words| match codec::decode_words(words) {
            Ok(value) => {
                values.push(value);
                true
            }
            Err(_) => false, // the next call says what is wrong
        });
        Ok(())
    }

    /// Whatever else is there.
    fn take_others<T: Message>(&self, max: usize, values: &mut Vec<T>) {
        while values.len() < max {
            // Empty, of another type or at its end: the next call says so.
            let Ok(value) = self.value(&Limits::TRY) else { break };
            values.push(value);
        }
    }
}
