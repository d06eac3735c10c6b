//! Words that a forked child finds zero.
//!
//! # Safety
//!
//! The page is private, anonymous, and mapped as long as the value; only its first words are seen, as atomics,
//! for which any bytes are valid.
#![allow(unsafe_code)]

use std::io;
use std::ptr::NonNull;

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};

use crate::sync::atomic::AtomicU64;

/// Two words on a page of their own that the kernel zeroes in a forked child.
#[derive(Debug)]
pub struct WipedWords {
    page: NonNull<[AtomicU64; 2]>,
    len: usize,
}

// SAFETY: atomic words on a page that nobody else owns.
unsafe impl Send for WipedWords {}
// SAFETY: as above.
unsafe impl Sync for WipedWords {}

impl WipedWords {
    /// Maps the page; the words are zero.
    pub fn new() -> io::Result<Self> {
        let len = rustix::param::page_size();
        // SAFETY: a new mapping at an address that the kernel chooses replaces nothing.
        let page = unsafe {
            mmap_anonymous(core::ptr::null_mut(), len, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE)
        }?;
        let Some(found) = NonNull::new(page.cast()) else {
            return Err(io::ErrorKind::OutOfMemory.into());
        };
        let words = Self { page: found, len };
        // SAFETY: our own page; the advice changes what a fork copies and nothing in this process.
        unsafe { madvise(page, len, Advice::LinuxWipeOnFork) }?;
        Ok(words)
    }

    /// The words.
    #[inline(always)]
    pub fn words(&self) -> &[AtomicU64; 2] {
        // SAFETY: see the module; page-aligned.
        unsafe { self.page.as_ref() }
    }
}

impl Drop for WipedWords {
    fn drop(&mut self) {
        // SAFETY: our own mapping, and no reference to it outlives `self`. A failure would only leak the page.
        let _ = unsafe { munmap(self.page.as_ptr().cast(), self.len) };
    }
}
