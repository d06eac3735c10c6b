//! crossbeam's `ArrayQueue`: bounded, many producers, many consumers, within one process.

use crate::threads::crew;
use crossbeam_queue::ArrayQueue;
use processing_cli::measure::Entry;
use processing_cli::measure::stream::{Put, Take};
use processing_cli::speed::raw::spsc_copy::slots;
use std::hint::spin_loop;
use std::sync::Arc;

/// The plain name is the 8-byte one; others have their size after it.
pub fn array_queue<const WORDS: usize>() -> Entry {
    let name = "crossbeam.array_queue";
    let name = if WORDS == 1 { name.into() } else { format!("{name}.{}b", WORDS * 8) };
    Entry::new(name, |cores| {
        let queue = Arc::new(ArrayQueue::new(slots(WORDS)));
        crew::<WORDS>(cores, (End(Arc::clone(&queue)), End(queue)))
    })
}

struct End<const WORDS: usize>(Arc<ArrayQueue<[u64; WORDS]>>);

impl<const WORDS: usize> Put<WORDS> for End<WORDS> {
    #[inline(always)]
    fn put(&mut self, message: &[u64; WORDS]) -> anyhow::Result<()> {
        while self.0.push(*message).is_err() {
            spin_loop();
        }
        Ok(())
    }
}

impl<const WORDS: usize> Take<WORDS> for End<WORDS> {
    #[inline(always)]
    fn take(&mut self) -> anyhow::Result<[u64; WORDS]> {
        loop {
            match self.0.pop() {
                Some(message) => return Ok(message),
                None => spin_loop(),
            }
        }
    }
}
