//! The plainest ring of one producer and one consumer across two processes: copy the message into a slot,
//! publish the index; copy it out, publish the index. Each side keeps a copy of the other's index and looks
//! again only when that says full or empty. It survives nobody's death and never sleeps.
//!
//! # Safety
//!
//! Slot `i % SLOTS` is the producer's while `written - read < SLOTS` and `i == written`, and the consumer's
//! while `read < written` and `i == read`. Indices are published with Release after the copy and read with
//! Acquire before the next one, so that the two sides never touch one slot at a time.
#![allow(unsafe_code)]

use crate::measure::stream::{Consumer, Producer, Put, Take};
use crate::measure::{Crew, Entry, Partner, Plain, shared};
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicU64, Ordering};

pub fn entries() -> Vec<Entry> {
    vec![of_8(), of_256(), of_4096()]
}

pub fn of_8() -> Entry {
    entry::<1, { slots(1) }>("raw.spsc_copy.8b")
}

/// The plain name is the 256-byte one.
pub fn of_256() -> Entry {
    entry::<32, { slots(32) }>("raw.spsc_copy")
}

pub fn of_4096() -> Entry {
    entry::<512, { slots(512) }>("raw.spsc_copy.4096b")
}

/// How many messages of so many words all bounded rings have room for that are compared here: enough that
/// neither side waits for single messages, and not so many that large ones leave the caches.
pub const fn slots(words: usize) -> usize {
    if words <= 32 { 1024 } else { 256 }
}

fn entry<const WORDS: usize, const SLOTS: usize>(name: &str) -> Entry {
    Entry::new(name, |cores| {
        let ring: &'static Ring<WORDS, SLOTS> = shared()?;
        let (a, b) = cores.two()?;
        let mut producer = Producer::new(End { ring, own: 0, other: 0 });
        let mut consumer = Consumer::new(End { ring, own: 0, other: 0 });
        Ok(Crew::new([
            Partner::fork(&a, move |operations| producer.batch(operations))?,
            Partner::fork(&b, move |operations| consumer.batch(operations))?,
        ]))
    })
}

#[repr(align(128))]
struct Index(AtomicU64);

#[repr(C)]
struct Ring<const WORDS: usize, const SLOTS: usize> {
    written: Index,
    read: Index,
    slots: Slots<WORDS, SLOTS>,
}

#[repr(align(128))]
struct Slots<const WORDS: usize, const SLOTS: usize>([UnsafeCell<[u64; WORDS]>; SLOTS]);

// SAFETY: the slots are handed over through the indices, see the module.
unsafe impl<const WORDS: usize, const SLOTS: usize> Sync for Slots<WORDS, SLOTS> {}
// SAFETY: zero is an empty ring; the slots are in cells; aligned to 128.
unsafe impl<const WORDS: usize, const SLOTS: usize> Plain for Ring<WORDS, SLOTS> {}

impl<const WORDS: usize, const SLOTS: usize> Ring<WORDS, SLOTS> {
    #[inline(always)]
    fn slot(&self, index: u64) -> *mut [u64; WORDS] {
        const { assert!(SLOTS.is_power_of_two()) };
        self.slots.0[index as usize % SLOTS].get()
    }
}

/// Either end.
struct End<const WORDS: usize, const SLOTS: usize> {
    ring: &'static Ring<WORDS, SLOTS>,
    own: u64,
    /// Where the other side was when last looked at; it only goes forward.
    other: u64,
}

/// Spins until the other side has moved.
#[inline(always)]
fn wait_for_other_than(old: u64, index: &Index) -> u64 {
    loop {
        // Acquire: pairs with the Release of the side that moves.
        let new = index.0.load(Ordering::Acquire);
        if new != old {
            return new;
        }
        std::hint::spin_loop();
    }
}

impl<const WORDS: usize, const SLOTS: usize> Put<WORDS> for End<WORDS, SLOTS> {
    #[inline(always)]
    fn put(&mut self, message: &[u64; WORDS]) -> anyhow::Result<()> {
        if self.own - self.other == SLOTS as u64 {
            // The consumer's copy out of the slot is over.
            self.other = wait_for_other_than(self.other, &self.ring.read);
        }
        // SAFETY: the slot is the producer's, see the module.
        unsafe { self.ring.slot(self.own).write(*message) };
        self.own += 1;
        // Release: pairs with the Acquire of the consumer's wait.
        self.ring.written.0.store(self.own, Ordering::Release);
        Ok(())
    }
}

impl<const WORDS: usize, const SLOTS: usize> Take<WORDS> for End<WORDS, SLOTS> {
    #[inline(always)]
    fn take(&mut self) -> anyhow::Result<[u64; WORDS]> {
        if self.own == self.other {
            // The message is in the slot.
            self.other = wait_for_other_than(self.other, &self.ring.written);
        }
        // SAFETY: the slot is the consumer's, see the module.
        let message = unsafe { self.ring.slot(self.own).read() };
        self.own += 1;
        // Release: pairs with the Acquire of the producer's wait.
        self.ring.read.0.store(self.own, Ordering::Release);
        Ok(message)
    }
}
