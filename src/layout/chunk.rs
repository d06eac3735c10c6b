//! A chunk of 64 KiB, and its entry in the chunk table.
//!
//! ```text
//! chunk entry, 64 bytes
//! 0   word      u64   {value:32 | flags:2 | unused:14 | who:13 | state:3}
//! 8   block     BlockHeader of the run that starts here (unused in any other state)
//! ```
use core::mem::offset_of;

use super::block::BlockHeader;
use crate::sync::atomic::AtomicU64;

/// The entry of one chunk.
///
/// The header of a run lives here and not in front of its bytes, so that nobody who looks at an old
/// reference ever writes to memory that has become a payload.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub struct ChunkEntry {
    /// [`ChunkWord`]; see there for states and transitions.
    pub word: AtomicU64,
    /// The block of the run that starts at this chunk.
    pub block: BlockHeader,
    _unused: [AtomicU64; 2],
}

/// What a chunk is used for.
///
/// ```text
/// FREE(flags) -> CLAIM(me, 1) -> SLAB(class)             for ever
/// FREE(flags) -> CLAIM(me, n) -> RUN(n) -> CLAIM(me, n) -> FREE     the head of a run
/// FREE(flags) -> TAIL(head)   -> FREE                    the other chunks of it
/// ```
/// A claim names its owner and its length, a tail names its head: from a dead participant's claim all that
/// it took is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ChunkState {
    /// Nobody's. All bytes zero is this state, without flags.
    Free = 0,
    /// `who` builds or takes apart a run of `value` chunks (or a slab) that starts here.
    Claim = 1,
    /// Small blocks of class `value`, for ever.
    Slab = 2,
    /// The first of `value` chunks of one block.
    Run = 3,
    /// A later chunk of the run that starts at chunk `value`.
    Tail = 4,
}

/// The value of a chunk's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkWord {
    pub state: ChunkState,
    /// The owner of a claim, else 0.
    pub who: u16,
    /// All pages of the chunk are known to be there.
    pub committed: bool,
    /// The bytes may be other than zero.
    pub dirty: bool,
    /// Chunks of a claim or run, class of a slab, head of a tail.
    pub value: u32,
}

const COMMITTED: u64 = 1 << 30;
const DIRTY: u64 = 1 << 31;

impl ChunkWord {
    /// A free chunk of zeroes that nobody has touched.
    pub const FREE: Self = Self { state: ChunkState::Free, who: 0, committed: false, dirty: false, value: 0 };

    /// The word as stored.
    #[inline]
    pub const fn pack(self) -> u64 {
        self.state as u64
            | (self.who as u64) << 3
            | if self.committed { COMMITTED } else { 0 }
            | if self.dirty { DIRTY } else { 0 }
            | (self.value as u64) << 32
    }

    /// Reads a stored word. A state that does not exist reads as a claim of nobody, which nobody uses.
    #[inline]
    pub const fn unpack(word: u64) -> Self {
        let state = match word & 7 {
            0 => ChunkState::Free,
            2 => ChunkState::Slab,
            3 => ChunkState::Run,
            4 => ChunkState::Tail,
            _ => ChunkState::Claim,
        };
        Self {
            state,
            who: (word >> 3 & 0x1fff) as u16,
            committed: word & COMMITTED != 0,
            dirty: word & DIRTY != 0,
            value: (word >> 32) as u32,
        }
    }

    /// Free again, with what is known of its pages.
    pub const fn free(committed: bool, dirty: bool) -> Self {
        Self { committed, dirty, ..Self::FREE }
    }

    /// The same pages in another use.
    pub const fn with(self, state: ChunkState, who: u16, value: u32) -> Self {
        Self { state, who, value, ..self }
    }
}

/// For the layout hash.
pub const SHAPE: &[u64] = &[
    size_of::<ChunkEntry>() as u64,
    offset_of!(ChunkEntry, word) as u64,
    offset_of!(ChunkEntry, block) as u64,
];

#[cfg(not(loom))]
const _: () = {
    assert!(size_of::<ChunkEntry>() as u64 == super::CHUNK_ENTRY_SIZE);
    assert!(align_of::<ChunkEntry>() == 64);
};
