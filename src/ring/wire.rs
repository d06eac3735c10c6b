//! A pipe whose messages travel elsewhere (in the kernel): who has which end, who sleeps, and when the last message was received.
//!
//! What carries them is whole by itself: a message is there or not, and neither sending nor receiving waits. So the body has no messages, but the
//! ends' words ([`Ends`]) and an event count for each direction's messages and room. The other end's word is the authority on its end: the
//! carrier may know of it sooner (its last descriptor is gone), or not at all (a copy of a descriptor lives on in a forked process).
//!
//! # Steps
//!
//! - *Send*: look at the ends' words, send, notify not-empty.
//! - *Receive*: look at the first message in its place, take it, notify not-full. Who finds none looks at the words, and if an end is closed
//!   *looks once more* before it says so: what was sent before the close is there by then.
//! - *Close*: OPEN(me) -> CLOSED, then wake everybody in both directions.
//! - All who sleep by a word are woken: of a direction one thread sends and one receives, and the helper of `channel/ready` may sleep beside it.
//!
//! # Who may die where
//!
//! - A sender: the message was sent or not. The receiver that was to be told of it is woken by the reaper, who closes the end.
//! - A receiver: the message is gone with it, or still there and of no use to anybody. The sender is woken by the reaper.
//! - Who closes, between word and wake-up: the reaper wakes everybody for each end that it finds closed.
//! - A reaper, anywhere: the next one does all of it again.
//! - An end on its way belongs to its carrier, as that of any pipe: who waits asks after the carrier at its backstop.
//!
//! # Orderings
//!
//! Those of the event count, where the carrier's calls are the data; AcqRel on the ends' words: who sees CLOSED sees what was sent, and who announces itself
//! after a wake-up of everybody sees CLOSED.

use super::elsewhere::{Brought, Sent};
use super::ends::Ends;
use crate::layout::socket_pipe::{Direction, SocketPipeBody};
use crate::prim::event_count::{EventCount, SpinRun, WaitEnd};
use crate::prim::limits::Limits;
use crate::prim::spin::Spinner;
#[cfg(not(loom))]
use crate::prim::watch::Watch;
use crate::sync::atomic::AtomicU32;
use crate::sync::mutant;

/// One end of such a pipe.
#[derive(Clone, Copy, Debug)]
pub struct Wire<'a> {
    body: &'a SocketPipeBody,
    end: u8,
}

/// All who sleep by a word.
const ALL: u32 = u32::MAX;

impl<'a> Wire<'a> {
    /// End 0 or 1.
    pub fn new(body: &'a SocketPipeBody, end: u8) -> Self {
        Self { body, end: end & 1 }
    }

    fn ends(self) -> Ends<'a> {
        Ends::new(&self.body.head)
    }

    /// What this end sends.
    fn own(self) -> &'a Direction {
        &self.body.directions[usize::from(self.end)]
    }

    /// What the other end sends.
    fn other(self) -> &'a Direction {
        &self.body.directions[usize::from(1 - self.end)]
    }

    /// The word by which this end sleeps for a message.
    pub fn message_word(self) -> &'a AtomicU32 {
        &self.other().not_empty
    }

    /// The word by which this end sleeps for room.
    pub fn room_word(self) -> &'a AtomicU32 {
        &self.own().not_full
    }

    /// One of the ends is closed.
    pub fn is_over(self) -> bool {
        self.ends().is_closed(1 - self.end) || self.ends().is_closed(self.end)
    }

    /// Sends a message with `send`, which says whether there was room, and wakes the receiver. Never waits.
    ///
    /// # Errors
    /// What `send` says.
    pub fn send<E>(self, send: impl FnOnce() -> Result<bool, E>) -> Result<Sent, E> {
        if self.is_over() {
            return Ok(Sent::Closed);
        }
        if !send()? {
            return Ok(Sent::Full);
        }
        if !mutant::on("wire.receiver_untold") {
            EventCount::new(&self.own().not_empty).notify(ALL);
        }
        Ok(Sent::Done)
    }

    /// Looks at the first message with `peek`, which leaves it where it is. Never waits.
    ///
    /// # Errors
    /// What `peek` says.
    pub fn look<T, E>(self, mut peek: impl FnMut() -> Result<Option<T>, E>) -> Result<Brought<T>, E> {
        if let Some(found) = peek()? {
            return Ok(Brought::One(found));
        }
        if !self.is_over() {
            return Ok(Brought::Nothing);
        }
        // What was sent before the close is there by now.
        match if mutant::on("wire.no_second_look") { None } else { peek()? } {
            Some(found) => Ok(Brought::One(found)),
            None => Ok(Brought::Closed),
        }
    }

    /// A message was taken out: wakes the sender.
    pub fn taken(self) {
        if !mutant::on("wire.sender_untold") {
            EventCount::new(&self.other().not_full).notify(ALL);
        }
    }

    /// Waits while `blocked()` says that there is no message.
    pub fn wait_message(
        self,
        limits: &Limits<'_>,
        spinner: &Spinner,
        run: &SpinRun,
        blocked: impl FnMut() -> bool,
        on_backstop: impl FnMut(),
    ) -> WaitEnd {
        EventCount::new(self.message_word()).wait(limits, spinner, run, blocked, on_backstop)
    }

    /// Waits while `blocked()` says that there is no room.
    pub fn wait_room(
        self,
        limits: &Limits<'_>,
        spinner: &Spinner,
        run: &SpinRun,
        blocked: impl FnMut() -> bool,
        on_backstop: impl FnMut(),
    ) -> WaitEnd {
        EventCount::new(self.room_word()).wait(limits, spinner, run, blocked, on_backstop)
    }

    /// Announces a sleeper for a message, for who sleeps elsewhere. None: it need not sleep.
    #[cfg(not(loom))]
    pub fn watch_message(self, blocked: impl FnOnce() -> bool) -> Option<Watch> {
        EventCount::new(self.message_word()).watch(blocked)
    }

    /// The same for room.
    #[cfg(not(loom))]
    pub fn watch_room(self, blocked: impl FnOnce() -> bool) -> Option<Watch> {
        EventCount::new(self.room_word()).watch(blocked)
    }

    /// `me` closes this end, if it is still its own.
    pub fn close(self, me: u16) {
        let body = self.body;
        if mutant::on("wire.wakes_before_the_close") {
            wake_all(body);
            return self.ends().close(self.end, me, |_| ());
        }
        self.ends().close(self.end, me, |_| wake_all(body));
    }

    /// Says to everybody that an end is closed: what [`Ends`] calls afterwards.
    pub fn closed(body: &SocketPipeBody) {
        wake_all(body);
    }

    /// What a reaper does, and who helps it: see [`Ends::repair`].
    pub fn repair(body: &SocketPipeBody, dead: u16, second_look: &dyn Fn() -> bool) {
        Ends::new(&body.head).repair(dead, second_look, |_| wake_all(body));
    }
}

fn wake_all(body: &SocketPipeBody) {
    if mutant::on("wire.close_wakes_nobody") {
        return;
    }
    for direction in &body.directions {
        EventCount::new(&direction.not_empty).wake_all();
        EventCount::new(&direction.not_full).wake_all();
    }
}
