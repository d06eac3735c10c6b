//! A descriptor that is readable while there is something, for event loops of others.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Wake, Waker};

use super::source::Source;
use super::ticket::Ticket;
use crate::error::{Error, Result};
use crate::prim::latch::{Latch, Sign};
use crate::sync::futex::{self, Address};
use crate::sys::eventfd::EventFd;

/// What `as_fd` shows: nothing until somebody asks for it.
#[derive(Default)]
pub(crate) struct Readable {
    made: OnceLock<Made>,
}

struct Made {
    /// First: it leaves the registry before anything goes that its source is made of.
    ticket: Mutex<Option<Ticket>>,
    shown: Arc<Shown>,
}

/// What the registry has of it: a waker that makes it readable.
struct Shown {
    event: EventFd,
    latch: Latch,
    /// Others who sleep by the same word may have to be woken instead of who looks at the descriptor.
    hand_on: Option<Address>,
}

impl Sign for EventFd {
    fn raise(&self) {
        EventFd::raise(self);
    }

    fn lower(&self) {
        EventFd::lower(self);
    }
}

impl Wake for Shown {
    fn wake(self: Arc<Self>) {
        self.latch.found(&self.event);
        if let Some(word) = self.hand_on {
            futex::wake_address(word, 1);
        }
    }
}

impl Readable {
    /// The descriptor. The first call makes it and has it watched: `source` is what to watch, and none if there is something already.
    ///
    /// # Errors
    /// `Os` or `Limit` if there is no descriptor or no thread to be had.
    pub(crate) fn fd(
        &self,
        object: impl FnOnce() -> String,
        hand_on: Option<Address>,
        source: impl FnOnce() -> Result<Option<Arc<dyn Source>>>,
    ) -> Result<BorrowedFd<'_>> {
        if let Some(made) = self.made.get() {
            return Ok(made.shown.event.as_fd());
        }
        let event = EventFd::new().map_err(|cause| Error::os(object(), "eventfd", cause))?;
        let shown = Arc::new(Shown { event, latch: Latch::watched(), hand_on });
        let made = Made { ticket: Mutex::new(None), shown };
        match source()? {
            Some(source) => made.watch(source)?,
            None => made.shown.latch.found(&made.shown.event),
        }
        // Two threads may come here at once: one of them has made its own for nothing.
        Ok(self.made.get_or_init(|| made).shown.event.as_fd())
    }

    /// A call found nothing there: the descriptor, if there is one, becomes unreadable until there is something again. `source` as in
    /// [`fd`](Self::fd).
    #[inline]
    pub(crate) fn found_nothing(&self, source: impl FnOnce() -> Result<Option<Arc<dyn Source>>>) {
        if let Some(made) = self.made.get() {
            made.found_nothing(source);
        }
    }

    /// Somebody has asked for it.
    pub(crate) fn is_made(&self) -> bool {
        self.made.get().is_some()
    }
}

impl Made {
    #[cold]
    fn found_nothing(&self, source: impl FnOnce() -> Result<Option<Arc<dyn Source>>>) {
        // If it cannot be watched it stays readable, and the next call that finds nothing tries again.
        let watch = || source().is_ok_and(|source| source.is_some_and(|source| self.watch(source).is_ok()));
        self.shown.latch.found_nothing(&self.shown.event, watch);
    }

    fn watch(&self, source: Arc<dyn Source>) -> Result<()> {
        let waker = Waker::from(self.shown.clone());
        let mut ticket = self.ticket.lock().unwrap_or_else(PoisonError::into_inner);
        match &*ticket {
            Some(ticket) => ticket.stay(source, waker),
            None => {
                *ticket = Some(Ticket::draw(source, waker)?);
                Ok(())
            }
        }
    }
}
