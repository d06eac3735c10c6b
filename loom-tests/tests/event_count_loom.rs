//! The event count's own source under loom, where `light` and `heavy` are full fences (the asymmetric pair is in
//! `event_count_states`). A lost wake-up is a deadlock, which loom reports.
#![cfg(loom)]

use loom::sync::Arc;
use loom::thread;
use processing::prim::event_count::EventCount;
use processing::sync::atomic::{AtomicU32, Ordering::*};

#[derive(Default)]
struct Shared {
    word: AtomicU32,
    data: AtomicU32,
}

impl Shared {
    fn event(&self) -> EventCount<'_> {
        EventCount::new(&self.word)
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

    /// Sleeps until it took one; looks once before it announces itself.
    fn take_asleep(&self) {
        while !self.take() {
            let key = self.event().prepare();
            if self.take() {
                return;
            }
            self.event().sleep(key, None);
        }
    }

    fn give(&self) {
        self.data.fetch_add(1, Release);
        self.event().notify(1);
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
fn one_sleeper_one_publisher() {
    model(3, || {
        let shared = Arc::new(Shared::default());
        let theirs = shared.clone();
        let sleeper = thread::spawn(move || theirs.take_asleep());
        shared.give();
        sleeper.join().unwrap();
    });
}

#[test]
fn two_sleepers_two_notifications() {
    model(2, || {
        let shared = Arc::new(Shared::default());
        let sleepers: Vec<_> = (0..2)
            .map(|_| {
                let shared = shared.clone();
                thread::spawn(move || shared.take_asleep())
            })
            .collect();
        shared.give();
        shared.give();
        for sleeper in sleepers {
            sleeper.join().unwrap();
        }
    });
}

#[test]
fn one_sleeper_sleeps_twice() {
    model(3, || {
        let shared = Arc::new(Shared::default());
        let theirs = shared.clone();
        let sleeper = thread::spawn(move || {
            theirs.take_asleep();
            theirs.take_asleep();
        });
        shared.give();
        shared.give();
        sleeper.join().unwrap();
    });
}

#[test]
fn two_publishers() {
    model(2, || {
        let shared = Arc::new(Shared::default());
        let theirs = shared.clone();
        let publisher = thread::spawn(move || theirs.give());
        let theirs = shared.clone();
        let sleeper = thread::spawn(move || {
            theirs.take_asleep();
            theirs.take_asleep();
        });
        shared.give();
        publisher.join().unwrap();
        sleeper.join().unwrap();
    });
}

#[test]
fn wake_all_reaches_everybody() {
    model(2, || {
        let shared = Arc::new(Shared::default());
        let sleepers: Vec<_> = (0..2)
            .map(|_| {
                let shared = shared.clone();
                thread::spawn(move || {
                    while shared.data.load(Acquire) == 0 {
                        let key = shared.event().prepare();
                        if shared.data.load(Acquire) != 0 {
                            return;
                        }
                        shared.event().sleep(key, None);
                    }
                })
            })
            .collect();
        shared.data.store(1, Release);
        shared.event().wake_all();
        for sleeper in sleepers {
            sleeper.join().unwrap();
        }
    });
}

#[test]
fn relaxing_loses_nobody() {
    model(2, || {
        let shared = Arc::new(Shared::default());
        let theirs = shared.clone();
        let relaxer = thread::spawn(move || {
            theirs.event().relax();
            theirs.event().relax();
        });
        let theirs = shared.clone();
        let sleeper = thread::spawn(move || theirs.take_asleep());
        shared.give();
        relaxer.join().unwrap();
        sleeper.join().unwrap();
    });
}
