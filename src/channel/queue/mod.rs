//! `Queue<T>`: many producers, many consumers, first in first out, bounded.

#[cfg(feature = "async")]
mod asynch;
mod backend;
mod builder;
mod capabilities;
mod commit_error;
mod consumer;
mod dead_letters;
mod get;
mod get_many;
mod halves;
mod halves_ready;
pub(super) mod kernel;
mod lease;
mod lengths;
mod producer;
mod put;
mod put_long;
mod put_many;
mod ready;
mod reservation;
mod reserve;
#[cfg(feature = "async")]
mod sink;
mod stats;
#[cfg(feature = "async")]
mod stream;
mod when_full;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use rkyv::rancor::{Fallible, Source};
use rkyv::{Archive, Deserialize, Place, Serialize};

pub use backend::Backend;
pub use builder::QueueBuilder;
pub use capabilities::QueueCapabilities;
pub use commit_error::CommitError;
pub use dead_letters::DeadLetter;
pub use halves::{Consumer, Producer};
pub use lease::Lease;
pub use reservation::Reservation;
#[cfg(feature = "async")]
pub use sink::QueueSink;
pub use stats::{QueueHolder, QueueStats};
#[cfg(feature = "async")]
pub use stream::QueueStream;

use lengths::LastLen;

use kernel::Kernel;

use super::codec;
use super::domain::Domain;
use super::kind;
use super::message::Message;
use super::transfer::{self, Child};
use crate::arena::ObjectRef;
use crate::error::{Error, ErrorKind, Result};
use crate::layout::ParticipantId;
use crate::prim::spin::{Spinner, WaitStrategy};
use crate::region::Presence;
use crate::ring::handle::ArchivedHandle;
use crate::ring::held::Held as HeldIn;
use crate::ring::lent::Kept as KeptIn;
use crate::ring::policy::WhenFull;
use crate::ring::{ClientCursor, Mapped, Ring};

/// A bounded queue between any number of processes and threads.
///
/// # Guarantees
///
/// - First in, first out, for each producer; every message goes to exactly one getter.
/// - **Any client may be killed at any instruction**: a [`put`](Self::put) that returned is delivered; one that did
///   not return is delivered whole or not at all. A message taken by value belongs to the getter from the moment
///   its slot is free; a getter killed before that, or one that holds a [`Lease`], leaves its message to another,
///   marked [`redelivered`](Lease::redelivered). Nothing is torn, no slot stays blocked, no memory leaks.
/// - While nobody sleeps, no call enters the kernel.
///
/// # Not guaranteed
///
/// - A process that is *stopped* (not dead) in the middle of a call delays those who need its slot: nothing of it
///   is taken.
/// - Redelivered messages come late, out of their producer's order.
/// - Work done before a kill and reported elsewhere may be done twice: release a lease *after* the work, and tell
///   duplicates by an id.
///
/// A handle is cheap to clone, and may be used from several threads, passed to a child process as an argument, or
/// put into a message of another queue. Each process that holds one keeps the queue alive; a dead process lets go.
///
/// ```
/// let q = processing::Queue::<String>::new(8)?;
/// q.put(&"hello".to_owned())?;
/// assert_eq!(q.get()?, "hello");
/// assert!(q.try_get().is_err_and(|e| e.is_empty()));
/// # Ok::<(), processing::Error>(())
/// ```
pub struct Queue<T> {
    shared: Arc<Shared>,
    presence: Presence,
    cursor: ClientCursor,
    spinner: Spinner,
    value: PhantomData<fn(T) -> T>,
}

/// What all clones of a handle in this process share.
pub(crate) struct Shared {
    /// For who waits elsewhere than in a blocking call.
    pub(crate) ready: ready::Readiness,
    pub(crate) object: ObjectRef,
    /// With a [`kernel`](Self::kernel) it carries no messages, and says who sleeps and whether it was closed.
    pub(crate) ring: Ring<Memory>,
    pub(crate) max_message: u64,
    /// Plain values of up to so many bytes go straight into their slot: what fits, and is allowed. 0 with a kernel.
    pub(crate) plain_room: usize,
    /// What carries the messages if the ring does not. After the object, so that it finds out whether that is gone.
    pub(crate) kernel: Option<Kernel>,
    pub(crate) last_len: LastLen,
    pub(crate) when_full: WhenFull,
    /// Last: the object goes before the domain, of which a process has one for each region.
    pub(crate) domain: Arc<Domain>,
}

/// Where the ring lies: the object keeps its memory.
pub(crate) type Memory = Mapped<ObjectRef>;
/// A claimed message of a queue.
pub(crate) type Held<'q> = HeldIn<'q, Memory>;
/// A message of a queue that is read where it lies.
type Kept<'q> = KeptIn<'q, Memory>;

/// The default of [`Queue::new`] with 0.
const DEFAULT_CAPACITY: usize = 1024;

impl<T: Message> Queue<T> {
    /// A queue for at least `capacity` messages (0: 1024) in the arena of this process tree.
    ///
    /// # Errors
    ///
    /// `OutOfMemory` or `Limit` if the arena is full; `Os` if the arena cannot be created.
    pub fn new(capacity: usize) -> Result<Self> {
        Self::builder().capacity(capacity).build()
    }

    /// Sets capacity, arena and waiting.
    pub fn builder() -> QueueBuilder<T> {
        QueueBuilder::new()
    }

    fn from_shared(shared: Arc<Shared>, presence: Presence, strategy: WaitStrategy) -> Self {
        Self {
            shared,
            presence,
            cursor: ClientCursor::default(),
            spinner: Spinner::new(strategy),
            value: PhantomData,
        }
    }

    fn open(object: ObjectRef, strategy: WaitStrategy) -> Result<Self> {
        let name = || format!("queue {}", object.id().index);
        let is_queue = object.kind() == kind::QUEUE || kind::is_kernel_queue(object.kind());
        if !is_queue || object.type_hash() != codec::fingerprint::<T>() {
            return Err(Error::new(
                ErrorKind::TypeMismatch,
                name(),
                format!(
                    "it does not carry {} (fingerprints {:#x} and {:#x})",
                    std::any::type_name::<T>(),
                    object.type_hash(),
                    codec::fingerprint::<T>()
                ),
            )
            .hint("open it with the type it was created with"));
        }
        if object.kind() == kind::QUEUE {
            return Self::over(object, strategy, None);
        }
        let kernel = Kernel::of::<T>(&object)?;
        Self::over(object, strategy, Some(kernel))
    }

    fn over(object: ObjectRef, strategy: WaitStrategy, kernel: Option<Kernel>) -> Result<Self> {
        let ring = Ring::attach(object.clone())?;
        let max_message = ring.max_message();
        let domain = Domain::of(&object)?;
        let presence = domain.region().presence()?;
        let plain_room = ring.room().min(usize::try_from(max_message).unwrap_or(usize::MAX));
        let ready = ready::Readiness::default();
        let last_len = LastLen::default();
        let when_full = ring.policy().when_full;
        let shared = Arc::new(Shared {
            ready,
            domain,
            object,
            ring,
            max_message,
            plain_room,
            kernel,
            last_len,
            when_full,
        });
        Ok(Self::from_shared(shared, presence, strategy))
    }
}

impl<T> Queue<T> {
    #[inline(always)]
    fn me(&self) -> Result<ParticipantId> {
        self.presence.check(self.shared.domain.region())
    }

    /// The number of messages that fit. The slots are exact, so this is what was asked for, rounded up to what the
    /// ring, or the kernel, offers. Where the room is in bytes ([`QueueCapabilities::exact_capacity`]) it is how many fit at least.
    pub fn capacity(&self) -> usize {
        match &self.shared.kernel {
            None => self.shared.ring.capacity() as usize,
            Some(kernel) => kernel.capacity(),
        }
    }

    /// The longest message, serialised, in bytes; `u64::MAX`: whatever there is memory for.
    pub fn max_message(&self) -> u64 {
        self.shared.max_message
    }

    /// What carries the messages.
    pub fn backend(&self) -> Backend {
        self.shared.kernel.as_ref().map_or(Backend::Ring, Kernel::backend)
    }

    /// What the queue promises, which depends on the backend.
    pub fn capabilities(&self) -> QueueCapabilities {
        let max_message = self.shared.max_message;
        match &self.shared.kernel {
            Some(kernel) => kernel.capabilities(max_message),
            None => QueueCapabilities {
                redelivers: true,
                leases: true,
                handles: true,
                exact_capacity: true,
                exact_len: true,
                wakes_exactly: true,
                in_memory: true,
                capacity: self.capacity(),
                max_message,
                buffer: None,
            },
        }
    }

    /// Messages in the queue, finished or being taken just now. Stale as soon as it is read: others put and get. Where the kernel cannot
    /// count them ([`QueueCapabilities::exact_len`]) it is 1 for "one or more".
    pub fn len(&self) -> usize {
        match &self.shared.kernel {
            None => self.shared.ring.len() as usize,
            Some(kernel) => kernel.len(),
        }
    }

    /// Whether [`len`](Self::len) is 0. Stale as soon as it is read.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the queue is at capacity. Stale as soon as it is read.
    pub fn is_full(&self) -> bool {
        match &self.shared.kernel {
            None => self.len() >= self.capacity(),
            Some(kernel) => kernel.is_full(),
        }
    }

    /// Closes the queue for every process: puts fail from now on, gets drain what is there and then fail with
    /// `Closed`. Idempotent.
    ///
    /// # Errors
    ///
    /// `WrongProcess` if the handle was inherited through a fork.
    pub fn close(&self) -> Result<()> {
        self.me()?;
        self.shared.ring.close();
        Ok(())
    }

    /// Whether somebody closed it.
    pub fn is_closed(&self) -> bool {
        self.shared.ring.is_closed()
    }
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            presence: self.presence.clone(),
            cursor: ClientCursor::default(),
            spinner: Spinner::new(self.spinner.strategy()),
            value: PhantomData,
        }
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<Queue({}, {} of {})>", self.shared.object.id().index, self.len(), self.capacity())
    }
}

impl<T> Archive for Queue<T> {
    type Archived = ArchivedHandle<Queue<T>>;
    type Resolver = u32;

    fn resolve(&self, index: u32, out: Place<Self::Archived>) {
        ArchivedHandle::emplace(index, out);
    }
}

impl<T, S: Fallible<Error: Source> + ?Sized> Serialize<S> for Queue<T> {
    fn serialize(&self, _: &mut S) -> Result<u32, S::Error> {
        transfer::export(Child::whole(self.shared.object.clone())).map_err(S::Error::new)
    }
}

impl<T: Message, D: Fallible<Error: Source> + ?Sized> Deserialize<Queue<T>, D> for ArchivedHandle<Queue<T>> {
    fn deserialize(&self, _: &mut D) -> Result<Queue<T>, D::Error> {
        let child = transfer::import(self.index()).map_err(D::Error::new)?;
        transfer::noted(Queue::open(child.object, WaitStrategy::default())).map_err(D::Error::new)
    }
}
