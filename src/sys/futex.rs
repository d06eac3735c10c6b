//! `futex(2)` on words of a shared mapping.
//!
//! # Safety
//!
//! The kernel only compares the word, or changes it atomically ([`store_low_and_wake`]), and answers EFAULT for an address that is not
//! mapped: no other memory is touched through the pointers given here.
#![allow(unsafe_code)]

use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::sync::futex::Wake;

/// Sleeps while `word == expected`, at most until `deadline` (CLOCK_MONOTONIC nanoseconds).
pub fn wait(word: &AtomicU32, expected: u32, deadline: Option<u64>) -> Wake {
    wait_at(word.as_ptr(), expected, deadline)
}

/// Wakes at most `count` sleepers; the number woken.
pub fn wake(word: &AtomicU32, count: u32) -> u32 {
    wake_at(word.as_ptr(), count)
}

/// [`wait`] on the low half of `word`. (Little endian: it comes first.)
pub fn wait_low(word: &AtomicU64, expected: u32, deadline: Option<u64>) -> Wake {
    wait_at(word.as_ptr().cast(), expected, deadline)
}

/// [`wake`] on the low half of `word`.
pub fn wake_low(word: &AtomicU64, count: u32) -> u32 {
    wake_at(word.as_ptr().cast(), count)
}

fn wait_at(word: *mut u32, expected: u32, deadline: Option<u64>) -> Wake {
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
            word,
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

fn wake_at(word: *mut u32, count: u32) -> u32 {
    // SAFETY: see the module.
    let woken = unsafe { libc::syscall(libc::SYS_futex, word, libc::FUTEX_WAKE, count.min(i32::MAX as u32)) };
    u32::try_from(woken).unwrap_or(0)
}

/// Stores `value` into the low half of `word` and wakes at most `count` sleepers on it, in one step of the kernel
/// (FUTEX_WAKE_OP); the number woken. Two steps where the kernel refuses the one (a sandbox that does not know it): then who
/// is killed between them leaves the wake-up to its reaper.
///
/// # Panics
/// If `value` is 2048 or more: the kernel's instruction has 12 bits for it, with a sign.
pub fn store_low_and_wake(word: &AtomicU64, value: u32, count: u32) -> u32 {
    const CMP_GT: u32 = 4;
    const TOP: u32 = 0x7ff;
    assert!(value <= TOP, "FUTEX_WAKE_OP has no room for {value}");
    // FUTEX_OP_SET (0): the word becomes `value`; then "if the old value was above 2047, as a signed number" decides about
    // a second wake-up, of nobody.
    let operation = CMP_GT << 24 | value << 12 | TOP;
    let low: *mut u32 = word.as_ptr().cast();
    // SAFETY: see the module; here the kernel writes the word, atomically, which is what an atomic is for.
    let woken = unsafe {
        libc::syscall(
            libc::SYS_futex,
            low,
            libc::FUTEX_WAKE_OP,
            count.min(i32::MAX as u32),
            0usize, // where a time would be: how many to wake on the second word
            low,
            operation,
        )
    };
    u32::try_from(woken).unwrap_or_else(|_| {
        // Nobody but the caller changes the high half.
        let high = word.load(Ordering::Relaxed) >> 32 << 32;
        word.store(high | u64::from(value), Ordering::Release);
        wake_low(word, count)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_and_a_wake_up_are_one() {
        const HIGH: u64 = 9 << 32;
        let word = AtomicU64::new(HIGH | 0x8000_0007);
        assert_eq!(store_low_and_wake(&word, 1, 1), 0);
        assert_eq!(word.load(Ordering::Relaxed), HIGH | 1);
        std::thread::scope(|scope| {
            let sleeper = scope.spawn(|| {
                while word.load(Ordering::Acquire) != HIGH | 5 {
                    wait_low(&word, 1, None);
                }
            });
            // Not before it sleeps: then the store ends its loop all the same.
            while store_low_and_wake(&word, 5, 1) == 0 && !sleeper.is_finished() {
                word.store(HIGH | 1, Ordering::Release);
                std::thread::yield_now();
            }
        });
        assert_eq!(word.load(Ordering::Relaxed), HIGH | 5);
    }
}
