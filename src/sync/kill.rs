//! Kill points: a test arms the process to end itself with SIGKILL before its k-th shared operation.
//!
//! Without the feature `kill-points` a point is nothing at all. Under loom a thread is armed instead, and ends by a panic before
//! its k-th futex call: loom's own words have no points.

#[cfg(all(feature = "kill-points", not(loom)))]
#[allow(
    clippy::disallowed_types,
    reason = "the counters are private to the process and must not count themselves"
)]
mod imp {
    use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

    static COUNT: AtomicU64 = AtomicU64::new(0);
    static DIE_AT: AtomicU64 = AtomicU64::new(u64::MAX);
    static STOP_AT: AtomicU64 = AtomicU64::new(u64::MAX);

    /// Starts counting from zero; the process dies before operation `k` (the first is 0).
    pub fn arm(k: u64) {
        COUNT.store(0, Relaxed);
        DIE_AT.store(k, Relaxed);
    }

    /// Starts counting from zero; the process is stopped (SIGSTOP) before operation `k`, and can go on.
    pub fn arm_stop(k: u64) {
        COUNT.store(0, Relaxed);
        STOP_AT.store(k, Relaxed);
    }

    /// Stops the counting and says how many operations ran since [`arm`].
    pub fn disarm() -> u64 {
        DIE_AT.store(u64::MAX, Relaxed);
        STOP_AT.store(u64::MAX, Relaxed);
        COUNT.load(Relaxed)
    }

    /// One shared operation is about to happen.
    #[inline]
    pub fn point() {
        let now = COUNT.fetch_add(1, Relaxed);
        if now == DIE_AT.load(Relaxed) {
            crate::sys::signal::kill_self();
        }
        if now == STOP_AT.load(Relaxed) {
            crate::sys::signal::stop_self();
        }
    }
}

#[cfg(loom)]
mod imp {
    use core::cell::Cell;

    loom::thread_local! {
        static LEFT: Cell<u64> = Cell::new(u64::MAX);
    }

    /// What an armed thread panics with.
    #[derive(Debug)]
    pub struct Killed;

    /// The calling thread ends before point `k` (the first is 0).
    pub fn arm(k: u64) {
        LEFT.with(|left| left.set(k));
    }

    /// It lives for ever.
    pub fn disarm() {
        arm(u64::MAX);
    }

    /// One shared operation is about to happen.
    pub fn point() {
        let left = LEFT.with(|left| left.replace(left.get().saturating_sub(1)));
        match left {
            0 => std::panic::resume_unwind(Box::new(Killed)),
            u64::MAX => disarm(),
            _ => {}
        }
    }
}

#[cfg(not(any(loom, feature = "kill-points")))]
mod imp {
    /// One shared operation is about to happen: nothing, outside the kill tests.
    #[inline(always)]
    pub fn point() {}
}

pub use imp::*;
