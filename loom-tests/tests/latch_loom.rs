//! The latch under loom: a sign that is taken down, what it stands for watched, with the library's own event count. A message that waits under a sign
//! that is down, with nobody who watches, is a lost readiness; a sign that is up and cannot be taken down is a
//! loop that never sleeps.
#![cfg(loom)]

use std::sync::Arc;

use loom::sync::Mutex;
use loom::thread::{self, JoinHandle};
use processing::prim::event_count::EventCount;
use processing::prim::latch::{Latch, Sign};
use processing::sync::atomic::{AtomicU32, Ordering::*};
use processing::sync::futex;

struct Shared {
    latch: Latch,
    sign: Flag,
    event: AtomicU32,
    data: AtomicU32,
    watchers: Mutex<Vec<JoinHandle<()>>>,
}

/// Up or down, and how often it went up: what a level and what an edge is.
struct Flag(AtomicU32, AtomicU32);

impl Sign for Flag {
    fn raise(&self) {
        self.0.store(1, SeqCst);
        self.1.fetch_add(1, SeqCst);
        futex::wake(&self.1, 1);
    }

    fn lower(&self) {
        self.0.store(0, SeqCst);
    }
}

impl Shared {
    fn new(latch: Latch, sign: u32) -> Arc<Self> {
        let (sign, event, data) =
            (Flag(AtomicU32::new(sign), AtomicU32::new(0)), AtomicU32::new(0), AtomicU32::new(0));
        Arc::new(Self { latch, sign, event, data, watchers: Mutex::new(Vec::new()) })
    }

    fn take(&self) -> bool {
        let mut seen = self.data.load(Acquire);
        while seen != 0 {
            match self.data.compare_exchange(seen, seen - 1, AcqRel, Relaxed) {
                Ok(_) => return true,
                Err(now) => seen = now,
            }
        }
        false
    }

    fn give(&self) {
        self.data.fetch_add(1, Release);
        EventCount::new(&self.event).notify(1);
    }

    /// What the helper does for an entry: announces, looks, sleeps, and finds.
    fn watch(self: &Arc<Self>) -> bool {
        let this = self.clone();
        let watcher = thread::spawn(move || {
            while this.data.load(Acquire) == 0 {
                let key = EventCount::new(&this.event).prepare();
                if this.data.load(Acquire) != 0 {
                    break;
                }
                EventCount::new(&this.event).sleep(key, None);
            }
            this.latch.found(&this.sign);
        });
        self.watchers.lock().unwrap().push(watcher);
        true
    }

    /// A get of the program.
    fn get(self: &Arc<Self>) -> bool {
        let got = self.take();
        if !got {
            self.latch.found_nothing(&self.sign, || self.watch());
        }
        got
    }

    fn join_watchers(&self) {
        let watchers = std::mem::take(&mut *self.watchers.lock().unwrap());
        watchers.into_iter().for_each(|watcher| watcher.join().unwrap());
    }

    fn is_up(&self) -> bool {
        self.sign.0.load(SeqCst) == 1
    }

    /// Nothing is there and nobody watches: the sign can be taken down.
    fn can_be_lowered(self: &Arc<Self>) {
        self.latch.found_nothing(&self.sign, || true);
        assert!(!self.is_up(), "readable for ever");
    }
}

fn model(preemptions: usize, run: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    let bound = std::env::var("LOOM_MAX_PREEMPTIONS").ok().and_then(|text| text.parse().ok());
    builder.preemption_bound = Some(bound.unwrap_or(preemptions).max(preemptions));
    builder.max_branches = 20_000;
    builder.check(run);
}

/// The sign is up and nothing is there; a message comes while it is taken down.
#[test]
fn what_comes_while_the_sign_goes_down_puts_it_up_again() {
    model(3, || {
        let shared = Shared::new(Latch::raised(), 1);
        let theirs = shared.clone();
        let publisher = thread::spawn(move || theirs.give());
        let got = shared.get();
        publisher.join().unwrap();
        if !got {
            // A watcher that sleeps although there is a message would be a deadlock.
            shared.join_watchers();
            assert!(shared.is_up(), "a message waits, and nobody is told");
            assert!(shared.take());
        }
        shared.can_be_lowered();
    });
}

/// The watcher has seen a message, which is taken before the sign is up.
#[test]
fn a_sign_that_goes_up_late_can_be_taken_down() {
    model(3, || {
        let shared = Shared::new(Latch::watched(), 0);
        let theirs = shared.clone();
        let watcher = thread::spawn(move || theirs.latch.found(&theirs.sign));
        assert!(!shared.get());
        watcher.join().unwrap();
        // If it was taken down, the next message is watched for.
        shared.give();
        shared.join_watchers();
        assert!(shared.is_up() && shared.take());
        shared.can_be_lowered();
    });
}

/// The same, when nothing comes any more.
#[test]
fn a_sign_that_goes_up_for_nothing_can_be_taken_down() {
    model(3, || {
        let shared = Shared::new(Latch::watched(), 0);
        let theirs = shared.clone();
        let watcher = thread::spawn(move || theirs.latch.found(&theirs.sign));
        shared.latch.found_nothing(&shared.sign, || true);
        watcher.join().unwrap();
        shared.can_be_lowered();
    });
}

/// Who looks only when the sign goes up, and gets until there is nothing, hears of the next message.
#[test]
fn each_message_is_an_edge_for_who_gets_until_nothing_is_there() {
    model(3, || {
        let shared = Shared::new(Latch::watched(), 0);
        shared.data.fetch_add(1, Release);
        shared.watch();
        let mut edges = 0;
        for _ in 0..2 {
            // An edge that is lost is a deadlock.
            while shared.sign.1.load(SeqCst) == edges {
                futex::wait(&shared.sign.1, edges, None);
            }
            edges = shared.sign.1.load(SeqCst);
            assert!(shared.get());
            assert!(!shared.get());
            shared.give();
        }
        shared.join_watchers();
    });
}

/// Two find nothing at once.
#[test]
fn two_take_it_down() {
    model(2, || {
        let shared = Shared::new(Latch::raised(), 1);
        let theirs = shared.clone();
        let other = thread::spawn(move || theirs.get());
        assert!(!shared.get());
        assert!(!other.join().unwrap());
        shared.give();
        shared.join_watchers();
        assert!(shared.is_up());
        assert!(shared.take());
        shared.can_be_lowered();
    });
}
