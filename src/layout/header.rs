//! The region's first page.
//!
//! ```text
//! 0    magic              "PRCREGN1", stored last: zero means that the creator did not finish
//! 8    version            the format's version
//! 16   layout hash        see layout::hash
//! 24   compatible         feature bits that a reader may ignore
//! 32   incompatible       feature bits that a reader must know
//! 40   region id          random, never zero
//! 48   limit              bytes of chunks
//! 56   total              length of the file
//! 64   participants       offset
//! 72   objects            offset
//! 80   references         offset
//! 88   chunk table        offset
//! 96   chunks             offset
//! 104  chunk count
//! 128  participants high  the highest slot whose page is committed; grows only
//! 192  named record       layout::named; zero in a region without a name
//! 1480 spare
//! 2048 arena words        64 words of the layer above, zero at the start
//! 2560 spare up to 4096
//! ```
//!
//! Up to 128 everything is written once, before the magic, and never changes.

use core::mem::offset_of;

use super::PAGE;
use super::named::{NamedRecord, RECORD_WORDS};
use crate::sync::atomic::AtomicU64;

/// "PRCREGN1" in memory order.
pub const MAGIC: u64 = u64::from_le_bytes(*b"PRCREGN1");

/// Raised with every change of the format that the layout hash cannot see (meanings, protocols).
pub const VERSION: u64 = 1;

/// Compatible feature bits that this build knows.
pub const COMPATIBLE: u64 = 0;

/// Incompatible feature bits that this build knows.
pub const INCOMPATIBLE: u64 = NAMED;

/// Incompatible feature: the region has a name, its file is its own beacon, and its tables of references are small.
pub const NAMED: u64 = 1;

/// See the module.
#[repr(C)]
#[derive(Debug)]
pub struct Header {
    pub magic: AtomicU64,
    pub version: AtomicU64,
    pub layout_hash: AtomicU64,
    pub compatible: AtomicU64,
    pub incompatible: AtomicU64,
    pub region_id: AtomicU64,
    pub limit: AtomicU64,
    pub total: AtomicU64,
    pub participants: AtomicU64,
    pub objects: AtomicU64,
    pub references: AtomicU64,
    pub chunk_table: AtomicU64,
    pub chunks: AtomicU64,
    pub chunk_count: AtomicU64,
    reserved_fixed: [AtomicU64; 2],
    /// Slots above it were never touched and their pages need not exist.
    pub participants_high: AtomicU64,
    reserved_high: [AtomicU64; 7],
    /// Where the region has a name.
    pub named: NamedRecord,
    spare: [AtomicU64; 232 - RECORD_WORDS],
    /// Words of the arena (L2).
    pub arena: [AtomicU64; 64],
    spare_end: [AtomicU64; 192],
}

/// How many words from the start are fixed at creation: what a check needs.
pub const FIXED_WORDS: usize = 14;

/// Bytes of a header that a check needs.
pub const FIXED_BYTES: usize = FIXED_WORDS * 8;

/// Bytes of a header up to the end of the named record, and where that begins.
pub const NAMED_AT: usize = offset_of!(Header, named);
pub const NAMED_END: usize = NAMED_AT + RECORD_WORDS * 8;

/// For the layout hash.
pub const SHAPE: &[u64] = &[
    size_of::<Header>() as u64,
    offset_of!(Header, magic) as u64,
    offset_of!(Header, version) as u64,
    offset_of!(Header, layout_hash) as u64,
    offset_of!(Header, compatible) as u64,
    offset_of!(Header, incompatible) as u64,
    offset_of!(Header, region_id) as u64,
    offset_of!(Header, limit) as u64,
    offset_of!(Header, total) as u64,
    offset_of!(Header, participants) as u64,
    offset_of!(Header, objects) as u64,
    offset_of!(Header, references) as u64,
    offset_of!(Header, chunk_table) as u64,
    offset_of!(Header, chunks) as u64,
    offset_of!(Header, chunk_count) as u64,
    offset_of!(Header, participants_high) as u64,
    offset_of!(Header, named) as u64,
    offset_of!(Header, arena) as u64,
];

#[cfg(not(loom))]
const _: () = {
    assert!(size_of::<Header>() as u64 == PAGE);
    assert!(offset_of!(Header, chunk_count) == FIXED_BYTES - 8);
    assert!(offset_of!(Header, participants_high) == 128);
    assert!(offset_of!(Header, named) == 192);
    assert!(offset_of!(Header, arena) == 2048);
};
#[cfg(loom)]
const _: u64 = PAGE;
