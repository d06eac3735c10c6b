//! The one future of all.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::source::Source;
use super::ticket::Ticket;
use crate::error::{Error, Result};

/// What a future tries again and again.
pub(crate) trait Attempt {
    type Got;
    type Error: From<Error>;
    /// None: it must wait. `again`: it has waited.
    fn attempt(&mut self, again: bool) -> Option<Result<Self::Got, Self::Error>>;
    /// What to wait for. None: it may be there already.
    fn source(&mut self) -> Result<Option<Arc<dyn Source>>>;
}

/// Tries, and waits in between. Dropped, it has not taken anything, and takes no wake-up with it.
#[must_use = "a future does nothing unless it is polled"]
pub(crate) struct Wait<A> {
    attempt: A,
    waiting: Waiting,
}

/// Whether something waits in the registry: the part of a future that is no attempt.
#[derive(Default)]
pub(crate) struct Waiting {
    ticket: Option<Ticket>,
}

impl Waiting {
    pub(crate) fn poll<A: Attempt>(
        &mut self,
        attempt: &mut A,
        context: &mut Context<'_>,
    ) -> Poll<Result<A::Got, A::Error>> {
        if let Some(end) = attempt.attempt(self.ticket.is_some()) {
            match self.ticket.take() {
                Some(ticket) if end.is_ok() => ticket.served(),
                left => drop(left),
            }
            return Poll::Ready(end);
        }
        match self.enter(attempt.source(), context.waker()) {
            Ok(()) => Poll::Pending,
            Err(error) => {
                self.ticket = None;
                Poll::Ready(Err(error.into()))
            }
        }
    }

    fn enter(&mut self, source: Result<Option<Arc<dyn Source>>>, waker: &Waker) -> Result<()> {
        let Some(source) = source? else {
            waker.wake_by_ref();
            return Ok(());
        };
        match &self.ticket {
            Some(ticket) => ticket.stay(source, waker.clone()),
            None => Ticket::draw(source, waker.clone()).map(|ticket| self.ticket = Some(ticket)),
        }
    }
}

impl<A> Wait<A> {
    pub(crate) fn new(attempt: A) -> Self {
        Self { attempt, waiting: Waiting::default() }
    }
}

impl<A: Attempt + Unpin> Future for Wait<A> {
    type Output = Result<A::Got, A::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        this.waiting.poll(&mut this.attempt, context)
    }
}
