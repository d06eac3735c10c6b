//! ringfire: rings in shared memory whose only producer never waits.
//!
//! The round trip of its own comparison (`benches/ipc_compare`, busy spin): two rings of 4096 slots, one in flight, both sides
//! trying again until there is something. That one runs on two threads; here they are two processes. Its messages are of 64 bytes and
//! lie on two lines each with their number; one of 56 bytes fits on one.

use anyhow::Context as _;
use processing_cli::measure::Entry;
use processing_cli::measure::round_trip::{End, crew};
use ringfire::{RingConsumer, RingProducer};
use std::fs::remove_file;
use std::hint::spin_loop;
use std::sync::atomic::{AtomicU32, Ordering};

/// The capacity in its own comparison.
const SLOTS: u64 = 4096;

/// Messages of so many words.
pub fn round_trip<const WORDS: usize>(name: &str) -> Entry {
    Entry::new(name, |cores| {
        let (a, b) = cores.two()?;
        let (ask, hear) = ring::<WORDS>()?;
        let (answer, listen) = ring::<WORDS>()?;
        let asks = Both { to: ask, from: listen };
        let answers = Both { to: answer, from: hear };
        crew((asks, answers), (&a, &b))
    })
}

type Ring<const WORDS: usize> = (RingProducer<[u64; WORDS]>, RingConsumer<[u64; WORDS]>);

/// Both ends of a ring that the processes to be forked share, and that has lost its name already: it goes with them.
fn ring<const WORDS: usize>() -> anyhow::Result<Ring<WORDS>> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = format!("/dev/shm/processing-peers-{}-ringfire-{number}", std::process::id());
    let ends = || -> anyhow::Result<Ring<WORDS>> {
        let producer = RingProducer::create(&path, SLOTS).context("ringfire: a ring")?;
        Ok((producer, RingConsumer::attach(&path).context("ringfire: attaching")?))
    };
    let ends = ends();
    let removed = remove_file(&path);
    let ends = ends?;
    removed.context("removing the name of a ring")?;
    Ok(ends)
}

struct Both<const WORDS: usize> {
    to: RingProducer<[u64; WORDS]>,
    from: RingConsumer<[u64; WORDS]>,
}

impl<const WORDS: usize> End<WORDS> for Both<WORDS> {
    #[inline(always)]
    fn send(&mut self, message: &[u64; WORDS]) -> anyhow::Result<()> {
        self.to.push(message);
        Ok(())
    }

    #[inline(always)]
    fn receive(&mut self) -> anyhow::Result<[u64; WORDS]> {
        loop {
            if let Some(message) = self.from.try_recv() {
                return Ok(message);
            }
            spin_loop();
        }
    }
}
