//! Sleeping until something changes: one word, no lost wake-up, no system call while nobody sleeps.
//!
//! ```text
//!  31        24 23          4     3          2          1         0
//! +------------+------------+-------------+---------+------------+---------+
//! | relaxes: 8 | count: 20  | ESTABLISHED | REQUEST | DESCRIPTOR | WAITERS |
//! +------------+------------+-------------+---------+------------+---------+
//! ```
//! - WAITERS: somebody may sleep on the word. Set by sleepers, cleared by a notifier that woke fewer than it
//!   would have.
//! - DESCRIPTOR: somebody waits on a file descriptor instead. Reserved: kept by every step here.
//! - REQUEST: publishers, please fence for yourselves. ESTABLISHED: all publishers have seen that.
//!
//! # Orderings
//!
//! The two sides are store-load pairs: the publisher stores data and looks for sleepers; the sleeper
//! announces itself and looks for data. One of the two must see the other.
//! - Publishers start without a fence ([`fence::light`]). The first sleeper sets REQUEST with its
//!   announcement and runs [`fence::heavy`]: a publisher that loaded the word before it has its data out by
//!   then, so that the sleeper's second look finds it; a publisher that loads later sees REQUEST.
//! - A publisher that sees REQUEST runs a full fence and loads again. From ESTABLISHED on, all see it, and a
//!   sleeper needs no more than a full fence of its own: who sleeps often pays the heavy one once.
//! - [`EventCount::relax`] takes both bits back when sleeping has become rare; it raises `relaxes`, by which
//!   a sleeper in the middle of its heavy fence notices that its request may be gone.
//! - An announcement changes the word: otherwise a notifier's "nobody was there" could clear the mark of a
//!   sleeper that came after it woke.
//! - A publisher killed between its data and its notification wakes nobody: repair wakes all.
//! - A woken waiter that is stopped takes the wake-up with it; so every sleep is bounded by a backstop.

use crate::prim::limits::{BACKSTOP_MAX, BACKSTOP_MIN, Limits, now};
use crate::prim::spin::{Spinner, WaitStrategy};
#[cfg(not(loom))]
use crate::prim::watch::Watch;
use crate::sync::atomic::{AtomicU32, Ordering};
use crate::sync::fence;
use crate::sync::futex::{self, Wake};
use crate::sync::mutant;

/// Somebody may sleep on the word.
pub const WAITERS: u32 = 1;
/// Somebody waits on a descriptor.
pub const DESCRIPTOR: u32 = 2;
/// Publishers fence for themselves.
pub const REQUEST: u32 = 4;
/// Every publisher knows of the request.
pub const ESTABLISHED: u32 = 8;
const COUNT: u32 = 16;
const COUNT_MASK: u32 = 0x00ff_fff0;
const RELAX: u32 = 1 << 24;
const RELAX_MASK: u32 = 0xff00_0000;

/// Longest sleep where this process cannot order the publishers' stores.
const UNORDERED_SLEEP: u64 = 1_000_000;
/// A run of so many waits that spinning ended takes the request back.
const RELAX_AFTER: u32 = 1024;

/// The word's steps as pure functions, for the code below and for the model of its fences.
pub mod step {
    use super::*;

    fn counted(word: u32) -> u32 {
        word & !COUNT_MASK | word.wrapping_add(COUNT) & COUNT_MASK
    }

    /// A sleeper announces itself. ESTABLISHED stays only if it was there.
    pub fn announced(word: u32) -> u32 {
        let word = if mutant::on("event_count.announce_without_change") { word } else { counted(word) };
        word | WAITERS | REQUEST
    }

    /// After the heavy fence of the sleeper that announced `mine`: its second announcement, if its request
    /// still stands.
    pub fn established(mine: u32, now: u32) -> Option<u32> {
        let same = (mine ^ now) & RELAX_MASK == 0 && now & REQUEST != 0;
        (same || mutant::on("event_count.establish_anyway")).then(|| announced(now) | ESTABLISHED)
    }

    /// A notifier has something to do besides its first load.
    #[inline(always)]
    pub fn is_busy(word: u32) -> bool {
        word & (WAITERS | DESCRIPTOR | REQUEST) != 0
    }

    /// A notifier must fence and look again.
    pub fn asks_for_fence(word: u32) -> bool {
        word & REQUEST != 0 && !mutant::on("event_count.request_ignored")
    }

    /// A notifier is about to wake.
    pub fn noted(word: u32) -> u32 {
        counted(word)
    }

    /// A notifier woke fewer than it would have: nobody is left.
    pub fn emptied(word: u32) -> u32 {
        word & !WAITERS
    }

    /// The request is taken back; not while somebody sleeps.
    pub fn relaxed(word: u32) -> Option<u32> {
        let quiet = word & (REQUEST | ESTABLISHED) != 0 && word & (WAITERS | DESCRIPTOR) == 0;
        let raise = if mutant::on("event_count.relax_uncounted") { 0 } else { RELAX };
        quiet.then(|| (word & !(REQUEST | ESTABLISHED)).wrapping_add(raise))
    }
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitEnd {
    /// What was waited for seems to be there.
    Ready,
    /// The deadline passed.
    TimedOut,
    /// The cancel word was set.
    Cancelled,
}

/// What [`EventCount::prepare`] hands to [`EventCount::sleep`].
#[derive(Clone, Copy, Debug)]
pub struct Key {
    word: u32,
    /// Some publishers could not be ordered: sleep briefly.
    unordered: bool,
}

/// How many waits in a row ended without a sleep: private to a process, for [`EventCount::relax`].
#[derive(Debug, Default)]
pub struct SpinRun(
    #[allow(clippy::disallowed_types, reason = "private to the process: no shared operation")]
    core::sync::atomic::AtomicU32,
);

impl SpinRun {
    fn spun(&self) -> bool {
        let run = self.0.load(Ordering::Relaxed) + 1;
        self.0.store(run % RELAX_AFTER, Ordering::Relaxed);
        run == RELAX_AFTER
    }

    fn slept(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// The algorithm over a borrowed word.
#[derive(Clone, Copy, Debug)]
pub struct EventCount<'a> {
    word: &'a AtomicU32,
}

impl<'a> EventCount<'a> {
    #[inline(always)]
    pub fn new(word: &'a AtomicU32) -> Self {
        Self { word }
    }

    /// Wakes at most `count` sleepers, if there are any. Call it after the publishing store.
    /// Cost while nobody sleeps and nobody slept lately: one load.
    #[inline(always)]
    pub fn notify(self, count: u32) {
        if !mutant::on("event_count.no_publisher_fence") {
            fence::light();
        }
        let word = self.word.load(Ordering::Relaxed);
        if step::is_busy(word) {
            self.notify_slow(word, count);
        }
    }

    /// Somebody may sleep. A hint, without any order.
    #[inline(always)]
    pub fn has_waiters(self) -> bool {
        self.word.load(Ordering::Relaxed) & WAITERS != 0
    }

    #[cold]
    #[inline(never)]
    fn notify_slow(self, mut word: u32, count: u32) {
        if step::asks_for_fence(word) {
            // SeqCst: pairs with the fence of a sleeper in `prepare`, which did not run a heavy one for us.
            fence::fence(Ordering::SeqCst);
            word = self.word.load(Ordering::Relaxed);
        }
        if word & WAITERS != 0 {
            self.wake(count);
        }
    }

    #[cold]
    fn wake(self, count: u32) {
        let mine = self.change(step::noted);
        if futex::wake(self.word, count) < count {
            // Fails if anybody announced itself since: then the mark must stay.
            let _ =
                self.word.compare_exchange(mine, step::emptied(mine), Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// Wakes everybody, asking nothing: for close and repair.
    #[cold]
    pub fn wake_all(self) {
        self.change(step::noted);
        futex::wake(self.word, u32::MAX);
    }

    /// Makes one step and returns the new word.
    fn change(self, step: impl Fn(u32) -> u32) -> u32 {
        let mut seen = self.word.load(Ordering::Relaxed);
        loop {
            let next = step(seen);
            // AcqRel: who announces itself after a `wake_all` sees all that was done before it.
            match self.word.compare_exchange(seen, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return next,
                Err(now) => seen = now,
            }
        }
    }

    /// Announces a sleeper. The caller looks once more for what it waits for, then calls
    /// [`sleep`](Self::sleep).
    #[cold]
    pub fn prepare(self) -> Key {
        loop {
            let mine = self.change(step::announced);
            let established = if mine & ESTABLISHED != 0 { Some(mine) } else { self.establish(mine) };
            match established {
                Some(word) if word & ESTABLISHED != 0 => {
                    // SeqCst: pairs with the fence in `notify_slow`.
                    fence::fence(Ordering::SeqCst);
                    return Key { word, unordered: false };
                }
                Some(word) => return Key { word, unordered: true },
                None => {} // relaxed meanwhile: from the start
            }
        }
    }

    /// Makes sure that every publisher sees the request made with `mine`.
    fn establish(self, mine: u32) -> Option<u32> {
        if !mutant::on("event_count.no_heavy") && !fence::heavy() {
            return Some(mine);
        }
        let mut seen = self.word.load(Ordering::Relaxed);
        loop {
            let next = step::established(mine, seen)?;
            match self.word.compare_exchange(seen, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return Some(next),
                Err(now) => seen = now,
            }
        }
    }

    /// Sleeps until notified, or `until` (CLOCK_MONOTONIC nanoseconds). Returns at once if the word changed
    /// since [`prepare`](Self::prepare).
    #[cold]
    pub fn sleep(self, key: Key, until: Option<u64>) -> Wake {
        let until = if key.unordered {
            let soon = now() + UNORDERED_SLEEP;
            Some(until.map_or(soon, |at| at.min(soon)))
        } else {
            until
        };
        futex::wait(self.word, key.word, until)
    }

    /// Announces a sleeper, for who sleeps elsewhere. None: it need not sleep, `blocked()` is false after that.
    #[cfg(not(loom))]
    #[cold]
    pub fn watch(self, blocked: impl FnOnce() -> bool) -> Option<Watch> {
        let key = self.prepare();
        let address = futex::Address::of(self.word);
        blocked().then_some(Watch { address, expected: key.word, unordered: key.unordered })
    }

    /// Sleeping has become rare: publishers need no fence any more.
    #[cold]
    pub fn relax(self) {
        let word = self.word.load(Ordering::Relaxed);
        if let Some(next) = step::relaxed(word) {
            let _ = self.word.compare_exchange(word, next, Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    /// Waits while `blocked()`: spins, then sleeps, within `limits`. A sleep is interrupted after 20 ms, then
    /// after twice that and so on up to a second, to call `on_backstop`, which asks after dead owners.
    ///
    /// Whatever ends the wait, `blocked()` was asked after the last wake-up that this waiter consumed.
    #[cold]
    pub fn wait(
        self,
        limits: &Limits<'_>,
        spinner: &Spinner,
        run: &SpinRun,
        mut blocked: impl FnMut() -> bool,
        mut on_backstop: impl FnMut(),
    ) -> WaitEnd {
        if limits.is_try() {
            return if blocked() { WaitEnd::TimedOut } else { WaitEnd::Ready };
        }
        let mut backstop = Backstop::new();
        loop {
            if spinner.spin(|| !blocked()) {
                if run.spun() {
                    self.relax();
                }
                return WaitEnd::Ready;
            }
            if let Some(end) = ended(limits) {
                return end;
            }
            if spinner.strategy() != WaitStrategy::Spin {
                break;
            }
            backstop.look(&mut on_backstop);
        }
        run.slept();
        loop {
            let key = self.prepare();
            if !blocked() {
                return WaitEnd::Ready;
            }
            if let Some(end) = ended(limits) {
                return end;
            }
            self.sleep(key, backstop.until(limits));
            if !blocked() {
                return WaitEnd::Ready;
            }
            if let Some(end) = ended(limits) {
                return end;
            }
            backstop.look(&mut on_backstop);
        }
    }
}

/// Why a wait must end though nothing came.
fn ended(limits: &Limits<'_>) -> Option<WaitEnd> {
    if limits.cancelled() {
        Some(WaitEnd::Cancelled)
    } else if limits.deadline.is_some_and(|at| now() >= at) {
        Some(WaitEnd::TimedOut)
    } else {
        None
    }
}

/// When to look after the dead next.
struct Backstop {
    period: u64,
    at: u64,
}

impl Backstop {
    fn new() -> Self {
        Self { period: BACKSTOP_MIN, at: now() + BACKSTOP_MIN }
    }

    fn until(&self, limits: &Limits<'_>) -> Option<u64> {
        Some(limits.deadline.map_or(self.at, |deadline| deadline.min(self.at)))
    }

    fn look(&mut self, on_backstop: &mut impl FnMut()) {
        if now() >= self.at {
            on_backstop();
            self.period = (self.period * 2).min(BACKSTOP_MAX);
            self.at = now() + self.period;
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc;
    use std::time::{Duration, Instant};

    use super::*;

    fn blocking() -> Spinner {
        Spinner::new(WaitStrategy::Block)
    }

    #[test]
    fn notify_without_sleepers_changes_nothing() {
        let word = AtomicU32::new(0);
        EventCount::new(&word).notify(1);
        assert_eq!(word.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_step_keeps_the_other_bits() {
        let full = (RELAX * 3) | COUNT_MASK | DESCRIPTOR;
        let announced = step::announced(full);
        assert_eq!(announced, (RELAX * 3) | DESCRIPTOR | WAITERS | REQUEST);
        assert_eq!(step::established(announced, announced), Some((announced + COUNT) | ESTABLISHED));
        assert_eq!(step::emptied(announced), announced & !WAITERS);
        assert_eq!(step::relaxed(announced), None);
        assert_eq!(step::relaxed(REQUEST | ESTABLISHED), Some(RELAX));
        assert_eq!(step::established(announced, (RELAX * 4) | REQUEST), None);
    }

    #[test]
    fn the_deadline_ends_a_wait_and_the_backstop_is_asked() {
        let word = AtomicU32::new(0);
        let start = Instant::now();
        let limits = Limits { deadline: Some(now() + 90_000_000), cancel: None };
        let mut asked = 0;
        let end =
            EventCount::new(&word).wait(&limits, &blocking(), &SpinRun::default(), || true, || asked += 1);
        assert_eq!(end, WaitEnd::TimedOut);
        assert!(start.elapsed() >= Duration::from_millis(90));
        assert!((1..=3).contains(&asked), "{asked}");
    }

    #[test]
    fn a_try_never_sleeps() {
        let word = AtomicU32::new(0);
        let end =
            EventCount::new(&word).wait(&Limits::TRY, &blocking(), &SpinRun::default(), || true, || panic!());
        assert_eq!((end, word.load(Ordering::Relaxed)), (WaitEnd::TimedOut, 0));
    }

    #[test]
    fn a_cancelled_wait_ends() {
        let words = Arc::new((AtomicU32::new(0), AtomicU32::new(0)));
        let theirs = words.clone();
        let (send, receive) = mpsc::channel();
        let waiter = std::thread::spawn(move || {
            let limits = Limits { deadline: None, cancel: Some(&theirs.1) };
            let mut first = Some(send);
            EventCount::new(&theirs.0).wait(
                &limits,
                &blocking(),
                &SpinRun::default(),
                || {
                    if let Some(send) = first.take() {
                        send.send(()).ok();
                    }
                    true
                },
                || (),
            )
        });
        receive.recv().ok();
        words.1.store(1, Ordering::Relaxed);
        EventCount::new(&words.0).wake_all();
        assert_eq!(waiter.join().unwrap(), WaitEnd::Cancelled);
    }

    #[test]
    fn a_run_of_spins_takes_the_request_back() {
        let word = AtomicU32::new(REQUEST | ESTABLISHED);
        let run = SpinRun::default();
        for _ in 0..RELAX_AFTER {
            let spinner = Spinner::default();
            let end = EventCount::new(&word).wait(&Limits::NONE, &spinner, &run, || false, || ());
            assert_eq!(end, WaitEnd::Ready);
        }
        assert_eq!(word.load(Ordering::Relaxed), RELAX);
    }
}
