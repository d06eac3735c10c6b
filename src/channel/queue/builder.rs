//! How a queue is set up.

use std::marker::PhantomData;

use super::{Backend, DEFAULT_CAPACITY, Queue, kernel};
use crate::channel::domain::Arena;
use crate::channel::message::Message;
use crate::channel::{codec, kind};
use crate::error::{Error, ErrorKind, Result};
use crate::layout::ring::{Geometry, MAX_CAPACITY};
use crate::prim::spin::WaitStrategy;
use crate::ring::plain::plain_len;
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

    /// Creates the queue.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`, `Limit` (the arena is full; the kernel allows no queue of that capacity or message length: the error names the
    /// limit, and where it is set), `InvalidInput` (a capacity beyond the format's 2^28; an unknown backend in
    /// `PROCESSING_QUEUE`), `Unsupported` (the chosen backend is missing on this system), `Timeout` (of a kernel's queue: another process of the
    /// arena is stopped while it makes or opens one), `Os`.
    pub fn build(self) -> Result<Queue<T>> {
        if let Some(queue) = kernel::build(&self)? {
            return Ok(queue);
        }
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
        let mut geometry = match fixed {
            Some(len) => Geometry::fixed(capacity as u32, len as u32, cells),
            None => {
                let inline =
                    self.inline.unwrap_or(DEFAULT_INLINE.max(size_of::<T::Archived>())).min(MAX_INLINE);
                Geometry::any(capacity as u32, inline as u32, cells)
            }
        };
        // Of a type of any length the root's alignment is not enough: what it points to may need more.
        if fixed.is_none() || align_of::<T::Archived>() > 8 {
            geometry = geometry.aligned_to_16();
        }
        let domain = self.arena.unwrap_or_default().domain()?;
        let max_message = self.max_message.unwrap_or(u64::MAX);
        let create =
            || rings::create(domain.store(), kind::QUEUE, codec::fingerprint::<T>(), &geometry, max_message);
        let object = domain.with_room(create)?;
        Queue::open(object, self.strategy)
    }
}
