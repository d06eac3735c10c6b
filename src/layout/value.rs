//! The body of a shared value: one word, or a lock and two copies of up to 64 bytes, each with its number.
//!
//! Up to 8 bytes:
//!
//! ```text
//! 0    word      u64   the value, padded with zeros
//! 8    spare
//! 64
//! ```
//!
//! More:
//!
//! ```text
//! 0    LockBody
//! 128  current   u64   number of the last change; its lowest bit says which of the two is the value
//! 136  spare
//! 192  the two, 64 bytes each, padded with zeros
//! 320  numbers   2 u64 of each copy: the change that wrote it, or began to
//! 336  spare
//! 384
//! ```
//! The owner of the lock writes the copy that is not the value: first its number, then the bytes, then `current`. A reader that finds `current`
//! changed after it has read, and another number on its copy, begins anew: somebody has begun the change after the next one. Who was
//! killed on the way leaves a copy that nobody reads, and that the next change writes again under the same number.

use core::mem::offset_of;

use super::LINE;
use super::lock::LockBody;
use crate::sync::atomic::AtomicU64;

/// The most bytes of a value.
pub const VALUE_MAX: usize = 64;
/// Words of each copy.
pub const COPY_WORDS: usize = VALUE_MAX / 8;

/// Of a value that fits a word.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub struct WordBody {
    pub word: AtomicU64,
    spare: [AtomicU64; 7],
}

/// Of a longer one.
#[repr(C)]
#[derive(Debug, Default)]
pub struct ValueBody {
    pub lock: LockBody,
    pub copies: Copies,
}

/// What lies behind the lock.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub struct Copies {
    /// n -> n + 1, by the owner of the lock; Release: the copy `n + 1 & 1` is whole. Readers look at this line all the time.
    pub current: AtomicU64,
    spare: [AtomicU64; 7],
    pub words: [[AtomicU64; COPY_WORDS]; 2],
    /// m -> n, by the owner of the lock: it begins to write this copy for change `n`. Readers look here only if `current` changed meanwhile.
    pub numbers: [AtomicU64; 2],
    spare2: [AtomicU64; 6],
}

/// Which copy change `number` writes.
#[inline(always)]
pub const fn which(number: u64) -> usize {
    (number & 1) as usize
}

/// For the layout hash.
pub const SHAPE: &[u64] = &[
    size_of::<WordBody>() as u64,
    offset_of!(WordBody, word) as u64,
    size_of::<ValueBody>() as u64,
    offset_of!(ValueBody, lock) as u64,
    offset_of!(ValueBody, copies) as u64,
    offset_of!(Copies, current) as u64,
    offset_of!(Copies, numbers) as u64,
    offset_of!(Copies, words) as u64,
    VALUE_MAX as u64,
];

#[cfg(not(loom))]
const _: () = {
    assert!(size_of::<WordBody>() == LINE);
    assert!(offset_of!(ValueBody, lock) == 0 && offset_of!(ValueBody, copies) == 128);
    assert!(offset_of!(Copies, words) == LINE && size_of::<ValueBody>() == 384);
};
