//! Time stamps for spinning: the processor's counter where it has one that every core agrees on, the
//! monotonic clock elsewhere. Good for "how long did I spin", never for deadlines.
//!
//! # Safety
//!
//! Reads a counter of the processor; no memory is touched.
#![allow(unsafe_code)]
#![allow(clippy::disallowed_types, reason = "private to the process, and no step of any protocol")]

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A stamp, in ticks of [`ticks_per_us`].
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub fn now() -> u64 {
    // SAFETY: every x86-64 processor has the instruction; a kernel that forbids it to processes does not run Rust's
    // standard library's usual programs either.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// A stamp, in ticks of [`ticks_per_us`].
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
pub fn now() -> u64 {
    super::clock::now()
}

/// Stamps a microsecond, at least 1. Measured once a process, in 20 microseconds.
#[inline]
pub fn ticks_per_us() -> u64 {
    /// 0: not measured.
    static RATE: AtomicU64 = AtomicU64::new(0);
    match RATE.load(Relaxed) {
        0 => {
            let rate = measure().max(1);
            RATE.store(rate, Relaxed);
            rate
        }
        rate => rate,
    }
}

/// The best of three, so that losing the core within one of them does not spoil it: the counter and the clock
/// are read next to each other, and a gap between the two reads makes that one's window wrong by its length.
#[cfg(target_arch = "x86_64")]
#[cold]
fn measure() -> u64 {
    const WINDOW_NS: u64 = 7_000;
    let mut rates = [0; 3];
    for rate in &mut rates {
        let (clock, stamp) = (super::clock::now(), now());
        let mut end = super::clock::now();
        while end < clock + WINDOW_NS {
            end = super::clock::now();
        }
        *rate = (now() - stamp) * 1000 / (end - clock);
    }
    rates.sort_unstable();
    rates[1]
}

#[cfg(not(target_arch = "x86_64"))]
fn measure() -> u64 {
    1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_agrees_with_the_clock() {
        let rate = ticks_per_us();
        let (clock, stamp) = (crate::sys::clock::now(), now());
        std::thread::sleep(std::time::Duration::from_millis(20));
        let (us, ticks) = ((crate::sys::clock::now() - clock) / 1000, now() - stamp);
        let measured = ticks / us;
        assert!(measured.abs_diff(rate) <= measured / 10 + 1, "{rate} against {measured} a microsecond");
    }
}
