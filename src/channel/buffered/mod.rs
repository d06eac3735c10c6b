//! `BufferedQueue<T>`: a queue whose `put` never waits for room.
//!
//! A queue is an object with links ([`crate::layout::buffered`]), the segments are objects of their own, each a ring
//! ([`crate::ring`]). Within a segment everything is as in a [`Queue`](super::queue): claims, commits, leases, redelivery, and
//! what is done for the dead. A segment that is full is sealed, and another one is put behind it; one that is drained is taken out.
//! How that survives deaths stands in [`crate::ring::chain`], how a client gets from several segments in order in
//! [`crate::ring::series`].
//!
//! | who does what | where |
//! |---|---|
//! | put: one claim in the last segment that this client knows | `put.rs`; nothing is shared but the slot |
//! | the segment is full or sealed: take the lock, go to the last one, or make one | `put.rs`, `structure.rs` |
//! | get: one claim in the newest segment that this client knows, if nothing can be in others | `get.rs` |
//! | something may be in others, or nothing is there | [`crate::ring::series::look`] |
//! | the newest segment is sealed and empty: take the lock, take out what is drained, go to the next one | `views.rs`, `structure.rs` |
//! | sleeping | by one word of the queue, whatever segment the message is in |
//! | sleeping elsewhere (`select`, a descriptor, a future) | by the same word; who looks goes from segment to segment, too: `ready.rs` |
//!
//! A death in a segment is repaired as in any queue, since the dead one's references lead the reaper there. Then, when all segments are
//! repaired, all who sleep are woken. Last, by the reaper alone, the lock is handed on (`channel/repair.rs`).

#[cfg(feature = "async")]
mod asynch;
mod builder;
mod get;
mod get_many;
mod lease;
mod put;
mod put_many;
mod ready;
mod stats;
#[cfg(feature = "async")]
mod stream;
mod structure;
mod views;

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex};

use rkyv::rancor::{Fallible, Source};
use rkyv::{Archive, Deserialize, Place, Serialize};

pub use builder::BufferedQueueBuilder;
pub use lease::BufferedLease;
pub use stats::BufferedStats;
#[cfg(feature = "async")]
pub use stream::BufferedStream;

use self::structure::Structure;
use self::views::Views;
use super::codec;
use super::kind;
use super::message::Message;
use super::queue::Memory;
use super::transfer::{self, Child};
use crate::arena::ObjectRef;
use crate::error::{Error, ErrorKind, Result};
use crate::layout::ParticipantId;
use crate::layout::object::ObjectId;
use crate::prim::event_count::{EventCount, SpinRun};
use crate::prim::limits::Limits;
use crate::prim::spin::{Spinner, WaitStrategy};
use crate::region::Presence;
use crate::ring::Ring;
use crate::ring::clients::Clients;
use crate::ring::handle::ArchivedHandle;
use crate::ring::series::View;

/// A queue between any number of processes and threads whose [`put`](Self::put) never waits for room.
///
/// It grows in its arena by segments, up to the arena's limit or [one of its own](BufferedQueueBuilder::limit), and gives each back
/// when the last message in it is consumed. No thread feeds it: a message is in the queue when `put` returns, so that there is
/// nothing to flush, at `close`, at a drop or at the end of a process.
///
/// # Guarantees
///
/// Those of a [`Queue`](crate::Queue):
///
/// - First in, first out, for each producer; every message goes to exactly one getter.
/// - **Any client may be killed at any instruction**, also in one that makes the queue grow or shrink: a put that returned is
///   delivered; one that did not is delivered whole or not at all. A getter killed before its message is consumed, or with a
///   [lease](BufferedLease), leaves it to another, marked [`redelivered`](BufferedLease::redelivered). Nothing is torn, no memory leaks.
/// - While nobody sleeps, no call enters the kernel, but for what happens once a segment: it is made, and ends.
///
/// # Not guaranteed
///
/// - A bound on memory, unless one was set: what is put and not consumed stays.
/// - All memory at once: a handle that is not used keeps the segments that each thread saw last with it, one for putting and those that
///   were there for getting, until the thread puts or gets again, or the handle is dropped; so does the thread behind [`as_fd`](Self::as_fd)
///   and the futures. The last segment stays.
/// - More segments than objects in an arena: 65,535 in all. With the default that is 4 GiB, and what is in blocks.
/// - A process that is *stopped* in the moment in which it makes the queue grow or shrink delays who needs another segment, also
///   in `put`; so does one that is stopped while it repairs such a death. Who has room in its segment goes on.
/// - Redelivered messages come late, out of their producer's order.
/// - Work done before a kill and reported elsewhere may be done twice: release a lease *after* the work, and tell
///   duplicates by an id.
///
/// A handle is cheap to clone, and may be used from several threads, passed to a child process as an argument, or
/// put into a message of another queue. Each process that holds one keeps the queue alive; a dead process lets go.
///
/// ```
/// let q = processing::BufferedQueue::<String>::new()?;
/// for n in 0..10_000 {
///     q.put(&format!("message {n}"))?; // nobody gets yet
/// }
/// assert_eq!(q.len()?, 10_000);
/// assert_eq!(q.get()?, "message 0");
/// # Ok::<(), processing::Error>(())
/// ```
pub struct BufferedQueue<T> {
    clients: Clients<Client>,
    shared: Arc<Shared>,
    presence: Presence,
    spinner: Spinner,
    value: PhantomData<fn(T) -> T>,
}

/// What all clones of a handle in this process share.
struct Shared {
    /// For who waits elsewhere than in a blocking call. First: segments go before what keeps the arena.
    ready: ready::Readiness,
    structure: Structure,
    max_message: u64,
    /// Plain values of up to so many bytes go straight into their slot: what fits, and is allowed.
    plain_room: usize,
    empty_run: SpinRun,
    /// Segments of which leases are out, and how many.
    leased: Mutex<HashMap<ObjectId, Lent>>,
}

/// A segment that leases need.
struct Lent {
    _ring: Arc<Ring<Memory>>,
    leases: usize,
}

/// Where a thread is in the chain.
#[derive(Default)]
struct Client {
    /// The segment it puts into.
    put: Option<View<Memory>>,
    /// Bytes that it put in blocks since it compared with the limit.
    unchecked: u64,
    /// The segments it gets from.
    get: Views,
}

impl Shared {
    fn not_empty(&self) -> EventCount<'_> {
        self.structure.not_empty()
    }
}

impl<T: Message> BufferedQueue<T> {
    /// A queue in the arena of this process tree.
    ///
    /// # Errors
    ///
    /// `OutOfMemory` or `Limit` if the arena is full; `Os` if the arena cannot be created.
    pub fn new() -> Result<Self> {
        Self::builder().build()
    }

    /// Sets limit, arena and waiting.
    pub fn builder() -> BufferedQueueBuilder<T> {
        BufferedQueueBuilder::new()
    }

    fn open(object: ObjectRef, strategy: WaitStrategy) -> Result<Self> {
        if object.kind() != kind::BUFFERED || object.type_hash() != codec::fingerprint::<T>() {
            return Err(Error::new(
                ErrorKind::TypeMismatch,
                format!("buffered queue {}", object.id().index),
                format!(
                    "it does not carry {} (fingerprints {:#x} and {:#x})",
                    std::any::type_name::<T>(),
                    object.type_hash(),
                    codec::fingerprint::<T>()
                ),
            )
            .hint("open it as what it was created, with the same type"));
        }
        let presence = object.arena().region().presence()?;
        let structure = Structure::open(object, presence.me())?;
        let max_message = structure.max_message();
        let room = structure.geometry.room as usize;
        let plain_room = room.min(usize::try_from(max_message).unwrap_or(usize::MAX));
        let shared = Shared {
            ready: ready::Readiness::default(),
            structure,
            max_message,
            plain_room,
            empty_run: SpinRun::default(),
            leased: Mutex::default(),
        };
        Ok(Self::over(Arc::new(shared), presence, strategy))
    }
}

impl<T> BufferedQueue<T> {
    fn over(shared: Arc<Shared>, presence: Presence, strategy: WaitStrategy) -> Self {
        Self {
            clients: Clients::default(),
            shared,
            presence,
            spinner: Spinner::new(strategy),
            value: PhantomData,
        }
    }

    #[inline(always)]
    fn me(&self) -> Result<ParticipantId> {
        self.presence.check(self.shared.structure.domain.region())
    }

    fn locked<R>(&self, f: impl FnOnce(&structure::Locked<'_>) -> R) -> Result<R> {
        self.me()?;
        let locked = self.shared.structure.lock(&Limits::NONE).ok_or_else(interrupted)?;
        Ok(f(&locked))
    }

    /// While nobody else can make it grow or shrink.
    #[cfg(test)]
    pub(crate) fn while_locked(&self, f: impl FnOnce()) {
        self.locked(|_| f()).expect("the lock");
    }

    /// Messages that wait to be taken. Stale as soon as it is read: others put and get.
    ///
    /// Cost: a look at each slot of each segment, during which the queue neither grows nor shrinks.
    ///
    /// # Errors
    ///
    /// `WrongProcess` if the handle was inherited through a fork.
    pub fn len(&self) -> Result<usize> {
        self.locked(|locked| locked.len() as usize)
    }

    /// Whether no message waits to be taken. Stale as soon as it is read.
    ///
    /// Cost: a look at the slots up to the first message.
    ///
    /// # Errors
    ///
    /// `WrongProcess` if the handle was inherited through a fork.
    pub fn is_empty(&self) -> Result<bool> {
        self.locked(|locked| locked.is_empty())
    }

    /// Closes the queue for every process: puts fail from now on, gets drain what is there and then fail with
    /// `Closed`. Idempotent. There is nothing to flush: each message is in the queue since its put returned.
    ///
    /// Killed in it: closed or not; who sleeps sees it.
    ///
    /// # Errors
    ///
    /// `WrongProcess` if the handle was inherited through a fork.
    pub fn close(&self) -> Result<()> {
        self.locked(|locked| locked.close())??;
        self.shared.not_empty().wake_all();
        Ok(())
    }

    /// Whether somebody closed it.
    pub fn is_closed(&self) -> bool {
        self.shared.structure.is_closed()
    }

    /// The most bytes that it takes, if there is a limit.
    pub fn limit(&self) -> Option<u64> {
        Some(self.shared.structure.limit).filter(|limit| *limit != 0)
    }
}

#[cold]
fn interrupted() -> Error {
    Error::new(ErrorKind::InvalidState, "buffered queue", "its chain of segments could not be locked")
}

impl<T> Clone for BufferedQueue<T> {
    fn clone(&self) -> Self {
        Self::over(self.shared.clone(), self.presence.clone(), self.spinner.strategy())
    }
}

impl<T> fmt::Debug for BufferedQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<BufferedQueue({})>", self.shared.structure.object().id().index)
    }
}

impl<T> Archive for BufferedQueue<T> {
    type Archived = ArchivedHandle<BufferedQueue<T>>;
    type Resolver = u32;

    fn resolve(&self, index: u32, out: Place<Self::Archived>) {
        ArchivedHandle::emplace(index, out);
    }
}

impl<T, S: Fallible<Error: Source> + ?Sized> Serialize<S> for BufferedQueue<T> {
    fn serialize(&self, _: &mut S) -> Result<u32, S::Error> {
        let object = self.shared.structure.object().clone();
        transfer::export(Child::whole(object)).map_err(S::Error::new)
    }
}

impl<T: Message, D: Fallible<Error: Source> + ?Sized> Deserialize<BufferedQueue<T>, D>
    for ArchivedHandle<BufferedQueue<T>>
{
    fn deserialize(&self, _: &mut D) -> Result<BufferedQueue<T>, D::Error> {
        let child = transfer::import(self.index()).map_err(D::Error::new)?;
        let made = BufferedQueue::open(child.object, WaitStrategy::default());
        transfer::noted(made).map_err(D::Error::new)
    }
}
