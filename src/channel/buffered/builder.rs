//! How a buffered queue is set up.

use std::marker::PhantomData;

use super::{BufferedQueue, structure};
use crate::channel::codec;
use crate::channel::domain::Arena;
use crate::channel::message::Message;
use crate::error::{Error, ErrorKind, Result};
use crate::layout::CHUNK;
use crate::layout::ring::Geometry;
use crate::prim::spin::WaitStrategy;
use crate::ring::plain::plain_len;

/// Settings of a new buffered queue; see [`BufferedQueue::builder`].
///
/// ```
/// use processing::{BufferedQueue, WaitStrategy};
/// let q = BufferedQueue::<u64>::builder().limit(16 << 20).wait(WaitStrategy::Block).build()?;
/// q.put(&7)?;
/// assert_eq!(q.limit(), Some(16 << 20));
/// # Ok::<(), processing::Error>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct BufferedQueueBuilder<T> {
    segment: usize,
    max_message: Option<u64>,
    inline: Option<usize>,
    limit: Option<u64>,
    strategy: WaitStrategy,
    arena: Option<Arena>,
    value: PhantomData<fn(T) -> T>,
}

/// As of a queue.
const DEFAULT_INLINE: usize = 48;
/// As of a queue.
const MAX_INLINE: usize = 4096;
/// Lease cells of a segment: leases beyond these pin their slots.
const CELLS: u32 = 32;
/// Bytes of a segment unless somebody says how many messages: one chunk, with its links.
const SEGMENT_BYTES: u64 = CHUNK - 64;
/// The fewest messages of a segment that nobody set.
const FEWEST: u64 = 16;
/// The most messages of a segment.
const MOST: usize = 1 << 20;

impl<T: Message> BufferedQueueBuilder<T> {
    pub(super) fn new() -> Self {
        Self {
            segment: 0,
            max_message: None,
            inline: None,
            limit: None,
            strategy: WaitStrategy::default(),
            arena: None,
            value: PhantomData,
        }
    }

    /// The most bytes that the queue takes in its arena (rounded up to a segment). Default: as many as the arena has.
    ///
    /// It is counted by the segment: one counts with all its slots, and with what its messages had in blocks of the arena when it
    /// was full, until its last message is consumed. Messages in blocks that are put into the segment which is not yet full are counted
    /// now and then: each process that puts may go beyond the limit by a sixteenth of it.
    pub fn limit(mut self, bytes: u64) -> Self {
        self.limit = Some(bytes);
        self
    }

    /// Messages in a segment (0, the default: as many as 64 KiB hold). The queue takes memory, and gives it back, by the segment.
    pub fn segment(mut self, messages: usize) -> Self {
        self.segment = messages;
        self
    }

    /// Refuse messages above this many bytes (serialised) as `TooLarge`. Default: whatever the arena can hold.
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

    /// Creates the queue, with its first segment.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`, `Limit` (the arena is full), `InvalidInput` (a segment of more than 2^20 messages, a limit below one
    /// segment), `Os`.
    pub fn build(self) -> Result<BufferedQueue<T>> {
        let geometry = self.geometry()?;
        if let Some(limit) = self.limit.filter(|limit| *limit < geometry.body_len()) {
            return Err(invalid(format!(
                "a limit of {limit} bytes is below the {} of one segment of {} messages",
                geometry.body_len(),
                geometry.capacity
            ))
            .hint("raise the limit, or lower segment(messages)"));
        }
        let domain = self.arena.unwrap_or_default().domain()?;
        let settings = structure::Settings {
            geometry,
            max_message: self.max_message.unwrap_or(u64::MAX),
            limit: self.limit.unwrap_or(0),
        };
        let object = structure::create(&domain, codec::fingerprint::<T>(), &settings)?;
        BufferedQueue::open(object, self.strategy)
    }

    fn geometry(&self) -> Result<Geometry> {
        if self.segment > MOST {
            return Err(invalid(format!("a segment of {} messages is beyond {MOST}", self.segment)));
        }
        let fixed = plain_len::<T>().filter(|len| *len <= MAX_INLINE);
        let inline = self.inline.unwrap_or(DEFAULT_INLINE.max(size_of::<T::Archived>())).min(MAX_INLINE);
        let of = |capacity: u32| {
            let cells = capacity.min(CELLS);
            let geometry = match fixed {
                Some(len) => Geometry::fixed(capacity, len as u32, cells),
                None => Geometry::any(capacity, inline as u32, cells),
            };
            // Of a type of any length the root's alignment is not enough: what it points to may need more.
            let wide = fixed.is_none() || align_of::<T::Archived>() > 8;
            if wide { geometry.aligned_to_16() } else { geometry }
        };
        if self.segment != 0 {
            return Ok(of(self.segment as u32));
        }
        let small = of(CELLS);
        let slots = SEGMENT_BYTES.saturating_sub(small.slots_offset()) / u64::from(small.stride.max(1));
        Ok(of(slots.clamp(FEWEST, MOST as u64) as u32))
    }
}

#[cold]
fn invalid(what: String) -> Error {
    Error::new(ErrorKind::InvalidInput, "buffered queue", what)
}
