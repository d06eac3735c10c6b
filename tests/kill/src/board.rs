//! Words that a process leaves for who started it, and that outlive it.
//!
//! # Safety
//!
//! A page of anonymous shared memory, of atomics, for the life of the process.

use std::ptr::NonNull;
// The library's own words would count as shared operations.
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// How many words there are.
pub const WORDS: usize = 64;

/// A page that is shared with the processes forked later.
#[derive(Clone, Copy, Debug)]
pub struct Board(NonNull<[AtomicU64; WORDS]>);

impl Board {
    /// A new page of zeros. It stays until the process ends.
    pub fn new() -> Self {
        // SAFETY: an anonymous mapping of its own.
        let at = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                4096,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        assert_ne!(at, libc::MAP_FAILED, "no memory for a page");
        Self(NonNull::new(at.cast()).expect("mapped"))
    }

    fn words(&self) -> &[AtomicU64; WORDS] {
        // SAFETY: see the module.
        unsafe { self.0.as_ref() }
    }

    pub fn get(&self, index: usize) -> u64 {
        self.words()[index].load(SeqCst)
    }

    pub fn set(&self, index: usize, value: u64) {
        self.words()[index].store(value, SeqCst);
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.words().iter().for_each(|word| word.store(0, SeqCst));
    }
}

impl Default for Board {
    fn default() -> Self {
        Self::new()
    }
}
