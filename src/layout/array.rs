//! The body of a shared array: a lock, who may touch the elements how, a redo record, and the elements.
//!
//! ```text
//! 0    LockBody
//! 128  mode      u64   OPEN, SHARED or EXCL, see Mode; changed by the owner of the lock only
//! 136  count     u64   elements; written once before anyone else sees the body
//! 192  event     u32   event count: who waits for announcements to go
//! 200  editing   u64   the pid of who changes the elements in place, 0 nobody; changed by the owner of the lock only
//! 208  block     u64   redo: the block with the new elements, 0 none; written last
//! 216  at        u64   redo: which byte of the elements the first of them is
//! 224  len       u64   redo: their bytes
//! 256  the elements
//! ```
//! Who announces itself and looks at the mode stands in `data/array/gate.rs`, what is done with the record in `data/array/redo.rs`.

use core::mem::offset_of;

use super::lock::LockBody;
use crate::sync::atomic::{AtomicU32, AtomicU64};

/// See the module.
#[repr(C)]
#[derive(Debug, Default)]
pub struct ArrayBody {
    pub lock: LockBody,
    /// [`Mode`]; see there for states and transitions.
    pub mode: AtomicU64,
    pub count: AtomicU64,
    spare: [AtomicU64; 6],
    pub event: AtomicU32,
    spare_half: AtomicU32,
    pub editing: AtomicU64,
    pub block: AtomicU64,
    pub at: AtomicU64,
    pub len: AtomicU64,
    spare_end: [AtomicU64; 3],
}

/// Who may touch the elements without the lock.
///
/// ```text
/// OPEN    single elements are stored                       (all bytes zero)
/// SHARED  guards read
/// EXCL    nobody: the owner of the lock alone, once all announcements that the last mode let in are gone
///
/// OPEN, SHARED -> EXCL           by the owner of the lock; then it waits for the announcements
/// EXCL -> OPEN, SHARED           by the owner of the lock, when those that must not be there are gone (or were not there
///                                before, and it gives up waiting)
/// ```
/// A mode stays until somebody needs another one. An owner that dies leaves EXCL, or a mode that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    Open,
    Shared,
    Excl,
}

impl Mode {
    pub const fn pack(self) -> u64 {
        self as u64
    }

    /// What a word says; what it should not say is EXCL, which lets nobody in.
    #[inline(always)]
    pub const fn unpack(word: u64) -> Self {
        match word {
            0 => Self::Open,
            1 => Self::Shared,
            _ => Self::Excl,
        }
    }
}

/// For the layout hash.
pub const SHAPE: &[u64] = &[
    size_of::<ArrayBody>() as u64,
    offset_of!(ArrayBody, lock) as u64,
    offset_of!(ArrayBody, mode) as u64,
    offset_of!(ArrayBody, count) as u64,
    offset_of!(ArrayBody, event) as u64,
    offset_of!(ArrayBody, editing) as u64,
    offset_of!(ArrayBody, block) as u64,
    offset_of!(ArrayBody, at) as u64,
    offset_of!(ArrayBody, len) as u64,
    Mode::Excl as u64,
];

#[cfg(not(loom))]
const _: () = {
    assert!(size_of::<ArrayBody>() == 256 && offset_of!(ArrayBody, lock) == 0);
    assert!(offset_of!(ArrayBody, mode) == 128 && offset_of!(ArrayBody, event) == 192);
};

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_mode_says_what_was_put_in_and_anything_else_lets_nobody_in() {
        for mode in [Mode::Open, Mode::Shared, Mode::Excl] {
            assert_eq!(Mode::unpack(mode.pack()), mode);
        }
        assert_eq!(Mode::unpack(0), Mode::Open);
        assert_eq!(Mode::unpack(u64::MAX), Mode::Excl);
    }
}
