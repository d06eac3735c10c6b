//! A stream of messages through one pipe, whose packets (`O_DIRECT`) keep their boundaries.

use crate::measure::stream::{Consumer, Producer, Put, Take};
use crate::measure::{Crew, Entry, Partner};
use anyhow::{Context as _, ensure};
use rustix::io::{read, retry_on_intr, write};
use rustix::pipe::{PipeFlags, pipe_with};
use std::os::fd::OwnedFd;

pub fn entries() -> Vec<Entry> {
    vec![of_256()]
}

pub fn of_256() -> Entry {
    Entry::new("raw.pipe.256b", |cores| {
        let (out, into) = pipe_with(PipeFlags::DIRECT | PipeFlags::CLOEXEC).context("pipe2")?;
        let (a, b) = cores.two()?;
        let mut producer = Producer::<_, WORDS>::new(Piped(into));
        let mut consumer = Consumer::<_, WORDS>::new(Piped(out));
        Ok(Crew::new([
            Partner::fork(&a, move |operations| producer.batch(operations))?,
            Partner::fork(&b, move |operations| consumer.batch(operations))?,
        ]))
    })
}

const WORDS: usize = 32;

/// Either end.
struct Piped(OwnedFd);

impl Put<WORDS> for Piped {
    fn put(&mut self, message: &[u64; WORDS]) -> anyhow::Result<()> {
        // Up to PIPE_BUF bytes are one packet.
        let written = retry_on_intr(|| write(&self.0, &to_bytes(message)))?;
        ensure!(written == BYTES, "{written} bytes of a message were written");
        Ok(())
    }
}

impl Take<WORDS> for Piped {
    fn take(&mut self) -> anyhow::Result<[u64; WORDS]> {
        let mut bytes = [0; BYTES];
        let length = retry_on_intr(|| read(&self.0, &mut bytes))?;
        ensure!(length == BYTES, "{length} bytes instead of a message");
        Ok(from_bytes(&bytes))
    }
}

const BYTES: usize = WORDS * 8;

/// The bytes of a message.
#[inline(always)]
pub fn to_bytes(message: &[u64; WORDS]) -> [u8; BYTES] {
    std::array::from_fn(|at| message[at / 8].to_ne_bytes()[at % 8])
}

/// The message of these bytes.
#[inline(always)]
pub fn from_bytes(bytes: &[u8; BYTES]) -> [u64; WORDS] {
    std::array::from_fn(|word| u64::from_ne_bytes(std::array::from_fn(|at| bytes[word * 8 + at])))
}
