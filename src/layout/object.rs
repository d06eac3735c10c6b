//! The object directory: one entry of 64 bytes for each object of a region.
//!
//! Entry 0 is not used.
use core::mem::offset_of;

use super::OBJECTS;
use crate::sync::atomic::AtomicU64;

/// Bytes of an object's name that the directory keeps.
pub const NAME: usize = 16;

/// One object.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub struct ObjectEntry {
    /// [`ObjectWord`]; see there for states and transitions.
    pub word: AtomicU64,
    /// [`CountWord`]: references of all processes and messages. Not reset when the object goes: its stamp
    /// may still be what tells that a dead participant's operation was done.
    pub count: AtomicU64,
    /// `{creator:16 | kind:32}`; written while INIT.
    pub kind: AtomicU64,
    /// Identity of the type of the object's content; written while INIT.
    pub type_hash: AtomicU64,
    /// The block reference of the body, 0: none yet.
    pub body: AtomicU64,
    /// Bytes of the body.
    pub body_len: AtomicU64,
    /// The name, cut to [`NAME`] bytes, rest zero.
    pub name: [AtomicU64; NAME / 8],
}

/// The state of an object.
///
/// ```text
/// FREE -> INIT(me)        CAS
/// INIT(me) -> LIVE        the creator's own reference is counted, the body is BODY
/// LIVE -> DYING(me)       by who took the last reference away, before its entry forgets
/// INIT(d) -> DYING(d)     by the reaper of d, when no reference was counted
/// DYING(me) -> FREE       the body is free; the generation goes up
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ObjectState {
    Free = 0,
    Init = 1,
    Live = 2,
    Dying = 3,
    /// Not a state: a word that the library never writes.
    Invalid = 7,
}

/// The value of an object's word: `{generation:32 | unused:16 | who:13 | state:3}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectWord {
    pub state: ObjectState,
    /// The participant that INIT and DYING name.
    pub who: u16,
    pub generation: u32,
}

impl ObjectWord {
    #[inline]
    pub const fn pack(self) -> u64 {
        self.state as u64 | (self.who as u64) << 3 | (self.generation as u64) << 32
    }

    #[inline]
    pub const fn unpack(word: u64) -> Self {
        let state = match word & 7 {
            0 => ObjectState::Free,
            1 => ObjectState::Init,
            2 => ObjectState::Live,
            3 => ObjectState::Dying,
            _ => ObjectState::Invalid,
        };
        Self { state, who: (word >> 3 & 0x1fff) as u16, generation: (word >> 32) as u32 }
    }

    /// The same object in another state.
    pub const fn to(self, state: ObjectState, who: u16) -> Self {
        Self { state, who, generation: self.generation }
    }
}

/// One life of an entry of the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId {
    /// 1..[`OBJECTS`].
    pub index: u32,
    pub generation: u32,
}

impl ObjectId {
    /// One word for headers and entries; never zero.
    #[inline]
    pub const fn bits(self) -> u64 {
        self.index as u64 | (self.generation as u64) << 32
    }

    /// Reads [`bits`](Self::bits); `None` for what cannot be an object.
    #[inline]
    pub const fn from_bits(bits: u64) -> Option<Self> {
        let index = bits as u32;
        if index == 0 || index as u64 >= OBJECTS {
            return None;
        }
        Some(Self { index, generation: (bits >> 32) as u32 })
    }
}

/// The number of counted references, and the stamp of the last operation: `{count:20 | who:13 | seq:31}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountWord {
    pub count: u32,
    /// The participant that operated last, 0: none ever.
    pub who: u16,
    /// The low 31 bits of its sequence number then.
    pub seq: u32,
}

impl CountWord {
    pub const MAX: u32 = (1 << 20) - 1;
    pub const SEQ: u64 = (1 << 31) - 1;

    #[inline]
    pub const fn pack(self) -> u64 {
        self.seq as u64 | (self.who as u64) << 31 | (self.count as u64) << 44
    }

    #[inline]
    pub const fn unpack(word: u64) -> Self {
        Self { count: (word >> 44) as u32, who: (word >> 31 & 0x1fff) as u16, seq: (word & Self::SEQ) as u32 }
    }
}

/// Words that all participants share, in the region's header. The marks are bounds that hold always (they are
/// raised before what they bound); the rest are hints that a death may leave wrong.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub struct ArenaControl {
    /// Mark: slabs and claims for them lie below this chunk.
    pub slab_end: AtomicU64,
    /// Mark: runs lie within the last so many chunks.
    pub run_depth: AtomicU64,
    /// Mark: objects have indices below this.
    pub object_end: AtomicU64,
    /// Hint: objects that are not FREE.
    pub objects: AtomicU64,
    /// Hint: free chunks whose pages are there.
    pub kept: AtomicU64,
    _unused: [AtomicU64; 3],
}

/// For the layout hash.
pub const SHAPE: &[u64] = &[
    size_of::<ObjectEntry>() as u64,
    offset_of!(ObjectEntry, word) as u64,
    offset_of!(ObjectEntry, count) as u64,
    offset_of!(ObjectEntry, kind) as u64,
    offset_of!(ObjectEntry, type_hash) as u64,
    offset_of!(ObjectEntry, body) as u64,
    offset_of!(ObjectEntry, body_len) as u64,
    offset_of!(ObjectEntry, name) as u64,
    size_of::<ArenaControl>() as u64,
];

#[cfg(not(loom))]
const _: () = {
    assert!(size_of::<ObjectEntry>() == 64 && align_of::<ObjectEntry>() == 64);
    assert!(size_of::<ArenaControl>() == 64);
};
