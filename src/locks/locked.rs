//! `Locked<T>`: a value that only one thread of one process has at a time.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::builder::SyncBuilder;
use super::core::{Core, Got, Missed};
use crate::arena::{Body, ObjectRef};
use crate::channel::domain::deadline_in;
use crate::channel::message::Message;
use crate::channel::{codec, kind};
use crate::data::bytes::Bytes;
use crate::error::{Error, ErrorKind, Result};
use crate::layout::lock::LockWord;
use crate::layout::locked::LockedBody;
use crate::prim::limits::Limits;
use crate::prim::spin::{Spinner, WaitStrategy};
use crate::prim::twin::Twin;
use crate::ring::handle::ArchivedHandle;
use crate::sync::atomic::Ordering;

const NOUN: &str = "locked value";
/// Bytes for the serialised value, where its type does not say how long it may get and nobody else does.
const DEFAULT_ROOM: usize = 1024;

/// A value between processes that one thread has at a time, whole at any instruction.
///
/// # Guarantees
///
/// - One thread of one process has it at a time.
/// - **Its owner may be killed at any instruction**: the next one finds the value as it was before the owner had it, or as
///   the owner left it, never half-changed. There is nothing to repair and no error to match;
///   [`died_before`](LockedGuard::died_before) tells who wants to know.
/// - A panic while the guard is alive leaves the value as it was.
///
/// # Not guaranteed
///
/// - That a change is there before the guard is dropped, or [`commit`](LockedGuard::commit)ted: the guard works on a copy.
/// - Speed for large values: each lock reads the whole value, each change writes it. A value of some hundred bytes costs
///   some hundred nanoseconds.
///
/// ```
/// use processing::rkyv::{Archive, Deserialize, Serialize};
/// use processing::{Locked, Process};
///
/// #[derive(Archive, Serialize, Deserialize, Default)]
/// #[rkyv(crate = processing::rkyv)]
/// struct Totals {
///     orders: u64,
///     volume: f64,
/// }
///
/// fn trade(total: Locked<Totals>) -> processing::Result<()> {
///     let mut total = total.lock()?;
///     total.orders += 1;
///     total.volume += 2.5;
///     Ok(())
/// }
///
/// let total = Locked::new(Totals::default())?;
/// let traders: Vec<Process> = (0..3)
///     .map(|_| Process::new(trade, (total.clone(),)).start())
///     .collect::<processing::Result<_>>()?;
/// for trader in traders {
///     trader.join()?;
/// }
/// assert_eq!(total.lock()?.orders, 3);
/// assert_eq!(total.get()?.volume, 7.5);
/// # Ok::<(), processing::Error>(())
/// ```
pub struct Locked<T> {
    core: Arc<Core>,
    body: Arc<Body<LockedBody>>,
    spinner: Spinner,
    value: PhantomData<fn(T) -> T>,
}

impl<T: Message> SyncBuilder<Locked<T>> {
    /// Creates it with this value, and room for `room` bytes of it, serialised: for types whose length varies. (A type
    /// of fixed length takes what it needs; 0 stands for 1024 or twice what this value needs.)
    ///
    /// # Errors
    ///
    /// `OutOfMemory` or `Limit` if the arena is full; `InvalidInput` if the value cannot be serialised (one with
    /// handles cannot: give those away beside it); `TooLarge` if it does not fit the room.
    pub fn build(self, value: &T, room: usize) -> Result<Locked<T>> {
        codec::encode(value, |bytes| {
            let room = if room == 0 { DEFAULT_ROOM.max(2 * bytes.len()) } else { room };
            let room = room.next_multiple_of(16) as u64;
            let domain = self.arena.domain()?;
            let len = size_of::<LockedBody>() as u64 + 2 * room;
            let hash = codec::fingerprint::<T>();
            let create = || domain.store().create_object(kind::LOCKED, hash, "locked", len, |_zeros| {});
            let locked = Locked::over(domain.with_room(create)?, self.spinner())?;
            // Nobody else has it yet.
            locked.body.room.store(room, Ordering::Relaxed);
            locked.write(bytes)?;
            Ok(locked)
        })?
    }
}

impl<T: Message> Locked<T> {
    /// A locked value in the arena of this process tree.
    ///
    /// # Errors
    ///
    /// As [`SyncBuilder::build`].
    pub fn new(value: T) -> Result<Self> {
        Self::builder().build(&value, 0)
    }

    /// Sets arena, waiting and room.
    pub fn builder() -> SyncBuilder<Self> {
        SyncBuilder::new()
    }

    fn over(object: ObjectRef, spinner: Spinner) -> Result<Self> {
        if object.kind() == kind::LOCKED && object.type_hash() != codec::fingerprint::<T>() {
            return Err(Error::new(
                ErrorKind::TypeMismatch,
                format!("{NOUN} {}", object.id().index),
                format!("it is not a {}", std::any::type_name::<T>()),
            )
            .hint("open it with the type it was created with"));
        }
        let core = Core::open(object.clone(), kind::LOCKED, NOUN)?;
        Ok(Self { core: Arc::new(core), body: Arc::new(Body::of(object)?), spinner, value: PhantomData })
    }

    /// Takes it, waiting as long as it takes.
    ///
    /// # Errors
    ///
    /// `Deadlock` if this thread has it; `Poisoned` if a change did not fit and was dropped uncommitted; `Cancelled`;
    /// `WrongProcess` if the handle was inherited through a fork; `Corrupt` if the value's own deserialisation refuses it.
    pub fn lock(&self) -> Result<LockedGuard<'_, T>> {
        match self.lock_within(&Limits::NONE)? {
            Some(guard) => Ok(guard),
            None => Err(self.busy()),
        }
    }

    #[cold]
    fn busy(&self) -> Error {
        Error::new(ErrorKind::Timeout, self.core.object(), "others have it")
    }

    /// Takes it if it is free right now; `None` if others have it.
    ///
    /// # Errors
    ///
    /// Those of [`lock`](Self::lock).
    pub fn try_lock(&self) -> Result<Option<LockedGuard<'_, T>>> {
        self.lock_within(&Limits::TRY)
    }

    /// Takes it, waiting at most so long; `None` when the time is up.
    ///
    /// # Errors
    ///
    /// Those of [`lock`](Self::lock).
    pub fn lock_timeout(&self, timeout: Duration) -> Result<Option<LockedGuard<'_, T>>> {
        self.lock_within(&deadline_in(timeout))
    }

    fn lock_within(&self, limits: &Limits<'_>) -> Result<Option<LockedGuard<'_, T>>> {
        let Some((held, died)) = self.take(limits)? else { return Ok(None) };
        let value = self.read()?;
        Ok(Some(LockedGuard { value, changed: false, died, held, _stays: PhantomData }))
    }

    /// The lock, and who died with it just before.
    fn take(&self, limits: &Limits<'_>) -> Result<Option<(Held<'_, T>, Died)>> {
        let (mine, died) = match self.core.try_fast() {
            Some(mine) => (mine, None),
            None => match self.core.take(limits, &self.spinner) {
                Ok(Got::Owned) => (self.core.mine(), None),
                Ok(Got::Inherited { pid, name }) => {
                    // The root names a whole value: nothing is to be repaired.
                    self.core.recover(self.core.mine());
                    (self.core.mine(), Some((pid, name)))
                }
                Err(Missed::Busy) => return Ok(None),
                Err(Missed::Cancelled) => {
                    return Err(Error::new(
                        ErrorKind::Cancelled,
                        self.core.object(),
                        "the wait was cancelled",
                    ));
                }
                Err(Missed::Error(error)) => return Err(error),
            },
        };
        Ok(Some((Held { locked: self, mine }, died)))
    }

    /// A copy of the value.
    ///
    /// # Errors
    ///
    /// Those of [`lock`](Self::lock).
    pub fn get(&self) -> Result<T> {
        match self.take(&Limits::NONE)? {
            Some((_held, _died)) => self.read(),
            None => Err(self.busy()),
        }
    }

    /// Replaces the value.
    ///
    /// # Errors
    ///
    /// Those of [`lock`](Self::lock); `TooLarge`, and then the value is as before.
    pub fn set(&self, value: T) -> Result<()> {
        let mut guard = self.lock()?;
        *guard = value;
        guard.commit()
    }

    /// Changes the value and returns what `change` returns.
    ///
    /// # Errors
    ///
    /// Those of [`set`](Self::set).
    ///
    /// # Panics
    ///
    /// If `change` does; then the value is as before.
    pub fn update<R>(&self, change: impl FnOnce(&mut T) -> R) -> Result<R> {
        let mut guard = self.lock()?;
        let answer = change(&mut guard);
        guard.commit()?;
        Ok(answer)
    }

    /// How this handle waits (default: adaptive), and the clones that are made of it from now on.
    pub fn set_wait_strategy(&mut self, strategy: WaitStrategy) {
        self.spinner = Spinner::new(strategy);
    }

    /// Whether a change was lost because it did not fit, so that every lock fails.
    pub fn is_poisoned(&self) -> bool {
        self.core.is_poisoned()
    }

    /// Goes on with the value as it was before the change that was lost.
    ///
    /// # Errors
    ///
    /// `InvalidState` if it is not poisoned (any more); `WrongProcess`.
    pub fn recover_poisoned(&self) -> Result<()> {
        let mine = self.core.take_poisoned()?;
        self.core.recover(mine);
        self.core.release(mine);
        Ok(())
    }

    fn twin(&self) -> Twin<'_> {
        Twin::new(&self.body, self.body.words())
    }

    fn read(&self) -> Result<T> {
        let mut bytes = Bytes::new();
        self.twin().read(|len| bytes.room(len));
        codec::decode(&bytes)
    }

    fn write(&self, bytes: &[u8]) -> Result<()> {
        self.twin().write(bytes).map_err(|too_long| {
            Error::new(
                ErrorKind::TooLarge,
                self.core.object(),
                format!("the value takes {} bytes, and there is room for {}", bytes.len(), too_long.room),
            )
            .hint("make it with more room: Locked::builder().build(&value, room)")
        })
    }
}

/// The pid and name of the last owner, if it died with the lock.
type Died = Option<(u32, String)>;

/// The lock, while a guard has it.
struct Held<'a, T: Message> {
    locked: &'a Locked<T>,
    mine: LockWord,
}

impl<T: Message> Drop for Held<'_, T> {
    fn drop(&mut self) {
        self.locked.core.release(self.mine);
    }
}

/// The value of a [`Locked`], for its owner.
///
/// Changes are made in this process's copy and become the value in one step: at [`commit`](Self::commit), or when the
/// guard is dropped. A guard that was not changed writes nothing. It stays with its thread.
#[must_use = "the lock is released when the guard is dropped"]
pub struct LockedGuard<'a, T: Message> {
    value: T,
    changed: bool,
    died: Died,
    held: Held<'a, T>,
    _stays: PhantomData<*const ()>,
}

impl<T: Message> LockedGuard<'_, T> {
    /// Makes what was changed so far the value, and keeps the lock.
    ///
    /// # Errors
    ///
    /// `TooLarge` if it does not fit the room; then the value in shared memory is as before, and the guard's copy
    /// is still the changed one. `InvalidInput` if it cannot be serialised.
    pub fn commit(&mut self) -> Result<()> {
        let locked = self.held.locked;
        if !self.changed || locked.core.check_mine().is_err() {
            return Ok(());
        }
        // Whatever comes of it was told: the drop does not try again.
        self.changed = false;
        codec::encode(&self.value, |bytes| locked.write(bytes))?
    }

    /// The pid and name of the process that died with the lock just before, if one did: its last change is there whole
    /// or not at all.
    pub fn died_before(&self) -> Option<(u32, &str)> {
        self.died.as_ref().map(|(pid, name)| (*pid, name.as_str()))
    }
}

impl<T: Message> Deref for LockedGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Message> DerefMut for LockedGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.changed = true;
        &mut self.value
    }
}

impl<T: Message> Drop for LockedGuard<'_, T> {
    fn drop(&mut self) {
        // A panic may have left the copy half-changed.
        if thread::panicking() {
            return;
        }
        if self.commit().is_err() {
            // Nobody can be told here, and nobody should believe that the change is there.
            self.held.locked.core.give_up(self.held.mine);
        }
    }
}

impl<T: Message + fmt::Debug> fmt::Debug for LockedGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl<T> Clone for Locked<T> {
    fn clone(&self) -> Self {
        Self {
            core: self.core.clone(),
            body: self.body.clone(),
            spinner: Spinner::new(self.spinner.strategy()),
            value: PhantomData,
        }
    }
}

/// `<Locked(owner=None)>`.
impl<T> fmt::Display for Locked<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<Locked(owner={})>", self.core.owner().as_deref().unwrap_or("None"))
    }
}

impl<T> fmt::Debug for Locked<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<T> rkyv::Archive for Locked<T> {
    type Archived = ArchivedHandle<Locked<T>>;
    type Resolver = u32;

    fn resolve(&self, index: u32, out: rkyv::Place<Self::Archived>) {
        ArchivedHandle::emplace(index, out);
    }
}

impl<T, S> rkyv::Serialize<S> for Locked<T>
where
    S: rkyv::rancor::Fallible<Error: rkyv::rancor::Source> + ?Sized,
{
    fn serialize(&self, _: &mut S) -> Result<u32, S::Error> {
        use crate::channel::transfer::{Child, export};
        let child = Child::whole(self.core.reference().clone());
        export(child).map_err(<S::Error as rkyv::rancor::Source>::new)
    }
}

impl<T, D> rkyv::Deserialize<Locked<T>, D> for ArchivedHandle<Locked<T>>
where
    T: Message,
    D: rkyv::rancor::Fallible<Error: rkyv::rancor::Source> + ?Sized,
{
    fn deserialize(&self, _: &mut D) -> Result<Locked<T>, D::Error> {
        let child = crate::channel::transfer::import(self.index());
        child
            .and_then(|child| crate::channel::transfer::noted(Locked::over(child.object, Spinner::default())))
            .map_err(<D::Error as rkyv::rancor::Source>::new)
    }
}
