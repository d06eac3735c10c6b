//! What each thread keeps of a handle: private to its process, so that no operation shares it.
//!
//! # Safety
//!
//! `own` is touched only by the one thread whose token stands in `owner`: tokens are never used again, and the owner
//! is set once, by a CAS from "nobody". Nothing else runs while it is touched.
#![allow(unsafe_code)]
#![allow(clippy::disallowed_types, reason = "private to the process: not a shared operation")]

use std::cell::UnsafeCell;
use std::sync::{Mutex, PoisonError};

use core::sync::atomic::{AtomicU64, Ordering};

use super::cursor::token;

/// The clients of one handle. A call takes one for itself and gives it back at its end. The first thread that uses the
/// handle has one of its own; other threads, and calls inside of a call, share the rest.
#[derive(Debug)]
pub struct Clients<C> {
    owner: AtomicU64,
    own: UnsafeCell<Option<Box<C>>>,
    others: Mutex<Vec<Box<C>>>,
}

// SAFETY: see the module: `own` has one user thread, the rest is made for sharing.
unsafe impl<C: Send> Sync for Clients<C> {}

impl<C> Default for Clients<C> {
    fn default() -> Self {
        Self { owner: AtomicU64::new(0), own: UnsafeCell::new(None), others: Mutex::new(Vec::new()) }
    }
}

impl<C: Default> Clients<C> {
    /// One that nobody else has until it is given back. One that is not given back (for a panic) is made anew.
    #[inline(always)]
    pub fn take(&self) -> Box<C> {
        if self.is_owner() {
            // SAFETY: see the module.
            if let Some(own) = unsafe { (*self.own.get()).take() } {
                return own;
            }
        }
        self.take_other()
    }

    #[cold]
    fn take_other(&self) -> Box<C> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// The call is over.
    #[inline(always)]
    pub fn give(&self, client: Box<C>) {
        if self.is_owner() {
            // SAFETY: see the module.
            let own = unsafe { &mut *self.own.get() };
            if own.is_none() {
                *own = Some(client);
                return;
            }
        }
        self.give_other(client);
    }

    #[cold]
    fn give_other(&self, client: Box<C>) {
        self.others.lock().unwrap_or_else(PoisonError::into_inner).push(client);
    }

    #[inline(always)]
    fn is_owner(&self) -> bool {
        self.owner.load(Ordering::Relaxed) == token() || self.adopt()
    }

    /// Makes the calling thread the owner if there is none.
    #[cold]
    fn adopt(&self) -> bool {
        self.owner.load(Ordering::Relaxed) == 0
            && self.owner.compare_exchange(0, token(), Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn each_call_has_one_for_itself() {
        let clients = Clients::<u32>::default();
        let (mut outer, mut inner) = (clients.take(), clients.take());
        (*outer, *inner) = (1, 2);
        clients.give(inner);
        // The owner's place is taken now.
        clients.give(outer);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut other = clients.take();
                assert_eq!(*other, 1, "what the owner could not keep");
                *other = 7;
                clients.give(other);
            });
        });
        assert_eq!(*clients.take(), 2, "the owner's own");
        assert_eq!(*clients.take(), 7, "what there is besides");
        assert_eq!(*clients.take(), 0, "a new one");
    }
}
