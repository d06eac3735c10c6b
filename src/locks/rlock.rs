//! `RLock`: a lock that its thread may acquire again.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use super::backend::{Capabilities, LockBackend};
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

const NOUN: &str = "recursive lock";

/// A lock that the thread that has it may acquire again; it is free when all its guards are dropped.
///
/// In all else it is as [`Lock`](crate::Lock): of processes and threads alike, and it survives its owners. Whoever inherits
/// it from a dead owner has it once, however often the dead one had it.
///
/// ```
/// let lock = processing::RLock::new()?;
/// let outer = lock.acquire()?;
/// let inner = lock.acquire()?;
/// assert_eq!(lock.to_string(), "<RLock(MainProcess, 2)>");
/// drop(outer);
/// drop(inner); // free now
/// assert_eq!(lock.to_string(), "<RLock(None, 0)>");
/// # Ok::<(), processing::Error>(())
/// ```
pub struct RLock {
    core: Arc<Core>,
    spinner: Spinner,
}

impl SyncBuilder<RLock> {
    /// What excludes: see [`LockBackend`]. Without it the environment variable `PROCESSING_LOCK` chooses, and without that it is
    /// the futex.
    ///
    /// ```
    /// use processing::{RLock, LockBackend};
    /// let lock = RLock::builder().backend(LockBackend::Pthread).build()?;
    /// assert_eq!(lock.backend(), LockBackend::Pthread);
    /// drop(lock.acquire()?);
    /// # Ok::<(), processing::Error>(())
    /// ```
    pub fn backend(self, backend: LockBackend) -> Self {
        self.with_backend(backend)
    }

    /// Creates it.
    ///
    /// # Errors
    ///
    /// `OutOfMemory` or `Limit` if the arena is full; `Os` if it cannot be created; `InvalidInput` if `PROCESSING_LOCK` names no
    /// backend and none was chosen.
    pub fn build(self) -> Result<RLock> {
        let core = Core::create(&self.arena, kind::RLOCK, NOUN, self.chosen_backend()?)?;
        Ok(RLock { core: Arc::new(core), spinner: self.spinner() })
    }
}

impl RLock {
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

    /// What excludes in it: its creator's choice.
    pub fn backend(&self) -> LockBackend {
        self.core.backend()
    }

    /// What it promises, and what it does not.
    pub fn capabilities(&self) -> Capabilities {
        self.core.backend().capabilities()
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
        let core = Core::open(object, kind::RLOCK, NOUN)?;
        Ok(Self { core: Arc::new(core), spinner: Spinner::default() })
    }

    /// Takes it, once more if this thread has it, waiting as long as it takes.
    ///
    /// Killed before this returns, this process either has not got it, or the next owner is told of a death.
    ///
    /// # Errors
    ///
    /// `OwnerDied`, with the guard, if the last owner died with it; `Poisoned`; `Cancelled`; `Other` (`WrongProcess`) if the
    /// handle was inherited through a fork. With a [`backend`](Self::backend) that is not `robust`, `Other` (`OwnerDied`), without a guard,
    /// if an owner died with it: then nobody gets it any more.
    #[inline]
    pub fn acquire(&self) -> Result<RLockGuard<'_>, AcquireError<RLockGuard<'_>>> {
        match self.core.try_fast() {
            Some(mine) => Ok(RLockGuard::new(self, mine)),
            None => self.acquire_within(&Limits::NONE),
        }
    }

    /// Takes it if it is free or this thread's right now. One that is held by the dead is inherited.
    ///
    /// # Errors
    ///
    /// `Busy`, and those of [`acquire`](Self::acquire).
    #[inline]
    pub fn try_acquire(&self) -> Result<RLockGuard<'_>, AcquireError<RLockGuard<'_>>> {
        match self.core.try_fast() {
            Some(mine) => Ok(RLockGuard::new(self, mine)),
            None => self.acquire_within(&Limits::TRY),
        }
    }

    /// Takes it, waiting at most so long, and never less. However short that is, a dead owner is found.
    ///
    /// # Errors
    ///
    /// `Busy` when the time is up, and those of [`acquire`](Self::acquire).
    pub fn acquire_timeout(&self, timeout: Duration) -> Result<RLockGuard<'_>, AcquireError<RLockGuard<'_>>> {
        match self.core.try_fast() {
            Some(mine) => Ok(RLockGuard::new(self, mine)),
            None => self.acquire_within(&deadline_in(timeout)),
        }
    }

    #[cold]
    fn acquire_within(&self, limits: &Limits<'_>) -> Result<RLockGuard<'_>, AcquireError<RLockGuard<'_>>> {
        if self.core.is_mine() {
            // 2^64 guards are not to be had.
            self.core.set_again(self.core.again() + 1);
            return Ok(RLockGuard::new(self, self.core.mine()));
        }
        match self.core.take(limits, &self.spinner) {
            Ok(Got::Owned) => Ok(RLockGuard::new(self, self.core.mine())),
            Ok(Got::Inherited { pid, name }) => Err(AcquireError::OwnerDied(OwnerDied::new(
                RLockGuard::new(self, self.core.mine()),
                pid,
                name,
            ))),
            Err(Missed::Busy) => Err(AcquireError::Busy { lock: self.core.number() }),
            Err(Missed::Cancelled) => Err(AcquireError::Cancelled { lock: self.core.number() }),
            Err(Missed::Error(error)) => Err(error.into()),
        }
    }

    /// Gives back once what the calling thread acquired and kept by [`RLockGuard::leak`].
    ///
    /// # Errors
    ///
    /// `NotOwner` if the calling thread does not have it, with the name of who has; `WrongProcess`.
    pub fn release(&self) -> Result<()> {
        let mine = self.core.check_mine()?;
        self.give_back(mine);
        Ok(())
    }

    /// One guard less. The last one frees the lock. (In a forked copy, which has no guards, it does neither.)
    #[inline(always)]
    pub(super) fn give_back(&self, mine: LockWord) {
        match self.core.again() {
            0 => self.core.release(mine),
            _ => self.give_back_one(),
        }
    }

    #[cold]
    fn give_back_one(&self) {
        if self.core.is_mine() {
            self.core.set_again(self.core.again() - 1);
        }
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
    pub fn recover_poisoned(&self) -> Result<OwnerDied<RLockGuard<'_>>> {
        let mine = self.core.take_poisoned()?;
        Ok(OwnerDied::new(RLockGuard::new(self, mine), 0, String::new()))
    }
}

/// The right to what an [`RLock`] protects. When the last one is dropped, the lock is free.
///
/// It stays with its thread. In a forked copy of the process its drop does nothing: the lock is the parent's.
#[must_use = "the lock is released when the guard is dropped"]
pub struct RLockGuard<'a> {
    lock: &'a RLock,
    /// The word while this thread has the lock.
    mine: LockWord,
    /// It is a thread that has it.
    _stays: PhantomData<*const ()>,
}

impl<'a> RLockGuard<'a> {
    #[inline(always)]
    fn new(lock: &'a RLock, mine: LockWord) -> Self {
        Self { lock, mine, _stays: PhantomData }
    }

    /// Keeps the lock without the guard, until [`RLock::release`].
    pub fn leak(self) {
        std::mem::forget(self);
    }
}

impl Drop for RLockGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        self.lock.give_back(self.mine);
    }
}

impl sealed::Sealed for RLockGuard<'_> {}

impl Recover for RLockGuard<'_> {
    fn recovered(&self) {
        self.lock.core.recover(self.mine);
    }

    fn object(&self) -> String {
        self.lock.core.object()
    }
}

impl fmt::Debug for RLockGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RLockGuard({})", self.lock)
    }
}

impl Clone for RLock {
    fn clone(&self) -> Self {
        Self { core: self.core.clone(), spinner: Spinner::new(self.spinner.strategy()) }
    }
}

/// `<RLock(None, 0)>`, `<RLock(MainProcess, 2)>`, `<RLock(worker|reader, 1)>`.
impl fmt::Display for RLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.core.owner() {
            Some(owner) => write!(f, "<RLock({owner}, {})>", self.core.again() + 1),
            None => f.write_str("<RLock(None, 0)>"),
        }
    }
}

impl fmt::Debug for RLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

travels!(RLock);
