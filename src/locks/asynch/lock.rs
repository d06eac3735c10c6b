//! Waiting for a [`Lock`].

use std::sync::Arc;

use crate::channel::ready::{Attempt, Source};
use crate::error;
use crate::locks::errors::AcquireError;
use crate::locks::lock::{Lock, LockGuard};
use crate::prim::limits::{BACKSTOP_MIN, now};

/// Of one future.
pub(in crate::locks) struct LockAttempt<'a> {
    lock: &'a Lock,
    /// When the owner was asked after.
    asked: u64,
}

impl<'a> LockAttempt<'a> {
    pub(in crate::locks) fn new(lock: &'a Lock) -> Self {
        Self { lock, asked: 0 }
    }
}

impl<'a> Attempt for LockAttempt<'a> {
    type Got = LockGuard<'a>;
    type Error = AcquireError<LockGuard<'a>>;

    fn attempt(&mut self, again: bool) -> Option<Result<Self::Got, Self::Error>> {
        // No clock before it waits.
        let now = if again { now() } else { 0 };
        let ask = now.saturating_sub(self.asked) >= BACKSTOP_MIN;
        if ask {
            self.asked = now;
        }
        self.lock.attempt(again, ask)
    }

    fn source(&mut self) -> error::Result<Option<Arc<dyn Source>>> {
        Ok(Some(self.lock.source()))
    }
}
