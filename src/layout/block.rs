//! Blocks: the header, its own word, references to blocks, and the sizes of small blocks.
//!
//! ```text
//! slab chunk:   [header 64 | payload][header 64 | payload] ..   `blocks_of(class)` times
//! run:          header in the chunk table, payload from the first byte of the first chunk
//! ```
//! A small block's header stands right before its payload: what is used together shares pages and
//! neighbouring lines, and the stride of 64 more than a round size keeps blocks off the same cache sets.
//! A slab never changes its class, so headers never become payload.
use core::mem::offset_of;

use super::CHUNK;
use crate::sync::atomic::AtomicU64;

/// Bytes from a small block's header to its payload, and the alignment of every payload.
pub const HEADER: u64 = 64;

/// Bytes of a small block's header, right before its payload, that are its owner's. They are no part of its length, and of any value at first.
pub const FRONT: u64 = 24;

/// What is known of a block besides its bytes. Only the owner writes the plain words.
#[repr(C)]
#[derive(Debug, Default)]
pub struct BlockHeader {
    /// [`OwnWord`]; see there for states and transitions.
    pub own: AtomicU64,
    /// The object (`ObjectId::bits`) whose ring the block was last sent through, or whose body or content it is.
    pub ring: AtomicU64,
    /// The ticket in that ring. Of a VALUE: another block of the object, as that likes.
    pub ticket: AtomicU64,
    /// Bytes asked for (without the child entries).
    pub len: AtomicU64,
    /// Child entries at the start of the payload. Zero in a free block, always: a block that is taken and
    /// whose new owner dies at once has no children.
    pub children: AtomicU64,
}

/// The header of a small block fills a line.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub struct SmallHeader {
    pub block: BlockHeader,
    /// Of whoever has the block: the library's blocks leave them alone, but for content of dictionaries.
    pub front: [AtomicU64; FRONT as usize / 8],
}

/// Who owns a block.
///
/// ```text
/// FREE -> PRIVATE(me)                       alloc: CAS, the generation goes up
/// PRIVATE(me) -> PRIVATE(seat)              hand-over to a child process: CAS
/// PRIVATE(me) -> BODY                       the memory of an object
/// PRIVATE(me) -> SENT(me)                   in flight: a slot or lease cell names it
/// PRIVATE(me) -> VALUE                      content of an object that is not a message: the object names it
/// PRIVATE(me) | SENT(_) | BODY | VALUE -> DYING(me) by its rightful owner: from here it will be freed
/// DYING(me) -> FREE
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum OwnState {
    Free = 0,
    Private = 1,
    Sent = 2,
    Body = 3,
    Dying = 4,
    Value = 5,
    /// Not a state: a word that the library never writes.
    Invalid = 7,
}

/// The value of an own word: `{generation:48 | who:13 | state:3}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnWord {
    pub state: OwnState,
    /// The participant that the state names; 0 for FREE, BODY and VALUE.
    pub who: u16,
    /// Goes up at each alloc, so that an old reference or an old look at the word is told from a new one.
    pub generation: u64,
}

impl OwnWord {
    pub const GENERATIONS: u64 = 1 << 48;

    /// The word as stored.
    #[inline]
    pub const fn pack(self) -> u64 {
        self.state as u64 | (self.who as u64) << 3 | self.generation << 16
    }

    /// Reads a stored word.
    #[inline]
    pub const fn unpack(word: u64) -> Self {
        let state = match word & 7 {
            0 => OwnState::Free,
            1 => OwnState::Private,
            2 => OwnState::Sent,
            3 => OwnState::Body,
            4 => OwnState::Dying,
            5 => OwnState::Value,
            _ => OwnState::Invalid,
        };
        Self { state, who: (word >> 3 & 0x1fff) as u16, generation: word >> 16 }
    }

    /// The same block in another state.
    #[inline]
    pub const fn to(self, state: OwnState, who: u16) -> Self {
        Self { state, who, generation: self.generation }
    }

    /// The next life of a free block.
    #[inline]
    pub const fn taken(self, who: u16) -> Self {
        Self { state: OwnState::Private, who, generation: (self.generation + 1) % Self::GENERATIONS }
    }
}

/// Where a block is: its chunk, and which block of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    pub chunk: u32,
    /// The index in a slab, or [`Position::RUN`].
    pub index: u16,
}

impl Position {
    /// The index of a run.
    pub const RUN: u16 = 1022;

    /// A number below 2^40 that no other position has; never zero.
    #[inline]
    pub const fn bits(self) -> u64 {
        (self.chunk as u64) << 10 | (self.index as u64 + 1)
    }

    /// The position of [`bits`](Self::bits); zero has none.
    #[inline]
    pub const fn from_bits(bits: u64) -> Option<Self> {
        let index = bits & 0x3ff;
        if index == 0 {
            return None;
        }
        Some(Self { chunk: (bits >> 10 & (MAX_CHUNKS - 1)) as u32, index: index as u16 - 1 })
    }
}

/// Most chunks of a region: block references have 30 bits for them (64 TiB).
pub const MAX_CHUNKS: u64 = 1 << 30;

/// The name of one life of a block: `{generation:24 | chunk:30 | index + 1:10}`, never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BlockRef(pub u64);

impl BlockRef {
    #[inline]
    pub const fn new(position: Position, generation: u64) -> Self {
        Self(position.bits() | generation << 40)
    }

    #[inline]
    pub const fn position(self) -> Option<Position> {
        Position::from_bits(self.0 & ((1 << 40) - 1))
    }

    /// Whether this names the block's life that `own` is in.
    #[inline]
    pub const fn is_life_of(self, own: OwnWord) -> bool {
        self.0 >> 40 == own.generation & ((1 << 24) - 1)
    }
}

/// Payload bytes of each class of small blocks, in order: steps of 64 up to 512, of 128 up to 1,024, of 256 up to
/// 2,048; above that as large as a whole number of blocks in a chunk allows, so that 4 KiB (and its
/// framing) come 15 to a chunk.
pub const CLASSES: [u16; 28] = [
    64, 128, 192, 256, 320, 384, 448, 512, 640, 768, 896, 1024, 1280, 1536, 1792, 2048, 2496, 3008, 3520,
    4288, 5376, 6464, 8128, 9280, 12992, 16320, 21760, 32704,
];

/// The largest payload of a small block; anything larger is a run of chunks.
pub const SMALL_MAX: u64 = CLASSES[CLASSES.len() - 1] as u64;

/// Bytes from one block of a class to the next.
#[inline]
pub const fn stride_of(class: usize) -> u64 {
    CLASSES[class] as u64 + HEADER
}

/// Blocks in a chunk of a class.
#[inline]
pub const fn blocks_of(class: usize) -> u16 {
    BLOCKS[class]
}

const BLOCKS: [u16; CLASSES.len()] = {
    let mut blocks = [0; CLASSES.len()];
    let mut class = 0;
    while class < CLASSES.len() {
        blocks[class] = (CHUNK / stride_of(class)) as u16;
        class += 1;
    }
    blocks
};

/// The class for each number of lines.
const CLASS_OF_LINES: [u8; SMALL_MAX as usize / 64 + 1] = {
    let mut table = [0u8; SMALL_MAX as usize / 64 + 1];
    let (mut lines, mut class) = (0, 0);
    while lines < table.len() {
        while (CLASSES[class] as usize) < lines * 64 {
            class += 1;
        }
        table[lines] = class as u8;
        lines += 1;
    }
    table
};

/// The class whose blocks hold `len` bytes; `len` is at most [`SMALL_MAX`].
#[inline]
pub const fn class_of(len: u64) -> usize {
    CLASS_OF_LINES[len.div_ceil(64) as usize] as usize
}

/// For the layout hash.
pub const SHAPE: &[u64] = &[
    size_of::<SmallHeader>() as u64,
    FRONT,
    offset_of!(BlockHeader, own) as u64,
    offset_of!(BlockHeader, ring) as u64,
    offset_of!(BlockHeader, ticket) as u64,
    offset_of!(BlockHeader, len) as u64,
    offset_of!(BlockHeader, children) as u64,
    CLASSES.len() as u64,
    SMALL_MAX,
];

#[cfg(not(loom))]
const _: () = {
    assert!(size_of::<BlockHeader>() == 40);
    assert!(size_of::<SmallHeader>() as u64 == HEADER);
    assert!(offset_of!(SmallHeader, front) as u64 == HEADER - FRONT);
    assert!(blocks_of(0) < Position::RUN);
    let mut class = 0;
    while class < CLASSES.len() {
        assert!(CLASSES[class].is_multiple_of(64));
        assert!(class == 0 || CLASSES[class] > CLASSES[class - 1]);
        class += 1;
    }
};
