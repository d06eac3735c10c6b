//! L0: every structure that lives in a region, with its offsets and sizes asserted when the library is
//! built. `FORMAT.md` draws them.
//!
//! Rules: `#[repr(C)]`, atomics of `crate::sync` only, no pointers (offsets from the region's start),
//! lines of 64 bytes spelled out, and all bytes zero is a valid, free state of everything.

pub mod announcement;
pub mod array;
pub mod block;
pub mod block_place;
pub mod buffered;
pub mod chunk;
pub mod condition;
pub mod dict;
pub mod event;
pub mod hash;
pub mod header;
pub mod list;
pub mod lock;
pub mod locked;
pub mod named;
pub mod object;
pub mod participant;
pub mod pipe;
pub mod reference;
pub mod ring;
pub mod semaphore;
pub mod socket_pipe;
pub mod stream;
pub mod structure;
pub mod value;

pub use participant::ParticipantId;

/// The size of a cache line in the format, whatever the machine says.
pub const LINE: usize = 64;

/// Most participants of one region; ids are 1..=MAX_PARTICIPANTS and fit the 13 bits that words give them.
pub const MAX_PARTICIPANTS: usize = 1023;

/// Granularity of the format's areas, whatever the page size of the machine.
pub const PAGE: u64 = 4096;

/// Memory is handed out in chunks of this size, aligned to it (as offsets).
pub const CHUNK: u64 = 64 << 10;

/// Entries of the object directory, and the size of one.
pub const OBJECTS: u64 = 65_536;
pub const OBJECT_SIZE: u64 = 64;

/// Reference entries of one participant, and the size of one.
pub const REFERENCES: u64 = 65_536;
pub const REFERENCE_SIZE: u64 = 16;
/// The same of a named region, which holds one object: its tables lie close together.
pub const NAMED_REFERENCES: u64 = 256;

/// The size of one entry of the chunk table.
pub const CHUNK_ENTRY_SIZE: u64 = 64;
