//! `Condition`: waiting for something that a lock protects.

mod builder;
mod guard;
mod monitor;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rkyv::munge::munge;
use rkyv::rancor::{Fallible, Source};
use rkyv::tuple::ArchivedTuple2;
use rkyv::{Archive, Deserialize, Place, Serialize};

pub use builder::ConditionBuilder;
pub use guard::ConditionGuard;
use monitor::{Held, Monitor};

use super::core::{Got, Missed};
use super::errors::{AcquireError, OwnerDied};
use super::handle::check_kind;
use super::{Lock, RLock};
use crate::arena::ObjectRef;
use crate::channel::domain::deadline_in;
use crate::channel::kind;
use crate::channel::transfer::{Child, export, import, noted};
use crate::channel::waiters::Waiters;
use crate::error::{Error, ErrorKind, Result};
use crate::prim::condition::{Cells, RawCondition};
use crate::prim::limits::{Limits, WaitEnd};
use crate::prim::spin::{Spinner, WaitStrategy};
use crate::ring::handle::ArchivedHandle;

const NOUN: &str = "condition";

/// A lock, and threads that wait for a change of what it protects: those of any number of processes.
///
/// Who has the lock and finds that it must wait calls [`wait`](Self::wait), which gives the lock up, sleeps until another holder of the
/// lock calls [`notify`](Self::notify), and takes the lock again. No notification falls between giving up and sleeping.
///
/// # Guarantees
///
/// - `notify(n)` ends the waits of exactly `n` waiters, those who have waited longest, or of all if there are fewer; no
///   others, as long as nobody dies.
/// - **Any process may be killed at any instruction, and no wake-up is lost with it.** A notified waiter that dies before it has the lock
///   again, and a notifier that dies before it has woken everybody, are made good: *everybody who waits then goes on once*, as if
///   notified. So a bare `wait` may return without a notification, but only after the death of a process that uses
///   the condition: look again, or use [`wait_while`](Self::wait_while).
/// - Who dies with the lock, whether it came from `wait` or not: the next owner is told, also inside of its `wait`.
/// - Waiting and notifying make no system call while the wait is short: a waiter spins before it sleeps, and only a sleeping one is
///   woken by the kernel.
///
/// # Not guaranteed
///
/// - Who of the notified gets the lock first, and whether another thread gets it before them.
/// - That [`wait_timeout`](Self::wait_timeout) returns in time: when the time is up it still needs the lock, and waits for
///   that as long as it takes.
///
/// A handle is cheap to clone, and may be an argument of a process or part of a message; its lock goes with it. At most
/// 256 threads wait at a time, unless the [builder](Self::builder) says more.
///
/// One cell for each waiter, as in Birrell's *Implementing Condition Variables with Semaphores* (2003), here with an owner that its
/// reaper can find.
///
/// ```
/// use processing::{Condition, Process, Queue};
///
/// fn produce(ready: Condition, goods: Queue<u64>) -> processing::Result<()> {
///     let guard = ready.acquire()?;
///     goods.put(&7)?;
///     guard.notify_one()?;
///     Ok(())
/// }
///
/// let (ready, goods) = (Condition::new()?, Queue::new(4)?);
/// let mut guard = ready.acquire()?;
/// let producer = Process::new(produce, (ready.clone(), goods.clone())).start()?;
/// guard.wait_while(|| goods.is_empty())?;
/// assert_eq!(goods.try_get()?, 7);
/// drop(guard);
/// producer.join()?;
/// assert_eq!(ready.to_string(), "<Condition(<RLock(None, 0)>, 0)>");
/// # Ok::<(), processing::Error>(())
/// ```
pub struct Condition {
    object: Arc<ObjectRef>,
    lock: Monitor,
    spinner: Spinner,
}

impl Condition {
    /// A condition with a new [`RLock`] of its own, in the arena of this process tree.
    ///
    /// # Errors
    ///
    /// As [`ConditionBuilder::build`].
    pub fn new() -> Result<Self> {
        Self::builder().build()
    }

    /// A condition of what this lock protects, in the lock's arena. A lock may have several.
    ///
    /// # Errors
    ///
    /// As [`ConditionBuilder::build`].
    pub fn with_lock(lock: &Lock) -> Result<Self> {
        Self::builder().lock(lock).build()
    }

    /// The same of a recursive lock. A wait gives it up wholly, however often the thread has it, and restores that.
    ///
    /// # Errors
    ///
    /// As [`ConditionBuilder::build`].
    pub fn with_rlock(lock: &RLock) -> Result<Self> {
        Self::builder().rlock(lock).build()
    }

    /// Sets arena, lock, waiting, and how many may wait.
    pub fn builder() -> ConditionBuilder {
        ConditionBuilder::new()
    }

    /// The handle of these two objects, which have come together.
    fn open(object: ObjectRef, lock: ObjectRef) -> Result<Self> {
        check_kind(&object, kind::CONDITION, NOUN)?;
        let named = Waiters::attach(object.arena().region(), &object.view())?.lock();
        if named != lock.id().bits() {
            let what = format!("object {} is not its lock", lock.id().index);
            return Err(Error::new(ErrorKind::Corrupt, format!("{NOUN} {}", object.id().index), what));
        }
        Ok(Self { object: Arc::new(object), lock: Monitor::open(lock)?, spinner: Spinner::default() })
    }

    /// "condition 7".
    fn name(&self) -> String {
        format!("{NOUN} {}", self.object.id().index)
    }

    fn waiters(&self) -> Result<Waiters<'_>> {
        Waiters::attach(self.object.arena().region(), &self.object.view())
    }

    /// Acquires the lock, waiting as long as it takes.
    ///
    /// # Errors
    ///
    /// Those of [`Lock::acquire`] or [`RLock::acquire`].
    #[inline]
    pub fn acquire(&self) -> Result<ConditionGuard<'_>, AcquireError<ConditionGuard<'_>>> {
        self.guarded(self.lock.acquire())
    }

    /// Acquires the lock if it is free right now.
    ///
    /// # Errors
    ///
    /// Those of [`Lock::try_acquire`] or [`RLock::try_acquire`].
    #[inline]
    pub fn try_acquire(&self) -> Result<ConditionGuard<'_>, AcquireError<ConditionGuard<'_>>> {
        self.guarded(self.lock.try_acquire())
    }

    /// Acquires the lock, waiting at most so long.
    ///
    /// # Errors
    ///
    /// Those of [`Lock::acquire_timeout`] or [`RLock::acquire_timeout`].
    pub fn acquire_timeout(
        &self,
        timeout: Duration,
    ) -> Result<ConditionGuard<'_>, AcquireError<ConditionGuard<'_>>> {
        self.guarded(self.lock.acquire_timeout(timeout))
    }

    #[inline]
    fn guarded(
        &self,
        acquired: Result<(), AcquireError<()>>,
    ) -> Result<ConditionGuard<'_>, AcquireError<ConditionGuard<'_>>> {
        let guard = |()| ConditionGuard::new(self);
        acquired.map(guard).map_err(|error| error.map(guard))
    }

    /// Gives back once what the calling thread acquired and kept by [`ConditionGuard::leak`].
    ///
    /// # Errors
    ///
    /// `NotOwner` if the calling thread does not have the lock; `WrongProcess`.
    pub fn release(&self) -> Result<()> {
        self.check_held()?;
        self.lock.give_back();
        Ok(())
    }

    /// Waits until notified. The calling thread has the lock, however it got it; it gives it up wholly meanwhile, and has it again,
    /// as often as before, when this returns.
    ///
    /// After the death of a process that uses the condition this may return without a notification:
    /// [`wait_while`](Self::wait_while) looks again. Killed in it, this process leaves nothing: others are notified in its
    /// place.
    ///
    /// # Errors
    ///
    /// - `NotOwner` if the calling thread does not have the lock, with the name of who has; `WrongProcess`.
    /// - `Limit` if as many threads wait already as the condition has room for. The thread still has the lock.
    /// - `InvalidState` if the lock was inherited from a dead owner and not recovered yet: nobody may have it before.
    /// - `OwnerDied`, naming the dead, if the lock came back from one that died with it. **The thread has the lock**: repair what
    ///   it protects and say [`recover`](Self::recover). Given back without that, the lock is poisoned. (With a lock whose
    ///   [`LockBackend`](crate::LockBackend) is not robust the thread does *not* have it, and nobody will.)
    /// - `Poisoned` if another heir gave up meanwhile; the thread does not have the lock any more, and its guards do nothing.
    /// - `Cancelled`; the thread has the lock.
    pub fn wait(&self) -> Result<()> {
        self.wait_within(&Limits::NONE).map(|_| ())
    }

    /// [`wait`](Self::wait), at most so long. False: the time was up, and nobody had notified this thread.
    ///
    /// The time is that of waiting for the notification. The lock has to be taken back after it, and for that it
    /// waits as long as others keep it.
    ///
    /// # Errors
    ///
    /// Those of [`wait`](Self::wait).
    pub fn wait_timeout(&self, timeout: Duration) -> Result<bool> {
        self.wait_within(&deadline_in(timeout))
    }

    /// Waits, again and again, while `blocked` is true; it is asked with the lock held.
    ///
    /// # Errors
    ///
    /// Those of [`wait`](Self::wait), and then `blocked` was not asked again.
    pub fn wait_while(&self, mut blocked: impl FnMut() -> bool) -> Result<()> {
        self.check_held()?;
        while blocked() {
            self.wait()?;
        }
        Ok(())
    }

    /// [`wait_while`](Self::wait_while), at most so long in all, but for the last return of the lock. Whether `blocked` has become false.
    ///
    /// # Errors
    ///
    /// Those of [`wait`](Self::wait), and then `blocked` was not asked again.
    pub fn wait_while_timeout(&self, mut blocked: impl FnMut() -> bool, timeout: Duration) -> Result<bool> {
        self.check_held()?;
        let limits = deadline_in(timeout);
        while blocked() {
            if !self.wait_within(&limits)? {
                return Ok(!blocked());
            }
        }
        Ok(true)
    }

    fn wait_within(&self, limits: &Limits<'_>) -> Result<bool> {
        self.check_held()?;
        let core = self.lock.core();
        if core.is_dirty() {
            return Err(self.unrecovered());
        }
        let (waiters, held) = (self.waiters()?, Held::new(&self.lock));
        let dead = || core.domain().look_for_dead();
        let wait = || RawCondition::new(&waiters).wait(core.me(), &held, limits, &self.spinner, dead);
        let waited = wait().or_else(|| {
            // The dead may have cells.
            dead();
            wait()
        });
        let Some((end, back)) = waited else { return Err(self.full(waiters.count())) };
        self.have_back(back)?;
        match end {
            WaitEnd::Ready => Ok(true),
            WaitEnd::TimedOut | WaitEnd::PeerGone => Ok(false),
            WaitEnd::Cancelled => {
                Err(Error::new(ErrorKind::Cancelled, self.name(), "the wait was cancelled"))
            }
        }
    }

    /// Ends the waits of the `n` threads that have waited longest, or of all if there are fewer. How many there were. They
    /// go on when the calling thread gives the lock back, one after the other.
    ///
    /// Killed in it, this process has notified some or none, and then everybody is.
    ///
    /// # Errors
    ///
    /// `NotOwner` if the calling thread does not have the lock, with the name of who has; `WrongProcess`.
    pub fn notify(&self, n: usize) -> Result<usize> {
        self.check_held()?;
        let waiters = self.waiters()?;
        let n = u32::try_from(n).unwrap_or(u32::MAX);
        Ok(RawCondition::new(&waiters).notify(n) as usize)
    }

    /// `notify(1)`.
    ///
    /// # Errors
    ///
    /// Those of [`notify`](Self::notify).
    pub fn notify_one(&self) -> Result<usize> {
        self.notify(1)
    }

    /// How this handle waits (default: adaptive), for the condition and for its lock, and the clones that are made of it
    /// from now on.
    pub fn set_wait_strategy(&mut self, strategy: WaitStrategy) {
        self.spinner = Spinner::new(strategy);
        self.lock.set_wait_strategy(strategy);
    }

    /// Ends the waits of all who wait now. How many there were.
    ///
    /// # Errors
    ///
    /// Those of [`notify`](Self::notify).
    pub fn notify_all(&self) -> Result<usize> {
        self.notify(usize::MAX)
    }

    /// What the lock protects is sound again: said by a thread to which `wait` brought the lock of a dead owner. Nothing
    /// happens if all was well.
    ///
    /// # Errors
    ///
    /// `NotOwner` if the calling thread does not have the lock; `WrongProcess`.
    pub fn recover(&self) -> Result<()> {
        self.check_held()?;
        let core = self.lock.core();
        core.recover(core.mine());
        Ok(())
    }

    /// Whether the lock is back in this thread's hands, and sound.
    fn have_back(&self, back: Result<Got, Missed>) -> Result<()> {
        match back {
            Ok(Got::Owned) => Ok(()),
            Ok(Got::Inherited { pid, name }) => Err(self.owner_died(&OwnerDied::new((), pid, name))),
            Err(Missed::Error(error)) => Err(error),
            // It has no deadline and no cancel word.
            Err(Missed::Busy | Missed::Cancelled) => Err(self.not_owner()),
        }
    }

    fn check_held(&self) -> Result<()> {
        match self.lock.core().check_mine() {
            Err(error) if error.kind() == ErrorKind::NotOwner => Err(self.not_owner()),
            answer => answer.map(|_mine| ()),
        }
    }

    #[cold]
    fn not_owner(&self) -> Error {
        let core = self.lock.core();
        let what = match core.owner() {
            Some(owner) => format!("its {} is held by {owner}, and not by the calling thread", core.object()),
            None => format!("nobody holds its {}", core.object()),
        };
        Error::new(ErrorKind::NotOwner, self.name(), what).hint("acquire it first")
    }

    #[cold]
    fn unrecovered(&self) -> Error {
        Error::new(
            ErrorKind::InvalidState,
            self.name(),
            format!("its {} was inherited from a dead owner and not recovered", self.lock.core().object()),
        )
        .hint("repair what it protects and call recover() before wait()")
    }

    #[cold]
    fn owner_died(&self, died: &OwnerDied<()>) -> Error {
        Error::new(ErrorKind::OwnerDied, self.name(), format!("{}: {died}", self.lock.core().object()))
            .hint("the calling thread has it: repair what it protects and call recover()")
    }

    #[cold]
    fn full(&self, cells: u32) -> Error {
        let what = format!("{cells} threads wait already, and there is room for no more; the lock was kept");
        Error::new(ErrorKind::Limit, self.name(), what).hint("create it with Condition::builder().waiters(n)")
    }
}

impl Clone for Condition {
    fn clone(&self) -> Self {
        Self {
            object: self.object.clone(),
            lock: self.lock.clone(),
            spinner: Spinner::new(self.spinner.strategy()),
        }
    }
}

/// `<Condition(<RLock(None, 0)>, 0)>`: the lock, and how many wait.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.waiters().map_or(0, |waiters| RawCondition::new(&waiters).waiters());
        write!(f, "<Condition({}, {waiting})>", self.lock)
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Two handles: of the condition, and of its lock.
type ArchivedCondition = ArchivedTuple2<ArchivedHandle<Condition>, ArchivedHandle<Condition>>;

impl Archive for Condition {
    type Archived = ArchivedCondition;
    type Resolver = (u32, u32);

    fn resolve(&self, (object, lock): (u32, u32), out: Place<Self::Archived>) {
        munge!(let ArchivedTuple2(first, second) = out);
        ArchivedHandle::emplace(object, first);
        ArchivedHandle::emplace(lock, second);
    }
}

impl<S: Fallible<Error: Source> + ?Sized> Serialize<S> for Condition {
    fn serialize(&self, _: &mut S) -> Result<(u32, u32), S::Error> {
        let export = |object: &ObjectRef| export(Child::whole(object.clone())).map_err(S::Error::new);
        Ok((export(&self.object)?, export(self.lock.reference())?))
    }
}

impl<D: Fallible<Error: Source> + ?Sized> Deserialize<Condition, D> for ArchivedCondition {
    fn deserialize(&self, _: &mut D) -> Result<Condition, D::Error> {
        let object = |handle: &ArchivedHandle<Condition>| import(handle.index()).map(|child| child.object);
        let opened = object(&self.0).and_then(|own| Condition::open(own, object(&self.1)?));
        noted(opened).map_err(D::Error::new)
    }
}
