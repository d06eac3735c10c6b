//! The arena's word algorithms under loom: the library's own source over loom's words.
//!
//! `RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=2 cargo test -p processing-loom-tests --release --test arena_loom`;
//! with `PROCESSING_MUTANT=arena.free_relaxed`, `arena.no_help`, `arena.no_applied` or `arena.zero_forgotten` a
//! test fails.
#![cfg(loom)]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use processing::arena::count::{self, Book, Outcome};
use processing::arena::own;
use processing::layout::block::BlockHeader;
use processing::layout::object::{CountWord, ObjectId};
use processing::layout::reference::{ReferenceControl, ReferenceEntry, ReferenceWord};
use processing::sync::atomic::AtomicU64;
use processing::sync::atomic::Ordering::{Acquire, Relaxed, Release};

const OBJECT: ObjectId = ObjectId { index: 1, generation: 0 };

/// Participants 1 and 2 (0 unused) with two entries each, at places 8 * who + i.
struct Words {
    controls: [ReferenceControl; 3],
    entries: [[ReferenceEntry; 2]; 3],
    count: AtomicU64,
    dying: AtomicU64,
    /// How often the object was marked DYING; not a shared word.
    marked: Mutex<u32>,
}

impl Words {
    /// Each of `holders` has a counted reference in its first entry.
    fn new(holders: &[u16]) -> Self {
        let words = Self {
            controls: Default::default(),
            entries: Default::default(),
            count: AtomicU64::new(CountWord { count: holders.len() as u32, who: 0, seq: 0 }.pack()),
            dying: AtomicU64::new(0),
            marked: Mutex::new(0),
        };
        for holder in holders {
            let entry = &words.entries[*holder as usize][0];
            entry.object.store(OBJECT.bits(), Relaxed);
            entry.word.store(ReferenceWord::HELD.pack(), Relaxed);
        }
        words
    }
    fn place(who: u16, i: u64) -> u64 {
        u64::from(who) * 8 + i
    }
    fn counted(&self) -> u32 {
        CountWord::unpack(self.count.load(Acquire)).count
    }
}

impl Book for Words {
    fn control(&self, who: u16) -> &ReferenceControl {
        &self.controls[who as usize]
    }
    fn entry(&self, place: u64) -> Option<&ReferenceEntry> {
        self.entries.get(place as usize / 8)?.get(place as usize % 8)
    }
    fn count(&self, _: ObjectId) -> &AtomicU64 {
        &self.count
    }
    fn last_reference_gone(&self, _: ObjectId, who: u16) {
        if self.dying.load(Acquire) == 0 {
            self.dying.store(u64::from(who), Release);
            *self.marked.lock().unwrap() += 1;
        }
    }
}

/// The same words, for a participant that dies when it asks for the k-th of them.
struct Mortal {
    words: Arc<Words>,
    left: Mutex<u32>,
}

struct Death;

impl Mortal {
    fn step(&self) {
        let mut left = self.left.lock().unwrap();
        if *left == 0 {
            drop(left);
            resume_unwind(Box::new(Death));
        }
        *left -= 1;
    }
}

impl Book for Mortal {
    fn control(&self, who: u16) -> &ReferenceControl {
        self.step();
        self.words.control(who)
    }
    fn entry(&self, place: u64) -> Option<&ReferenceEntry> {
        self.step();
        self.words.entry(place)
    }
    fn count(&self, object: ObjectId) -> &AtomicU64 {
        self.step();
        self.words.count(object)
    }
    fn last_reference_gone(&self, object: ObjectId, who: u16) {
        self.step();
        self.words.last_reference_gone(object, who);
        self.step();
    }
}

/// Participant 1 does `work` and dies at step `k`; its reaper finishes for it and drops what it holds. True if it
/// died.
fn die_in(words: &Arc<Words>, k: u32, work: impl Fn(&Mortal)) -> bool {
    let mortal = Mortal { words: words.clone(), left: Mutex::new(k) };
    let died = catch_unwind(AssertUnwindSafe(|| work(&mortal))).is_err();
    count::finish(&**words, 1);
    for i in 0..2 {
        count::remove(&**words, 1, Words::place(1, i));
    }
    died
}

/// Participant 2 adds a reference and drops both.
fn neighbour(words: &Words) {
    count::add(words, 2, Words::place(2, 1), OBJECT).unwrap();
    for i in [1, 0] {
        assert!(count::remove(words, 2, Words::place(2, i)).is_some());
    }
}

fn check(words: &Words) {
    assert_eq!(words.counted(), 0, "references leaked");
    assert_ne!(words.dying.load(Acquire), 0, "the last reference went unnoticed");
    assert_eq!(*words.marked.lock().unwrap(), 1);
    for entries in &words.entries[1..] {
        for entry in entries {
            assert_eq!(ReferenceWord::unpack(entry.word.load(Acquire)), ReferenceWord::EMPTY);
        }
    }
}

/// That a stamp is overwritten between a death and its reaper shows with three, and the model is small.
fn three_preemptions() -> loom::model::Builder {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.map(|bound| bound.max(3));
    builder
}

fn death_beside_a_neighbour(work: fn(&Mortal)) {
    for k in 0..40 {
        let some_died = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let noted = some_died.clone();
        three_preemptions().check(move || {
            let words = Arc::new(Words::new(&[1, 2]));
            let other = words.clone();
            let second = thread::spawn(move || neighbour(&other));
            if die_in(&words, k, work) {
                noted.store(true, std::sync::atomic::Ordering::Relaxed);
            }
            second.join().unwrap();
            check(&words);
        });
        if !some_died.load(std::sync::atomic::Ordering::Relaxed) {
            return;
        }
    }
    panic!("the work has more steps than were tried");
}

#[test]
fn two_drop_at_once() {
    loom::model(|| {
        let words = Arc::new(Words::new(&[1, 2]));
        let other = words.clone();
        let second = thread::spawn(move || count::remove(&*other, 2, Words::place(2, 0)));
        let first = count::remove(&*words, 1, Words::place(1, 0));
        let second = second.join().unwrap();
        let last = [first, second].into_iter().filter(|o| matches!(o, Some(Outcome::Last(_)))).count();
        assert_eq!(last, 1);
        check(&words);
    });
}

#[test]
fn death_in_an_add() {
    death_beside_a_neighbour(|mortal| {
        count::add(mortal, 1, Words::place(1, 1), OBJECT).unwrap();
    });
}

#[test]
fn death_in_a_drop() {
    death_beside_a_neighbour(|mortal| {
        count::remove(mortal, 1, Words::place(1, 0));
    });
}

/// A block goes from one owner to the next with its bytes.
#[test]
fn a_block_has_one_owner() {
    loom::model(|| {
        let shared = Arc::new((BlockHeader::default(), UnsafeCell::new(0u32)));
        let use_it = |shared: &(BlockHeader, UnsafeCell<u32>), me: u16| {
            if let Some(own) = own::take(&shared.0, me) {
                shared.1.with_mut(|bytes| {
                    // SAFETY: the block is PRIVATE(me); loom checks that nobody else is here.
                    unsafe { *bytes += 1 }
                });
                own::dying(&shared.0, own, me);
                own::free(&shared.0, own);
                return true;
            }
            false
        };
        let other = shared.clone();
        let second = thread::spawn(move || use_it(&other, 2));
        let first = use_it(&shared, 1);
        let second = second.join().unwrap();
        assert!(first || second);
    });
}

/// The reaper condemns what its owner handed over at the same moment: one of them wins.
#[test]
fn hand_over_against_condemn() {
    loom::model(|| {
        let header = Arc::new(BlockHeader::default());
        let own = own::take(&header, 1).unwrap();
        let other = header.clone();
        // The seat that the block goes to is reaped meanwhile.
        let reaper =
            thread::spawn(move || own::look(&other, 3).is_some_and(|seen| own::condemn(&other, seen.own, 3)));
        assert!(own::hand_over(&header, own, 1, 3));
        let taken_back = own::hand_over(&header, own, 3, 1);
        assert_ne!(taken_back, reaper.join().unwrap());
    });
}
