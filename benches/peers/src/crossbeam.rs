//! crossbeam's `ArrayQueue`: bounded, many producers, many consumers, within one process.

use crate::threads::{Job, crew, crew_of};
use crossbeam_queue::ArrayQueue;
use crossbeam_utils::Backoff;
use processing_cli::measure::Entry;
use processing_cli::measure::many::{Consumer, Producer, SIDES};
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

/// Two producers and two consumers: four threads on two cores, which yield when there is nothing to do for long, as the crate's
/// own `Backoff` has it. Who only spins would keep a core from the one it waits for.
pub fn array_queue_of_many(name: &str) -> Entry {
    Entry::new(name, |cores| {
        let both = cores.shared_by_all()?;
        let queue = Arc::new(ArrayQueue::new(slots(1)));
        let mut threads = Vec::new();
        for index in 0..SIDES {
            let mut producer = Producer::new(Yielding(Arc::clone(&queue)), index);
            let mut consumer = Consumer::new(Yielding(Arc::clone(&queue)));
            let jobs: [Job; 2] = [
                Box::new(move |operations| producer.batch(operations)),
                Box::new(move |operations| consumer.batch(operations)),
            ];
            threads.extend(jobs.map(|job| (both.clone(), job)));
        }
        crew_of(threads)
    })
}

struct Yielding(Arc<ArrayQueue<[u64; 1]>>);

impl Put<1> for Yielding {
    #[inline(always)]
    fn put(&mut self, message: &[u64; 1]) -> anyhow::Result<()> {
        let backoff = Backoff::new();
        while self.0.push(*message).is_err() {
            backoff.snooze();
        }
        Ok(())
    }
}

impl Take<1> for Yielding {
    #[inline(always)]
    fn take(&mut self) -> anyhow::Result<[u64; 1]> {
        let backoff = Backoff::new();
        loop {
            match self.0.pop() {
                Some(message) => return Ok(message),
                None => backoff.snooze(),
            }
        }
    }
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
