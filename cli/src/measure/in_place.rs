//! Streams of messages that are written and read where they lie, and of several messages at a time.
//!
//! As in [`stream`](super::stream), the consumer holds the watch, which starts when the first message has arrived.

use super::Report;
use std::time::Instant;

/// How many messages of 8 bytes go together where several are written at a time: then [`Write`] and [`Read`] are given the number of
/// the batch, and so is [`messages`].
pub const BATCH: u64 = 64;

/// How many batches so many messages make; a figure is still for one message.
pub fn batches(messages: u64) -> u64 {
    messages.div_ceil(BATCH)
}

/// The messages of batch `number`.
#[inline(always)]
pub fn messages(number: u64) -> impl Iterator<Item = u64> {
    (0..BATCH).map(move |message| number * BATCH + message)
}

/// The end that messages are written into.
pub trait Write {
    /// Writes all of message `number` and lets the other side have it. Waits while there is no room.
    ///
    /// # Errors
    /// The other side is gone.
    fn write(&mut self, number: u64) -> anyhow::Result<()>;
}

/// The end that messages are read from.
pub trait Read {
    /// Reads all of the next message, waiting for it, and says whether it is number `number`.
    ///
    /// # Errors
    /// The other side is gone.
    fn read(&mut self, number: u64) -> anyhow::Result<bool>;
}

/// The side that writes.
pub struct Writer<W> {
    end: W,
    number: u64,
}

/// The side that reads.
pub struct Reader<R> {
    end: R,
    number: u64,
}

impl<W: Write> Writer<W> {
    pub fn new(end: W) -> Self {
        Self { end, number: 1 }
    }

    /// Writes the messages of a batch, and the one before the watch starts.
    ///
    /// # Errors
    /// Those of the end.
    pub fn batch(&mut self, operations: u64) -> anyhow::Result<Report> {
        for _ in 0..=operations {
            self.end.write(self.number)?;
            self.number += 1;
        }
        Ok(Report::default())
    }
}

impl<R: Read> Reader<R> {
    pub fn new(end: R) -> Self {
        Self { end, number: 1 }
    }

    /// Reads `operations` messages, after the first one.
    ///
    /// # Errors
    /// Those of the end.
    pub fn batch(&mut self, operations: u64) -> anyhow::Result<Report> {
        let mut wrong = self.read_one()?;
        let start = Instant::now();
        for _ in 0..operations {
            wrong += self.read_one()?;
        }
        Ok(Report { operations, nanos: start.elapsed().as_nanos() as u64, wrong, each: None })
    }

    /// 1 if the message was wrong.
    #[inline(always)]
    fn read_one(&mut self) -> anyhow::Result<u64> {
        let wrong = !self.end.read(self.number)?;
        self.number += 1;
        Ok(u64::from(wrong))
    }
}
