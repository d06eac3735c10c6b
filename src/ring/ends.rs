//! Who has which end of a pipe, whatever carries its messages: closing, giving away, taking, and what others do for the dead.
//!
//! The states of an end's word are on [`EndWord`]. A change that closes an end is followed by the call `closed`, which says so to the other end
//! (closes streams, wakes sleepers). Who dies between the two leaves that to its reaper, who does it for each end that is closed, whoever
//! closed it: so it may come several times.
//!
//! # Orderings
//!
//! AcqRel: what the former owner of an end wrote, or sent, comes with the word. Who finds it CLOSED with Acquire finds all that was sent.

use crate::error::{Error, ErrorKind, Result};
use crate::layout::pipe::{EndState, EndWord, PipeHeader};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::mutant;

/// Both ends of one pipe.
#[derive(Clone, Copy, Debug)]
pub struct Ends<'a> {
    head: &'a PipeHeader,
}

impl<'a> Ends<'a> {
    pub fn new(head: &'a PipeHeader) -> Self {
        Self { head }
    }

    /// Both are `owner`'s. Of a new pipe, before anybody else sees it.
    pub fn open(self, owner: u16) {
        for end in &self.head.ends {
            end.store(EndWord::new(owner).pack(), Ordering::Relaxed);
        }
    }

    fn word(self, end: u8) -> &'a AtomicU64 {
        &self.head.ends[usize::from(end & 1)]
    }

    fn carrier(self, end: u8) -> &'a AtomicU64 {
        &self.head.carriers[usize::from(end & 1)]
    }

    fn look(self, end: u8) -> EndWord {
        EndWord::unpack(self.word(end).load(Ordering::Acquire))
    }

    fn change(self, end: u8, old: EndWord, new: EndWord) -> bool {
        self.word(end).compare_exchange(old.pack(), new.pack(), Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// The end's owner died, or the end was lost on its way.
    pub fn is_lost(self, end: u8) -> bool {
        self.look(end).is_lost()
    }

    /// Nobody has the end, and it is not on its way to anybody.
    pub fn is_closed(self, end: u8) -> bool {
        self.look(end).state == EndState::Closed
    }

    /// `who` closes its end. Nothing happens if it is not its own any more.
    pub fn close(self, end: u8, who: u16, closed: impl FnOnce(u8)) {
        let word = self.look(end);
        if word.is_open_for(who) && self.change(end, word, word.closed()) {
            closed(end);
        }
    }

    /// Closes what `dead` had. Idempotent. `second_look` is asked after a word was loaded and before it is changed.
    pub fn repair(self, dead: u16, second_look: &dyn Fn() -> bool, closed: impl Fn(u8)) {
        for end in 0..2 {
            let word = self.look(end);
            let mut changed = false;
            if word.is_open_for(dead) && (second_look() || mutant::on("ends.no_second_look")) {
                changed = self.change(end, word, word.lost());
            }
            // Always, also what its owner closed: whoever changed the word may have died before the rest.
            let all = !mutant::on("ends.only_what_it_closed");
            if self.is_closed(end) && (all || changed) {
                closed(end);
            }
        }
    }

    /// `me` gives an end away in a block: OPEN(me) -> TRANSIT(carrier).
    ///
    /// # Errors
    ///
    /// `InvalidState` if the end is not this process's (any more).
    pub fn send_off(self, end: u8, me: u16, carrier: u64) -> Result<()> {
        let word = self.look(end);
        if word.is_open_for(me) {
            self.carrier(end).store(carrier, Ordering::Relaxed);
            if self.change(end, word, word.sent_off()) {
                return Ok(());
            }
        }
        Err(Error::new(ErrorKind::InvalidState, "pipe", "the end is closed or was given away before"))
    }

    /// `me` takes an end that travelled in a block of its own: TRANSIT -> OPEN(me). One that was closed meanwhile
    /// stays closed.
    pub fn take(self, end: u8, me: u16) {
        let word = self.look(end);
        if word.state == EndState::Transit {
            self.change(end, word, word.taken(me));
        }
    }

    /// An end in transit whose carrier does not live any more was lost with it: closes it. `alive` is asked of
    /// the carrier.
    pub fn check_transit(self, end: u8, alive: impl FnOnce(u64) -> bool, closed: impl FnOnce(u8)) {
        let word = self.look(end);
        // The carrier is freed only after the end was taken, which changes the word: so a word that is the same
        // after the carrier was found dead will not be taken any more.
        if word.state == EndState::Transit
            && !alive(self.carrier(end).load(Ordering::Relaxed))
            && self.change(end, word, word.lost())
        {
            closed(end);
        }
    }
}
