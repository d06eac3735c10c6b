//! Where a client of a ring is: private to its process, so that no operation shares a counter.
//!
//! # Safety
//!
//! `own` is touched only by the one thread whose token stands in `owner`: tokens are never used again, and
//! the owner is set once, by a CAS from "nobody". [`ClientCursor::with`] calls only this layer's code,
//! which never calls it again for the same cursor.
#![allow(unsafe_code)]
#![allow(clippy::disallowed_types, reason = "private to the process: not a shared operation")]

use std::cell::UnsafeCell;
use std::sync::Mutex;
use std::sync::PoisonError;

use core::sync::atomic::{AtomicU64, Ordering};

/// Never an epoch: some cells must still be looked at.
pub(super) const UNSETTLED: u64 = u64::MAX;

/// One private view of a ring.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor {
    /// Every ticket below it has been claimed by a producer.
    pub put: u64,
    /// Every ticket below it is done, or was claimed by a consumer, or came back in a later epoch than `epoch`.
    pub get: u64,
    /// The redelivery epoch that `get` knows of.
    pub epoch: u64,
    /// The epoch at which a complete look at the cells found no orphan. A new client has not looked.
    pub settled: u64,
}

impl Cursor {
    const NEW: Self = Self { put: 0, get: 0, epoch: 0, settled: UNSETTLED };
}

/// The cursors of one handle. The first thread that uses it has one of its own; other threads share a second
/// one behind a lock of the process.
#[derive(Debug)]
pub struct ClientCursor {
    owner: AtomicU64,
    own: UnsafeCell<Cursor>,
    others: Mutex<Cursor>,
}

// SAFETY: see the module: `own` has one user thread, the rest is made for sharing.
unsafe impl Sync for ClientCursor {}

impl Default for ClientCursor {
    fn default() -> Self {
        Self { owner: AtomicU64::new(0), own: UnsafeCell::new(Cursor::NEW), others: Mutex::new(Cursor::NEW) }
    }
}

impl ClientCursor {
    /// Runs `f` on the calling thread's cursor.
    #[inline(always)]
    pub(super) fn with<R>(&self, f: impl FnOnce(&mut Cursor) -> R) -> R {
        if self.owner.load(Ordering::Relaxed) == token() || self.adopt() {
            // SAFETY: see the module: this thread is the owner, and `f` does not come back here.
            f(unsafe { &mut *self.own.get() })
        } else {
            f(&mut self.others.lock().unwrap_or_else(PoisonError::into_inner))
        }
    }

    /// Makes the calling thread the owner if there is none.
    #[cold]
    fn adopt(&self) -> bool {
        self.owner.load(Ordering::Relaxed) == 0
            && self.owner.compare_exchange(0, token(), Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

#[cfg(not(loom))]
std::thread_local! {
    static TOKEN: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// A number that no other thread of this process ever has; not 0.
#[cfg(not(loom))]
#[inline(always)]
pub(super) fn token() -> u64 {
    TOKEN.with(|token| if token.get() != 0 { token.get() } else { new_token(token) })
}

#[cfg(not(loom))]
#[cold]
fn new_token(token: &std::cell::Cell<u64>) -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    token.set(NEXT.fetch_add(1, Ordering::Relaxed));
    token.get()
}

/// The threads of a model are coroutines of one thread; each uses cursors of its own.
#[cfg(loom)]
pub(super) fn token() -> u64 {
    1
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_first_thread_owns_it_and_others_share_one() {
        let cursor = ClientCursor::default();
        cursor.with(|c| c.put = 7);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        cursor.with(|c| c.put += 1);
                    }
                });
            }
        });
        assert_eq!(cursor.with(|c| c.put), 7);
        assert_eq!(cursor.others.lock().unwrap().put, 200);
    }
}
