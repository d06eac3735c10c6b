//! A robust lock: one word, two read-modify-writes while nobody waits, and an owner that may die.
//!
//! States and transitions stand in [`crate::layout::lock::LockWord`]. Who repairs what:
//!
//! - An owner that dies is found by whoever waits for it (it asks the kernel after the owner that the word names, at
//!   its backstop or when it only tries) or by its reaper, which makes the word an ORPHAN and wakes everybody.
//!   Either way the next owner is told.
//! - A releaser that dies before its store or system call was the owner: as above. After it, the lock is free.
//! - A woken waiter that dies leaves FREE+WAITERS or nothing of its own in the word; WAITERS stays until a release
//!   finds nobody asleep, and the reaper wakes all.
//! - A woken waiter that is *stopped* takes the wake-up with it: others find the lock free at their backstop.
//!
//! # Orderings
//!
//! Taking is Acquire, releasing is Release: what the last owner did is seen by the next. Heirs pair with nobody, since
//! the dead did not release: the kernel's word that it is dead orders its stores before ours. Announcing oneself
//! (WAITERS) needs no order: the kernel compares the word when it puts the thread to sleep.

use crate::layout::ParticipantId;
use crate::layout::lock::{DIRTY, LockState, LockWord, WAITERS};
use crate::prim::limits::{Backstop, Limits, now};
use crate::prim::spin::{Spinner, WaitStrategy};
#[cfg(all(feature = "async", not(loom)))]
use crate::prim::watch::Watch;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{fence, futex, mutant};

/// What a lock asks about the owners that its word names.
pub trait Owners {
    /// This tenant is dead or gone, says the kernel. Its incarnation is given by its low bits.
    fn is_dead(&self, who: ParticipantId, incarnation: u32) -> bool;
    /// Now and then, while asleep: look for the dead, and repair what they left.
    fn look_for_dead(&self);
}

/// How a wait for a lock ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is this thread's.
    Owned,
    /// It is this thread's, DIRTY; the word named (or the reaper named) one that died with it.
    Inherited(LockWord),
    /// Somebody inherited it and gave up; it is not this thread's.
    Poisoned,
    /// The deadline passed.
    TimedOut,
    /// The cancel word was set.
    Cancelled,
    /// This very thread has it.
    Mine,
}

/// The algorithm over a borrowed word.
#[derive(Clone, Copy, Debug)]
pub struct RawLock<'a> {
    word: &'a AtomicU64,
}

impl<'a> RawLock<'a> {
    #[inline(always)]
    pub fn new(word: &'a AtomicU64) -> Self {
        Self { word }
    }

    /// What the word says now.
    #[inline]
    pub fn look(self) -> LockWord {
        LockWord(self.word.load(Ordering::Relaxed))
    }

    /// Takes it if it is free and nobody waits. One read-modify-write.
    #[inline(always)]
    pub fn try_fast(self, me: LockWord) -> bool {
        let free = LockWord::FREE.0;
        self.word.compare_exchange(free, me.0, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    fn change(self, old: LockWord, new: LockWord, order: Ordering) -> bool {
        self.word.compare_exchange(old.0, new.0, order, Ordering::Relaxed).is_ok()
    }

    /// Takes it, waiting within `limits`. `me` names the calling thread.
    #[cold]
    pub fn take(self, me: LockWord, limits: &Limits<'_>, spinner: &Spinner, owners: &dyn Owners) -> Taken {
        let mut wait = Wait { slept: false, backstop: None, ask: limits.is_try(), asked: false };
        loop {
            let word = match self.attempt(me, wait.slept) {
                Ok(taken) => return taken,
                Err(word) => word,
            };
            let LockState::Owned(who, incarnation) = word.state() else { continue };
            wait.asked |= wait.ask;
            // An owner of this process lives.
            if wait.ask && word.process() != me.process() && owners.is_dead(who, incarnation) {
                if self.inherit(word, me) {
                    return Taken::Inherited(word);
                }
                continue;
            }
            if let Some(end) = ended(limits) {
                if end == Taken::TimedOut && !wait.asked {
                    // Once before it gives up: a wait may be shorter than the first backstop.
                    wait.ask = true;
                    wait.asked = true;
                    continue;
                }
                return end;
            }
            self.wait(word, limits, spinner, owners, &mut wait);
        }
    }

    /// Takes it if that needs no wait. Else what the word says: that another owns it. `slept`: since it was marked.
    pub fn attempt(self, me: LockWord, slept: bool) -> Result<Taken, LockWord> {
        loop {
            let word = self.look();
            match word.state() {
                LockState::Free => {
                    if self.change(word, word.taken_by(me, slept), Ordering::Acquire) {
                        return Ok(Taken::Owned);
                    }
                }
                LockState::Orphan(_) => {
                    if self.inherit(word, me) {
                        return Ok(Taken::Inherited(word));
                    }
                }
                LockState::Poison => return Ok(Taken::Poisoned),
                LockState::Owned(..) if word.owner() == me => return Ok(Taken::Mine),
                LockState::Owned(..) => return Err(word),
            }
        }
    }

    /// Announces a sleeper, for who sleeps elsewhere. None: nobody owns it.
    #[cfg(all(feature = "async", not(loom)))]
    pub fn watch(self) -> Option<Watch> {
        loop {
            let word = self.look();
            let LockState::Owned(..) = word.state() else { return None };
            if let Some(marked) = self.mark(word) {
                let address = futex::Address::of_low(self.word);
                return Some(Watch { address, expected: marked.low(), unordered: false });
            }
        }
    }

    /// Marks the word of an owner: somebody is about to sleep. None: it has changed.
    fn mark(self, word: LockWord) -> Option<LockWord> {
        let marked = word.with(WAITERS);
        (marked == word || self.change(word, marked, Ordering::Relaxed)).then_some(marked)
    }

    /// Takes it from the dead, or from those who gave up.
    fn inherit(self, word: LockWord, me: LockWord) -> bool {
        self.change(word, LockWord::inherited_by(me), Ordering::Acquire)
    }

    /// Spins first; then sleeps once.
    fn wait(
        self,
        word: LockWord,
        limits: &Limits<'_>,
        spinner: &Spinner,
        owners: &dyn Owners,
        wait: &mut Wait,
    ) {
        (wait.ask, wait.asked) = (false, false);
        let first = wait.backstop.is_none();
        let mut backstop = *wait.backstop.get_or_insert_with(|| Backstop::new(now()));
        let spins = first || spinner.strategy() == WaitStrategy::Spin;
        let freed = spins && spinner.spin(|| !matches!(self.look().state(), LockState::Owned(..)));
        if !freed && spinner.strategy() != WaitStrategy::Spin {
            self.sleep(word, limits, backstop.at(), wait);
        }
        if backstop.due(now()) {
            owners.look_for_dead();
            wait.ask = true;
        }
        wait.backstop = Some(backstop);
    }

    /// Announces a sleeper and sleeps, unless the word changes first.
    fn sleep(self, word: LockWord, limits: &Limits<'_>, backstop: u64, wait: &mut Wait) {
        let Some(marked) = self.mark(word) else { return };
        let until = limits.deadline.map_or(backstop, |at| at.min(backstop));
        futex::wait_low(self.word, marked.low(), Some(until));
        wait.slept = true;
    }

    /// Gives it back. One read-modify-write while nobody waits. False: it is not `me`'s.
    #[inline(always)]
    pub fn release(self, me: LockWord) -> bool {
        let free = LockWord::FREE.0;
        // Release: pairs with the Acquire of the next owner.
        self.word.compare_exchange(me.0, free, Ordering::Release, Ordering::Relaxed).is_ok()
            || self.release_slow(me)
    }

    #[cold]
    fn release_slow(self, me: LockWord) -> bool {
        loop {
            let word = self.look();
            if word.owner() != me {
                return false;
            }
            if word.is_dirty() {
                self.poison();
                return true;
            }
            if !word.has_waiters() {
                if self.change(word, LockWord::FREE, Ordering::Release) {
                    return true;
                }
                continue;
            }
            if self.release_and_wake(me) > 0 {
                return true;
            }
            // Nobody slept. The mark may only go while the lock is held: a thread may be between its mark and its sleep.
            let marked = me.freed_by_kernel();
            if mutant::on("lock.mark_dropped_while_free") {
                let _ = self.change(marked, LockWord::FREE, Ordering::Release);
                return true;
            }
            if !self.change(marked, me, Ordering::Acquire) {
                return true; // somebody has it, with the mark
            }
            if futex::wake_low(self.word, 1) > 0 && !mutant::on("lock.probe_drops_waiters") {
                self.word.fetch_or(WAITERS, Ordering::Relaxed);
            }
        }
    }

    /// FREE+WAITERS and one wake-up, in one step of the kernel.
    fn release_and_wake(self, me: LockWord) -> u32 {
        let freed = me.freed_by_kernel();
        // Release: the kernel's store is one of its own, ordered by this fence.
        if !mutant::on("lock.no_release_fence") {
            fence::fence(Ordering::Release);
        }
        if mutant::on("lock.wake_after_release") {
            self.word.store(freed.0, Ordering::Release);
            return futex::wake_low(self.word, 1);
        }
        futex::store_low_and_wake(self.word, freed.low(), 1)
    }

    /// The heir has repaired what the lock protects. False: `me` is not an heir.
    pub fn recover(self, me: LockWord) -> bool {
        let word = self.look();
        word.owner() == me && LockWord(self.word.fetch_and(!DIRTY, Ordering::Relaxed)).is_dirty()
    }

    /// The owner gives up: everybody who waits is told.
    #[cold]
    pub fn poison(self) {
        self.word.store(LockWord::POISONED.0, Ordering::Release);
        if !mutant::on("lock.poison_wakes_nobody") {
            futex::wake_low(self.word, u32::MAX);
        }
    }

    /// Takes a poisoned lock, to repair what it protects: DIRTY, as an heir.
    #[cold]
    pub fn take_poisoned(self, me: LockWord) -> bool {
        let word = self.look();
        word.state() == LockState::Poison && self.inherit(word, me)
    }

    /// For the reaper of `dead`, and its helpers: `still` is asked between the look and the change, and `bury` before
    /// the change. Everybody is woken in any case: the last reaper may have died before it did.
    #[cold]
    pub fn repair(self, dead: ParticipantId, still: &dyn Fn() -> bool, bury: &dyn Fn(LockWord)) {
        loop {
            let word = LockWord(self.word.load(Ordering::Acquire));
            let LockState::Owned(who, _) = word.state() else { break };
            // The look first: it names an incarnation, but the caller does not.
            if who != dead || !(still() || mutant::on("lock.no_second_look")) {
                break;
            }
            bury(word);
            // AcqRel: the obituary is there when the word says that there is one.
            if self.change(word, word.orphaned(), Ordering::AcqRel) {
                break;
            }
        }
        if !mutant::on("lock.reaper_wakes_nobody") {
            futex::wake_low(self.word, u32::MAX);
        }
    }
}

/// What a waiting thread remembers from round to round.
struct Wait {
    /// It has slept, and cannot know whether others do.
    slept: bool,
    backstop: Option<Backstop>,
    /// The owner is to be asked after.
    ask: bool,
    /// And was, since the last sleep.
    asked: bool,
}

/// Why a wait must end though the lock is not free.
fn ended(limits: &Limits<'_>) -> Option<Taken> {
    if limits.is_try() {
        Some(Taken::TimedOut)
    } else if limits.cancelled() {
        Some(Taken::Cancelled)
    } else if limits.deadline.is_some_and(|at| now() >= at) {
        Some(Taken::TimedOut)
    } else {
        None
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::sync::atomic::AtomicU32;

    /// Owners live for ever; what happens at a backstop is counted.
    #[derive(Default)]
    struct Alive {
        looks: std::cell::Cell<u32>,
    }

    impl Owners for Alive {
        fn is_dead(&self, _: ParticipantId, _: u32) -> bool {
            false
        }
        fn look_for_dead(&self) {
            self.looks.set(self.looks.get() + 1);
        }
    }

    fn held() -> (AtomicU64, LockWord) {
        let owner = LockWord::owned(1, 0);
        (AtomicU64::new(owner.0), owner)
    }

    fn take(word: &AtomicU64, limits: &Limits<'_>, strategy: WaitStrategy, owners: &Alive) -> Taken {
        take_by(2, word, limits, strategy, owners)
    }

    fn take_by(
        who: ParticipantId,
        word: &AtomicU64,
        limits: &Limits<'_>,
        strategy: WaitStrategy,
        owners: &Alive,
    ) -> Taken {
        let me = LockWord::owned(who, 0);
        RawLock::new(word).take(me, limits, &Spinner::new(strategy), owners)
    }

    #[test]
    fn a_cancelled_wait_ends() {
        for strategy in [WaitStrategy::Spin, WaitStrategy::Adaptive, WaitStrategy::Block] {
            let ((word, owner), cancel) = (held(), AtomicU32::new(0));
            let limits = Limits { deadline: None, cancel: Some(&cancel) };
            std::thread::scope(|scope| {
                let waiter = scope.spawn(|| take(&word, &limits, strategy, &Alive::default()));
                for _ in 0..100 {
                    std::thread::yield_now();
                }
                assert!(!waiter.is_finished());
                cancel.store(1, Ordering::Relaxed);
                // Nobody wakes it: its backstop does.
                assert_eq!(waiter.join().unwrap(), Taken::Cancelled);
            });
            assert_eq!(take(&word, &limits, strategy, &Alive::default()), Taken::Cancelled, "set before");
            // What is free is taken all the same, and a mark that a cancelled waiter left goes with the release.
            assert!(RawLock::new(&word).release(owner));
            assert_eq!(take(&word, &limits, strategy, &Alive::default()), Taken::Owned);
        }
    }

    #[test]
    fn who_is_woken_and_cancelled_hands_the_wake_up_on() {
        let ((word, owner), cancel) = (held(), AtomicU32::new(0));
        let limits = Limits { deadline: None, cancel: Some(&cancel) };
        std::thread::scope(|scope| {
            let first = scope.spawn(|| take(&word, &limits, WaitStrategy::Block, &Alive::default()));
            while !RawLock::new(&word).look().has_waiters() {
                std::thread::yield_now();
            }
            let second =
                scope.spawn(|| take_by(3, &word, &Limits::NONE, WaitStrategy::Block, &Alive::default()));
            cancel.store(1, Ordering::Relaxed);
            let lock = RawLock::new(&word);
            assert!(lock.release(owner));
            let end = first.join().unwrap();
            if end == Taken::Owned {
                assert!(lock.release(LockWord::owned(2, 0)));
            } else {
                assert_eq!(end, Taken::Cancelled);
            }
            assert_eq!(second.join().unwrap(), Taken::Owned);
        });
    }

    #[test]
    fn a_deadline_is_never_early_and_the_backstop_comes_before_it() {
        let (word, _) = held();
        let alive = Alive::default();
        let at = now() + 45_000_000;
        let limits = Limits { deadline: Some(at), cancel: None };
        assert_eq!(take(&word, &limits, WaitStrategy::Block, &alive), Taken::TimedOut);
        assert!(now() >= at);
        assert!((1..=2).contains(&alive.looks.get()), "{}", alive.looks.get());
        assert_eq!(take(&word, &Limits::TRY, WaitStrategy::Block, &alive), Taken::TimedOut);
        let past = Limits { deadline: Some(1), cancel: None };
        assert_eq!(take(&word, &past, WaitStrategy::Block, &alive), Taken::TimedOut);
    }

    #[test]
    fn a_death_is_found_at_the_end_of_any_wait() {
        struct Dead;
        impl Owners for Dead {
            fn is_dead(&self, _: ParticipantId, _: u32) -> bool {
                true
            }
            fn look_for_dead(&self) {}
        }
        for deadline in [Some(0), Some(1), Some(now() + 1000), Some(u64::MAX), None] {
            let (word, owner) = held();
            let limits = Limits { deadline, cancel: None };
            let me = LockWord::owned(2, 0);
            let taken = RawLock::new(&word).take(me, &limits, &Spinner::default(), &Dead);
            let Taken::Inherited(from) = taken else { panic!("{deadline:?}: {taken:?}") };
            assert_eq!(from.owner(), owner);
            assert!(RawLock::new(&word).look().is_dirty());
        }
    }
}
