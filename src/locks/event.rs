//! `Event`: a flag that threads and processes wait for.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "async")]
use super::asynch::{EventAttempt, Wait};
use super::builder::SyncBuilder;
use super::handle::{check_kind, travels};
use crate::arena::{Body, ObjectRef};
use crate::channel::domain::{Domain, deadline_in};
use crate::channel::kind;
use crate::channel::ready::sealed::Selects;
use crate::error::{Error, ErrorKind, Result};
use crate::layout::event::EventBody;
use crate::prim::event::RawEvent;
use crate::prim::limits::{Limits, WaitEnd};
use crate::prim::spin::{Spinner, WaitStrategy};
use crate::prim::watch::Watch;
use crate::region::Presence;
use crate::sync::atomic::AtomicU32;

const NOUN: &str = "event";

/// A flag that any number of processes and threads wait for: set or clear.
///
/// # Guarantees
///
/// - **Who waits when it is set goes on**, also if it is cleared again at once, before the waiter has run.
/// - What was done before [`set`](Self::set) is seen by whoever goes on because of it.
/// - **Any process may be killed at any instruction**: an event whose setter died is either set, and everybody who waits goes
///   on, or as it was before. Nobody owns it, so there is nothing else that a death could leave.
/// - While nobody sleeps, setting and clearing are one atomic read-modify-write each, and waiting for an event that is set is one
///   load: no system call.
///
/// # Not guaranteed
///
/// - That it is still set when a waiter runs.
/// - One `wait` for each `set`: several waiters go on by one, and setting what is set does nothing. Use a semaphore to count.
///
/// A handle is cheap to clone, and may be an argument of a process or part of a message.
///
/// ```
/// use processing::{Event, Process};
///
/// fn work(start: Event, done: Event) -> processing::Result<()> {
///     start.wait()?;
///     done.set()
/// }
///
/// let (start, done) = (Event::new()?, Event::new()?);
/// let worker = Process::new(work, (start.clone(), done.clone())).start()?;
/// assert!(!done.is_set());
/// start.set()?;
/// done.wait()?;
/// assert_eq!(done.to_string(), "<Event(set)>");
/// worker.join()?;
/// # Ok::<(), processing::Error>(())
/// ```
pub struct Event {
    core: Arc<Core>,
    spinner: Spinner,
}

/// One event in this process.
pub(super) struct Core {
    body: Body<EventBody>,
    presence: Presence,
    domain: Arc<Domain>,
}

impl Core {
    #[inline(always)]
    pub(super) fn raw(&self) -> RawEvent<'_, AtomicU32> {
        RawEvent::new(&self.body.word)
    }

    #[inline(always)]
    pub(super) fn check(&self) -> Result<()> {
        self.presence.check(self.domain.region()).map(|_| ())
    }

    #[cfg(feature = "async")]
    pub(super) fn word(&self) -> &AtomicU32 {
        &self.body.word
    }

    #[cfg(feature = "async")]
    pub(super) fn domain(&self) -> &Arc<Domain> {
        &self.domain
    }
}

impl SyncBuilder<Event> {
    /// Creates it, clear.
    ///
    /// # Errors
    ///
    /// `OutOfMemory` or `Limit` if the arena is full; `Os` if it cannot be created.
    pub fn build(self) -> Result<Event> {
        let domain = self.arena.domain()?;
        let len = size_of::<EventBody>() as u64;
        let create = || domain.store().create_object(kind::EVENT, 0, NOUN, len, |_zeros| {});
        Event::over(domain.with_room(create)?, self.spinner())
    }
}

impl Event {
    /// An event in the arena of this process tree; it is clear.
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

    fn over(object: ObjectRef, spinner: Spinner) -> Result<Self> {
        check_kind(&object, kind::EVENT, NOUN)?;
        let domain = Domain::of(&object)?;
        let presence = domain.region().presence()?;
        Ok(Self { core: Arc::new(Core { body: Body::of(object)?, presence, domain }), spinner })
    }

    pub(super) fn reference(&self) -> &ObjectRef {
        self.core.body.object()
    }

    pub(super) fn open(object: ObjectRef) -> Result<Self> {
        Self::over(object, Spinner::default())
    }

    #[inline(always)]
    fn raw(&self) -> RawEvent<'_, AtomicU32> {
        self.core.raw()
    }

    #[inline(always)]
    fn check(&self) -> Result<()> {
        self.core.check()
    }

    #[cfg(feature = "async")]
    pub(super) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// How this handle waits (default: adaptive), and the clones that are made of it from now on.
    pub fn set_wait_strategy(&mut self, strategy: WaitStrategy) {
        self.spinner = Spinner::new(strategy);
    }

    /// Whether it is set: one load, and stale as soon as it is read.
    #[inline]
    pub fn is_set(&self) -> bool {
        self.raw().is_set()
    }

    /// Sets it. Everybody who waits goes on; who comes later does not wait, until it is cleared. Setting what is set does
    /// nothing.
    ///
    /// Killed in it, this process has set it or has not; if it has, everybody who waits hears of it.
    ///
    /// # Errors
    ///
    /// `WrongProcess` if the handle was inherited through a fork.
    #[inline]
    pub fn set(&self) -> Result<()> {
        self.check()?;
        self.raw().set();
        Ok(())
    }

    /// Clears it: who comes from now on waits. Who waited when it was set goes on all the same.
    ///
    /// # Errors
    ///
    /// `WrongProcess` if the handle was inherited through a fork.
    #[inline]
    pub fn clear(&self) -> Result<()> {
        self.check()?;
        self.raw().clear();
        Ok(())
    }

    /// Waits until it is set, or was set since this call began.
    ///
    /// # Errors
    ///
    /// `WrongProcess` if the handle was inherited through a fork; `Cancelled`.
    #[inline]
    pub fn wait(&self) -> Result<()> {
        self.wait_within(&Limits::NONE).map(|_| ())
    }

    /// Whether it is set right now, as the other forms of waiting would say it.
    ///
    /// # Errors
    ///
    /// `WrongProcess` if the handle was inherited through a fork.
    #[inline]
    pub fn try_wait(&self) -> Result<bool> {
        self.wait_within(&Limits::TRY)
    }

    /// Waits at most so long; false: the time was up, and it was not set meanwhile.
    ///
    /// # Errors
    ///
    /// `WrongProcess` if the handle was inherited through a fork; `Cancelled`.
    pub fn wait_timeout(&self, timeout: Duration) -> Result<bool> {
        self.wait_within(&deadline_in(timeout))
    }

    /// Waits until it is set, or was set since this was called, without a thread for the wait. With the feature `async`, under
    /// any runtime.
    ///
    /// Dropped before it is ready, the future leaves nothing. A thousand tasks may wait for one event: they are one sleeper.
    /// If the setter dies after it has set the event, they hear of it at the latest a second later.
    ///
    /// Cost: see [`Lock::acquire_async`](crate::Lock::acquire_async), also for the one thread of the process that sleeps for all futures.
    ///
    /// # Errors
    ///
    /// `WrongProcess` if the handle was inherited through a fork; `Os` if that thread cannot be started.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> processing::Result<()> {
    /// use processing::{Event, Process};
    ///
    /// fn work(done: Event) -> processing::Result<()> {
    ///     done.set()
    /// }
    ///
    /// let done = Event::new()?;
    /// let worker = Process::new(work, (done.clone(),)).start()?;
    /// done.wait_async().await?;
    /// worker.join()?;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "async")]
    pub fn wait_async(&self) -> impl Future<Output = Result<()>> + Send {
        Wait::new(EventAttempt::new(self))
    }

    #[inline]
    fn wait_within(&self, limits: &Limits<'_>) -> Result<bool> {
        self.check()?;
        match self.raw().wait(limits, &self.spinner, || self.core.domain.look_for_dead()) {
            WaitEnd::Ready => Ok(true),
            WaitEnd::TimedOut | WaitEnd::PeerGone => Ok(false),
            WaitEnd::Cancelled => Err(self.cancelled()),
        }
    }

    #[cold]
    fn cancelled(&self) -> Error {
        let object = format!("{NOUN} {}", self.reference().id().index);
        Error::new(ErrorKind::Cancelled, object, "the wait was cancelled")
    }
}

/// In a `select` what counts is that it is set. Whoever sets it wakes everybody, so that nothing has to be handed on.
impl Selects for Event {
    fn is_ready(&self) -> Result<bool> {
        self.check()?;
        Ok(self.is_set())
    }

    fn watch(&self) -> Result<Option<Watch>> {
        Ok(self.raw().watch(self.raw().look()))
    }

    fn word(&self) -> u32 {
        self.raw().look().0
    }

    fn spinner(&self) -> &Spinner {
        &self.spinner
    }

    fn domain(&self) -> &Arc<Domain> {
        &self.core.domain
    }
}

impl Clone for Event {
    fn clone(&self) -> Self {
        Self { core: self.core.clone(), spinner: Spinner::new(self.spinner.strategy()) }
    }
}

/// `<Event(set)>`, `<Event(clear)>`.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_set() { "<Event(set)>" } else { "<Event(clear)>" })
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

travels!(Event);
