//! `futex_waitv(2)`: one sleep by several words of shared mappings. Linux 5.16.
//!
//! # Safety
//!
//! The kernel only compares the words, and answers EFAULT for an address that is not mapped: no memory is changed through the
//! addresses given here. The array lives until the call returns.
#![allow(unsafe_code)]

use crate::sync::futex::{ANY_MAX, Address, WakeAny};

/// `struct futex_waitv` of the kernel.
#[repr(C)]
struct Entry {
    value: u64,
    address: u64,
    flags: u32,
    reserved: u32,
}

/// A word of 32 bits, shared: not FUTEX2_PRIVATE.
const FUTEX2_SIZE_U32: u32 = 2;

/// Sleeps while each word holds its value, at most until `deadline` (CLOCK_MONOTONIC nanoseconds).
pub fn wait_any(words: &[(Address, u32)], deadline: u64) -> WakeAny {
    if words.len() > ANY_MAX {
        return WakeAny::Refused;
    }
    let entry = |(address, value): &(Address, u32)| Entry {
        value: u64::from(*value),
        address: address.get() as u64,
        flags: FUTEX2_SIZE_U32,
        reserved: 0,
    };
    let entries: Vec<Entry> = words.iter().map(entry).collect();
    let limit = libc::timespec {
        tv_sec: (deadline / 1_000_000_000).min(i64::MAX as u64) as i64,
        tv_nsec: (deadline % 1_000_000_000) as i64,
    };
    // SAFETY: see the module; `limit` is a live timespec.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_futex_waitv,
            entries.as_ptr(),
            entries.len() as libc::c_uint,
            0,
            &raw const limit,
            libc::CLOCK_MONOTONIC,
        )
    };
    if let Ok(index) = usize::try_from(answer) {
        return WakeAny::Woken(index);
    }
    match std::io::Error::last_os_error().raw_os_error() {
        Some(libc::ETIMEDOUT) => WakeAny::TimedOut,
        Some(libc::EAGAIN | libc::EINTR) => WakeAny::Changed,
        _ => WakeAny::Refused,
    }
}

/// Wakes at most `count` sleepers; the number woken.
pub fn wake(word: Address, count: u32) -> u32 {
    // SAFETY: FUTEX_WAKE uses the address as a number, and answers EFAULT if nothing is mapped there.
    let woken =
        unsafe { libc::syscall(libc::SYS_futex, word.get(), libc::FUTEX_WAKE, count.min(i32::MAX as u32)) };
    u32::try_from(woken).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};
    use crate::sync::futex;
    use crate::sys::clock::now;

    #[test]
    fn a_sleep_by_several_words_ends_as_it_should() {
        let (a, b) = (AtomicU32::new(1), AtomicU64::new(7 << 32 | 2));
        let words = [(Address::of(&a), 1), (Address::of_low(&b), 2)];
        assert_eq!(wait_any(&[words[0], (words[1].0, 3)], u64::MAX), WakeAny::Changed);
        let end = wait_any(&words, now() + 1_000_000);
        if end == WakeAny::Refused {
            return; // an old kernel, or a sandbox: then nobody sleeps by it
        }
        assert_eq!(end, WakeAny::TimedOut);
        // An address where nothing is mapped is no crash.
        assert_eq!(wait_any(&[(Address::of(&a), 1), (Address::null(), 0)], u64::MAX), WakeAny::Refused);
        std::thread::scope(|scope| {
            let sleeper = scope.spawn(|| wait_any(&words, u64::MAX));
            // By the ordinary calls, which know nothing of the other sleep.
            while futex::wake_low(&b, 1) == 0 {
                std::thread::yield_now();
            }
            assert_eq!(sleeper.join().expect("sleeper"), WakeAny::Woken(1));
            let sleeper = scope.spawn(|| wait_any(&words, u64::MAX));
            while wake(words[0].0, 1) == 0 {
                std::thread::yield_now();
            }
            assert_eq!(sleeper.join().expect("sleeper"), WakeAny::Woken(0));
            let sleeper = scope.spawn(|| wait_any(&words, u64::MAX));
            // The release of a lock: one step of the kernel. Until it meets the sleeper, it stores what is there.
            while futex::store_low_and_wake(&b, 2, 1) == 0 {
                std::thread::yield_now();
            }
            assert_eq!(sleeper.join().expect("sleeper"), WakeAny::Woken(1));
        });
        assert_eq!(b.load(Ordering::Relaxed), 7 << 32 | 2);
    }
}
