//! Round trips of 8 bytes through a pair of pipes: what programs do who want no shared memory.

use crate::measure::round_trip::{End, crew, crowd};
use crate::measure::{Crew, Entry, Place};
use anyhow::{Context as _, ensure};
use rustix::io::{read, retry_on_intr, write};
use std::os::fd::OwnedFd;

/// How many pairs share two cores in the crowded rows.
pub const CROWD: usize = 4;

pub fn entries() -> Vec<Entry> {
    vec![two_cores(), one_core(), crowded()]
}

pub fn two_cores() -> Entry {
    Entry::new("raw.pipe", |cores| {
        let (a, b) = cores.two()?;
        piped_crew(&a, &b)
    })
}

pub fn one_core() -> Entry {
    Entry::new("raw.pipe.one_core", |cores| {
        let place = cores.one()?;
        piped_crew(&place, &place)
    })
}

/// Four pairs, whose processes the kernel places on two cores as it likes.
pub fn crowded() -> Entry {
    Entry::new("raw.pipe.crowded", |cores| {
        let pairs = (0..CROWD).map(|_| Piped::ends()).collect::<anyhow::Result<Vec<_>>>()?;
        crowd(pairs, &cores.shared_by_all()?)
    })
}

fn piped_crew(a: &Place, b: &Place) -> anyhow::Result<Crew> {
    crew(Piped::ends()?, (a, b))
}

struct Piped {
    to: OwnedFd,
    from: OwnedFd,
}

impl Piped {
    fn ends() -> anyhow::Result<(Self, Self)> {
        let (questions_out, questions_in) = rustix::pipe::pipe().context("pipe")?;
        let (answers_out, answers_in) = rustix::pipe::pipe().context("pipe")?;
        Ok((Self { to: questions_in, from: answers_out }, Self { to: answers_in, from: questions_out }))
    }
}

impl End<1> for Piped {
    fn send(&mut self, &[number]: &[u64; 1]) -> anyhow::Result<()> {
        // Writes of up to PIPE_BUF bytes are whole.
        retry_on_intr(|| write(&self.to, &number.to_ne_bytes()))?;
        Ok(())
    }

    fn receive(&mut self) -> anyhow::Result<[u64; 1]> {
        let mut bytes = [0; 8];
        let length = retry_on_intr(|| read(&self.from, &mut bytes))?;
        ensure!(length == 8, "{length} bytes instead of a message");
        Ok([u64::from_ne_bytes(bytes)])
    }
}
