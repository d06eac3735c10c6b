//! Round trips of 8 bytes through a pair of unix sockets that keep message boundaries.

use crate::measure::Entry;
use crate::measure::round_trip::{End, crew};
use anyhow::{Context as _, ensure};
use rustix::io::{read, retry_on_intr, write};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use std::os::fd::OwnedFd;

pub fn entries() -> Vec<Entry> {
    vec![two_cores()]
}

pub fn two_cores() -> Entry {
    Entry::new("raw.unix_socket", |cores| {
        let flags = SocketFlags::CLOEXEC;
        let (asker, answerer) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).context("socketpair")?;
        let (a, b) = cores.two()?;
        crew((Socket(asker), Socket(answerer)), (&a, &b))
    })
}

struct Socket(OwnedFd);

impl End<1> for Socket {
    fn send(&mut self, &[number]: &[u64; 1]) -> anyhow::Result<()> {
        retry_on_intr(|| write(&self.0, &number.to_ne_bytes()))?;
        Ok(())
    }

    fn receive(&mut self) -> anyhow::Result<[u64; 1]> {
        let mut bytes = [0; 8];
        let length = retry_on_intr(|| read(&self.0, &mut bytes))?;
        ensure!(length == 8, "{length} bytes instead of a message");
        Ok([u64::from_ne_bytes(bytes)])
    }
}
