//! An event: one word that is set or clear, and threads that wait for it to be set.
//!
//! States and transitions stand in [`EventWord`]. Who repairs what:
//!
//! - A setter that dies before its one change has done nothing; after it, the event is set, and those who look see it. If
//!   it died before it woke the sleepers, its reaper wakes them: it wakes everybody, whatever the dead one did.
//! - A waiter that dies leaves at most the mark WAITERS: one needless wake-up.
//!
//! # Orderings
//!
//! Setting is Release, seeing it is Acquire: who goes on sees what was done before the event was set. The mark of a
//! sleeper needs no order: the kernel compares the word when it puts the thread to sleep.

use crate::layout::event::EventWord;
use crate::prim::limits::{Backstop, Limits, WaitEnd, now};
use crate::prim::spin::{Spinner, WaitStrategy};
#[cfg(not(loom))]
use crate::prim::watch::Watch;
use crate::sync::atomic::{AtomicU32, Ordering};
use crate::sync::{futex, mutant};

/// Where the word lies: in a region, or in a model.
pub trait Place {
    /// Acquire.
    fn load(&self) -> EventWord;
    /// By compare-and-swap, AcqRel.
    fn change(&self, old: EventWord, new: EventWord) -> bool;
    /// Sleeps while the word is `expected`.
    fn sleep(&self, expected: EventWord, until: u64);
    /// Wakes everybody.
    fn wake(&self);
}

impl Place for AtomicU32 {
    #[inline(always)]
    fn load(&self) -> EventWord {
        EventWord(AtomicU32::load(self, Ordering::Acquire))
    }

    fn change(&self, old: EventWord, new: EventWord) -> bool {
        self.compare_exchange(old.0, new.0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    fn sleep(&self, expected: EventWord, until: u64) {
        futex::wait(self, expected.0, Some(until));
    }

    fn wake(&self) {
        futex::wake(self, u32::MAX);
    }
}

#[cfg(not(loom))]
impl RawEvent<'_, AtomicU32> {
    /// Announces a sleeper that came when the word was `before`, for who sleeps elsewhere. None: the event has come.
    pub fn watch(self, before: EventWord) -> Option<Watch> {
        loop {
            if let Some(marked) = self.mark(before) {
                return Some(Watch {
                    address: futex::Address::of(self.0),
                    expected: marked.0,
                    unordered: false,
                });
            }
            if self.look().has_come(before) {
                return None;
            }
        }
    }
}

/// The algorithm over a borrowed word.
#[derive(Debug)]
pub struct RawEvent<'a, P>(&'a P);

impl<P> Clone for RawEvent<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for RawEvent<'_, P> {}

impl<'a, P: Place> RawEvent<'a, P> {
    #[inline(always)]
    pub fn new(word: &'a P) -> Self {
        Self(word)
    }

    #[inline(always)]
    pub fn is_set(self) -> bool {
        self.0.load().is_set()
    }

    /// Sets it. One read-modify-write; a system call if somebody sleeps.
    pub fn set(self) {
        loop {
            let word = self.0.load();
            if word.is_set() {
                return;
            }
            if self.0.change(word, word.set()) {
                if word.has_waiters() {
                    self.0.wake();
                }
                return;
            }
        }
    }

    /// Clears it. Who waited when it was set goes on all the same.
    pub fn clear(self) {
        loop {
            let word = self.0.load();
            if !word.is_set() || self.0.change(word, word.cleared()) {
                return;
            }
        }
    }

    /// Waits until it is set, or was set since this call began.
    pub fn wait(self, limits: &Limits<'_>, spinner: &Spinner, look_for_dead: impl FnMut()) -> WaitEnd {
        let before = self.0.load();
        if before.is_set() { WaitEnd::Ready } else { self.wait_slow(before, limits, spinner, look_for_dead) }
    }

    #[cold]
    fn wait_slow(
        self,
        before: EventWord,
        limits: &Limits<'_>,
        spinner: &Spinner,
        mut look_for_dead: impl FnMut(),
    ) -> WaitEnd {
        if let Some(end) = limits.ended() {
            return end;
        }
        let mut backstop = Backstop::new(now());
        let mut slept = false;
        loop {
            let has_come = || self.0.load().has_come(before);
            if slept && has_come() {
                spinner.slept();
                return WaitEnd::Ready;
            }
            if !slept && spinner.spin(has_come) {
                return WaitEnd::Ready;
            }
            if let Some(end) = limits.ended() {
                return end;
            }
            if spinner.strategy() != WaitStrategy::Spin {
                self.sleep(before, limits.until(backstop.at()));
                slept = true;
            }
            if backstop.due(now()) {
                look_for_dead();
            }
        }
    }

    /// Announces a sleeper and sleeps, unless the event comes first.
    fn sleep(self, before: EventWord, until: u64) {
        if let Some(marked) = self.mark(before) {
            self.0.sleep(marked, until);
        }
    }

    /// Marks the word: somebody is about to sleep. None: the event has come, or the word has changed.
    fn mark(self, before: EventWord) -> Option<EventWord> {
        let word = self.0.load();
        if word.has_come(before) {
            return None;
        }
        let marked = word.with_waiters();
        (word == marked || self.0.change(word, marked)).then_some(marked)
    }

    /// What a wait that begins now is to remember.
    #[cfg(not(loom))]
    pub fn look(self) -> EventWord {
        self.0.load()
    }

    /// For the reaper of anybody who used it: the dead may have set it, and not woken those who sleep.
    #[cold]
    pub fn repair(self) {
        if !mutant::on("event.reaper_wakes_nobody") {
            self.0.wake();
        }
    }
}
