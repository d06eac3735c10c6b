//! The robust lock's own source under loom. What it protects is a plain cell, so that loom reports two owners at once and
//! owners that are not ordered; a lost wake-up is a deadlock, which loom reports too, since a model has no backstop.
//!
//! A participant is killed while it owns the lock, or before its k-th futex call or right after it, which together with
//! the two ends is everywhere: between two of those calls a thread makes at most one change. Then the kernel knows it to be dead, and
//! a reaper repairs.
#![cfg(loom)]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use processing::WaitStrategy;
use processing::layout::ParticipantId;
use processing::layout::lock::{LockState, LockWord};
use processing::prim::limits::Limits;
use processing::prim::lock::{Owners, RawLock, Taken};
use processing::prim::spin::Spinner;
use processing::sync::atomic::{AtomicU32, AtomicU64, Ordering::*};
use processing::sync::kill;

const INCARNATION: u32 = 3;
/// Kill points of the longest call, and one more.
const POINTS: u64 = 7;

#[derive(Default)]
struct Shared {
    word: AtomicU64,
    /// What the lock protects: how often somebody had it.
    data: UnsafeCell<u32>,
    /// What the kernel knows: a bit for each participant.
    dead: AtomicU32,
}

// SAFETY: loom checks every access to `data`.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Owners for Shared {
    fn is_dead(&self, who: ParticipantId, incarnation: u32) -> bool {
        assert_eq!(incarnation, INCARNATION);
        self.dead.load(Acquire) & 1 << who != 0
    }

    fn look_for_dead(&self) {}
}

fn word_of(me: ParticipantId) -> LockWord {
    // Threads of different processes may have the same number (in namespaces of their own).
    LockWord::owned(me, INCARNATION).by(7)
}

impl Shared {
    fn lock(&self) -> RawLock<'_> {
        RawLock::new(&self.word)
    }

    fn take_within(&self, me: ParticipantId, limits: &Limits<'_>) -> Taken {
        if self.lock().try_fast(word_of(me)) {
            return Taken::Owned;
        }
        self.lock().take(word_of(me), limits, &Spinner::new(WaitStrategy::Block), self)
    }

    fn take(&self, me: ParticipantId) -> Taken {
        self.take_within(me, &Limits::NONE)
    }

    fn use_data(&self) {
        // SAFETY: exclusive by the lock: that is what loom checks.
        self.data.with_mut(|data| unsafe { *data += 1 });
    }

    fn data(&self) -> u32 {
        // SAFETY: as above.
        self.data.with(|data| unsafe { *data })
    }

    /// Uses what it owns, and gives it back; an heir recovers first. Whether it was told of a death.
    fn use_and_release(&self, me: ParticipantId, taken: Taken) -> bool {
        let told = match taken {
            Taken::Owned => false,
            Taken::Inherited(_) => true,
            other => panic!("{other:?}"),
        };
        self.use_data();
        if told {
            assert!(self.lock().recover(word_of(me)));
        }
        assert!(self.lock().release(word_of(me)));
        told
    }

    fn once(&self, me: ParticipantId) -> bool {
        self.use_and_release(me, self.take(me))
    }

    fn die(&self, me: ParticipantId) {
        self.dead.fetch_or(1 << me, Release);
    }

    /// As the reaper, or as a helper.
    fn repair(&self, dead: ParticipantId) {
        let still = || self.dead.load(Acquire) & 1 << dead != 0;
        self.lock().repair(dead, &still, &|word| assert_eq!(word.owner(), word_of(dead)));
    }

    /// Runs `call` as `me` until point `k`; killed there, it is dead, and the reaper comes.
    fn until(&self, me: ParticipantId, k: u64, call: impl FnOnce()) {
        kill::arm(k);
        let end = catch_unwind(AssertUnwindSafe(call));
        kill::disarm();
        if let Err(payload) = end {
            if !payload.is::<kill::Killed>() {
                resume_unwind(payload);
            }
            self.die(me);
            self.repair(me);
        }
    }

    /// Nobody has it, and nothing is left of anybody.
    fn is_at_rest(&self) {
        let word = self.lock().look();
        assert_eq!(word.state(), LockState::Free, "{word:?}");
        assert!(self.lock().try_fast(word_of(9)) || self.once_more());
    }

    /// A mark may stay until one more release finds that nobody sleeps.
    fn once_more(&self) -> bool {
        self.once(9);
        self.lock().look() == LockWord::FREE
    }
}

/// The variable may ask for more preemptions than a model needs, not for fewer.
fn model(preemptions: usize, run: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    let bound = std::env::var("LOOM_MAX_PREEMPTIONS").ok().and_then(|text| text.parse().ok());
    builder.preemption_bound = Some(bound.unwrap_or(preemptions).max(preemptions));
    builder.max_branches = 20_000;
    builder.check(run);
}

fn start<R: 'static>(
    shared: &Arc<Shared>,
    run: impl FnOnce(&Shared) -> R + 'static,
) -> thread::JoinHandle<R> {
    let shared = shared.clone();
    thread::spawn(move || run(&shared))
}

#[test]
fn two_take_turns() {
    model(3, || {
        let shared = Arc::new(Shared::default());
        let other = start(&shared, |shared| {
            shared.once(1);
            shared.once(1);
        });
        shared.once(2);
        shared.once(2);
        other.join().unwrap();
        assert_eq!(shared.data(), 4);
        shared.is_at_rest();
    });
}

#[test]
fn three_at_once() {
    model(3, || {
        let shared = Arc::new(Shared::default());
        let others = [1, 2].map(|me| start(&shared, move |shared| shared.once(me)));
        shared.once(3);
        others.into_iter().for_each(|other| assert!(!other.join().unwrap()));
        assert_eq!(shared.data(), 3);
        shared.is_at_rest();
    });
}

#[test]
fn a_barger_between_two_sleepers() {
    model(3, || {
        let shared = Arc::new(Shared::default());
        assert!(shared.lock().try_fast(word_of(3)));
        let sleepers = [1, 2].map(|me| start(&shared, move |shared| shared.once(me)));
        assert!(shared.lock().release(word_of(3)));
        // Never waits, and may come between a wake-up and its turn.
        if shared.take_within(3, &Limits::TRY) == Taken::Owned {
            shared.use_and_release(3, Taken::Owned);
        }
        sleepers.into_iter().for_each(|sleeper| assert!(!sleeper.join().unwrap()));
        shared.is_at_rest();
    });
}

#[test]
fn an_owner_dies_and_its_reaper_comes() {
    model(3, || {
        let shared = Arc::new(Shared::default());
        let waiters = [1, 2].map(|me| start(&shared, move |shared| shared.once(me)));
        let told = match shared.take(3) {
            Taken::Owned => {
                shared.use_data();
                shared.die(3);
                shared.repair(3);
                1
            }
            other => panic!("{other:?}"),
        };
        let heirs = waiters.into_iter().map(|waiter| u32::from(waiter.join().unwrap())).sum::<u32>();
        // Both may have had it before it died.
        let last = u32::from(shared.use_and_release(4, shared.take(4)));
        assert_eq!(heirs + last, told);
        shared.is_at_rest();
    });
}

#[test]
fn reaper_helper_and_heir_at_once() {
    model(3, || {
        let shared = Arc::new(Shared::default());
        assert!(shared.lock().try_fast(word_of(3)));
        shared.use_data();
        shared.die(3);
        let helper = start(&shared, |shared| shared.repair(3));
        let heir = start(&shared, |shared| match shared.take_within(1, &Limits::TRY) {
            Taken::TimedOut => 0,
            taken => u32::from(shared.use_and_release(1, taken)),
        });
        shared.repair(3);
        let told = heir.join().unwrap() + u32::from(shared.once(2));
        helper.join().unwrap();
        assert_eq!(told, 1);
        shared.is_at_rest();
    });
}

/// The victim had it and gives it back, while two come for it.
fn releaser_dies_at(k: u64) {
    model(3, move || {
        let shared = Arc::new(Shared::default());
        assert!(shared.lock().try_fast(word_of(3)));
        let waiters = [1, 2].map(|me| start(&shared, move |shared| shared.once(me)));
        shared.use_data();
        shared.until(3, k, || assert!(shared.lock().release(word_of(3))));
        let told = waiters.into_iter().map(|waiter| u32::from(waiter.join().unwrap())).sum::<u32>();
        assert!(told + u32::from(shared.once(4)) <= 1);
        shared.is_at_rest();
    });
}

#[test]
fn a_releaser_dies_before_it_wakes() {
    releaser_dies_at(0);
}

#[test]
fn a_releaser_dies_after_it_woke() {
    releaser_dies_at(1);
}

#[test]
fn a_releaser_dies_when_it_has_taken_back() {
    releaser_dies_at(2);
}

#[test]
fn a_releaser_dies_before_it_marks_again() {
    releaser_dies_at(3);
}

#[test]
fn a_releaser_dies_in_its_second_round() {
    for k in 4..POINTS {
        releaser_dies_at(k);
    }
}

/// The victim waits beside another, and may be the one that is woken.
fn waiter_dies_at(k: u64) {
    model(3, move || {
        let shared = Arc::new(Shared::default());
        assert!(shared.lock().try_fast(word_of(3)));
        let victim = start(&shared, move |shared| {
            shared.until(1, k, || {
                shared.once(1);
            })
        });
        let other = start(&shared, |shared| shared.once(2));
        shared.use_data();
        assert!(shared.lock().release(word_of(3)));
        victim.join().unwrap();
        let told = u32::from(other.join().unwrap());
        assert!(told + u32::from(shared.once(4)) <= 1);
        shared.is_at_rest();
    });
}

#[test]
fn a_waiter_dies_before_it_sleeps() {
    waiter_dies_at(0);
}

#[test]
fn a_waiter_dies_of_its_wake_up() {
    waiter_dies_at(1);
}

#[test]
fn a_waiter_dies_later() {
    for k in 2..POINTS {
        waiter_dies_at(k);
    }
}

#[test]
fn an_heir_recovers_while_others_come() {
    model(2, || {
        let shared = Arc::new(Shared::default());
        assert!(shared.lock().try_fast(word_of(3)));
        shared.die(3);
        let Taken::Inherited(word) = shared.take_within(4, &Limits::TRY) else { panic!() };
        assert_eq!(word.owner(), word_of(3));
        let waiters = [1, 2].map(|me| start(&shared, move |shared| shared.once(me)));
        shared.use_and_release(4, Taken::Inherited(word));
        waiters.into_iter().for_each(|waiter| assert!(!waiter.join().unwrap()));
        shared.is_at_rest();
    });
}

/// Until somebody says that all is well.
fn once_or_poisoned(shared: &Shared, me: ParticipantId) -> bool {
    match shared.take(me) {
        Taken::Poisoned => true,
        taken => {
            shared.use_and_release(me, taken);
            false
        }
    }
}

#[test]
fn who_gives_up_tells_the_sleepers() {
    model(3, || {
        let shared = Arc::new(Shared::default());
        assert!(shared.lock().try_fast(word_of(3)));
        shared.die(3);
        let Taken::Inherited(_) = shared.take_within(4, &Limits::TRY) else { panic!() };
        let waiters = [1, 2].map(|me| start(&shared, move |shared| once_or_poisoned(shared, me)));
        shared.use_data();
        assert!(shared.lock().release(word_of(4)));
        waiters.into_iter().for_each(|waiter| assert!(waiter.join().unwrap()));
        assert_eq!(shared.lock().look(), LockWord::POISONED);
    });
}

#[test]
fn one_of_two_takes_a_poisoned_lock() {
    model(3, || {
        let shared = Arc::new(Shared::default());
        assert!(shared.lock().try_fast(word_of(3)));
        shared.lock().poison();
        let recover = |shared: &Shared, me| {
            let taken = shared.lock().take_poisoned(word_of(me));
            if taken {
                shared.use_and_release(me, Taken::Inherited(LockWord::POISONED));
            }
            taken
        };
        let others = [1, 2].map(|me| start(&shared, move |shared| recover(shared, me)));
        once_or_poisoned(&shared, 4);
        let taken = others.into_iter().map(|other| u32::from(other.join().unwrap())).sum::<u32>();
        assert_eq!(taken, 1, "it is poisoned once");
        shared.is_at_rest();
    });
}
