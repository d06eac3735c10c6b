//! The one future of all.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::source::Source;
use super::ticket::Ticket;
use crate::error::Error;

/// What a future tries again and again.
pub(in crate::locks) trait Attempt {
    type Got;
    type Error: From<Error>;
    /// None: it must wait. `again`: it has waited.
    fn attempt(&mut self, again: bool) -> Option<Result<Self::Got, Self::Error>>;
    /// What to wait for.
    fn source(&self) -> Arc<dyn Source>;
}

/// Tries, and waits in between. Dropped, it has not taken anything, and takes no wake-up with it.
#[must_use = "a future does nothing unless it is polled"]
pub(in crate::locks) struct Wait<A> {
    attempt: A,
    ticket: Option<Ticket>,
}

impl<A> Wait<A> {
    pub(in crate::locks) fn new(attempt: A) -> Self {
        Self { attempt, ticket: None }
    }
}

impl<A: Attempt + Unpin> Future for Wait<A> {
    type Output = Result<A::Got, A::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Some(end) = this.attempt.attempt(this.ticket.is_some()) {
            match this.ticket.take() {
                Some(ticket) if end.is_ok() => ticket.served(),
                left => drop(left),
            }
            return Poll::Ready(end);
        }
        let waker = context.waker().clone();
        let source = this.attempt.source();
        let entered = match &this.ticket {
            Some(ticket) => ticket.stay(source, waker),
            None => Ticket::draw(source, waker).map(|ticket| this.ticket = Some(ticket)),
        };
        match entered {
            Ok(()) => Poll::Pending,
            Err(error) => {
                this.ticket = None;
                Poll::Ready(Err(error.into()))
            }
        }
    }
}
