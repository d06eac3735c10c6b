//! An object of the C library, and beside it the word that says who has it.
//!
//! ```text
//! FREE     -> OWNED(me)      store, after the object was taken
//! OWNED(me) -> FREE          CAS, before it is given back
//! OWNED(d) -> ORPHAN(key)    the reaper of d; the object is lost, and the word stays so
//! ```
//! A word that says OWNED is its owner's alone: nobody else gets the object meanwhile. FREE says nothing about the object: an owner may be just
//! about to sign, or to give back. One that is killed there leaves an object that nobody has and nobody gets.
//!
//! Loads and stores of the word are Relaxed: the object orders what it protects, and a thread that finds its own name has written it.

use super::native::Native;
use super::{Exclusion, Refusal};
use crate::layout::lock::{LockState, LockWord};
use crate::prim::limits::{Backstop, Limits, WaitEnd, now};
use crate::prim::lock::{Owners, Taken};
use crate::prim::spin::{Spinner, WaitStrategy};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sys::failed_call::FailedCall;

/// See the module.
#[derive(Debug)]
pub(in crate::locks) struct Beside<'a, N> {
    word: &'a AtomicU64,
    native: N,
}

impl<'a, N: Native> Beside<'a, N> {
    pub(in crate::locks) fn new(word: &'a AtomicU64, native: N) -> Self {
        Self { word, native }
    }

    fn look(&self) -> LockWord {
        LockWord(self.word.load(Ordering::Relaxed))
    }

    fn sign(&self, me: LockWord) {
        self.word.store(me.0, Ordering::Relaxed);
    }

    /// Whether it was taken, if it was.
    fn signed(&self, me: LockWord, taken: bool) -> Option<Taken> {
        taken.then(|| {
            self.sign(me);
            Taken::Owned
        })
    }

    /// That its owner lives, so that waiting for it makes sense.
    fn check_owner(&self, me: LockWord, owners: &dyn Owners) -> Result<(), Refusal> {
        let word = self.look();
        let is_lost = match word.state() {
            LockState::Orphan(_) => true,
            // An owner of this process lives.
            LockState::Owned(who, incarnation) => {
                word.process() != me.process() && owners.is_dead(who, incarnation) && {
                    // It may have given it back, and died then. Once it is dead, its word does not change but by its reaper.
                    let again = self.look();
                    again == word || again == word.orphaned()
                }
            }
            LockState::Free | LockState::Poison => false,
        };
        if is_lost { Err(Refusal::Lost(word)) } else { Ok(()) }
    }

    /// Spins first; then sleeps once, in the object. What came of it.
    fn wait(
        &self,
        me: LockWord,
        limits: &Limits<'_>,
        spinner: &Spinner,
        first: bool,
        until: u64,
    ) -> Result<Option<Taken>, Refusal> {
        let spins = first || spinner.strategy() == WaitStrategy::Spin;
        let freed = spins && spinner.spin(|| self.look().owner() == LockWord::FREE);
        if freed || spinner.strategy() == WaitStrategy::Spin {
            return Ok(None);
        }
        Ok(self.signed(me, self.native.take_until(limits.until(until))?))
    }
}

impl<N: Native> Exclusion for Beside<'_, N> {
    #[cold]
    fn take(
        &self,
        me: LockWord,
        limits: &Limits<'_>,
        spinner: &Spinner,
        owners: &dyn Owners,
    ) -> Result<Taken, Refusal> {
        let mut backstop = None;
        loop {
            let word = self.look();
            match word.state() {
                LockState::Orphan(_) => return Err(Refusal::Lost(word)),
                LockState::Owned(..) if word.owner() == me => return Ok(Taken::Mine),
                LockState::Owned(..) | LockState::Free | LockState::Poison => {}
            }
            if let Some(taken) = self.signed(me, self.native.try_take()?) {
                return Ok(taken);
            }
            if let Some(end) = limits.ended() {
                // Once before it gives up: a wait may be shorter than the first backstop.
                self.check_owner(me, owners)?;
                return Ok(if end == WaitEnd::Cancelled { Taken::Cancelled } else { Taken::TimedOut });
            }
            let first = backstop.is_none();
            let backstop = backstop.get_or_insert_with(|| Backstop::new(now()));
            if let Some(taken) = self.wait(me, limits, spinner, first, backstop.at())? {
                return Ok(taken);
            }
            if backstop.due(now()) {
                owners.look_for_dead();
                self.check_owner(me, owners)?;
            }
        }
    }

    #[cold]
    fn release(&self, me: LockWord) -> Result<bool, FailedCall> {
        let free = LockWord::FREE.0;
        if self.word.compare_exchange(me.0, free, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return Ok(false);
        }
        let given = self.native.give_back();
        if given.is_err() {
            self.sign(me);
        }
        given.map(|()| true)
    }

    fn recover(&self, _me: LockWord) -> bool {
        false
    }

    fn poison(&self) {}

    fn take_poisoned(&self, _me: LockWord) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::layout::ParticipantId;
    use crate::sync::atomic::AtomicU32;

    /// An object of which the test says what it answers.
    #[derive(Default)]
    struct Scripted {
        taken: Cell<bool>,
        fails: Cell<bool>,
        /// The latest time that a sleep was to end.
        latest: Cell<u64>,
    }

    const FAILED: FailedCall = FailedCall { call: "scripted", errno: None };

    impl Native for &Scripted {
        fn try_take(&self) -> Result<bool, FailedCall> {
            if self.fails.get() { Err(FAILED) } else { Ok(!self.taken.replace(true)) }
        }

        fn take_until(&self, until: u64) -> Result<bool, FailedCall> {
            self.latest.set(self.latest.get().max(until));
            crate::sys::clock::pause_until(until);
            self.try_take()
        }

        fn give_back(&self) -> Result<(), FailedCall> {
            if self.fails.get() {
                return Err(FAILED);
            }
            assert!(self.taken.replace(false), "nobody had it");
            Ok(())
        }
    }

    /// All owners are dead, or none; what they do when they are asked.
    struct All<'a> {
        dead: bool,
        asked: &'a dyn Fn(),
    }

    impl Owners for All<'_> {
        fn is_dead(&self, _: ParticipantId, _: u32) -> bool {
            (self.asked)();
            self.dead
        }
        fn look_for_dead(&self) {}
    }

    const ALIVE: All<'_> = All { dead: false, asked: &|| {} };
    const DEAD: All<'_> = All { dead: true, asked: &|| {} };
    const ME: LockWord = LockWord::owned(2, 0);
    const OTHER: LockWord = LockWord::owned(1, 0);

    fn take(lock: &Beside<'_, &Scripted>, deadline: Option<u64>, owners: &All<'_>) -> Result<Taken, Refusal> {
        lock.take(ME, &Limits { deadline, cancel: None }, &Spinner::new(WaitStrategy::Block), owners)
    }

    /// Long enough for a look at the backstop.
    fn some_time() -> Option<u64> {
        Some(now() + 25_000_000)
    }

    #[test]
    fn it_is_signed_while_it_is_taken() {
        let (word, native) = (AtomicU64::new(0), Scripted::default());
        let lock = Beside::new(&word, &native);
        assert_eq!(take(&lock, None, &ALIVE), Ok(Taken::Owned));
        assert!(native.taken.get() && lock.look() == ME);
        assert_eq!(take(&lock, None, &ALIVE), Ok(Taken::Mine));
        assert_eq!(lock.release(OTHER), Ok(false));
        assert_eq!(lock.release(ME), Ok(true));
        assert!(!native.taken.get() && lock.look() == LockWord::FREE);
        assert_eq!(lock.release(ME), Ok(false));
        assert!(!lock.recover(ME) && !lock.take_poisoned(ME));
    }

    #[test]
    fn the_dead_are_found_at_the_end_of_any_wait() {
        for deadline in [Some(0), Some(1), some_time(), None] {
            let (word, native) = (AtomicU64::new(0), Scripted::default());
            let lock = Beside::new(&word, &native);
            native.taken.set(true);
            lock.sign(OTHER);
            if deadline.is_some() {
                assert_eq!(take(&lock, deadline, &ALIVE), Ok(Taken::TimedOut));
                assert!(native.latest.get() <= deadline.unwrap_or(0), "no sleep outlasts the deadline");
            }
            assert_eq!(take(&lock, deadline, &DEAD), Err(Refusal::Lost(OTHER)));
            lock.sign(OTHER.orphaned());
            assert_eq!(take(&lock, deadline, &ALIVE), Err(Refusal::Lost(OTHER.orphaned())));
        }
    }

    #[test]
    fn who_gave_it_back_and_died_leaves_nothing() {
        let (word, native) = (AtomicU64::new(0), Scripted::default());
        let lock = Beside::new(&word, &native);
        // A third has taken it when the question after the first is answered, and has not signed yet.
        let given = All { dead: true, asked: &|| lock.sign(LockWord::FREE) };
        for deadline in [Some(0), Some(1), some_time()] {
            native.taken.set(true);
            lock.sign(OTHER);
            assert_eq!(take(&lock, deadline, &given), Ok(Taken::TimedOut));
        }
        // Its reaper was faster than the question.
        let buried = All { dead: true, asked: &|| lock.sign(OTHER.orphaned()) };
        lock.sign(OTHER);
        assert_eq!(take(&lock, Some(0), &buried), Err(Refusal::Lost(OTHER)));
    }

    #[test]
    fn a_kill_in_the_gap_ends_waits_by_their_limits_alone() {
        let (word, native) = (AtomicU64::new(0), Scripted::default());
        let lock = Beside::new(&word, &native);
        native.taken.set(true);
        for deadline in [Some(0), Some(1), some_time()] {
            assert_eq!(take(&lock, deadline, &DEAD), Ok(Taken::TimedOut));
        }
        let cancel = AtomicU32::new(1);
        for strategy in [WaitStrategy::Spin, WaitStrategy::Adaptive, WaitStrategy::Block] {
            let limits = Limits { deadline: None, cancel: Some(&cancel) };
            assert_eq!(lock.take(ME, &limits, &Spinner::new(strategy), &DEAD), Ok(Taken::Cancelled));
        }
    }

    #[test]
    fn where_the_library_fails_nothing_changes() {
        let (word, native) = (AtomicU64::new(0), Scripted::default());
        let lock = Beside::new(&word, &native);
        native.fails.set(true);
        assert_eq!(take(&lock, None, &ALIVE), Err(Refusal::Failed(FAILED)));
        assert_eq!(lock.look(), LockWord::FREE);
        native.fails.set(false);
        assert_eq!(take(&lock, None, &ALIVE), Ok(Taken::Owned));
        native.fails.set(true);
        assert_eq!(lock.release(ME), Err(FAILED));
        assert_eq!(lock.look(), ME, "it is the owner's still");
        native.fails.set(false);
        assert_eq!(lock.release(ME), Ok(true));
    }
}
