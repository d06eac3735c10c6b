//! A second process that waits in `get` and writes down what it got.

use processing::testing::Ticket;
use processing::{Cargo, Message};

use crate::board::Board;
use crate::carrier::Carrier;
use crate::case::FREE;
use crate::child::{Child, Doing};
use crate::kinds::Kind;
use crate::{BOUND, Outcome, words};

/// What a waiter writes for the end of the queue.
pub const CLOSED: u64 = u64::MAX;
/// And for anything that must not be.
const WRONG: u64 = u64::MAX - 1;
/// Where it writes.
pub const WAITER: usize = FREE + 8;

/// It gets one message of a queue `Q`.
pub struct Waiter<Q> {
    ticket: Ticket<(Q,)>,
    child: Child,
    board: Board,
}

impl<Q: Message + Clone> Waiter<Q>
where
    (Q,): Cargo,
{
    /// Starts it; it sleeps when this returns.
    pub fn start<K: Kind>(queue: &Q, kind: K, board: Board) -> Outcome<Self>
    where
        Q: Carrier<K::Message>,
    {
        board.clear();
        let mut ticket = Ticket::issue((queue.clone(),), "waiter").map_err(words("packing"))?;
        let child = Child::fork(|| {
            let (queue,): (Q,) = ticket.board().expect("arguments");
            let found = match queue.by_value(BOUND) {
                Ok(message) => kind.read(message).unwrap_or(WRONG),
                Err(error) if error.is_closed() => CLOSED,
                Err(_) => WRONG,
            };
            board.set(WAITER, found);
        });
        if child.settle()? == Doing::Ended {
            return Err("the waiter ended before there was anything".into());
        }
        Ok(Self { ticket, child, board })
    }

    /// It has written something down.
    pub fn has_answered(&self) -> bool {
        self.board.get(WAITER) != 0
    }

    /// What it got.
    pub fn end(mut self) -> Outcome<u64> {
        let end = self.child.wait()?;
        self.ticket.over();
        match self.board.get(WAITER) {
            0 | WRONG => Err(format!("the waiter got nothing whole, and ended with {end:?}")),
            found => Ok(found),
        }
    }
}
