//! The condition's own source under loom, over the robust lock's own: a lost notification is a deadlock, which loom reports,
//! since a model has no backstop. Deaths are for the explicit-state check (`condition_states`), but for the one that
//! needs the memory's order: a notifier that dies before it has woken whom it notified.
#![cfg(loom)]

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use processing::WaitStrategy;
use processing::layout::ParticipantId;
use processing::layout::condition::CellWord;
use processing::layout::lock::LockWord;
use processing::prim::condition::{Cells, Monitor, RawCondition};
use processing::prim::limits::{Limits, WaitEnd};
use processing::prim::lock::{Owners, RawLock, Taken};
use processing::prim::spin::Spinner;
use processing::sync::atomic::{AtomicU32, AtomicU64, Ordering::*};
use processing::sync::futex;

const CELLS: u32 = 2;

#[derive(Default)]
struct Shared {
    lock: AtomicU64,
    sequence: AtomicU32,
    used: AtomicU32,
    cells: [AtomicU64; CELLS as usize],
    /// What the condition is about.
    items: UnsafeCell<u32>,
}

// SAFETY: loom checks every access to `items`.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Cells for Shared {
    fn count(&self) -> u32 {
        CELLS
    }
    fn used(&self) -> u32 {
        self.used.load(Acquire)
    }
    fn use_below(&self, mark: u32) {
        self.used.fetch_max(mark, AcqRel);
    }
    fn sequence(&self) -> u32 {
        self.sequence.load(Relaxed)
    }
    fn set_sequence(&self, sequence: u32) {
        self.sequence.store(sequence, Relaxed);
    }
    fn load(&self, cell: u32) -> CellWord {
        CellWord(self.cells[cell as usize].load(Acquire))
    }
    fn change(&self, cell: u32, old: CellWord, new: CellWord) -> bool {
        self.cells[cell as usize].compare_exchange(old.0, new.0, AcqRel, Acquire).is_ok()
    }
    fn sleep(&self, cell: u32, expected: CellWord, until: u64) {
        futex::wait_low(&self.cells[cell as usize], expected.futex(), Some(until));
    }
    fn wake(&self, cell: u32) {
        futex::wake_low(&self.cells[cell as usize], u32::MAX);
    }
}

/// Everybody lives.
impl Owners for Shared {
    fn is_dead(&self, _: ParticipantId, _: u32) -> bool {
        false
    }
    fn look_for_dead(&self) {}
}

struct Held<'a>(&'a Shared, ParticipantId);

impl Monitor for Held<'_> {
    type Back = ();

    fn leave(&self) {
        assert!(self.0.raw().release(word_of(self.1)));
    }

    fn come_back(&self) {
        self.0.take(self.1);
    }
}

fn word_of(me: ParticipantId) -> LockWord {
    LockWord::owned(me, 1).by(u32::from(me))
}

fn block() -> Spinner {
    Spinner::new(WaitStrategy::Block)
}

impl Shared {
    fn raw(&self) -> RawLock<'_> {
        RawLock::new(&self.lock)
    }

    fn condition(&self) -> RawCondition<'_, Self> {
        RawCondition::new(self)
    }

    fn take(&self, me: ParticipantId) {
        if !self.raw().try_fast(word_of(me)) {
            assert_eq!(self.raw().take(word_of(me), &Limits::NONE, &block(), self), Taken::Owned);
        }
    }

    fn with_items<R>(&self, f: impl FnOnce(&mut u32) -> R) -> R {
        // SAFETY: by who has the lock: that is what loom checks.
        self.items.with_mut(|items| f(unsafe { &mut *items }))
    }

    /// Takes an item, waiting for one.
    fn consume(&self, me: ParticipantId) {
        self.take(me);
        while self.with_items(|items| *items == 0) {
            let waited = self.condition().wait(word_of(me), &Held(self, me), &Limits::NONE, &block(), || ());
            assert_eq!(waited.map(|(end, ())| end), Some(WaitEnd::Ready), "a cell is free");
        }
        self.with_items(|items| *items -= 1);
        assert!(self.raw().release(word_of(me)));
    }

    /// Puts so many items, and notifies as many.
    fn produce(&self, me: ParticipantId, count: u32) {
        self.take(me);
        self.with_items(|items| *items += count);
        self.condition().notify(count);
        assert!(self.raw().release(word_of(me)));
    }
}

/// The variable may ask for more preemptions than a model needs, not for fewer.
fn model(run: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    let bound = std::env::var("LOOM_MAX_PREEMPTIONS").ok().and_then(|text| text.parse().ok());
    builder.preemption_bound = Some(bound.unwrap_or(2).max(2));
    builder.max_branches = 20_000;
    builder.check(run);
}

#[test]
fn one_waits_and_one_notifies() {
    model(|| {
        let shared = Arc::new(Shared::default());
        let theirs = shared.clone();
        let waiter = thread::spawn(move || theirs.consume(1));
        shared.produce(2, 1);
        waiter.join().unwrap();
        assert_eq!(shared.condition().waiters(), 0);
    });
}

#[test]
fn two_wait_and_all_are_notified() {
    model(|| {
        let shared = Arc::new(Shared::default());
        let waiters = [1, 2].map(|me| {
            let theirs = shared.clone();
            thread::spawn(move || theirs.consume(me))
        });
        shared.produce(3, 2);
        waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
        assert_eq!(shared.condition().waiters(), 0);
    });
}

/// It has stored the item and the notification, has died before it woke anybody, and its reaper gives the lock on.
#[test]
fn a_notifier_dies_before_it_wakes() {
    model(|| {
        let shared = Arc::new(Shared::default());
        let theirs = shared.clone();
        let waiter = thread::spawn(move || theirs.consume(1));
        shared.take(2);
        shared.with_items(|items| *items += 1);
        for cell in 0..CELLS {
            let word = shared.load(cell);
            if word != CellWord::FREE {
                shared.change(cell, word, word.notified());
            }
        }
        // Dead: what follows is the reaper's.
        shared.condition().repair(2, &|| true);
        assert!(shared.raw().release(word_of(2)));
        waiter.join().unwrap();
    });
}
