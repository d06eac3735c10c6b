//! The gate of a shared array under loom: who is inside at once may be so, what one wrote the next one reads, and who waits for an announcement to go
//! is woken (a lost wake-up is a deadlock, which loom reports). `light` and `heavy` are full fences here.
//!
//! The element is loom's own cell: to be inside at once with who writes it, or without an order to it, is a failure. There is one
//! owner of the lock, and none that dies: `array_states` has these.
#![cfg(loom)]

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use processing::data::array::gate::{self, Gate, Lines, Owner, Side, Sign};
use processing::layout::array::Mode;
use processing::prim::limits::Limits;
use processing::prim::spin::{Spinner, WaitStrategy};
use processing::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use processing::sync::fence;

const NAME: u64 = 77;

struct Shared {
    mode: AtomicU64,
    event: AtomicU32,
    /// One word each for a single store and for a guard, of three threads.
    set: [AtomicU64; 3],
    held: [AtomicU64; 3],
    element: UnsafeCell<u64>,
}

// The element is what is tested.
unsafe impl Send for Shared {}
unsafe impl Sync for Shared {}

impl Shared {
    fn new(mode: Mode) -> Arc<Self> {
        Arc::new(Self {
            mode: AtomicU64::new(mode.pack()),
            event: AtomicU32::new(0),
            set: Default::default(),
            held: Default::default(),
            element: UnsafeCell::new(0),
        })
    }

    fn gate(&self) -> Gate<'_> {
        Gate { mode: &self.mode, event: &self.event, name: NAME }
    }

    fn store(&self, value: u64) {
        self.element.with_mut(|element| unsafe { *element = value });
    }

    fn load(&self) -> u64 {
        self.element.with(|element| unsafe { *element })
    }

    /// Stores, if the mode lets it in at once.
    fn set(&self, who: usize, value: u64) -> bool {
        let visitor = self.gate().visitor(&self.set[who]);
        let inside = gate::enter(&visitor, Side::Set);
        if inside {
            self.store(value);
            gate::leave(&visitor, Side::Set);
        }
        inside
    }

    /// Reads, if the mode lets it in at once.
    fn read(&self, who: usize) -> Option<u64> {
        let visitor = self.gate().visitor(&self.held[who]);
        gate::enter(&visitor, Side::Read).then(|| {
            let value = self.load();
            assert_eq!(value, self.load(), "it changed");
            gate::leave(&visitor, Side::Read);
            value
        })
    }

    /// As the owner of the lock.
    fn change(&self, wanted: Mode, last: impl FnOnce()) -> Mode {
        let spinner = Spinner::new(WaitStrategy::Block);
        let owner = Owner { gate: self.gate(), lines: self, limits: &Limits::NONE, spinner: &spinner };
        gate::change(&owner, wanted, last).expect("it waits for ever")
    }

    /// As the owner of the lock: lets readers in, and is one of them.
    fn share(&self, who: usize) -> u64 {
        use processing::data::array::gate::Visitor;
        let visitor = self.gate().visitor(&self.held[who]);
        self.change(Mode::Shared, || visitor.announce());
        let value = self.load();
        gate::leave(&visitor, Side::Read);
        value
    }
}

impl Lines for Shared {
    fn order(&self) -> bool {
        fence::heavy()
    }

    fn any(&self, side: Side, name: u64) -> bool {
        let words = if side == Side::Set { &self.set } else { &self.held };
        words.iter().any(|word| word.load(Ordering::Acquire) == name)
    }

    fn look_for_dead(&self) {}
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
fn a_single_store_and_who_lets_readers_in() {
    model(3, || {
        let shared = Shared::new(Mode::Open);
        let setter = {
            let shared = shared.clone();
            thread::spawn(move || shared.set(0, 1))
        };
        let seen = shared.share(1);
        let was_set = setter.join().unwrap();
        assert!(was_set || seen == 0);
        assert_eq!(shared.load(), u64::from(was_set));
        assert_eq!(shared.gate().mode(), Mode::Shared);
    });
}

#[test]
fn a_single_store_and_a_commit() {
    model(3, || {
        let shared = Shared::new(Mode::Open);
        let setter = {
            let shared = shared.clone();
            thread::spawn(move || shared.set(0, 1))
        };
        let before = shared.change(Mode::Excl, || ());
        // Adds 10 to what it finds.
        let found = shared.load();
        shared.store(found + 10);
        gate::reopen(&shared.gate(), before);
        let was_set = setter.join().unwrap();
        let is = shared.load();
        assert!(if was_set { is == 1 || is == 11 } else { is == 10 }, "{is}");
    });
}

#[test]
fn a_guard_and_a_commit() {
    model(3, || {
        let shared = Shared::new(Mode::Shared);
        let reader = {
            let shared = shared.clone();
            thread::spawn(move || shared.read(0))
        };
        let before = shared.change(Mode::Excl, || ());
        shared.store(1);
        gate::reopen(&shared.gate(), before);
        assert!(matches!(reader.join().unwrap(), None | Some(0 | 1)));
        assert_eq!(shared.read(1), Some(1));
    });
}

#[test]
fn a_second_reader_comes_in_when_no_single_store_is_left() {
    model(2, || {
        let shared = Shared::new(Mode::Open);
        let setter = {
            let shared = shared.clone();
            thread::spawn(move || shared.set(0, 1))
        };
        let reader = {
            let shared = shared.clone();
            thread::spawn(move || shared.read(2))
        };
        shared.share(1);
        setter.join().unwrap();
        reader.join().unwrap();
    });
}
