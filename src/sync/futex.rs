//! Futexes on shared words: the kernel's, or a model under loom.
//!
//! Shared futexes only: the process-private form would never meet a waiter of another process.

use super::atomic::{AtomicU32, AtomicU64};

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// Somebody woke the word, or the kernel returned early: look again.
    Woken,
    /// The word did not hold the expected value.
    Changed,
    /// The deadline passed.
    TimedOut,
}

/// Sleeps while `word == expected`, until woken or until `deadline` (CLOCK_MONOTONIC nanoseconds).
#[cfg(not(loom))]
#[cold]
pub fn wait(word: &AtomicU32, expected: u32, deadline: Option<u64>) -> Wake {
    super::kill::point();
    crate::sys::futex::wait(word, expected, deadline)
}

/// Wakes at most `count` sleepers and says how many it woke.
#[cfg(not(loom))]
#[cold]
pub fn wake(word: &AtomicU32, count: u32) -> u32 {
    super::kill::point();
    crate::sys::futex::wake(word, count)
}

/// [`wait`] on the low half of a word.
#[cfg(not(loom))]
#[cold]
pub fn wait_low(word: &AtomicU64, expected: u32, deadline: Option<u64>) -> Wake {
    super::kill::point();
    crate::sys::futex::wait_low(word, expected, deadline)
}

/// [`wake`] on the low half of a word.
#[cfg(not(loom))]
#[cold]
pub fn wake_low(word: &AtomicU64, count: u32) -> u32 {
    super::kill::point();
    crate::sys::futex::wake_low(word, count)
}

/// Stores `value` (below 2048) into the low half of a word and wakes at most `count` sleepers on it, in one step: nobody
/// who looks after the store falls asleep before the wake-up, and whoever is killed has done both or neither. How many
/// woke.
#[cfg(not(loom))]
#[cold]
pub fn store_low_and_wake(word: &AtomicU64, value: u32, count: u32) -> u32 {
    super::kill::point();
    crate::sys::futex::store_low_and_wake(word, value, count)
}

/// Where a futex lies, for who sleeps by several at once. It may outlive the word: then the kernel finds nothing there, or a
/// number that says nothing, and nobody touches memory through it but the kernel, who looks first.
#[cfg(not(loom))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Address(usize);

#[cfg(not(loom))]
impl Address {
    /// This word.
    pub fn of(word: &AtomicU32) -> Self {
        Self(core::ptr::from_ref(word).addr())
    }

    /// The low half of this word. (Little endian: it comes first.)
    pub fn of_low(word: &AtomicU64) -> Self {
        Self(core::ptr::from_ref(word).addr())
    }

    /// Nowhere.
    #[cfg(test)]
    pub fn null() -> Self {
        Self(0)
    }

    /// As a number.
    pub fn get(self) -> usize {
        self.0
    }
}

/// How a sleep by several words ended.
#[cfg(not(loom))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WakeAny {
    /// Somebody woke at least this one: at most one wake-up each was taken from them.
    Woken(usize),
    /// One of them did not hold its expected value, or the kernel returned early. No wake-up was taken.
    Changed,
    /// The deadline passed. No wake-up was taken.
    TimedOut,
    /// The kernel cannot do it: older than 5.16, or a sandbox forbids it.
    Refused,
}

/// The most words of one [`wait_any`].
#[cfg(not(loom))]
pub const ANY_MAX: usize = 128;

/// Sleeps while each word (at most [`ANY_MAX`]) holds the value beside it, until one is woken or until `deadline`
/// (CLOCK_MONOTONIC nanoseconds).
#[cfg(not(loom))]
#[cold]
pub fn wait_any(words: &[(Address, u32)], deadline: u64) -> WakeAny {
    super::kill::point();
    crate::sys::futex_waitv::wait_any(words, deadline)
}

/// [`wake`] by address.
#[cfg(not(loom))]
#[cold]
pub fn wake_address(word: Address, count: u32) -> u32 {
    super::kill::point();
    crate::sys::futex_waitv::wake(word, count)
}

#[cfg(loom)]
pub use model::{store_low_and_wake, wait, wait_low, wake, wake_low};

/// The futex under loom: compare under a lock, then wait; one bucket a word, found by its address.
#[cfg(loom)]
mod model {
    use std::collections::HashMap;

    use loom::sync::{Arc, Condvar, Mutex};

    use super::{AtomicU32, AtomicU64, Wake};
    use crate::sync::atomic::Ordering;
    use crate::sync::kill;

    struct Bucket {
        /// (sleepers, wake-ups not yet taken)
        state: Mutex<(u32, u32)>,
        wake: Condvar,
    }

    loom::lazy_static! {
        static ref BUCKETS: Mutex<HashMap<usize, Arc<Bucket>>> = Mutex::new(HashMap::new());
    }

    fn bucket(key: usize) -> Arc<Bucket> {
        let mut buckets = BUCKETS.lock().unwrap();
        buckets
            .entry(key)
            .or_insert_with(|| Arc::new(Bucket { state: Mutex::new((0, 0)), wake: Condvar::new() }))
            .clone()
    }

    fn address<T>(word: &T) -> usize {
        std::ptr::from_ref(word).addr()
    }

    /// Deadlines are not modelled: a model that needs one passes it as a separate thread.
    pub fn wait(word: &AtomicU32, expected: u32, _deadline: Option<u64>) -> Wake {
        wait_while(address(word), || word.load(Ordering::Relaxed) == expected)
    }

    pub fn wait_low(word: &AtomicU64, expected: u32, _deadline: Option<u64>) -> Wake {
        wait_while(address(word), || word.load(Ordering::Relaxed) as u32 == expected)
    }

    fn wait_while(key: usize, same: impl FnOnce() -> bool) -> Wake {
        kill::point();
        let end = sleep(key, same);
        // Also between the wake-up and the next look.
        kill::point();
        end
    }

    fn sleep(key: usize, same: impl FnOnce() -> bool) -> Wake {
        let bucket = bucket(key);
        let mut state = bucket.state.lock().unwrap();
        if !same() {
            return Wake::Changed;
        }
        state.0 += 1;
        while state.1 == 0 {
            state = bucket.wake.wait(state).unwrap();
        }
        state.1 -= 1;
        Wake::Woken
    }

    pub fn wake(word: &AtomicU32, count: u32) -> u32 {
        wake_after(address(word), count, || ())
    }

    pub fn wake_low(word: &AtomicU64, count: u32) -> u32 {
        wake_after(address(word), count, || ())
    }

    /// The kernel's store promises no order: a caller that needs one runs a fence.
    pub fn store_low_and_wake(word: &AtomicU64, value: u32, count: u32) -> u32 {
        wake_after(address(word), count, || {
            // Of the half that the kernel does not touch, only who has the word changes anything: and that is the caller.
            // The flags of the other half may come meanwhile, and are overwritten.
            let mut seen = word.load(Ordering::Relaxed);
            loop {
                let next = seen >> 32 << 32 | u64::from(value);
                match word.compare_exchange(seen, next, Ordering::Relaxed, Ordering::Relaxed) {
                    Ok(_) => break,
                    Err(now) => seen = now,
                }
            }
        })
    }

    fn wake_after(key: usize, count: u32, first: impl FnOnce()) -> u32 {
        kill::point();
        let woken = wake_whole(key, count, first);
        kill::point();
        woken
    }

    fn wake_whole(key: usize, count: u32, first: impl FnOnce()) -> u32 {
        let bucket = bucket(key);
        let mut state = bucket.state.lock().unwrap();
        first();
        let woken = state.0.min(count);
        state.0 -= woken;
        state.1 += woken;
        for _ in 0..woken {
            bucket.wake.notify_one();
        }
        woken
    }
}
