//! The value of a `Locked` under loom: a writer that dies is one that stops at any of its stores, and whoever reads at any
//! moment reads what an heir would.
#![cfg(loom)]

use loom::sync::Arc;
use loom::thread;
use processing::layout::locked::LockedBody;
use processing::prim::twin::Twin;
use processing::sync::atomic::{AtomicU64, Ordering};

const ROOM: usize = 16;

struct Shared {
    body: LockedBody,
    words: [AtomicU64; 2 * ROOM / 8],
}

impl Shared {
    fn new() -> Self {
        let shared = Self { body: LockedBody::default(), words: Default::default() };
        shared.body.room.store(ROOM as u64, Ordering::Relaxed);
        shared
    }

    fn twin(&self) -> Twin<'_> {
        Twin::new(&self.body, &self.words)
    }

    fn read(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.twin().read(|len| {
            out.resize(len, 0);
            &mut out
        });
        out
    }
}

/// One change at a time: under the lock nobody else writes, and an heir reads before it writes.
#[test]
fn old_or_new_at_any_moment() {
    loom::model(|| {
        let shared = Arc::new(Shared::new());
        let old = vec![1; 12];
        let new = vec![2; 16];
        shared.twin().write(&old).expect("it fits");
        let writer = {
            let shared = Arc::clone(&shared);
            let new = new.clone();
            thread::spawn(move || shared.twin().write(&new).expect("it fits"))
        };
        let seen = shared.read();
        assert!(seen == old || seen == new, "{seen:?}");
        writer.join().unwrap();
        assert_eq!(shared.read(), new);
    });
}

/// The one who changed it last was killed half-way; the heir's own change starts from a whole value.
#[test]
fn after_a_change_that_was_not_finished() {
    loom::model(|| {
        let shared = Arc::new(Shared::new());
        shared.twin().write(&[1; 8]).expect("it fits");
        // What a dead owner may have left in the twin that is not the value.
        for word in &shared.words[..ROOM / 8] {
            word.store(u64::MAX, Ordering::Relaxed);
        }
        assert_eq!(shared.read(), [1; 8]);
        let writer = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.twin().write(&[3; 9]).expect("it fits"))
        };
        let seen = shared.read();
        assert!(seen == [1; 8] || seen == [3; 9], "{seen:?}");
        writer.join().unwrap();
    });
}
