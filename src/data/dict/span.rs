//! The chunks of a region as one slice of words, for who looks at them often.
//!
//! # Safety
//!
//! The slice lies in the mapping of a region, which stays as long as the region, which is kept beside it; words are atomics, for which any bytes are
//! valid.
#![allow(unsafe_code)]

use core::fmt;
use core::ptr::NonNull;
use std::sync::Arc;

use crate::region::Region;
use crate::sync::atomic::AtomicU64;

/// See the module.
pub struct Span {
    words: NonNull<[AtomicU64]>,
    /// Offset of the first.
    start: u64,
    region: Arc<Region>,
}

// SAFETY: atomics in memory that several processes use anyhow.
unsafe impl Send for Span {}
// SAFETY: as above.
unsafe impl Sync for Span {}

impl Span {
    pub fn new(region: Arc<Region>) -> Self {
        let geometry = region.geometry();
        let (start, total) = (geometry.chunks, geometry.total);
        let words = NonNull::from(region.words(start, (total - start) / 8).unwrap_or_default());
        Self { words, start, region }
    }

    /// As [`Region::words`], of offsets that are multiples of 8.
    #[inline(always)]
    pub fn words(&self, offset: u64, count: u64) -> Option<&[AtomicU64]> {
        let first = (offset.wrapping_sub(self.start) / 8) as usize;
        // SAFETY: see the module.
        unsafe { self.words.as_ref() }.get(first..first.checked_add(count as usize)?)
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Span").field("start", &self.start).field("region", &self.region.id()).finish()
    }
}
