//! rtrb: a wait-free ring of one producer and one consumer, within one process.

mod chunks;

pub use chunks::entry as chunks;

use crate::threads::crew;
use processing_cli::measure::Entry;
use processing_cli::measure::stream::{Put, Take};
use processing_cli::speed::raw::spsc_copy::slots;
use rtrb::{PopError, PushError, RingBuffer};
use std::hint::spin_loop;

/// `rtrb` is the 8-byte one; others have their size after the name.
pub fn entry<const WORDS: usize>() -> Entry {
    let name = if WORDS == 1 { "rtrb".into() } else { format!("rtrb.{}b", WORDS * 8) };
    Entry::new(name, |cores| {
        let (producer, consumer) = RingBuffer::new(slots(WORDS));
        crew::<WORDS>(cores, (Producer(producer), Consumer(consumer)))
    })
}

struct Producer<const WORDS: usize>(rtrb::Producer<[u64; WORDS]>);
struct Consumer<const WORDS: usize>(rtrb::Consumer<[u64; WORDS]>);

impl<const WORDS: usize> Put<WORDS> for Producer<WORDS> {
    #[inline(always)]
    fn put(&mut self, message: &[u64; WORDS]) -> anyhow::Result<()> {
        while let Err(PushError::Full(_)) = self.0.push(*message) {
            spin_loop();
        }
        Ok(())
    }
}

impl<const WORDS: usize> Take<WORDS> for Consumer<WORDS> {
    #[inline(always)]
    fn take(&mut self) -> anyhow::Result<[u64; WORDS]> {
        loop {
            match self.0.pop() {
                Ok(message) => return Ok(message),
                Err(PopError::Empty) => spin_loop(),
            }
        }
    }
}
