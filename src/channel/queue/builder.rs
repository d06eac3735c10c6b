//! How a queue is set up.

use std::marker::PhantomData;

use super::{Backend, Consumer, DEFAULT_CAPACITY, Producer, Queue, halves, kernel};
use crate::arena::ObjectRef;
use crate::channel::domain::{Arena, Domain};
use crate::channel::message::Message;
use crate::channel::named::{self, Wanted};
use crate::channel::{codec, kind};
use crate::error::{Error, ErrorKind, Result};
use crate::layout::ring::{Geometry, MAX_CAPACITY};
use crate::prim::spin::WaitStrategy;
use crate::ring::plain::plain_len;
use crate::ring::policy::{MAX_LETTERS, Policy, WhenFull};
use crate::ring::rings;

/// Settings of a new queue; see [`Queue::builder`].
///
/// ```
/// use processing::{Queue, WaitStrategy};
/// let q = Queue::<u64>::builder().capacity(256).wait(WaitStrategy::Block).build()?;
/// assert!(q.capacity() >= 256);
/// # Ok::<(), processing::Error>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct QueueBuilder<T> {
    pub(super) capacity: usize,
    pub(super) max_message: Option<u64>,
    inline: Option<usize>,
    pub(super) strategy: WaitStrategy,
    pub(super) arena: Option<Arena>,
    pub(super) backend: Option<Backend>,
    pub(super) dead_letters_after: Option<u32>,
    when_full: WhenFull,
    limit: Option<u64>,
    value: PhantomData<fn(T) -> T>,
}

/// Message bytes that a slot holds by itself if the type's size does not say more; larger messages take a block
/// of the arena.
const DEFAULT_INLINE: usize = 48;
/// Lease cells of a queue: leases beyond these pin their slots.
const CELLS: u32 = 64;
/// The most that a slot holds by itself.
const MAX_INLINE: usize = 4096;

impl<T: Message> QueueBuilder<T> {
    pub(super) fn new() -> Self {
        Self {
            capacity: 0,
            max_message: None,
            inline: None,
            strategy: WaitStrategy::default(),
            arena: None,
            backend: None,
            dead_letters_after: None,
            when_full: WhenFull::default(),
            limit: None,
            value: PhantomData,
        }
    }

    /// Messages that fit at least (0: 1024; of the kernel's queues as many as are usual, up to that).
    pub fn capacity(mut self, messages: usize) -> Self {
        self.capacity = messages;
        self
    }

    /// Refuse messages above this many bytes (serialised) as `TooLarge`. Default: whatever the arena can hold. With another backend than the
    /// ring it chooses what carries them: see [`Backend`].
    pub fn max_message(mut self, bytes: u64) -> Self {
        self.max_message = Some(bytes);
        self
    }

    /// Message bytes that a slot holds by itself (up to 4096), for types whose size varies: a larger slot saves the
    /// block, and costs memory in every slot.
    pub fn inline(mut self, bytes: usize) -> Self {
        self.inline = Some(bytes);
        self
    }

    /// How this handle and its clones wait; other processes choose for themselves.
    pub fn wait(mut self, strategy: WaitStrategy) -> Self {
        self.strategy = strategy;
        self
    }

    /// A message that came back so often (1 to 4 times), because a holder died or gave it back, is not delivered again: it waits among the
    /// queue's [dead letters](Queue::dead_letters). Default: never, it is delivered until somebody consumes it.
    ///
    /// A dead letter takes no room among the messages, but one of the queue's 64 lease cells (fewer if the capacity is smaller), which leases use, too: while
    /// no cell is free, a message that is due is delivered once more, marked as redelivered. The end of a closed queue does not wait for dead letters; they
    /// can be looked at and taken after it, too, and go with the queue.
    /// They need the ring: with another [`backend`](Self::backend) nothing comes back, and building fails with `Unsupported`.
    ///
    /// ```
    /// let q = processing::Queue::<u64>::builder().dead_letters_after(2).build()?;
    /// q.put(&7)?;
    /// q.get_ref()?.put_back(); // once
    /// q.get_ref()?.put_back(); // twice: nobody gets it again
    /// assert!(q.try_get().is_err_and(|e| e.is_empty()));
    /// assert_eq!(*q.dead_letters()?[0].value.as_ref().unwrap(), 7);
    /// drop(q.take_dead_letter()?); // read in place, and consumed
    /// assert!(q.dead_letters()?.is_empty());
    /// # Ok::<(), processing::Error>(())
    /// ```
    pub fn dead_letters_after(mut self, times: u32) -> Self {
        self.dead_letters_after = Some(times);
        self
    }

    /// What a put does when there is no room, in all processes: [`put`](Queue::put) in all its forms, batches, and
    /// [`commit`](super::Reservation::commit)s. Default: it waits.
    ///
    /// With [`WhenFull::Fail`] every form answers `Full` at once, as `try_put` does. With [`WhenFull::DropOldest`] the oldest message is
    /// taken out and lost (counted in [`QueueStats::dropped`](super::QueueStats::dropped)). While somebody is just getting that one, or leases it in its slot,
    /// no other would make room: nothing is dropped, and the put waits as long as it may.
    /// A process killed while it makes room loses at most the message that it was dropping. It costs nothing while there is room.
    ///
    /// ```
    /// use processing::{Queue, WhenFull};
    /// let q = Queue::<u64>::builder().capacity(2).when_full(WhenFull::DropOldest).build()?;
    /// q.put_many(&[1, 2, 3])?;
    /// assert_eq!(q.get_many(9)?, [2, 3]);
    /// # Ok::<(), processing::Error>(())
    /// ```
    pub fn when_full(mut self, when_full: WhenFull) -> Self {
        self.when_full = when_full;
        self
    }

    /// Creates it in this arena instead of the process tree's.
    pub fn arena(mut self, arena: &Arena) -> Self {
        self.arena = Some(arena.clone());
        self
    }

    /// What carries the messages, instead of what `PROCESSING_QUEUE` says: see [`Backend`].
    ///
    /// Chosen here it is used, or building fails. Chosen by the environment, and missing on this system (the kernel, a sandbox or a container does
    /// not have it), it is replaced by the ring, and the library says so once through `tracing`.
    pub fn backend(mut self, backend: Backend) -> Self {
        self.backend = Some(backend);
        self
    }

    /// The most bytes that a *named* queue grows to, slots and messages together. Default: enough for a full queue of the
    /// longest messages, or 64 MiB and more if [`max_message`](Self::max_message) does not say how long they are. Address
    /// space is reserved at once, memory is used as it is needed. Other queues have the limit of their arena.
    pub fn limit(mut self, bytes: u64) -> Self {
        self.limit = Some(bytes);
        self
    }

    /// Creates the queue.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`, `Limit` (the arena is full; the kernel allows no queue of that capacity or message length: the error names the
    /// limit, and where it is set), `InvalidInput` (a capacity beyond the format's 2^28; dead letters after none or more than 4 times; an
    /// unknown backend in `PROCESSING_QUEUE`), `Unsupported` (the chosen backend is missing on this system, or dead letters were asked of it), `Timeout` (of a kernel's queue: another process of the
    /// arena is stopped while it makes or opens one), `Os`.
    pub fn build(self) -> Result<Queue<T>> {
        if let Some(queue) = kernel::build(&self)? {
            return Ok(queue);
        }
        let geometry = self.geometry()?;
        let domain = self.arena.clone().unwrap_or_default().domain()?;
        let object = domain.with_room(|| self.make(&domain, &geometry))?;
        Queue::open(object, self.strategy)
    }

    /// Creates the queue under a name, by which other programs of this user can [`open`](Self::open) it. It is complete
    /// when the name appears. The name is an entry `processing-NAME` of `/dev/shm`, with mode 600.
    ///
    /// The name goes with its last user: at once when the last handle of all processes is dropped, and when the last user was
    /// killed (or ended without dropping its handles), at the next `create`, `open` or
    /// [`gc_named`](crate::gc_named). What was in the queue goes with it. While any process has a handle, nothing removes it.
    ///
    /// A process that is *stopped* in the microseconds in which it opens or removes a name delays others that do so: `open` and
    /// `create` say so after two seconds, and a last drop then leaves the name to the next look.
    ///
    /// Killed in it: there is no such name, or one that nobody uses. Cost: some 30 system calls, 100 KiB of memory, and one
    /// descriptor (two in processes that open it).
    ///
    /// # Errors
    ///
    /// `AlreadyExists` if somebody uses the name, with what it is and who; `InvalidInput` for what is no name (1 to 200 bytes
    /// without '/' and NUL, not "." or ".."), for an impossible capacity, and if an arena was chosen; `InvalidRegion` if there is a file that is
    /// not a queue of this user; `OutOfMemory`, `Limit` (descriptors), `Unsupported` (no tmpfs at /dev/shm), `Os`.
    ///
    /// ```
    /// use processing::Queue;
    /// let name = format!("doc-create-{}", std::process::id());
    /// let q = Queue::<u64>::builder().capacity(16).create(&name)?;
    /// let again = Queue::<u64>::builder().create(&name).unwrap_err();
    /// assert!(again.is_already_exists());
    /// drop(q);
    /// assert!(Queue::<u64>::builder().open(&name).unwrap_err().is_not_found());
    /// # Ok::<(), processing::Error>(())
    /// ```
    pub fn create(self, name: &str) -> Result<Queue<T>> {
        let (wanted, geometry) = self.named()?;
        let object = named::create(name, &wanted, &|domain| self.make(domain, &geometry))?;
        Queue::open(object, self.strategy)
    }

    /// Opens the queue of a name. The handle is one like any other. A capacity or longest message that was set must be
    /// that of the queue.
    ///
    /// # Errors
    ///
    /// `NotFound`; `TypeMismatch` and `InvalidInput` if the queue is another than is asked for, with both sides;
    /// `InvalidRegion` if the file is of another version of the library, of another user, damaged, or no queue at all;
    /// `InvalidState` if a process is stopped in the middle of opening or removing it; `Limit`, `OutOfMemory`, `Os`.
    ///
    /// ```
    /// use processing::Queue;
    /// let name = format!("doc-open-{}", std::process::id());
    /// let here = Queue::<String>::builder().capacity(16).create(&name)?;
    /// // In another program:
    /// let there = Queue::<String>::builder().open(&name)?;
    /// there.put(&"hello".to_owned())?;
    /// assert_eq!(here.get()?, "hello");
    /// # Ok::<(), processing::Error>(())
    /// ```
    pub fn open(self, name: &str) -> Result<Queue<T>> {
        let (wanted, _) = self.named()?;
        Queue::open(named::open(name, &wanted)?, self.strategy)
    }

    /// Opens the queue of a name, or creates it if nobody uses the name. Of several processes that do so at once, one
    /// creates it.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open) and of [`create`](Self::create), but for `NotFound` and `AlreadyExists`.
    ///
    /// ```
    /// use processing::Queue;
    /// let name = format!("doc-either-{}", std::process::id());
    /// let a = Queue::<u64>::builder().capacity(1024).open_or_create(&name)?;
    /// let b = Queue::<u64>::builder().capacity(1024).open_or_create(&name)?;
    /// a.put(&7)?;
    /// assert_eq!(b.get()?, 7);
    /// # Ok::<(), processing::Error>(())
    /// ```
    pub fn open_or_create(self, name: &str) -> Result<Queue<T>> {
        let (wanted, geometry) = self.named()?;
        let object = named::open_or_create(name, &wanted, &|domain| self.make(domain, &geometry))?;
        Queue::open(object, self.strategy)
    }

    /// What is expected behind a name, and the ring of a new one.
    fn named(&self) -> Result<(Wanted, Geometry)> {
        if let Some(backend) = self.backend.filter(|backend| *backend != Backend::Ring) {
            let what = format!("a queue with a name lies in memory, and {backend} was chosen");
            return Err(Error::new(ErrorKind::InvalidInput, "named queue", what)
                .hint("leave out `backend`: what the environment chooses does not count here"));
        }
        if self.arena.is_some() {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "named queue",
                "it cannot be in an arena of the caller's",
            )
            .hint("a named queue has an arena of its own: leave out `arena`, and see `limit`"));
        }
        let geometry = self.geometry()?;
        let max_message = self.max_message.unwrap_or(u64::MAX);
        let mut wanted = Wanted::queue::<T>(&geometry, max_message, self.limit);
        (wanted.asked_capacity, wanted.asked_max_message) = (self.capacity != 0, self.max_message.is_some());
        Ok((wanted, geometry))
    }

    fn make(&self, domain: &Domain, geometry: &Geometry) -> Result<ObjectRef> {
        let max_message = self.max_message.unwrap_or(u64::MAX);
        let (kind, hash) = (kind::QUEUE, codec::fingerprint::<T>());
        rings::create(domain.store(), kind, hash, geometry, max_message, self.policy()?)
    }

    /// The ring for these settings.
    fn geometry(&self) -> Result<Geometry> {
        let capacity = if self.capacity == 0 { DEFAULT_CAPACITY } else { self.capacity };
        if capacity > MAX_CAPACITY as usize {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "queue",
                format!("a capacity of {capacity} is beyond {MAX_CAPACITY}"),
            ));
        }
        let fixed = plain_len::<T>().filter(|len| *len <= MAX_INLINE);
        let cells = (capacity as u32).min(CELLS);
        let geometry = match fixed {
            Some(len) => Geometry::fixed(capacity as u32, len as u32, cells),
            None => {
                let inline =
                    self.inline.unwrap_or(DEFAULT_INLINE.max(size_of::<T::Archived>())).min(MAX_INLINE);
                Geometry::any(capacity as u32, inline as u32, cells)
            }
        };
        // Of a type of any length the root's alignment is not enough: what it points to may need more.
        let wide = fixed.is_none() || align_of::<T::Archived>() > 8;
        Ok(if wide { geometry.aligned_to_16() } else { geometry })
    }

    /// Creates the queue as two halves, each of which sees when the other one is gone.
    ///
    /// When the last [`Producer`] is gone, in whatever process, dropped or dead, the consumers get what is left and then `Closed`. When
    /// the last [`Consumer`] is gone, puts fail with `Closed`. A handle in a message, or in the arguments of a process that is
    /// starting, counts: it is somebody's.
    ///
    /// ```
    /// let (producer, consumer) = processing::Queue::<u64>::builder().build_halves()?;
    /// let another = producer.clone();
    /// producer.put(&1)?;
    /// drop(producer);
    /// another.put(&2)?;
    /// drop(another);
    /// assert_eq!((consumer.get()?, consumer.get()?), (1, 2));
    /// assert!(consumer.get().is_err_and(|e| e.is_closed()));
    /// # Ok::<(), processing::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build).
    pub fn build_halves(self) -> Result<(Producer<T>, Consumer<T>)> {
        halves::of(&self.build()?)
    }

    pub(super) fn policy(&self) -> Result<Policy> {
        let most = u32::from(MAX_LETTERS);
        let times = self.dead_letters_after.unwrap_or(0);
        if times > most || self.dead_letters_after == Some(0) {
            let what = format!("dead letters after {times} times are not possible");
            let error = Error::new(ErrorKind::InvalidInput, "queue", what);
            return Err(error.hint(format!("say 1 to {most}, or nothing for never")));
        }
        Ok(Policy { dead_letters_after: times as u8, when_full: self.when_full })
    }
}
