//! The place of one future in the registry.

use std::sync::Arc;
use std::task::Waker;

use super::registry::Registry;
use super::source::{Key, Source};
use crate::error::Result;
use crate::sync::futex;

/// Of a future that waits, or was woken.
pub(super) struct Ticket {
    registry: Arc<Registry>,
    key: Key,
    number: u64,
    /// It took what it was waiting for.
    served: bool,
}

impl Ticket {
    /// Enters a future.
    pub(super) fn draw(source: Arc<dyn Source>, waker: Waker) -> Result<Self> {
        let registry = Registry::current();
        let (key, number) = (source.key(), registry.number());
        // Made first: if it cannot be entered, its drop clears up.
        let ticket = Self { registry, key, number, served: false };
        ticket.stay(source, waker)?;
        Ok(ticket)
    }

    /// It was polled and goes on waiting: enters it again if it was woken.
    pub(super) fn stay(&self, source: Arc<dyn Source>, waker: Waker) -> Result<()> {
        self.registry.enter(self.key, self.number, source, waker)
    }

    /// It took what it was waiting for: a wake-up, if there was one, has served.
    #[cfg(feature = "async")]
    pub(super) fn served(mut self) {
        self.served = true;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // In a forked copy nobody waits, and the registry may be locked for ever.
        if !self.registry.is_here() {
            return;
        }
        let was_woken = !self.registry.leave(self.key, self.number);
        if was_woken && !self.served {
            // The wake-up may have been the only one. One too many does no harm.
            futex::wake_address(self.key.word, 1);
        }
    }
}
