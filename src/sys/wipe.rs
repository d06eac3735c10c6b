//! A word that a forked child finds zero.
//!
//! # Safety
//!
//! The page is private, anonymous, and mapped as long as the value; it is only seen as one atomic word,
//! for which any bytes are valid.
#![allow(unsafe_code)]

use std::io;
use std::ptr::NonNull;

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};

use crate::sync::atomic::AtomicU64;

/// One word on a page of its own that the kernel zeroes in a forked child.
#[derive(Debug)]
pub struct WipedWord {
    page: NonNull<AtomicU64>,
    len: usize,
}

// SAFETY: an atomic word on a page that nobody else owns.
unsafe impl Send for WipedWord {}
// SAFETY: as above.
unsafe impl Sync for WipedWord {}

impl WipedWord {
    /// Maps the page; the word is zero.
    pub fn new() -> io::Result<Self> {
        let len = rustix::param::page_size();
        // SAFETY: a new mapping at an address that the kernel chooses replaces nothing.
        let page = unsafe {
            mmap_anonymous(core::ptr::null_mut(), len, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE)
        }?;
        let Some(found) = NonNull::new(page.cast()) else {
            return Err(io::ErrorKind::OutOfMemory.into());
        };
        let word = Self { page: found, len };
        // SAFETY: our own page; the advice changes what a fork copies and nothing in this process.
        unsafe { madvise(page, len, Advice::LinuxWipeOnFork) }?;
        Ok(word)
    }

    /// The word.
    #[inline(always)]
    pub fn word(&self) -> &AtomicU64 {
        // SAFETY: see the module; page-aligned.
        unsafe { self.page.as_ref() }
    }
}

impl Drop for WipedWord {
    fn drop(&mut self) {
        // SAFETY: our own mapping, and no reference to it outlives `self`. A failure would only leak the page.
        let _ = unsafe { munmap(self.page.as_ptr().cast(), self.len) };
    }
}
