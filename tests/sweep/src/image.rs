//! The bytes of a region while everybody who could write them stands still.
//!
//! # Safety
//!
//! The region's mapping stays as long as the `Arc` does; offsets are checked against its length by `Region::ptr`. Bytes are copied through
//! raw pointers, at times when the processes that share them are stopped by ptrace and this one is here.

use std::ptr;
use std::sync::Arc;

use processing::region::Region;
use processing_kill_tests::{Outcome, words};
use rustix::fs::{SeekFrom, fstat, seek};

/// Bytes that are looked at together.
pub const PAGE: usize = 4096;

pub type Page = [u8; PAGE];

/// The mapped file of a region.
pub struct Image {
    region: Arc<Region>,
}

impl Image {
    pub fn new(region: Arc<Region>) -> Self {
        Self { region }
    }

    /// The pages that anybody has ever touched, in order. Others are zero, and are not touched by looking here.
    pub fn pages(&self) -> Outcome<Vec<u64>> {
        let file = self.region.memfd();
        let mut pages = Vec::new();
        let mut at = 0;
        // The end of the file is an error of its own to SEEK_DATA.
        while let Ok(data) = seek(file, SeekFrom::Data(at)) {
            at = seek(file, SeekFrom::Hole(data)).map_err(words("SEEK_HOLE"))?;
            pages.extend((data - data % PAGE as u64..at).step_by(PAGE));
        }
        Ok(pages)
    }

    /// How much memory the file has.
    pub fn blocks(&self) -> Outcome<u64> {
        Ok(fstat(self.region.memfd()).map_err(words("fstat"))?.st_blocks as u64)
    }

    /// Whether a page is as it was.
    pub fn is(&self, offset: u64, page: &Page) -> bool {
        let now = self.region.ptr(offset, PAGE as u64);
        // SAFETY: see the module; both are a page long.
        unsafe { libc::memcmp(now.cast_const().cast(), page.as_ptr().cast(), PAGE) == 0 }
    }

    pub fn copy(&self, offset: u64, page: &mut Page) {
        let from = self.region.ptr(offset, PAGE as u64);
        // SAFETY: see the module.
        unsafe { ptr::copy_nonoverlapping(from.cast_const(), page.as_mut_ptr(), PAGE) };
    }

    /// Changes a word.
    pub fn write(&self, offset: u64, value: u64) {
        let to = self.region.ptr(offset, 8).cast::<u64>();
        // SAFETY: see the module; offsets of words come from pages, and are aligned.
        unsafe { to.write_volatile(value) };
    }
}
