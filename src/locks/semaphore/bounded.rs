//! `BoundedSemaphore`: never more permits than in the beginning.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "async")]
use super::super::asynch::{SemaphoreAttempt, Wait};
use super::super::handle::travels;
use super::builder::SemaphoreBuilder;
use super::core::Core;
use super::error::SemaphoreError;
use super::permit::Permit;
use crate::arena::ObjectRef;
use crate::channel::domain::deadline_in;
use crate::error::Result;
use crate::prim::limits::Limits;
use crate::prim::spin::{Spinner, WaitStrategy};

/// A [`Semaphore`](crate::Semaphore) that tells a release too many.
///
/// [`release`](Self::release) beyond the value that it was made with is an error: somebody gave back what he did not have. In all
/// else it is as a semaphore. A permit that is dropped, or returned after a death, when the value is at its maximum (since
/// somebody released in its place) is lost in silence.
///
/// ```
/// let semaphore = processing::BoundedSemaphore::new(3)?;
/// let permit = semaphore.acquire()?;
/// assert_eq!(semaphore.to_string(), "<BoundedSemaphore(value=2, maxvalue=3)>");
/// drop(permit);
/// assert!(semaphore.release().is_err());
/// # Ok::<(), processing::Error>(())
/// ```
pub struct BoundedSemaphore {
    core: Arc<Core>,
    spinner: Spinner,
}

impl SemaphoreBuilder<BoundedSemaphore> {
    /// Creates it.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a value above 2^31 - 1 or an impossible number of threads; `OutOfMemory` or `Limit` if the arena is
    /// full; `Os` if it cannot be created.
    pub fn build(self) -> Result<BoundedSemaphore> {
        let core = self.create(true)?;
        Ok(BoundedSemaphore { core: Arc::new(core), spinner: self.spinner() })
    }
}

impl BoundedSemaphore {
    /// A semaphore with so many permits, in the arena of this process tree.
    ///
    /// # Errors
    ///
    /// As [`SemaphoreBuilder::build`](SemaphoreBuilder#method.build-1).
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
        let core = Core::open(object, true)?;
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
    /// let semaphore = processing::BoundedSemaphore::new(1)?;
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

    /// One permit more, by anybody, in place of one that was [forgotten](Permit::forget). A permit in hand is given back by
    /// dropping it.
    ///
    /// Killed in it, the process has given one or none.
    ///
    /// # Errors
    ///
    /// `InvalidState` if the value is at its maximum; `WrongProcess`.
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

    /// How many there were in the beginning.
    pub fn max_value(&self) -> u32 {
        self.core.max_value()
    }
}

impl Clone for BoundedSemaphore {
    fn clone(&self) -> Self {
        Self { core: self.core.clone(), spinner: Spinner::new(self.spinner.strategy()) }
    }
}

/// `<BoundedSemaphore(value=2, maxvalue=3)>`.
impl fmt::Display for BoundedSemaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<BoundedSemaphore(value={}, maxvalue={})>", self.value(), self.max_value())
    }
}

impl fmt::Debug for BoundedSemaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

travels!(BoundedSemaphore);
