//! A ring that carries no messages: they travel elsewhere (in the kernel), and the ring says who is about to put one, who sleeps, and
//! whether it was closed.
//!
//! What carries them is whole by itself: a message is there or not, is taken by one, and neither send nor receive waits. What it does not
//! know is a close. So a put sends while it holds a claim of the ring, which it never publishes, and a get that finds nothing says
//! `Closed` only if the ring was closed before, no claim is left (the two look at each other's words as in a ring that carries
//! messages, see [`super::mpmc`]), *and then* still nothing is there: who was about to put has done so by then.
//!
//! # Who may die where
//!
//! - A put, under its claim: the message was sent or not. [`Ring::repair`] takes the claim away and wakes everybody: those that were to be
//!   told of the message, and those that wait for the last claim after a close.
//! - A get, after it received: the message is gone with it. Repair wakes the producers that were to be told of the room.
//!
//! Claims last as long as a send that does not wait. A *stopped* process in the middle of one holds up those that come a lap of the ring later, as
//! in any ring.

use crate::sync::atomic::Ordering::{Relaxed, SeqCst};
use crate::sync::{fence, mutant};

use super::ParticipantId;
use super::cursor::ClientCursor;
use super::get::GetFail;
use super::memory::RingMemory;
use super::mpmc::Ring;
use super::put::PutFail;

/// What came of a put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The message is there.
    Done,
    /// There is no room.
    Full,
    /// The ring was closed.
    Closed,
}

/// What came of a get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Brought<T> {
    /// A message.
    One(T),
    /// None is there.
    Nothing,
    /// None is there, and none will be.
    Closed,
}

impl<M: RingMemory> Ring<M> {
    /// Sends a message with `send`, which says whether there was room, and wakes a consumer. Never waits.
    ///
    /// `hands_on`: room for one message may be room for several; then one who found some wakes the next one that sleeps for it.
    ///
    /// # Errors
    /// What `send` says.
    pub fn put_elsewhere<E>(
        &self,
        cursor: &ClientCursor,
        me: ParticipantId,
        hands_on: bool,
        send: impl FnOnce() -> Result<bool, E>,
    ) -> Result<Sent, E> {
        if mutant::on("elsewhere.no_claim") {
            return Ok(match self.is_closed() {
                true => Sent::Closed,
                false if send()? => Sent::Done,
                false => Sent::Full,
            });
        }
        let claim = match self.claim_put(cursor, me) {
            Ok(claim) => claim,
            Err(PutFail::Full) => return Ok(Sent::Full),
            Err(PutFail::Closed) => return Ok(Sent::Closed),
        };
        let sent = send();
        claim.withdraw();
        match sent {
            Ok(true) => {
                if !mutant::on("elsewhere.wakes_nobody") {
                    self.not_empty().notify(1);
                }
                if hands_on && self.not_full().has_waiters() {
                    self.not_full().notify(1);
                }
            }
            _ => fence::light(),
        }
        // After a light fence: pairs with `close`, as in `notify_freed`.
        if self.memory.control().closed.load(Relaxed) != 0 && !mutant::on("elsewhere.tells_nobody") {
            self.tell_closed();
        }
        sent.map(|sent| if sent { Sent::Done } else { Sent::Full })
    }

    /// Takes a message with `receive`, and wakes a producer. Never waits.
    ///
    /// # Errors
    /// What `receive` says.
    pub fn get_elsewhere<T, E>(
        &self,
        cursor: &ClientCursor,
        me: ParticipantId,
        mut receive: impl FnMut() -> Result<Option<T>, E>,
    ) -> Result<Brought<T>, E> {
        // With an error a message may be gone as well, and its room is free.
        if let Some(message) = receive().inspect_err(|_| self.notify_freed())? {
            return Ok(self.brought(message));
        }
        // SeqCst: before the look at the claims.
        if self.memory.control().closed.load(SeqCst) == 0 {
            return Ok(Brought::Nothing);
        }
        if !matches!(self.claim_get(cursor, me), Err(GetFail::Closed)) {
            return Ok(Brought::Nothing);
        }
        // Who had a claim at the first look may have sent since.
        match if mutant::on("elsewhere.no_second_look") { None } else { receive()? } {
            Some(message) => Ok(self.brought(message)),
            None => Ok(Brought::Closed),
        }
    }

    fn brought<T>(&self, message: T) -> Brought<T> {
        self.notify_freed();
        Brought::One(message)
    }
}
