//! `futex(2)` on words of a shared mapping.
//!
//! # Safety
//!
//! The kernel only compares the word and never writes it, and answers EFAULT for an address that is not
//! mapped: no memory is touched through the pointers given here.
#![allow(unsafe_code)]

use crate::sync::atomic::AtomicU32;
use crate::sync::futex::Wake;

/// Sleeps while `word == expected`, at most until `deadline` (CLOCK_MONOTONIC nanoseconds).
pub fn wait(word: &AtomicU32, expected: u32, deadline: Option<u64>) -> Wake {
    let limit = deadline.map(|at| libc::timespec {
        tv_sec: (at / 1_000_000_000).min(i64::MAX as u64) as i64,
        tv_nsec: (at % 1_000_000_000) as i64,
    });
    let limit = limit.as_ref().map_or(core::ptr::null(), core::ptr::from_ref);
    // FUTEX_WAIT_BITSET takes an absolute time on the monotonic clock: one deadline through all retries.
    // SAFETY: see the module; `limit` is null or points to a live timespec.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT_BITSET,
            expected,
            limit,
            core::ptr::null::<u32>(),
            libc::FUTEX_BITSET_MATCH_ANY,
        )
    };
    if answer == 0 {
        return Wake::Woken;
    }
    match std::io::Error::last_os_error().raw_os_error() {
        Some(libc::ETIMEDOUT) => Wake::TimedOut,
        Some(libc::EAGAIN) => Wake::Changed,
        _ => Wake::Woken, // EINTR: look again
    }
}

/// Wakes at most `count` sleepers; the number woken.
pub fn wake(word: &AtomicU32, count: u32) -> u32 {
    // SAFETY: see the module.
    let woken = unsafe {
        libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, count.min(i32::MAX as u32))
    };
    u32::try_from(woken).unwrap_or(0)
}
