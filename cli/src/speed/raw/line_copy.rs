//! The least that a message of many lines can cost between two processes: the producer writes each line of a shared buffer
//! once, the consumer reads it once, and one flag for each message says whose the buffer is. There are several buffers,
//! so that both are at work at a time. It survives nobody's death and never sleeps.
//!
//! # Safety
//!
//! A buffer is the producer's while its flag is 0, and the consumer's otherwise; the flag is changed by whose the buffer is, with
//! Release after the last access, and read with Acquire before the first.
#![allow(unsafe_code)]

use crate::measure::in_place::{Read, Reader, Write, Writer};
use crate::measure::payload::{are_message, write_message};
use crate::measure::{Crew, Entry, Partner, Plain, shared};
use std::cell::UnsafeCell;
use std::hint::spin_loop;
use std::sync::atomic::{AtomicU64, Ordering};

/// Words of the messages that are compared here.
pub const WORDS_4K: usize = (4 << 10) / 8;
pub const WORDS_1M: usize = (1 << 20) / 8;

pub fn entries() -> Vec<Entry> {
    vec![of_4k("raw.line_copy.4k"), of_1m("raw.line_copy.1m")]
}

pub fn of_4k(name: &str) -> Entry {
    entry::<WORDS_4K, { buffers(WORDS_4K) }>(name)
}

pub fn of_1m(name: &str) -> Entry {
    entry::<WORDS_1M, { buffers(WORDS_1M) }>(name)
}

/// How many messages of so many words wait at most, for all that is compared here: so many that the lines have left the
/// writer's first cache when they are read, which makes them cheaper to fetch, and not so many that they leave the caches.
pub const fn depth(words: usize) -> usize {
    if words <= WORDS_4K { 64 } else { 1 }
}

/// How many buffers that is here: large messages are written and read where they lie, so that beside those that wait there is one of each
/// side, as with a queue.
const fn buffers(words: usize) -> usize {
    if words <= WORDS_4K { depth(words) } else { depth(words) + 2 }
}

fn entry<const WORDS: usize, const DEPTH: usize>(name: &str) -> Entry {
    Entry::new(name, |cores| {
        let buffers: &'static Buffers<WORDS, DEPTH> = shared()?;
        let (a, b) = cores.two()?;
        let (mut writer, mut reader) = (Writer::new(End(buffers)), Reader::new(End(buffers)));
        Ok(Crew::new([
            Partner::fork(&a, move |operations| writer.batch(operations))?,
            Partner::fork(&b, move |operations| reader.batch(operations))?,
        ]))
    })
}

type Buffers<const WORDS: usize, const DEPTH: usize> = [Buffer<WORDS>; DEPTH];

#[repr(C)]
struct Buffer<const WORDS: usize> {
    flag: Flag,
    words: Words<WORDS>,
}

/// 0: the producer's. Otherwise the number of the message that is in the buffer.
#[repr(align(128))]
struct Flag(AtomicU64);

#[repr(align(128))]
struct Words<const WORDS: usize>(UnsafeCell<[u64; WORDS]>);

// SAFETY: handed over through the flag, see the module.
unsafe impl<const WORDS: usize> Sync for Words<WORDS> {}
// SAFETY: zero is a free buffer; an atomic and a cell; aligned to 128.
unsafe impl<const WORDS: usize, const DEPTH: usize> Plain for Buffers<WORDS, DEPTH> {}

/// Either end.
struct End<const WORDS: usize, const DEPTH: usize>(&'static Buffers<WORDS, DEPTH>);

impl<const WORDS: usize, const DEPTH: usize> End<WORDS, DEPTH> {
    /// The buffer of message `number`, once its flag is that.
    #[inline(always)]
    fn buffer(&self, number: u64, flag: u64) -> &'static Buffer<WORDS> {
        let buffer = &self.0[number as usize % DEPTH];
        // Acquire: pairs with the Release of the side that had it.
        while buffer.flag.0.load(Ordering::Acquire) != flag {
            spin_loop();
        }
        buffer
    }
}

impl<const WORDS: usize, const DEPTH: usize> Write for End<WORDS, DEPTH> {
    #[inline(always)]
    fn write(&mut self, number: u64) -> anyhow::Result<()> {
        let buffer = self.buffer(number, 0);
        // SAFETY: the buffer is the producer's, see the module.
        write_message(unsafe { &mut *buffer.words.0.get() }, number);
        // Release: pairs with the Acquire of the consumer.
        buffer.flag.0.store(number, Ordering::Release);
        Ok(())
    }
}

impl<const WORDS: usize, const DEPTH: usize> Read for End<WORDS, DEPTH> {
    #[inline(always)]
    fn read(&mut self, number: u64) -> anyhow::Result<bool> {
        let buffer = self.buffer(number, number);
        // SAFETY: the buffer is the consumer's, see the module.
        let right = are_message(unsafe { &*buffer.words.0.get() }.iter().copied(), number);
        // Release: pairs with the Acquire of the producer.
        buffer.flag.0.store(0, Ordering::Release);
        Ok(right)
    }
}
