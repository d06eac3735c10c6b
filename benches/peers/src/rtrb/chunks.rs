//! Several messages at a time: the producer fills a chunk of free slots and commits it, the consumer reads a chunk where it lies and
//! commits that.

use crate::threads::{Job, crew_of};
use processing_cli::measure::Entry;
use processing_cli::measure::in_place::{BATCH, Read, Reader, Write, Writer, batches, messages};
use processing_cli::speed::raw::spsc_copy::slots;
use rtrb::RingBuffer;
use std::hint::spin_loop;

/// 8-byte messages; a figure is for one of them.
pub fn entry() -> Entry {
    Entry::new("rtrb_chunks", |cores| {
        let (producer, consumer) = RingBuffer::new(slots(1));
        let (mut writer, mut reader) = (Writer::new(Producer(producer)), Reader::new(Consumer(consumer)));
        let jobs: [Job; 2] = [
            Box::new(move |operations| writer.batch(batches(operations))),
            Box::new(move |operations| reader.batch(batches(operations))),
        ];
        let (a, b) = cores.two()?;
        crew_of([a, b].into_iter().zip(jobs).collect())
    })
}

struct Producer(rtrb::Producer<u64>);
struct Consumer(rtrb::Consumer<u64>);

impl Write for Producer {
    #[inline(always)]
    fn write(&mut self, number: u64) -> anyhow::Result<()> {
        loop {
            match self.0.write_chunk_uninit(BATCH as usize) {
                Ok(chunk) => {
                    chunk.fill_from_iter(messages(number));
                    return Ok(());
                }
                Err(_) => spin_loop(),
            }
        }
    }
}

impl Read for Consumer {
    #[inline(always)]
    fn read(&mut self, number: u64) -> anyhow::Result<bool> {
        loop {
            match self.0.read_chunk(BATCH as usize) {
                Ok(chunk) => {
                    let (first, second) = chunk.as_slices();
                    let received = first.iter().chain(second);
                    let wrong = received.zip(messages(number)).fold(0, |sum, (word, own)| sum | (word ^ own));
                    chunk.commit_all();
                    return Ok(wrong == 0);
                }
                Err(_) => spin_loop(),
            }
        }
    }
}
