//! Futexes on shared words: the kernel's, or a model under loom.
//!
//! Shared futexes only: the process-private form would never meet a waiter of another process.

use super::atomic::AtomicU32;

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

#[cfg(loom)]
pub use model::{wait, wake};

/// The futex under loom: compare under a lock, then wait; one bucket a word, found by its address.
#[cfg(loom)]
mod model {
    use std::collections::HashMap;

    use loom::sync::{Arc, Condvar, Mutex};

    use super::{AtomicU32, Wake};
    use crate::sync::atomic::Ordering;

    struct Bucket {
        /// (sleepers, wake-ups not yet taken)
        state: Mutex<(u32, u32)>,
        wake: Condvar,
    }

    loom::lazy_static! {
        static ref BUCKETS: Mutex<HashMap<usize, Arc<Bucket>>> = Mutex::new(HashMap::new());
    }

    fn bucket(word: &AtomicU32) -> Arc<Bucket> {
        let key = std::ptr::from_ref(word).addr();
        let mut buckets = BUCKETS.lock().unwrap();
        buckets
            .entry(key)
            .or_insert_with(|| Arc::new(Bucket { state: Mutex::new((0, 0)), wake: Condvar::new() }))
            .clone()
    }

    /// Deadlines are not modelled: a model that needs one passes it as a separate thread.
    pub fn wait(word: &AtomicU32, expected: u32, _deadline: Option<u64>) -> Wake {
        let bucket = bucket(word);
        let mut state = bucket.state.lock().unwrap();
        if word.load(Ordering::Relaxed) != expected {
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
        let bucket = bucket(word);
        let mut state = bucket.state.lock().unwrap();
        let woken = state.0.min(count);
        state.0 -= woken;
        state.1 += woken;
        for _ in 0..woken {
            bucket.wake.notify_one();
        }
        woken
    }
}
