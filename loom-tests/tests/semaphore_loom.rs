//! The semaphore's own source under loom: permits are counted, what is done with one is seen by who gets it next, nobody
//! sleeps for ever beside a free one (loom reports a deadlock), and what a dead one held comes back.
#![cfg(loom)]

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use processing::layout::lock::LockWord;
use processing::layout::semaphore::{Lane, LaneOp, LaneOwner, LaneWord, SemaphoreWord, VALUE_MAX};
use processing::prim::event_count::SpinRun;
use processing::prim::limits::Limits;
use processing::prim::semaphore::{Acquired, RawSemaphore, claim};
use processing::prim::spin::{Spinner, WaitStrategy};
use processing::sync::atomic::{AtomicU32, AtomicU64, Ordering::*};

struct Shared {
    word: AtomicU64,
    event: AtomicU32,
    lanes: Vec<Lane>,
    /// What who has a permit may touch alone, where there is one permit.
    data: UnsafeCell<u32>,
}

// SAFETY: the cell is what the model is about: loom reports accesses that are not ordered.
unsafe impl Sync for Shared {}
// SAFETY: as above.
unsafe impl Send for Shared {}

impl Shared {
    fn new(value: u32, lanes: usize) -> Arc<Self> {
        Arc::new(Self {
            word: AtomicU64::new(SemaphoreWord::new(value).0),
            event: AtomicU32::new(0),
            lanes: (0..lanes).map(|_| Lane::default()).collect(),
            data: UnsafeCell::new(0),
        })
    }

    fn raw(&self) -> RawSemaphore<'_, [Lane]> {
        RawSemaphore::new(&self.word, &self.event, VALUE_MAX, &self.lanes)
    }

    /// The word as it was then.
    fn acquire(&self, lane: u32) -> SemaphoreWord {
        let spinner = Spinner::new(WaitStrategy::Block);
        match self.raw().acquire(lane, &Limits::NONE, &spinner, &SpinRun::default(), || ()) {
            Acquired::Yes(taken) => taken,
            other => panic!("{other:?}"),
        }
    }

    fn touch(&self) {
        // SAFETY: that nobody else does at the same time is what loom checks.
        self.data.with_mut(|data| unsafe { *data += 1 });
    }

    fn use_once(&self, lane: u32) {
        let taken = self.acquire(lane);
        self.touch();
        self.raw().release(lane, taken);
    }

    fn held(&self) -> u32 {
        self.lanes.iter().map(|lane| LaneWord(lane.word.load(Relaxed)).held()).sum()
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

#[test]
fn one_permit_two_threads() {
    model(2, || {
        let shared = Shared::new(1, 2);
        let theirs = shared.clone();
        let other = thread::spawn(move || theirs.use_once(2));
        shared.use_once(1);
        other.join().unwrap();
        assert_eq!((shared.raw().look().value(), shared.held()), (1, 0));
    });
}

#[test]
fn a_giver_and_two_takers() {
    model(2, || {
        let shared = Shared::new(0, 2);
        let theirs = shared.clone();
        let other = thread::spawn(move || theirs.acquire(2));
        let theirs = shared.clone();
        let giver = thread::spawn(move || {
            assert!(theirs.raw().give());
            assert!(theirs.raw().give());
        });
        shared.acquire(1);
        other.join().unwrap();
        giver.join().unwrap();
        assert_eq!((shared.raw().look().value(), shared.held()), (0, 2));
    });
}

/// One that died between its change of the value and the end of it: its stamp is overwritten while it is buried.
#[test]
fn the_dead_and_a_thread_in_its_way() {
    let part = |shared: &Shared, buries: bool| {
        if buries {
            shared.raw().repair(7);
        } else {
            let taken = shared.acquire(2);
            shared.raw().release(2, taken);
        }
    };
    // Loom begins with the thread that spawns, and remembers of each word only who used it last: from either side it finds
    // orders that it does not find from the other.
    for (op, buries) in
        [LaneOp::Acquire, LaneOp::Release].into_iter().flat_map(|op| [(op, false), (op, true)])
    {
        model(2, move || {
            let shared = Shared::new(2, 2);
            // Holds one, and has the other in mind, or gives it back.
            shared.acquire(1);
            let lane = &shared.lanes[0];
            lane.owner.store(LaneOwner::new(LockWord::owned(7, 1), 1).0, Relaxed);
            let intent = LaneWord(lane.word.load(Relaxed)).intends(op);
            lane.word.store(intent.0, Relaxed);
            let seen = shared.raw().look();
            let done = match op {
                LaneOp::Acquire => seen.taken(1, intent),
                _ => seen.returned(1, VALUE_MAX, 1, intent),
            };
            shared.word.store(done.0, Release);
            let theirs = shared.clone();
            let other = thread::spawn(move || part(&theirs, !buries));
            part(&shared, buries);
            other.join().unwrap();
            assert_eq!((shared.raw().look().value(), shared.held()), (2, 0));
            assert_eq!(lane.owner.load(Relaxed), 0);
        });
    }
}

/// A lane that its owner's reaper frees while another claims it: its operations are counted on.
#[test]
fn a_lane_changes_hands() {
    model(2, || {
        let shared = Shared::new(1, 1);
        shared.acquire(1);
        shared.lanes[0].owner.store(LaneOwner::new(LockWord::owned(7, 1), 1).0, Relaxed);
        let theirs = shared.clone();
        let other = thread::spawn(move || {
            let mine = LaneOwner::new(LockWord::owned(8, 1), 1);
            let Some(lane) = claim(&theirs.lanes[..], mine, &|_| false) else { return };
            theirs.use_once(lane);
        });
        shared.raw().repair(7);
        other.join().unwrap();
        assert_eq!((shared.raw().look().value(), shared.held()), (1, 0));
    });
}
