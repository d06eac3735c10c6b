//! A condition: threads that hold a lock wait until another holder of it notifies them, and give the lock up meanwhile.
//!
//! Each waiter has a cell. States and transitions stand in [`CellWord`]. A notification is *kept in the cell* until its
//! waiter has the lock again, so that nothing is lost with whoever dies between. Who repairs what, without the lock:
//!
//! - A waiter that dies frees no cell: its reaper does, first of all, so that nobody notifies the dead any more. It may
//!   have been notified already, and a notifier may have died before it notified or woke anybody. So the reaper of anybody
//!   who used the condition then *notifies everybody* who waits, and wakes them. To wake them is not enough: their cells
//!   would still say that they wait. A bare [`wait`](RawCondition::wait) therefore returns without a notification only
//!   after a death.
//! - Who dies with the lock: the next owner of the lock is told, also where it comes back from a wait.
//! - A notified waiter that is *stopped* keeps its notification; nobody else needs it.
//!
//! # Orderings
//!
//! What the lock protects is ordered by the lock. Cells change by compare-and-swap (AcqRel), and are loaded with Acquire:
//! a reaper that sees a notified cell of the dead also sees the cells that its notifier saw.

use crate::layout::ParticipantId;
use crate::layout::condition::{CellState, CellWord};
use crate::layout::lock::LockWord;
use crate::prim::limits::{Backstop, Limits, WaitEnd, now};
use crate::prim::spin::{Spinner, WaitStrategy};
use crate::sync::mutant;

/// Where the cells lie: in a region, or in a model.
pub trait Cells {
    /// How many there are.
    fn count(&self) -> u32;
    /// Cells from here on have never been used. Acquire.
    fn used(&self) -> u32;
    /// Cells below `end` are used from now on. By who has the lock, before it changes the cell.
    fn use_below(&self, end: u32);
    /// The number of the next waiter. By who has the lock.
    fn sequence(&self) -> u32;
    /// The next one's number is `next`. By who has the lock.
    fn set_sequence(&self, next: u32);
    /// Acquire.
    fn load(&self, cell: u32) -> CellWord;
    /// By compare-and-swap, AcqRel.
    fn change(&self, cell: u32, old: CellWord, new: CellWord) -> bool;
    /// Sleeps while the low half of the cell is that of `expected`.
    fn sleep(&self, cell: u32, expected: CellWord, until: u64);
    /// Wakes who sleeps on it.
    fn wake(&self, cell: u32);
}

/// The lock of a condition, as its holder sees it.
pub trait Monitor {
    /// What there is to say of the lock when it is back.
    type Back;
    /// Gives it up wholly, however often this thread has it, and remembers how often.
    fn leave(&self);
    /// Takes it again, as often as before.
    fn come_back(&self) -> Self::Back;
}

/// A waiter's cell, and what it put there last.
#[derive(Clone, Copy, Debug)]
struct Seat {
    cell: u32,
    word: CellWord,
}

/// The algorithm over borrowed cells.
#[derive(Debug)]
pub struct RawCondition<'a, C>(&'a C);

impl<C> Clone for RawCondition<'_, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C> Copy for RawCondition<'_, C> {}

impl<'a, C: Cells> RawCondition<'a, C> {
    #[inline]
    pub fn new(cells: &'a C) -> Self {
        Self(cells)
    }

    /// Waits until notified, within `limits`; the calling thread has `lock`, and has it again when this returns, however
    /// long that takes. `None`: no cell is free, and the lock was not given up.
    pub fn wait<M: Monitor>(
        self,
        me: LockWord,
        lock: &M,
        limits: &Limits<'_>,
        spinner: &Spinner,
        look_for_dead: impl FnMut(),
    ) -> Option<(WaitEnd, M::Back)> {
        let late = mutant::on("condition.cell_after_unlock");
        if late {
            lock.leave();
        }
        // While the lock is held: whoever has it next finds this waiter.
        let mut seat = self.sit_down(me)?;
        if !late {
            lock.leave();
        }
        let end = self.wait_in(&mut seat, limits, spinner, look_for_dead);
        let back = lock.come_back();
        // Only now: until the lock is back the cell tells that this notification has not arrived.
        if end == WaitEnd::Ready {
            self.consume(seat);
        }
        Some((end, back))
    }

    /// FREE -> WAITING.
    fn sit_down(self, me: LockWord) -> Option<Seat> {
        let sequence = self.0.sequence();
        let word = CellWord::waiting(me, sequence);
        let is_free = |cell: &u32| self.0.load(*cell) == CellWord::FREE;
        let cell = (0..self.0.count()).find(is_free)?;
        self.0.set_sequence(sequence.wrapping_add(1));
        self.0.use_below(cell + 1);
        // Only who has the lock takes a free cell.
        self.0.change(cell, CellWord::FREE, word).then_some(Seat { cell, word })
    }

    /// Until the cell is NOTIFIED; or FREE, if it ends otherwise.
    fn wait_in(
        self,
        seat: &mut Seat,
        limits: &Limits<'_>,
        spinner: &Spinner,
        mut look_for_dead: impl FnMut(),
    ) -> WaitEnd {
        let mut backstop = Backstop::new(now());
        let mut slept = false;
        loop {
            let cell = seat.cell;
            let notified = || self.0.load(cell).state() != CellState::Waiting;
            if slept && notified() {
                spinner.slept();
                return WaitEnd::Ready;
            }
            if !slept && !limits.is_try() && spinner.spin(notified) {
                return WaitEnd::Ready;
            }
            if let Some(end) = limits.ended() {
                return if self.give_up(*seat) { end } else { WaitEnd::Ready };
            }
            if spinner.strategy() != WaitStrategy::Spin {
                self.sleep(seat, limits.until(backstop.at()));
                slept = true;
            }
            if backstop.due(now()) {
                look_for_dead();
            }
        }
    }

    /// WAITING -> WAITING+ASLEEP, and sleeps, unless it is notified first.
    fn sleep(self, seat: &mut Seat, until: u64) {
        let asleep = seat.word.asleep();
        if seat.word != asleep && !self.0.change(seat.cell, seat.word, asleep) {
            return;
        }
        seat.word = asleep;
        self.0.sleep(seat.cell, asleep, until);
    }

    /// WAITING -> FREE. False: it *was* notified, and must say so.
    fn give_up(self, seat: Seat) -> bool {
        if mutant::on("condition.gives_up_blindly") {
            self.0.change(seat.cell, self.0.load(seat.cell), CellWord::FREE);
            return true;
        }
        self.0.change(seat.cell, seat.word, CellWord::FREE)
    }

    /// NOTIFIED -> FREE.
    fn consume(self, seat: Seat) {
        // Fails only if this process has been declared gone.
        self.0.change(seat.cell, seat.word.notified(), CellWord::FREE);
    }

    /// Notifies those who have waited longest, at most `count`; how many. By who has the lock.
    pub fn notify(self, count: u32) -> u32 {
        if count >= self.0.used() {
            return self.notify_all();
        }
        let mut notified = 0;
        while notified < count {
            let Some((cell, word)) = self.oldest() else { break };
            // Else it went to sleep, gave up, or died: look again.
            notified += u32::from(self.tell(cell, word));
        }
        notified
    }

    /// Notifies all who wait; how many.
    fn notify_all(self) -> u32 {
        (0..self.0.used()).map(|cell| u32::from(self.tell_waiting(cell, &|_| true))).sum()
    }

    /// How many wait. Stale as soon as it is known.
    pub fn waiters(self) -> u32 {
        let waits = |cell: &u32| self.0.load(*cell).state() == CellState::Waiting;
        (0..self.0.used()).filter(waits).count() as u32
    }

    fn oldest(self) -> Option<(u32, CellWord)> {
        let next = self.0.sequence();
        let all = (0..self.0.used()).map(|cell| (cell, self.0.load(cell)));
        all.filter(|(_, word)| word.state() == CellState::Waiting).max_by_key(|(_, word)| word.age(next))
    }

    /// WAITING -> NOTIFIED, and wakes it if it sleeps.
    fn tell(self, cell: u32, word: CellWord) -> bool {
        let told = self.0.change(cell, word, word.notified());
        if told && word.is_asleep() {
            self.0.wake(cell);
        }
        told
    }

    /// [`tell`](Self::tell), unless it does not wait (any more).
    fn tell_waiting(self, cell: u32, may: &dyn Fn(CellWord) -> bool) -> bool {
        loop {
            let word = self.0.load(cell);
            if word.state() != CellState::Waiting || !may(word) {
                return false;
            }
            if self.tell(cell, word) {
                return true;
            }
        }
    }

    /// For the reaper of `dead`, and its helpers; without the lock. `still` is asked between a look and a change.
    #[cold]
    pub fn repair(self, dead: ParticipantId, still: &dyn Fn() -> bool) {
        if mutant::on("condition.own_cell_last") {
            self.notify_others(dead, still);
            self.free_cells_of(dead, still);
            return;
        }
        // First: a notifier must not find the dead after the others were told.
        let notified = self.free_cells_of(dead, still);
        if mutant::on("condition.passes_one") {
            self.notify(notified);
        } else {
            self.notify_others(dead, still);
        }
    }

    /// any(d) -> FREE. How many of them had been notified.
    fn free_cells_of(self, dead: ParticipantId, still: &dyn Fn() -> bool) -> u32 {
        let mut notified = 0;
        for cell in 0..self.0.used() {
            let mut word = self.0.load(cell);
            while word.is_of(dead) && still() {
                if self.0.change(cell, word, CellWord::FREE) {
                    notified += u32::from(word.state() == CellState::Notified);
                    break;
                }
                word = self.0.load(cell);
            }
        }
        notified
    }

    /// WAITING -> NOTIFIED of everybody, and wakes them, also those who had been notified: who did that may have died
    /// before it woke them.
    fn notify_others(self, dead: ParticipantId, still: &dyn Fn() -> bool) {
        // Loaded anew: at least as many as whoever notified the dead one's cell knew of.
        for cell in 0..self.0.used() {
            if !mutant::on("condition.reaper_only_wakes") {
                self.tell_waiting(cell, &|word| !word.is_of(dead) && still());
            }
            if self.0.load(cell) != CellWord::FREE {
                self.0.wake(cell);
            }
        }
    }
}
