//! The body of a locked value: a lock, and the value twice.
//!
//! ```text
//! 0    LockBody
//! 128  root      u64   { how often it was changed : 63 | which of the two is the value : 1 }
//! 136  room      u64   bytes of each of the two, a multiple of 8; written once before anyone else sees the body
//! 144  lengths   2 u64 bytes of each that are in use
//! 160  spare
//! 192  the two, one after the other
//! ```
//! The owner of the lock writes the one that is not the value, whole, and then the root: one store makes it the value. So
//! an owner that is killed in between leaves the old one, and there is nothing to repair.

use core::mem::offset_of;

use super::lock::LockBody;
use crate::sync::atomic::AtomicU64;

/// See the module.
#[repr(C)]
#[derive(Debug, Default)]
pub struct LockedBody {
    pub lock: LockBody,
    pub root: AtomicU64,
    pub room: AtomicU64,
    pub lengths: [AtomicU64; 2],
    spare: [AtomicU64; 4],
}

/// For the layout hash.
pub const SHAPE: &[u64] = &[
    size_of::<LockedBody>() as u64,
    offset_of!(LockedBody, lock) as u64,
    offset_of!(LockedBody, root) as u64,
    offset_of!(LockedBody, room) as u64,
    offset_of!(LockedBody, lengths) as u64,
];

#[cfg(not(loom))]
const _: () = assert!(size_of::<LockedBody>() == 192 && offset_of!(LockedBody, lock) == 0);
