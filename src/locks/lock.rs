//! `Lock`: mutual exclusion between processes and threads.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "async")]
use super::asynch::{LockAttempt, Wait};
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
/// This is so with the futex, which a lock has if nobody chooses. With another [`LockBackend`] a dead owner's lock is lost, and who asks for
/// it is told so: see [`capabilities`](Self::capabilities).
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
    /// What excludes: see [`LockBackend`]. Without it the environment variable `PROCESSING_LOCK` chooses, and without that it is
    /// the futex.
    ///
    /// ```
    /// use processing::{Lock, LockBackend};
    /// let lock = Lock::builder().backend(LockBackend::Pthread).build()?;
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
    pub fn build(self) -> Result<Lock> {
        let core = Core::create(&self.arena, kind::LOCK, NOUN, self.chosen_backend()?)?;
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
    /// already; `Cancelled`; `Other` (`WrongProcess`) if the handle was inherited through a fork. With a [`backend`](Self::backend) that is
    /// not `robust`, `Other` (`OwnerDied`), without a guard, if an owner died with it: then nobody gets it any more.
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

    /// Takes it, waiting as long as it takes, without a thread for the wait. With the feature `async`, under any runtime.
    ///
    /// The owner of a lock is a thread: the one that polls the future as it ends. So the guard must be dropped by that thread;
    /// it is not `Send`, and a task that may move between threads (`tokio::spawn`) must not keep it across an `await`: the compiler
    /// refuses that. Tasks that stay on their thread (`spawn_local`, a `block_on`) may. While one of them has it, others of the same
    /// thread wait for it here, and [`acquire`](Self::acquire) in them is the error `Deadlock`. A task that has it and waits
    /// for it here waits for itself, for ever.
    ///
    /// Dropped before it is ready, the future has taken nothing, and no wake-up is lost. Death is found as in `acquire`: at the
    /// latest a second after it.
    ///
    /// Cost: free, as `acquire`. Else a wake-up reaches the process's one sleeping thread, and it all tasks of this process
    /// that wait for this lock. That thread starts with the first wait and ends a second after the last; while it runs,
    /// `StartMethod::Fork` is refused. It sleeps by `futex_waitv` (Linux 5.16); where that is missing or forbidden, or for
    /// more than 127 objects at once, it looks every millisecond instead, while somebody waits.
    ///
    /// # Errors
    ///
    /// `OwnerDied`, with the guard, if the last owner died with it; `Poisoned`; `Other`: `WrongProcess` if the handle was
    /// inherited through a fork, `Os` if the thread cannot be started, `Unsupported` for a backend other than the futex.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> processing::Result<()> {
    /// let lock = processing::Lock::new()?;
    /// let guard = lock.acquire_async().await?;
    /// let wait = std::time::Duration::from_millis(1);
    /// assert!(tokio::time::timeout(wait, lock.acquire_async()).await.is_err(), "another task has it");
    /// drop(guard);
    /// drop(lock.acquire_async().await?);
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "async")]
    pub fn acquire_async(
        &self,
    ) -> impl Future<Output = Result<LockGuard<'_>, AcquireError<LockGuard<'_>>>> + Send {
        Wait::new(LockAttempt::new(self))
    }

    /// One attempt of a future, see [`Core::attempt`].
    #[cfg(feature = "async")]
    pub(super) fn attempt(
        &self,
        again: bool,
        ask: bool,
    ) -> Option<Result<LockGuard<'_>, AcquireError<LockGuard<'_>>>> {
        if let Some(mine) = self.core.try_fast() {
            return Some(Ok(LockGuard::new(self, mine)));
        }
        self.core.attempt(again, ask, &self.spinner).map(|end| self.finish(end))
    }

    #[cfg(feature = "async")]
    pub(super) fn source(&self) -> Arc<Core> {
        self.core.clone()
    }

    #[cold]
    fn acquire_within(&self, limits: &Limits<'_>) -> Result<LockGuard<'_>, AcquireError<LockGuard<'_>>> {
        self.finish(self.core.take(limits, &self.spinner))
    }

    fn finish(&self, end: Result<Got, Missed>) -> Result<LockGuard<'_>, AcquireError<LockGuard<'_>>> {
        match end {
            Ok(Got::Owned) => Ok(LockGuard::new(self, self.core.mine())),
            Ok(Got::Inherited { pid, name }) => Err(AcquireError::OwnerDied(OwnerDied::new(
                LockGuard::new(self, self.core.mine()),
                pid,
                name,
            ))),
            Err(Missed::Busy) => Err(AcquireError::Busy { lock: self.core.number() }),
            Err(Missed::Cancelled) => Err(AcquireError::Cancelled { lock: self.core.number() }),
            Err(Missed::Error(error)) => Err(error.into()),
        }
    }

    /// Gives back what the calling thread acquired and kept by [`LockGuard::leak`].
    ///
    /// # Errors
    ///
    /// `NotOwner` if the calling thread does not have it, with the name of who has; `WrongProcess`; `Os` if the C library of its
    /// [`backend`](Self::backend) refuses.
    pub fn release(&self) -> Result<()> {
        let mine = self.core.check_mine()?;
        self.core.give_back(mine)
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
