//! The participant table under loom: orderings, with a crash at each step.
//!
//! The kernel's lock table is a mutex, as in the kernel. What a tenant writes into its slot and what a reaper
//! clears there is a plain cell, so that loom reports two of them that are not ordered.
//!
//! `PROCESSING_MUTANT=region.lock_after_word` must make it fail; `mutants_are_caught` tries several.
#![cfg(loom)]

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use loom::cell::UnsafeCell;
use loom::sync::{Arc, Mutex};
use loom::thread;
use processing::layout::ParticipantId;
use processing::region::kernel::Kernel;
use processing::region::table::{Seats, Table};
use processing::region::word::{State, Word};
use processing::region::{Dead, Me};
use processing::sync::atomic::{AtomicU64, Ordering};

const SLOTS: usize = 3;
/// The slot that is fought over.
const SLOT: ParticipantId = 3;

struct Shared {
    words: [AtomicU64; SLOTS + 1],
    /// Pid, identity and name of [`SLOT`].
    fields: UnsafeCell<u64>,
    /// Names its owner, with a generation above.
    object: AtomicU64,
    locks: Mutex<[Option<u8>; SLOTS + 1]>,
    /// Exclusive repairs of [`SLOT`] that were finished.
    repairs: AtomicU64,
}

// SAFETY: the cell is what the model is about: loom reports accesses that are not ordered.
unsafe impl Sync for Shared {}
// SAFETY: as above.
unsafe impl Send for Shared {}

/// Sweepers sit in slots 1 and 2 as processes 1 and 2.
fn shared() -> Arc<Shared> {
    let words = [Word(0), Word::live_of(0), Word::live_of(0), Word(0)].map(|word| AtomicU64::new(word.0));
    Arc::new(Shared {
        words,
        fields: UnsafeCell::new(0),
        object: AtomicU64::new(0),
        locks: Mutex::new([None, Some(1), Some(2), None]),
        repairs: AtomicU64::new(0),
    })
}

/// Thrown where a process is killed.
struct Killed;

/// One process, that is killed before its operation number `steps`.
struct Process {
    number: u8,
    shared: Arc<Shared>,
    steps: Cell<u32>,
}

impl Process {
    fn new(number: u8, shared: &Arc<Shared>, steps: u32) -> Self {
        Self { number, shared: shared.clone(), steps: Cell::new(steps) }
    }

    fn point(&self) {
        match self.steps.get().checked_sub(1) {
            Some(left) => self.steps.set(left),
            None => resume_unwind(Box::new(Killed)),
        }
    }

    /// Runs to the end, or until killed (false): then the kernel drops its locks.
    fn run(&self, body: impl FnOnce(&Self)) -> bool {
        let Err(payload) = catch_unwind(AssertUnwindSafe(|| body(self))) else {
            return true;
        };
        if !payload.is::<Killed>() {
            resume_unwind(payload);
        }
        self.exit();
        false
    }

    fn exit(&self) {
        let mut locks = self.shared.locks.lock().unwrap();
        locks.iter_mut().filter(|lock| **lock == Some(self.number)).for_each(|lock| *lock = None);
    }

    fn table(&self) -> Table<'_, Self, Self> {
        Table { seats: self, kernel: self }
    }

    fn me(&self) -> Me {
        Me { id: self.number.into(), incarnation: 0 }
    }

    /// Joins in [`SLOT`] and owns the object, if both can be had.
    fn join_and_own(&self) -> bool {
        let Some(me) = self.table().claim_slot(SLOT) else {
            return false;
        };
        self.point();
        // SAFETY: exclusive by the claim: that is what loom checks.
        self.shared.fields.with_mut(|fields| unsafe {
            assert_eq!(*fields, 0, "the last tenant's fields were not cleared");
            *fields = self.number.into();
        });
        assert!(self.table().publish(me), "a living joiner was declared dead");
        self.point();
        let object = &self.shared.object;
        let free = object.load(Ordering::Acquire);
        assert_eq!(free & 0xffff, 0, "the last tenant's object was not repaired");
        self.point();
        object.compare_exchange(free, free | u64::from(SLOT), Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    fn repair(&self, dead: Dead, exclusive: bool) {
        self.point();
        let object = &self.shared.object;
        let seen = object.load(Ordering::Acquire);
        if seen & 0xffff == u64::from(dead.id) && self.table().still_reaping(dead) {
            self.point();
            let freed = ((seen >> 16) + 1) << 16;
            let _ = object.compare_exchange(seen, freed, Ordering::AcqRel, Ordering::Relaxed);
        }
        if exclusive && dead.id == SLOT {
            self.point();
            self.shared.repairs.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn sweep(&self, slots: std::ops::RangeInclusive<ParticipantId>) {
        for id in slots {
            self.table().visit(self.me(), id, &mut |dead, exclusive| self.repair(dead, exclusive));
        }
    }
}

impl Seats for Process {
    fn word(&self, id: ParticipantId) -> &AtomicU64 {
        self.point();
        &self.shared.words[usize::from(id)]
    }

    fn high(&self) -> ParticipantId {
        SLOTS as ParticipantId
    }

    fn clear(&self, id: ParticipantId) {
        self.point();
        if id == SLOT {
            // SAFETY: exclusive by REAPING: that is what loom checks.
            self.shared.fields.with_mut(|fields| unsafe { *fields = 0 });
        }
    }
}

impl Kernel for Process {
    fn alive(&self, id: ParticipantId) -> bool {
        self.point();
        self.shared.locks.lock().unwrap()[usize::from(id)].is_some()
    }

    fn lock(&self, id: ParticipantId) -> bool {
        self.point();
        let lock = &mut self.shared.locks.lock().unwrap()[usize::from(id)];
        let free = lock.is_none();
        if free {
            *lock = Some(self.number);
        }
        free
    }

    fn unlock(&self, id: ParticipantId) {
        self.point();
        self.shared.locks.lock().unwrap()[usize::from(id)] = None;
    }
}

fn word(shared: &Shared, id: ParticipantId) -> Word {
    Word(shared.words[usize::from(id)].load(Ordering::Acquire))
}

const ALIVE: u32 = u32::MAX;

/// Enough steps for any call here to run to its end.
const STEPS: u32 = 14;

fn model(body: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(3);
    let runs = std::sync::Arc::new(std::sync::Mutex::new(0u64));
    let counted = runs.clone();
    builder.check(move || {
        *counted.lock().unwrap() += 1;
        body();
    });
    println!("{} executions", runs.lock().unwrap());
}

/// A joiner that is killed at each step, against two sweepers; then the next tenant.
#[test]
fn join_against_two_sweepers() {
    for steps in 0..STEPS {
        model(move || {
            let shared = shared();
            let tenant = {
                let process = Process::new(3, &shared, steps);
                thread::spawn(move || process.run(|process| _ = process.join_and_own()))
            };
            let second = {
                let process = Process::new(2, &shared, ALIVE);
                thread::spawn(move || process.sweep(SLOT..=SLOT))
            };
            let first = Process::new(1, &shared, ALIVE);
            first.sweep(SLOT..=SLOT);
            let lives = tenant.join().unwrap();
            second.join().unwrap();
            first.sweep(SLOT..=SLOT);
            let now = word(&shared, SLOT);
            if lives {
                assert_eq!(now, Word::live_of(0));
                assert_eq!(shared.object.load(Ordering::Relaxed) & 0xffff, u64::from(SLOT));
                return;
            }
            assert_eq!(now.state(), State::Free);
            // Repaired once for each tenancy, and no tenancy without a claim.
            assert_eq!(u64::from(now.incarnation()), shared.repairs.load(Ordering::Relaxed));
            assert!(now.incarnation() <= 1);
            assert!(Process::new(4, &shared, ALIVE).join_and_own());
        });
    }
}

/// The next tenant joins while two sweepers clear up after the last one: nobody robs it.
#[test]
fn the_next_tenant_against_two_sweepers() {
    model(|| {
        let shared = shared();
        let last = Process::new(3, &shared, ALIVE);
        assert!(last.join_and_own());
        last.exit();
        let second = {
            let process = Process::new(2, &shared, ALIVE);
            thread::spawn(move || process.sweep(SLOT..=SLOT))
        };
        let next = {
            let process = Process::new(4, &shared, ALIVE);
            thread::spawn(move || process.join_and_own())
        };
        let first = Process::new(1, &shared, ALIVE);
        first.sweep(SLOT..=SLOT);
        second.join().unwrap();
        let joined = next.join().unwrap();
        first.sweep(SLOT..=SLOT);
        assert_eq!(shared.repairs.load(Ordering::Relaxed), 1);
        let expected = if joined { Word::live_of(1) } else { Word::live_of(0).reaping(1).freed() };
        assert_eq!(word(&shared, SLOT), expected);
        assert_eq!(shared.object.load(Ordering::Relaxed) & 0xffff, if joined { SLOT.into() } else { 0 });
    });
}

/// A reaper that is killed at each step, while another one sweeps, adopts or helps.
#[test]
fn a_killed_reaper_against_a_sweeper() {
    for steps in 0..STEPS {
        model(move || {
            let shared = shared();
            let last = Process::new(3, &shared, ALIVE);
            assert!(last.join_and_own());
            last.exit();
            let second = {
                let process = Process::new(2, &shared, steps);
                thread::spawn(move || process.run(|process| process.sweep(SLOT..=SLOT)))
            };
            let first = Process::new(1, &shared, ALIVE);
            first.sweep(2..=3);
            let lives = second.join().unwrap();
            first.sweep(2..=3);
            assert_eq!(word(&shared, SLOT).state(), State::Free);
            assert_eq!(word(&shared, SLOT).incarnation(), 1);
            assert_eq!(shared.object.load(Ordering::Relaxed) & 0xffff, 0);
            let expected = if lives { Word::live_of(0) } else { Word::live_of(0).reaping(1).freed() };
            assert_eq!(word(&shared, 2), expected);
            assert!(Process::new(4, &shared, ALIVE).join_and_own());
        });
    }
}

/// Each runs a test above again, in a process of its own with the fault on.
#[test]
fn mutants_are_caught() {
    for (mutant, test) in [
        ("region.lock_after_word", "join_against_two_sweepers"),
        ("region.state_only", "the_next_tenant_against_two_sweepers"),
        ("region.no_repair", "a_killed_reaper_against_a_sweeper"),
    ] {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test])
            .env("PROCESSING_MUTANT", mutant)
            .output()
            .unwrap();
        assert!(!output.status.success(), "{mutant} was not noticed by {test}");
    }
}
