//! `Lock`: mutual exclusion between processes and threads.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use super::builder::SyncBuilder;
use super::core::{Core, Got, Missed};
use super::errors::{AcquireError, OwnerDied, Recover, sealed};
use super::handle::travels;
use crate::arena::ObjectRef;
use crate::channel::domain::deadline_in;
use crate::channel::kind;
use crate::error::Result;
use crate::layout::lock::LockWord;
use crate::prim::limits::Limits;
use crate::prim::spin::{Spinner, WaitStrategy};

const NOUN: &str = "lock";

/// A lock between any number of processes and threads, which survives its owners.
///
/// # Guarantees
///
/// - One thread of one process has it at a time.
/// - **Its owner may be killed at any instruction**: the next one to acquire it gets [`AcquireError::OwnerDied`], with the
///   guard in hand and the pid and name of the dead, and says whether what the lock protects is sound.
/// - A waiter may be killed at any instruction, also between its wake-up and its turn: nobody else goes on sleeping.
/// - While nobody waits, acquire and release are one atomic read-modify-write each, and no system call.
/// - A thread that has it and acquires it again gets an error, not a deadlock.
///
/// # Not guaranteed
///
/// - Order: a thread that comes may take the lock before one that sleeps and was woken for it, again and again if it lets
///   go for moments only. Each release wakes one of those that sleep.
/// - Progress while the owner is *stopped* (not dead): nothing of it is taken.
///
/// A handle is cheap to clone, and may be an argument of a process or part of a message.
///
/// ```
/// let lock = processing::Lock::new()?;
/// let guard = lock.acquire()?;
/// assert!(lock.try_acquire().is_err(), "this thread has it");
/// drop(guard);
/// assert!(lock.try_acquire().is_ok());
/// # Ok::<(), processing::Error>(())
/// ```
///
/// After a death:
///
/// ```
/// use processing::{AcquireError, Lock, Process};
///
/// fn dies_with(lock: Lock) {
///     let _guard = lock.acquire().expect("free");
///     std::process::abort();
/// }
///
/// let lock = Lock::new()?;
/// Process::new(dies_with, (lock.clone(),)).name("careless").start()?.join()?;
/// match lock.acquire() {
///     Err(AcquireError::OwnerDied(died)) => {
///         assert_eq!(died.name(), "careless");
///         let _guard = died.recover(); // after a look at what the lock protects
///     }
///     other => panic!("{other:?}"),
/// }
/// assert!(lock.acquire().is_ok());
/// # Ok::<(), processing::Error>(())
/// ```
pub struct Lock {
    core: Arc<Core>,
    spinner: Spinner,
}

impl SyncBuilder<Lock> {
    /// Creates it.
    ///
    /// # Errors
    ///
    /// `OutOfMemory` or `Limit` if the arena is full; `Os` if it cannot be created.
    pub fn build(self) -> Result<Lock> {
        let core = Core::create(&self.arena, kind::LOCK, NOUN)?;
        Ok(Lock { core: Arc::new(core), spinner: self.spinner() })
    }
}

impl Lock {
    /// A lock in the arena of this process tree.
    ///
    /// # Errors
    ///
    /// As [`SyncBuilder::build`].
    pub fn new() -> Result<Self> {
        Self::builder().build()
    }

    /// Sets arena and waiting.
    pub fn builder() -> SyncBuilder<Self> {
        SyncBuilder::new()
    }

    pub(super) fn core(&self) -> &Core {
        &self.core
    }

    pub(super) fn spinner(&self) -> &Spinner {
        &self.spinner
    }

    pub(super) fn reference(&self) -> &ObjectRef {
        self.core.reference()
    }

    pub(super) fn open(object: ObjectRef) -> Result<Self> {
        let core = Core::open(object, kind::LOCK, NOUN)?;
        Ok(Self { core: Arc::new(core), spinner: Spinner::default() })
    }

    /// Takes it, waiting as long as it takes.
    ///
    /// Killed before this returns, this process either has not got it, or the next owner is told of a death.
    ///
    /// # Errors
    ///
    /// `OwnerDied`, with the guard, if the last owner died with it; `Poisoned`; `Deadlock` if this thread has it
    /// already; `Cancelled`; `Other` (`WrongProcess`) if the handle was inherited through a fork.
    #[inline]
    pub fn acquire(&self) -> Result<LockGuard<'_>, AcquireError<LockGuard<'_>>> {
        match self.core.try_fast() {
            Some(mine) => Ok(LockGuard::new(self, mine)),
            None => self.acquire_within(&Limits::NONE),
        }
    }

    /// Takes it if it is free right now. One that is held by the dead is not free and not lost: it is inherited.
    ///
    /// # Errors
    ///
    /// `Busy`, and those of [`acquire`](Self::acquire).
    #[inline]
    pub fn try_acquire(&self) -> Result<LockGuard<'_>, AcquireError<LockGuard<'_>>> {
        match self.core.try_fast() {
            Some(mine) => Ok(LockGuard::new(self, mine)),
            None => self.acquire_within(&Limits::TRY),
        }
    }

    /// Takes it, waiting at most so long, and never less. However short that is, a dead owner is found.
    ///
    /// # Errors
    ///
    /// `Busy` when the time is up, and those of [`acquire`](Self::acquire).
    pub fn acquire_timeout(&self, timeout: Duration) -> Result<LockGuard<'_>, AcquireError<LockGuard<'_>>> {
        match self.core.try_fast() {
            Some(mine) => Ok(LockGuard::new(self, mine)),
            None => self.acquire_within(&deadline_in(timeout)),
        }
    }

    #[cold]
    fn acquire_within(&self, limits: &Limits<'_>) -> Result<LockGuard<'_>, AcquireError<LockGuard<'_>>> {
        match self.core.take(limits, &self.spinner) {
            Ok(Got::Owned) => Ok(LockGuard::new(self, self.core.mine())),
            Ok(Got::Inherited { pid, name }) => Err(AcquireError::OwnerDied(OwnerDied::new(
                LockGuard::new(self, self.core.mine()),
                pid,
                name,
            ))),
            Err(Missed::Busy) => Err(AcquireError::Busy),
            Err(Missed::Cancelled) => Err(AcquireError::Cancelled),
            Err(Missed::Error(error)) => Err(error.into()),
        }
    }

    /// Gives back what the calling thread acquired and kept by [`LockGuard::leak`].
    ///
    /// # Errors
    ///
    /// `NotOwner` if the calling thread does not have it, with the name of who has; `WrongProcess`.
    pub fn release(&self) -> Result<()> {
        let mine = self.core.check_mine()?;
        self.core.release(mine);
        Ok(())
    }

    /// How this handle waits (default: adaptive), and the clones that are made of it from now on.
    pub fn set_wait_strategy(&mut self, strategy: WaitStrategy) {
        self.spinner = Spinner::new(strategy);
    }

    /// Whether an heir gave up, so that every acquire fails. Stale as soon as it is read.
    pub fn is_poisoned(&self) -> bool {
        self.core.is_poisoned()
    }

    /// Takes a poisoned lock, to repair what it protects and say [`recover`](OwnerDied::recover).
    ///
    /// # Errors
    ///
    /// `InvalidState` if it is not poisoned (any more); `WrongProcess`.
    pub fn recover_poisoned(&self) -> Result<OwnerDied<LockGuard<'_>>> {
        let mine = self.core.take_poisoned()?;
        Ok(OwnerDied::new(LockGuard::new(self, mine), 0, String::new()))
    }
}

/// The right to what a [`Lock`] protects. Dropped, the lock is free.
///
/// It stays with its thread. In a forked copy of the process its drop does nothing: the lock is the parent's.
#[must_use = "the lock is released when the guard is dropped"]
pub struct LockGuard<'a> {
    lock: &'a Lock,
    /// The word while this thread has the lock.
    mine: LockWord,
    /// It is a thread that has it.
    _stays: PhantomData<*const ()>,
}

impl<'a> LockGuard<'a> {
    #[inline(always)]
    fn new(lock: &'a Lock, mine: LockWord) -> Self {
        Self { lock, mine, _stays: PhantomData }
    }

    /// Keeps the lock without the guard, until [`Lock::release`].
    pub fn leak(self) {
        std::mem::forget(self);
    }
}

impl Drop for LockGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        self.lock.core.release(self.mine);
    }
}

impl sealed::Sealed for LockGuard<'_> {}

impl Recover for LockGuard<'_> {
    fn recovered(&self) {
        self.lock.core.recover(self.mine);
    }

    fn object(&self) -> String {
        self.lock.core.object()
    }
}

impl fmt::Debug for LockGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LockGuard({})", self.lock)
    }
}

impl Clone for Lock {
    fn clone(&self) -> Self {
        Self { core: self.core.clone(), spinner: Spinner::new(self.spinner.strategy()) }
    }
}

/// `<Lock(owner=None)>`, `<Lock(owner=MainProcess)>`, `<Lock(owner=worker|reader)>`.
impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<Lock(owner={})>", self.core.owner().as_deref().unwrap_or("None"))
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

travels!(Lock);
