//! Streams: one side produces, the other consumes and holds the watch.
//!
//! The watch starts when the first message has arrived, and so does not see how long either side took to
//! wake up.

use super::Report;
use super::payload::{is_message, message};
use std::time::Instant;

/// The end that messages are put into.
pub trait Put<const WORDS: usize> {
    /// Waits while there is no room.
    ///
    /// # Errors
    /// The other side is gone.
    fn put(&mut self, message: &[u64; WORDS]) -> anyhow::Result<()>;
}

/// The end that messages come out of.
pub trait Take<const WORDS: usize> {
    /// Waits while there is nothing.
    ///
    /// # Errors
    /// The other side is gone.
    fn take(&mut self) -> anyhow::Result<[u64; WORDS]>;
}

/// The side that produces.
pub struct Producer<P, const WORDS: usize> {
    end: P,
    number: u64,
}

/// The side that consumes.
pub struct Consumer<T, const WORDS: usize> {
    end: T,
    number: u64,
}

impl<P: Put<WORDS>, const WORDS: usize> Producer<P, WORDS> {
    pub fn new(end: P) -> Self {
        Self { end, number: 1 }
    }

    /// Puts the messages of a batch, and the one before the watch starts.
    ///
    /// # Errors
    /// Those of the end.
    pub fn batch(&mut self, operations: u64) -> anyhow::Result<Report> {
        for _ in 0..=operations {
            self.end.put(&message(self.number))?;
            self.number += 1;
        }
        Ok(Report::default())
    }
}

impl<T: Take<WORDS>, const WORDS: usize> Consumer<T, WORDS> {
    pub fn new(end: T) -> Self {
        Self { end, number: 1 }
    }

    /// Takes `operations` messages, after the first one.
    ///
    /// # Errors
    /// Those of the end.
    pub fn batch(&mut self, operations: u64) -> anyhow::Result<Report> {
        let mut wrong = self.take_one()?;
        let start = Instant::now();
        for _ in 0..operations {
            wrong += self.take_one()?;
        }
        Ok(Report { operations, nanos: start.elapsed().as_nanos() as u64, wrong, each: None })
    }

    /// 1 if the message was wrong.
    #[inline(always)]
    fn take_one(&mut self) -> anyhow::Result<u64> {
        let message = self.end.take()?;
        let wrong = !is_message(&message, self.number);
        self.number += 1;
        Ok(u64::from(wrong))
    }
}
