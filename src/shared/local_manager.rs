//! `LocalManager`: everything that processes can share, made in one arena, without a server.

use std::fmt;

use super::{Namespace, SharedArray, SharedData, SharedDict, SharedList, SharedStruct, SharedValue};
use crate::channel::buffered::BufferedQueue;
use crate::channel::domain::Arena;
use crate::channel::message::Message;
use crate::channel::queue::Queue;
use crate::error::Result;
use crate::locks::{BoundedSemaphore, Condition, Event, Lock, Locked, RLock, Semaphore};

/// Makes shared data, locks and queues that live in one arena.
///
/// It is a convenience: each method is the `new` or the builder of the type that it returns, with the manager's arena. There is no server process behind it; what it
/// made belongs to its handles, and stays when the manager goes. There is
/// no manager that is a server process, for other hosts.
///
/// Killed in any of its calls: nothing is left of the object.
///
/// ```
/// use processing::{LocalManager, Process, SharedArray, SharedValue};
///
/// fn f(n: SharedValue<f64>, a: SharedArray<i32>) -> processing::Result<()> {
///     n.set(3.5)?;
///     for i in 0..a.len() {
///         a.set(i, -a.get(i)?)?;
///     }
///     Ok(())
/// }
///
/// let m = LocalManager::new()?;
/// let n = m.value(0.0)?;
/// let a = m.array_from(&[0, 1, 2])?;
/// Process::new(f, (n.clone(), a.clone())).start()?.join()?;
/// assert_eq!(n.to_string(), "SharedValue(f64, 3.5)");
/// assert_eq!(a.to_string(), "SharedArray(i32, [0, -1, -2])");
/// m.shutdown();
/// # Ok::<(), processing::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct LocalManager {
    arena: Arena,
}

impl LocalManager {
    /// A manager of the arena of this process tree, which is made now if nobody did.
    ///
    /// # Errors
    ///
    /// `OutOfMemory` if the arena cannot be made; `WrongProcess` in a copy that the program forked itself.
    pub fn new() -> Result<Self> {
        Self::in_arena(&Arena::default())
    }

    /// A manager of this arena.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn in_arena(arena: &Arena) -> Result<Self> {
        arena.domain()?.me()?;
        Ok(Self { arena: arena.clone() })
    }

    /// Where everything is made.
    pub fn arena(&self) -> &Arena {
        &self.arena
    }

    /// A value of plain data: [`SharedValue`].
    ///
    /// # Errors
    ///
    /// `OutOfMemory` or `Limit` if the arena is full; so for all that follow.
    pub fn value<T: SharedData + Copy>(&self, value: T) -> Result<SharedValue<T>> {
        SharedValue::builder().arena(&self.arena).build(value)
    }

    /// A structure that is read in place: [`SharedStruct`].
    ///
    /// # Errors
    ///
    /// As [`value`](Self::value); `InvalidInput` if it cannot be serialised; `TooLarge`.
    pub fn structure<T: SharedData>(&self, value: &T) -> Result<SharedStruct<T>> {
        SharedStruct::builder().arena(&self.arena).build(value)
    }

    /// An array of `len` defaults: [`SharedArray`].
    ///
    /// # Errors
    ///
    /// As [`value`](Self::value); `TooLarge`.
    pub fn array<T: SharedData + Copy + Default>(&self, len: usize) -> Result<SharedArray<T>> {
        SharedArray::builder().arena(&self.arena).build(len)
    }

    /// An array with these elements: [`SharedArray`].
    ///
    /// # Errors
    ///
    /// As [`array`](Self::array).
    pub fn array_from<T: SharedData + Copy>(&self, elements: &[T]) -> Result<SharedArray<T>> {
        SharedArray::builder().arena(&self.arena).build_from(elements)
    }

    /// An empty list: [`SharedList`].
    ///
    /// # Errors
    ///
    /// As [`value`](Self::value).
    pub fn list<T: SharedData>(&self) -> Result<SharedList<T>> {
        SharedList::builder().arena(&self.arena).build()
    }

    /// A list with these elements: [`SharedList`].
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list); `InvalidInput` if one cannot be serialised.
    pub fn list_from<T: SharedData>(&self, elements: impl IntoIterator<Item = T>) -> Result<SharedList<T>> {
        SharedList::builder().arena(&self.arena).build_from(elements)
    }

    /// An empty dictionary: [`SharedDict`].
    ///
    /// # Errors
    ///
    /// As [`value`](Self::value).
    pub fn dict<K: SharedData, V: SharedData>(&self) -> Result<SharedDict<K, V>> {
        SharedDict::builder().arena(&self.arena).build()
    }

    /// An empty namespace: [`Namespace`].
    ///
    /// # Errors
    ///
    /// As [`value`](Self::value).
    pub fn namespace(&self) -> Result<Namespace> {
        Namespace::in_arena(&self.arena)
    }

    /// A value under a lock: [`Locked`].
    ///
    /// # Errors
    ///
    /// As [`structure`](Self::structure).
    pub fn locked<T: Message>(&self, value: &T) -> Result<Locked<T>> {
        Locked::builder().arena(&self.arena).build(value, 0)
    }

    /// A [`Lock`].
    ///
    /// # Errors
    ///
    /// As [`value`](Self::value).
    pub fn lock(&self) -> Result<Lock> {
        Lock::builder().arena(&self.arena).build()
    }

    /// A recursive lock: [`RLock`].
    ///
    /// # Errors
    ///
    /// As [`value`](Self::value).
    pub fn rlock(&self) -> Result<RLock> {
        RLock::builder().arena(&self.arena).build()
    }

    /// A [`Semaphore`] with so many permits.
    ///
    /// # Errors
    ///
    /// As [`value`](Self::value); `InvalidInput` for more permits than it can count.
    pub fn semaphore(&self, permits: u32) -> Result<Semaphore> {
        Semaphore::builder(permits).arena(&self.arena).build()
    }

    /// A [`BoundedSemaphore`] with so many permits at most.
    ///
    /// # Errors
    ///
    /// As [`semaphore`](Self::semaphore).
    pub fn bounded_semaphore(&self, permits: u32) -> Result<BoundedSemaphore> {
        BoundedSemaphore::builder(permits).arena(&self.arena).build()
    }

    /// A [`Condition`] with a lock of its own.
    ///
    /// # Errors
    ///
    /// As [`value`](Self::value).
    pub fn condition(&self) -> Result<Condition> {
        Condition::builder().arena(&self.arena).build()
    }

    /// An [`Event`].
    ///
    /// # Errors
    ///
    /// As [`value`](Self::value).
    pub fn event(&self) -> Result<Event> {
        Event::builder().arena(&self.arena).build()
    }

    /// A [`Queue`] for at most `capacity` messages; 0: its default.
    ///
    /// # Errors
    ///
    /// As [`value`](Self::value); what `PROCESSING_QUEUE` chooses may be missing here.
    pub fn queue<T: Message>(&self, capacity: usize) -> Result<Queue<T>> {
        Queue::builder().capacity(capacity).arena(&self.arena).build()
    }

    /// A [`BufferedQueue`], whose `put` never waits.
    ///
    /// # Errors
    ///
    /// As [`value`](Self::value).
    pub fn buffered_queue<T: Message>(&self) -> Result<BufferedQueue<T>> {
        BufferedQueue::builder().arena(&self.arena).build()
    }

    /// Does nothing: there is no server to be shut down. It is there so that a program can change the manager.
    pub fn shutdown(&self) {}
}

impl fmt::Debug for LocalManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<LocalManager({:?})>", self.arena)
    }
}
