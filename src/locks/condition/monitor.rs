//! The lock of a condition: of either kind.

use std::cell::Cell;
use std::fmt;
use std::time::Duration;

use crate::arena::ObjectRef;
use crate::channel::kind;
use crate::error::Result;
use crate::locks::core::{Core, Got, Missed};
use crate::locks::{AcquireError, Lock, LockGuard, RLock, RLockGuard};
use crate::prim::condition;
use crate::prim::spin::{Spinner, WaitStrategy};

/// Which lock protects what a condition is about.
#[derive(Clone)]
pub(super) enum Monitor {
    Plain(Lock),
    Recursive(RLock),
}

/// The lock without its guard: whoever gets this gives it back.
type Kept = Result<(), AcquireError<()>>;

fn keep<G>(acquired: Result<G, AcquireError<G>>, leak: fn(G)) -> Kept {
    acquired.map(leak).map_err(|error| error.map(leak))
}

impl Monitor {
    /// The lock in this object.
    pub(super) fn open(object: ObjectRef) -> Result<Self> {
        match object.kind() {
            kind::LOCK => Lock::open(object).map(Self::Plain),
            _ => RLock::open(object).map(Self::Recursive),
        }
    }

    pub(super) fn core(&self) -> &Core {
        match self {
            Self::Plain(lock) => lock.core(),
            Self::Recursive(lock) => lock.core(),
        }
    }

    fn spinner(&self) -> &Spinner {
        match self {
            Self::Plain(lock) => lock.spinner(),
            Self::Recursive(lock) => lock.spinner(),
        }
    }

    pub(super) fn set_wait_strategy(&mut self, strategy: WaitStrategy) {
        match self {
            Self::Plain(lock) => lock.set_wait_strategy(strategy),
            Self::Recursive(lock) => lock.set_wait_strategy(strategy),
        }
    }

    pub(super) fn reference(&self) -> &ObjectRef {
        self.core().reference()
    }

    pub(super) fn acquire(&self) -> Kept {
        match self {
            Self::Plain(lock) => keep(lock.acquire(), LockGuard::leak),
            Self::Recursive(lock) => keep(lock.acquire(), RLockGuard::leak),
        }
    }

    pub(super) fn try_acquire(&self) -> Kept {
        match self {
            Self::Plain(lock) => keep(lock.try_acquire(), LockGuard::leak),
            Self::Recursive(lock) => keep(lock.try_acquire(), RLockGuard::leak),
        }
    }

    pub(super) fn acquire_timeout(&self, timeout: Duration) -> Kept {
        match self {
            Self::Plain(lock) => keep(lock.acquire_timeout(timeout), LockGuard::leak),
            Self::Recursive(lock) => keep(lock.acquire_timeout(timeout), RLockGuard::leak),
        }
    }

    /// Gives back what was acquired once.
    pub(super) fn give_back(&self) {
        match self {
            Self::Plain(lock) => lock.core().release(lock.core().mine()),
            Self::Recursive(lock) => lock.give_back(lock.core().mine()),
        }
    }
}

impl fmt::Display for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(lock) => lock.fmt(f),
            Self::Recursive(lock) => lock.fmt(f),
        }
    }
}

/// A lock that the calling thread has, while it waits.
pub(super) struct Held<'a> {
    lock: &'a Monitor,
    /// How often besides the first time, for when it is back.
    again: Cell<u64>,
}

impl<'a> Held<'a> {
    pub(super) fn new(lock: &'a Monitor) -> Self {
        Self { lock, again: Cell::new(0) }
    }
}

impl condition::Monitor for Held<'_> {
    type Back = Result<Got, Missed>;

    fn leave(&self) {
        self.again.set(self.lock.core().let_go());
    }

    fn come_back(&self) -> Self::Back {
        self.lock.core().take_back(self.again.get(), self.lock.spinner())
    }
}
