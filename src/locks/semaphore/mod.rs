//! `Semaphore`: a number of permits, between processes and threads.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "async")]
use super::asynch::{SemaphoreAttempt, Wait};
use super::handle::travels;
use crate::arena::ObjectRef;
use crate::channel::domain::deadline_in;
use crate::error::Result;
use crate::prim::limits::Limits;
use crate::prim::spin::{Spinner, WaitStrategy};
pub(super) use core::Core;

mod bounded;
mod builder;
mod core;
mod error;
mod lanes;
mod permit;

pub use bounded::BoundedSemaphore;
pub use builder::SemaphoreBuilder;
pub use error::SemaphoreError;
pub use permit::Permit;

/// A number of permits that any number of processes and threads share; who finds none waits.
///
/// # Guarantees
///
/// - There are never more permits than it was made with, plus those that [`release`](Self::release) gave.
/// - **The permits of a process that died are free again**, at whatever instruction it was killed, also in an acquire or in
///   a release; and whoever sleeps for one hears of it. The same holds for permits that were leaked
///   ([`std::mem::forget`]), once the process drops its last handle.
/// - A waiter may be killed at any instruction, also between its wake-up and its turn: nobody else goes on sleeping beside a
///   free permit.
/// - While nobody waits, acquire and release are one atomic read-modify-write each, and no system call.
///
/// # Not guaranteed
///
/// - Order: a thread that comes may take a permit before one that sleeps.
/// - What was given by [`release`](Self::release) stays given if its giver dies, and what was [forgotten](Permit::forget)
///   stays forgotten: then the number of permits is the program's own affair.
/// - Progress while a holder is *stopped* (not dead): nothing of it is taken. If the process that is just returning the
///   permits of a dead one is stopped, they come when it goes on, or dies.
///
/// Each thread that acquires has a *lane* of its own in the semaphore, where it is written down what it holds; there are 64, or
/// as many as [`threads`](SemaphoreBuilder::threads) says. The lanes of threads that have ended are used again.
///
/// The algorithm is this project's own: help before overwriting (as in lock-free lists) over one stamped word, with an event
/// count for the sleepers. A handle is cheap to clone, and may be an argument of a process or part of a message.
///
/// ```
/// let semaphore = processing::Semaphore::new(2)?;
/// let first = semaphore.acquire()?;
/// let second = semaphore.acquire()?;
/// assert!(semaphore.try_acquire().is_err());
/// drop(first);
/// assert_eq!(semaphore.to_string(), "<Semaphore(value=1)>");
/// second.forget(); // that one is gone
/// semaphore.release()?; // one more, by anybody
/// assert_eq!(semaphore.value(), 2);
/// # Ok::<(), processing::Error>(())
/// ```
///
/// After a death:
///
/// ```
/// use processing::{Process, Semaphore};
///
/// fn dies_with(semaphore: Semaphore) {
///     let _permit = semaphore.acquire().expect("free");
///     std::process::abort();
/// }
///
/// let semaphore = Semaphore::new(1)?;
/// Process::new(dies_with, (semaphore.clone(),)).start()?.join()?;
/// let _permit = semaphore.acquire()?; // the one that it had
/// # Ok::<(), processing::Error>(())
/// ```
pub struct Semaphore {
    core: Arc<Core>,
    spinner: Spinner,
}

impl SemaphoreBuilder<Semaphore> {
    /// Creates it.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a value above 2^31 - 1 or an impossible number of threads; `OutOfMemory` or `Limit` if the arena is
    /// full; `Os` if it cannot be created.
    pub fn build(self) -> Result<Semaphore> {
        let core = self.create(false)?;
        Ok(Semaphore { core: Arc::new(core), spinner: self.spinner() })
    }
}

impl Semaphore {
    /// A semaphore with so many permits, in the arena of this process tree.
    ///
    /// # Errors
    ///
    /// As [`SemaphoreBuilder::build`](SemaphoreBuilder#method.build).
    pub fn new(value: u32) -> Result<Self> {
        Self::builder(value).build()
    }

    /// Sets arena, waiting and the number of threads.
    pub fn builder(value: u32) -> SemaphoreBuilder<Self> {
        SemaphoreBuilder::new(value)
    }

    pub(super) fn reference(&self) -> &ObjectRef {
        self.core.reference()
    }

    pub(super) fn open(object: ObjectRef) -> Result<Self> {
        let core = Core::open(object, false)?;
        Ok(Self { core: Arc::new(core), spinner: Spinner::default() })
    }

    /// Takes a permit, waiting as long as it takes.
    ///
    /// Killed in it or with it, this process has none: the permit is free for others.
    ///
    /// # Errors
    ///
    /// `Cancelled`; `Other`: `Limit` if more threads use the semaphore than it has lanes for, `WrongProcess` if the handle
    /// was inherited through a fork.
    #[inline]
    pub fn acquire(&self) -> Result<Permit<'_>, SemaphoreError> {
        self.core.acquire(&Limits::NONE, &self.spinner)
    }

    /// Takes a permit if one is free right now. Now and then it looks whether the dead have any.
    ///
    /// # Errors
    ///
    /// `Busy`, and those of [`acquire`](Self::acquire).
    #[inline]
    pub fn try_acquire(&self) -> Result<Permit<'_>, SemaphoreError> {
        self.core.acquire(&Limits::TRY, &self.spinner)
    }

    /// Takes a permit, waiting at most so long.
    ///
    /// # Errors
    ///
    /// `Busy` when the time is up, and those of [`acquire`](Self::acquire).
    #[inline]
    pub fn acquire_timeout(&self, timeout: Duration) -> Result<Permit<'_>, SemaphoreError> {
        match self.core.try_fast() {
            Some(permit) => Ok(permit),
            None => self.core.acquire_within(&deadline_in(timeout), &self.spinner),
        }
    }

    /// Takes a permit, waiting as long as it takes, without a thread for the wait. With the feature `async`, under any runtime.
    ///
    /// The holder of a permit is a thread: the one that polls the future as it ends. So the permit must be dropped by that thread;
    /// it is not `Send`, and a task that may move between threads (`tokio::spawn`) must not keep it across an `await`: the compiler
    /// refuses that. Tasks that stay on their thread (`spawn_local`, a `block_on`) may. Each thread that polls has a lane.
    ///
    /// Dropped before it is ready, the future has taken nothing, and no wake-up is lost. What the dead had is found as in
    /// [`acquire`](Self::acquire): at the latest a second after their death.
    ///
    /// Cost: see [`Lock::acquire_async`](crate::Lock::acquire_async), also for the one thread of the process that sleeps for all futures.
    ///
    /// # Errors
    ///
    /// `Other`: `Limit` if more threads use the semaphore than it has lanes for, `WrongProcess` if the handle was inherited through
    /// a fork, `Os` if that thread cannot be started.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> processing::Result<()> {
    /// let semaphore = processing::Semaphore::new(1)?;
    /// let permit = semaphore.acquire_async().await?;
    /// let (next, ()) = tokio::join!(semaphore.acquire_async(), async { drop(permit) });
    /// drop(next?);
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "async")]
    pub fn acquire_async(&self) -> impl Future<Output = Result<Permit<'_>, SemaphoreError>> + Send {
        Wait::new(SemaphoreAttempt(&self.core))
    }

    /// One permit more, by anybody, whether or not he holds one: to give back what was [forgotten](Permit::forget), or to
    /// count something that others wait for. A permit in hand is given back by dropping it.
    ///
    /// Killed in it, the process has given one or none.
    ///
    /// # Errors
    ///
    /// `InvalidState` if the value is 2^31 - 1; `WrongProcess`.
    pub fn release(&self) -> Result<()> {
        self.core.give()
    }

    /// How this handle waits (default: adaptive), and the clones that are made of it from now on.
    pub fn set_wait_strategy(&mut self, strategy: WaitStrategy) {
        self.spinner = Spinner::new(strategy);
    }

    /// How many permits are free. Stale as soon as it is read.
    pub fn value(&self) -> u32 {
        self.core.value()
    }
}

impl Clone for Semaphore {
    fn clone(&self) -> Self {
        Self { core: self.core.clone(), spinner: Spinner::new(self.spinner.strategy()) }
    }
}

/// `<Semaphore(value=3)>`.
impl fmt::Display for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<Semaphore(value={})>", self.value())
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

travels!(Semaphore);
