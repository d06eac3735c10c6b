//! A dictionary over borrowed memory: extendible hashing by the high bits of the hash. Readers lock nothing; writers lock a *stripe*, those who
//! change the structure the structural lock and the stripes that it concerns. The words: [`crate::layout::dict`].
//!
//! The directory leads from the first bits of a hash to a segment, whose buckets lie in the order of the hash; a bucket has seven slots, and takes up to two
//! overflow buckets of its segment. The stripe of a bucket follows from the entry that leads to it, so that a segment has buckets of
//! several stripes while there are few segments, and later none but its own.
//!
//! # Who does what
//!
//! *get*: root, entry, header; the keys and the value, or a copy of the block; fence (Acquire); header, entry and root are still the same. The entry then
//! led to that segment all the while, and so nothing of it was changed or freed. Otherwise again; after some tries under the stripe's lock.
//!
//! *Who changes an entry* holds the stripe's lock (see [`entered`]):
//! 1. what will be linked is PRIVATE and filled.
//! 2. `before`, `count_after`, `new`, `old`; then `bucket`: **armed**.
//! 3. the new block: VALUE. Slot words that no bit says are occupied.
//! 4. **commit**: the header (a slot more or less), or the slot's value.
//! 5. `count`; of a replaced value the header's next version. 6. the old block is freed. 7. `bucket` = 0.
//!
//! A value that is its own word is replaced by one store, without all this.
//!
//! | death after | the heir of the stripe finds | and does |
//! |---|---|---|
//! | 1 | nothing under way | nothing; the reaper frees the PRIVATE block |
//! | 2, 3 | armed, the header as before (the value not the new one) | frees the new block if it is VALUE; 7 |
//! | 4, 5, 6 | armed, the header changed (the value is the new one) | 5, 6, 7 |
//!
//! An overflow bucket is claimed for a bucket by a CAS before it is linked; a claim without a link is found again by the next one who needs it for that bucket.
//!
//! *Who rebuilds a segment* holds the structural lock (see `grow.rs`):
//! 1. the stripes of the segment's buckets, in ascending order, each `frozen` = 1. 2. new segments, PRIVATE, filled. 3. `old`, `new`, `at`; phase BUILT.
//! 4. they are VALUE. 5. **commit**: phase SWITCH. 6. the entries of the directory. 7. the old segment is freed. 8. phase IDLE. 9. `frozen` = 0, the stripes' locks.
//!
//! | death after | the heir of the structural lock | |
//! |---|---|---|
//! | 1, 2 | `frozen` = 0 everywhere | the reaper frees the PRIVATE blocks |
//! | 3, 4 | frees the new segments if they are VALUE; 8, 9 | as it was before |
//! | 5, 6, 7 | 6, 7, 8, 9 | as it is afterwards |
//!
//! The stripes' locks go on to heirs of their own. Who finds `frozen` = 1 under a stripe's lock lets it go, takes the structural lock and lets that go, and starts
//! again. In between entries are read, and not changed. A directory of twice the size, and `clear`, have `root` as their commit.
//!
//! Whoever takes one of these locks from the dead repairs before anything else, and may be killed in it and followed by another: every step may be
//! done twice.
//!
//! # Memory
//!
//! The body names the directory, that the segments, those the blocks with values. All are VALUE blocks of the object. `walk.rs` tells of all of
//! them, also of what only a dead one's record names.
//!
//! # Orders
//!
//! Everything that readers follow is stored Release and loaded Acquire; what they copy is written word by word, relaxed, after a fence (Release): who sees
//! a word of a block's or slot's next life sees the header, entry or root that led away from the last one. Every store of a record's step is Release, so
//! that an heir finds them in order.

pub mod batch;
pub mod chain;
mod clear;
#[cfg(not(loom))]
pub mod content;
mod copies;
pub mod entered;
mod get;
mod grow;
pub mod hash;
mod memory;
mod place;
mod repair;
mod scan;
pub mod sip;
#[cfg(not(loom))]
pub mod span;
mod walk;

pub use batch::Batch;
pub use chain::Chain;
pub use copies::{Copies, Fixed};
pub use entered::{Entered, Put};
pub use get::{Content, Seen};
pub use memory::{Memory, Words, Writers};
pub use place::Key;
pub use scan::Next;
pub use walk::Extent;

pub use super::bytes::Bytes;
use crate::layout::dict::{Settings, at};
use crate::sync::atomic::Ordering::Relaxed;

/// The algorithm over some memory.
#[derive(Debug)]
pub struct Dict<M> {
    pub memory: M,
    settings: Settings,
}

impl<M: Memory> Dict<M> {
    /// The dictionary in this memory, whose body is set up.
    pub fn new(memory: M) -> Self {
        let settings = Settings::unpack(memory.body().load(at::SETTINGS, Relaxed));
        Self { memory, settings }
    }

    /// What it was made with.
    #[inline(always)]
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// Entries, as the stripes count them; exact only while nobody writes.
    pub fn len(&self) -> u64 {
        if self.is_being_cleared() {
            return 0;
        }
        (0..self.stripes()).fold(0u64, |sum, s| sum.wrapping_add(self.count_of(s)))
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
