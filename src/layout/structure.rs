//! The body of a shared structure: a lock, the block that is its value, and what its writers have to finish.
//!
//! ```text
//! 0    LockBody
//! 128  root      u64   the block that holds the value, 0: none yet
//! 136  spare
//! 192  next      u64   a block that is becoming the value, 0: none
//! 200  retired   u64   the last block that was the value before; each one's link leads to the one before it
//! 208  freeing   u64   a block that is being taken out of these, 0: none
//! 216  before    u64   of that one: the block whose link leads to it, 0: `retired` does
//! 224  after     u64   of that one: where its link leads
//! 232  weight    u64   about how much the blocks that were the value are worth freeing
//! 240  due       u64   they are looked through when they are worth so much
//! 248  spare
//! 256
//! ```
//! All of these name blocks by reference, and all but `root` are the lock owner's alone. The blocks are VALUE of this object; the link
//! of one is the spare word of its header. Readers look at `root` only, and announce what they found there.

use core::mem::offset_of;

use super::LINE;
use super::lock::LockBody;
use crate::sync::atomic::AtomicU64;

/// See the module.
#[repr(C)]
#[derive(Debug, Default)]
pub struct StructBody {
    pub lock: LockBody,
    pub chain: Chain,
}

/// What lies behind the lock.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub struct Chain {
    /// a -> b by the owner of the lock: the commit of a change.
    pub root: AtomicU64,
    spare: [AtomicU64; 7],

    /// ```text
    /// 0 -> b    b is PRIVATE, and its link names the root
    /// b -> 0    b is the root, and what was before is retired; or an heir has given it up
    /// ```
    pub next: AtomicU64,
    pub retired: AtomicU64,
    /// ```text
    /// 0 -> x    nobody has announced x, and `before` and `after` say where it is among the retired
    /// x -> 0    nothing leads to x any more, and it is DYING, or freed
    /// ```
    pub freeing: AtomicU64,
    pub before: AtomicU64,
    pub after: AtomicU64,
    /// A hint.
    pub weight: AtomicU64,
    /// A hint.
    pub due: AtomicU64,
    spare2: [AtomicU64; 1],
}

/// For the layout hash.
pub const SHAPE: &[u64] = &[
    size_of::<StructBody>() as u64,
    offset_of!(StructBody, lock) as u64,
    offset_of!(StructBody, chain) as u64,
    offset_of!(Chain, root) as u64,
    offset_of!(Chain, next) as u64,
    offset_of!(Chain, retired) as u64,
    offset_of!(Chain, freeing) as u64,
    offset_of!(Chain, before) as u64,
    offset_of!(Chain, after) as u64,
    offset_of!(Chain, weight) as u64,
    offset_of!(Chain, due) as u64,
];

#[cfg(not(loom))]
const _: () = {
    assert!(offset_of!(StructBody, lock) == 0 && offset_of!(StructBody, chain) == 128);
    assert!(offset_of!(Chain, next) == LINE && size_of::<StructBody>() == 256);
};
