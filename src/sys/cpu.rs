//! Cores: giving one up.
//!
//! # Safety
//!
//! Only calls without pointers.
#![allow(unsafe_code)]

/// Lets another runnable thread of this core run; returns at once (100 to 300 ns) if there is none.
#[inline]
pub fn yield_now() {
    // SAFETY: takes nothing, touches nothing.
    unsafe { libc::sched_yield() };
}
