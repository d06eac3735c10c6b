//! The body of a buffered queue: what its segments are like, and the chain of them.
//!
//! ```text
//! 0     constant   geometry of the first segment, longest message, limit
//! 64    control    closed, the word that getters sleep by
//! 128   chain      its lock, and what is counted under it
//! ```
//! In front of the body lie its links (reference entries), of which two are used; so they do in front of each segment, which is
//! an object whose body is a ring ([`super::ring`]). A link leads to the next segment: of the queue's, to the first. Two links
//! that are held at once say that the segment with the lower number of the two is just being taken out.

use core::mem::offset_of;

use crate::sync::atomic::{AtomicU32, AtomicU64};

/// The body.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub struct BufferedBody {
    /// As `Geometry::encode` gives it: of the first segment.
    pub geometry: [AtomicU64; 4],
    /// The longest message that is accepted.
    pub max_message: AtomicU64,
    /// The most bytes that it takes; 0: as many as there are.
    pub limit: AtomicU64,
    _spare: [AtomicU64; 2],

    /// 0 -> 1, once, under the lock, when the last segment is sealed for good.
    pub closed: AtomicU32,
    /// Event word of getters that sleep.
    pub not_empty: AtomicU32,
    _spare2: [AtomicU64; 7],

    /// [`LockWord`](super::lock::LockWord), taken from the dead by their reaper alone.
    pub lock: AtomicU64,
    /// The last segment (`ObjectId::bits`). Made anew from the links by who takes the lock after a death, as all below.
    pub last: AtomicU64,
    /// How many segments there are.
    pub segments: AtomicU64,
    /// Bytes of all segments but the last, as each was when it was sealed.
    pub bytes: AtomicU64,
    /// Messages, likewise.
    pub messages: AtomicU64,
    /// The most bytes that there were when a segment was added.
    pub peak_bytes: AtomicU64,
    /// The most messages that there were when a segment was added, or when somebody counted.
    pub peak_messages: AtomicU64,
    _spare3: [AtomicU64; 1],
}

/// What the layout hash knows of this file.
pub const SHAPE: &[u64] = &[
    size_of::<BufferedBody>() as u64,
    offset_of!(BufferedBody, geometry) as u64,
    offset_of!(BufferedBody, max_message) as u64,
    offset_of!(BufferedBody, limit) as u64,
    offset_of!(BufferedBody, closed) as u64,
    offset_of!(BufferedBody, not_empty) as u64,
    offset_of!(BufferedBody, lock) as u64,
    offset_of!(BufferedBody, last) as u64,
];

#[cfg(not(loom))]
const _: () = {
    assert!(size_of::<BufferedBody>() == 192);
    assert!(offset_of!(BufferedBody, closed) == 64);
    assert!(offset_of!(BufferedBody, lock) == 128);
};
