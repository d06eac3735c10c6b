//! Looking without taking: whether a put or a get would find what it needs.

use crate::sync::atomic::Ordering::{Acquire, SeqCst};
use crate::sync::{fence, hint};

use super::cursor::{ClientCursor, Cursor, UNSETTLED};
use super::get::GetFail;
use super::memory::RingMemory;
use super::mpmc::Ring;
use super::put::PutFail;
use super::slot::{CellState, CellWord, SlotState};

impl<M: RingMemory> Ring<M> {
    /// What [`claim_get`](Self::claim_get) would find, without a claim. As exact: it finds what was published before the call.
    ///
    /// Cost: a walk from where the cursor is; a look at each cell if messages came back since the last.
    ///
    /// # Errors
    /// `Empty`, `Closed`.
    #[cold]
    pub fn look_get(&self, cursor: &ClientCursor) -> Result<(), GetFail> {
        cursor.with(|cursor| self.look_get_from(cursor))
    }

    fn look_get_from(&self, cursor: &mut Cursor) -> Result<(), GetFail> {
        if self.has_orphan(cursor) {
            return Ok(());
        }
        // Before the walk: pairs with the claim of a put, as in `claim_get`.
        let closed = self.is_closed();
        if closed {
            fence::fence(SeqCst);
        }
        let head = self.memory.head().position.load(Acquire);
        cursor.get = cursor.get.max(head.saturating_sub(self.shape.lap()));
        if self.walk(cursor) {
            Ok(())
        } else if closed && self.is_drained() {
            Err(GetFail::Closed)
        } else {
            Err(GetFail::Empty)
        }
    }

    /// A cell waits for another consumer. Takes note of a new epoch, as a get does.
    fn has_orphan(&self, cursor: &mut Cursor) -> bool {
        // Acquire: with a new epoch come the words that came back below the cursor.
        let epoch = self.memory.control().redeliver_epoch.load(Acquire);
        if epoch != cursor.epoch {
            cursor.epoch = epoch;
            cursor.get = cursor.get.saturating_sub(self.shape.lap());
        }
        if epoch == cursor.settled {
            return false;
        }
        // Set only after a complete look that found none.
        cursor.settled = UNSETTLED;
        let waits = |word: CellWord| word.state() == CellState::Orphan && !self.is_dead_letter(word);
        if (0..self.cells).any(|cell| waits(self.cell(cell))) {
            return true;
        }
        cursor.settled = epoch;
        false
    }

    /// Whether there is a message from the cursor on, up to the first ticket that nobody has claimed. The cursor goes past what is
    /// done or claimed by consumers, as in `scan`.
    fn walk(&self, cursor: &mut Cursor) -> bool {
        let mut at = cursor.get;
        let mut past_writers = false;
        loop {
            let (seen, _) = self.word(at, Acquire);
            let theirs = self.shape.position_of(seen, at);
            match seen.state() {
                // Also one that is due to be a dead letter: a get has to bury it.
                SlotState::Full if theirs <= at => return true,
                SlotState::Empty if theirs == at => return false,
                // A message behind it can be taken. When it is published, sleepers are told.
                SlotState::Writing if theirs == at => {
                    past_writers = true;
                    at = self.shape.next(at);
                }
                _ if theirs == at => at = self.shape.next(at), // R: another consumer has it
                state if theirs > at => {
                    // A claim of a ticket proves that all up to one lap before it are done.
                    let lap = self.shape.lap();
                    let done = match state {
                        SlotState::Empty => (theirs - lap).saturating_sub(lap),
                        _ => theirs - lap,
                    };
                    at = self.shape.next(at).max(self.shape.next(done));
                }
                SlotState::Empty => hint::spin_loop(), // an old value: the newer one is on its way
                // The lap before is still in work: this ticket is unclaimed, and so are all above.
                _ => return false,
            }
            if !past_writers {
                cursor.get = at;
            }
        }
    }

    /// What [`claim_put`](Self::claim_put) would find, without a claim. As exact: it finds what was freed before the call.
    ///
    /// # Errors
    /// `Full`, `Closed`.
    #[cold]
    pub fn look_put(&self, cursor: &ClientCursor) -> Result<(), PutFail> {
        if self.is_closed() {
            return Err(PutFail::Closed);
        }
        cursor.with(|cursor| if self.walk_put(cursor) { Ok(()) } else { Err(PutFail::Full) })
    }

    /// Whether the next ticket's slot is free, as in `claim_put_slow`.
    fn walk_put(&self, cursor: &mut Cursor) -> bool {
        cursor.put = cursor.put.max(self.memory.tail().position.load(Acquire));
        loop {
            let position = cursor.put;
            let (seen, _) = self.word(position, Acquire);
            let theirs = self.shape.position_of(seen, position);
            let empty = seen.state() == SlotState::Empty;
            if theirs == position && empty {
                return true;
            } else if theirs == position {
                cursor.put = self.shape.next(position);
            } else if theirs > position {
                let claimed = if empty { theirs - self.shape.lap() } else { theirs };
                cursor.put = self.shape.next(claimed);
            } else if empty {
                hint::spin_loop(); // an old value: the newer one is on its way
            } else {
                return false;
            }
        }
    }

    /// Who woke for a message and does not take it wakes one more of those who sleep until there is one. Nothing happens if none is `there`,
    /// or nobody sleeps.
    #[cold]
    pub fn hand_on_get(&self, there: impl FnOnce() -> bool) {
        if self.not_empty().has_waiters() && there() {
            self.not_empty().notify(1);
        }
    }
}

#[cfg(not(loom))]
mod watching {
    use super::{Ring, RingMemory};
    use crate::prim::watch::Watch;
    use crate::sync::atomic::{AtomicU32, Ordering::Acquire};

    impl<M: RingMemory> Ring<M> {
        /// Announces one that sleeps, elsewhere, until there is something to get, or never will be: while `empty()`. None: so it is.
        pub fn watch_get(&self, empty: impl FnOnce() -> bool) -> Option<Watch> {
            self.not_empty().watch(empty)
        }

        /// Announces one that sleeps, elsewhere, until there is room, or never will be: while `full()`. None: so it is.
        pub fn watch_put(&self, full: impl FnOnce() -> bool) -> Option<Watch> {
            self.not_full().watch(full)
        }

        /// The word that [`watch_get`](Self::watch_get) speaks of.
        pub fn get_word(&self) -> &AtomicU32 {
            &self.memory.control().not_empty
        }

        /// The word that [`watch_put`](Self::watch_put) speaks of.
        pub fn put_word(&self) -> &AtomicU32 {
            &self.memory.control().not_full
        }

        /// What a word says now, see [`Watch::expected`].
        pub fn event(word: &AtomicU32) -> u32 {
            word.load(Acquire)
        }
    }
}
