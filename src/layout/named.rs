//! What the first page of a named region says beside: its name, and what is in it.
//!
//! Written once, before the file gets its name, and never changed.
use core::mem::offset_of;

use crate::sync::atomic::AtomicU64;

/// Bytes that a name has room for.
pub const NAME_ROOM: usize = 200;
/// Bytes of a type's name that are kept.
pub const TYPE_ROOM: usize = 1024;

/// See the module. Texts are padded with zeros.
#[repr(C)]
#[derive(Debug)]
pub struct NamedRecord {
    /// `ObjectId::bits` of the object that the name stands for. Participant 0, which is nobody, holds a reference to it.
    pub root: AtomicU64,
    /// What its content is, as the layer above tells types apart.
    pub fingerprint: AtomicU64,
    /// Bytes of a value's archive, but for what it points to.
    pub size: AtomicU64,
    pub align: AtomicU64,
    /// Messages that fit.
    pub capacity: AtomicU64,
    /// Longest message accepted.
    pub max_message: AtomicU64,
    pub name_len: AtomicU64,
    pub name: [AtomicU64; NAME_ROOM / 8],
    /// The whole length, of which at most [`TYPE_ROOM`] bytes are kept.
    pub type_len: AtomicU64,
    pub type_name: [AtomicU64; TYPE_ROOM / 8],
}

/// Words of it.
pub const RECORD_WORDS: usize = 8 + NAME_ROOM / 8 + TYPE_ROOM / 8;

/// Where its words are, counted in words.
pub const NAME_LEN: usize = offset_of!(NamedRecord, name_len) / 8;
pub const NAME: usize = offset_of!(NamedRecord, name) / 8;
pub const TYPE_LEN: usize = offset_of!(NamedRecord, type_len) / 8;
pub const TYPE_NAME: usize = offset_of!(NamedRecord, type_name) / 8;

/// For the layout hash.
pub const SHAPE: &[u64] = &[
    size_of::<NamedRecord>() as u64,
    offset_of!(NamedRecord, root) as u64,
    offset_of!(NamedRecord, fingerprint) as u64,
    offset_of!(NamedRecord, size) as u64,
    offset_of!(NamedRecord, align) as u64,
    offset_of!(NamedRecord, capacity) as u64,
    offset_of!(NamedRecord, max_message) as u64,
    offset_of!(NamedRecord, name_len) as u64,
    offset_of!(NamedRecord, name) as u64,
    offset_of!(NamedRecord, type_len) as u64,
    offset_of!(NamedRecord, type_name) as u64,
];

#[cfg(not(loom))]
const _: () = assert!(size_of::<NamedRecord>() == RECORD_WORDS * 8);
