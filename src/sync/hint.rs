//! Hints to the processor.
//!
//! # Safety
//!
//! A prefetch changes nothing but caches and never faults, whatever the address.
#![allow(unsafe_code)]

use crate::sync::atomic::AtomicU64;

/// One turn of a spin loop. Under loom the thread yields, so that the model makes progress.
#[inline(always)]
pub fn spin_loop() {
    #[cfg(not(loom))]
    core::hint::spin_loop();
    #[cfg(loom)]
    loom::thread::yield_now();
}

/// The line of this word will be read soon.
#[inline(always)]
pub fn prefetch(word: &AtomicU64) {
    #[cfg(all(not(loom), target_arch = "x86_64"))]
    // SAFETY: see the module.
    unsafe {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(core::ptr::from_ref(word).cast());
    }
    #[cfg(any(loom, not(target_arch = "x86_64")))]
    let _ = word;
}
