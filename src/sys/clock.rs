//! Time: the monotonic clock, in nanoseconds. Wall-clock time is used nowhere.

use rustix::thread::clock_nanosleep_absolute;
use rustix::time::{ClockId, Timespec, clock_gettime};

/// Nanoseconds of CLOCK_MONOTONIC.
#[inline]
pub fn now() -> u64 {
    let t = clock_gettime(ClockId::Monotonic);
    t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
}

/// A span of nanoseconds as the kernel takes it.
pub fn timespec(nanoseconds: u64) -> Timespec {
    Timespec { tv_sec: (nanoseconds / 1_000_000_000) as i64, tv_nsec: (nanoseconds % 1_000_000_000) as i64 }
}

/// Sleeps until then (CLOCK_MONOTONIC nanoseconds), or until a signal comes.
pub fn pause_until(at: u64) {
    let _ = clock_nanosleep_absolute(ClockId::Monotonic, &timespec(at)); // EINTR: sooner
}
