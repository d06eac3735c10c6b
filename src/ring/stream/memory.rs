//! Where the two rooms of a stream lie.
//!
//! # Safety
//!
//! `MappedTx` and `MappedRx` are made from a base address whose bytes stay mapped, readable and, for the side that
//! owns the room, writable as long as the value lives; that is the caller's promise in `new`. The structures
//! consist of atomics only, any bytes are valid for them, and every line index is masked into the ring: so whatever
//! another process writes there, a borrow of them is sound. The *reader's* view of the writer's room (and the other way
//! round) is only ever loaded from, so that a read-only mapping will do.
#![allow(unsafe_code)]

#[cfg(not(loom))]
use core::ptr::NonNull;

use crate::layout::stream::{Line, RxHeader, TxHeader};

/// The writer's room, as seen by either side.
pub trait TxMemory {
    fn header(&self) -> &TxHeader;
    /// How many lines there are: a power of two.
    fn lines(&self) -> u32;
    /// The line with this number, modulo the count of lines.
    fn line(&self, number: u32) -> &Line;
}

/// The reader's room, as seen by either side.
pub trait RxMemory {
    fn header(&self) -> &RxHeader;
}

/// The writer's room in a mapping.
#[cfg(not(loom))]
#[derive(Clone, Copy, Debug)]
pub struct MappedTx {
    header: NonNull<TxHeader>,
    lines: NonNull<Line>,
    mask: u32,
}

/// The reader's room in a mapping.
#[cfg(not(loom))]
#[derive(Clone, Copy, Debug)]
pub struct MappedRx {
    header: NonNull<RxHeader>,
}

#[cfg(not(loom))]
mod mapped {
    use super::*;
    use crate::layout::stream::{MAX_LINES, MIN_LINES, TX_LINES};

    /// The address, if it is not null and is aligned for a `T`.
    fn aligned<T>(base: *mut u8) -> Option<NonNull<T>> {
        NonNull::new(base.cast::<T>()).filter(|at| at.is_aligned())
    }

    impl MappedTx {
        /// The room of `lines` lines at `base`; `None` if the address is not a multiple of 128 or the number of
        /// lines is not a power of two from 2 to 2^19.
        ///
        /// # Safety
        ///
        /// [`tx_room(lines)`](crate::layout::stream::tx_room) bytes at `base` stay mapped while the value or a copy of it
        /// lives, and are accessed by atomics only.
        pub unsafe fn new(base: *mut u8, lines: u32) -> Option<Self> {
            if !lines.is_power_of_two() || !(MIN_LINES..=MAX_LINES).contains(&lines) {
                return None;
            }
            let header = aligned(base)?;
            // SAFETY: within the room, by the caller's promise.
            let lines_at = unsafe { base.add(TX_LINES as usize) };
            Some(Self { header, lines: aligned(lines_at)?, mask: lines - 1 })
        }
    }

    impl MappedRx {
        /// The reader's room at `base`; `None` if the address is not a multiple of 128.
        ///
        /// # Safety
        ///
        /// [`RX_ROOM`](crate::layout::stream::RX_ROOM) bytes at `base` stay mapped while the value or a copy of it
        /// lives, and are accessed by atomics only.
        pub unsafe fn new(base: *mut u8) -> Option<Self> {
            Some(Self { header: aligned(base)? })
        }
    }

    // SAFETY: nothing but addresses of atomics that several processes use anyhow.
    unsafe impl Send for MappedTx {}
    // SAFETY: as above.
    unsafe impl Sync for MappedTx {}
    // SAFETY: as above.
    unsafe impl Send for MappedRx {}
    // SAFETY: as above.
    unsafe impl Sync for MappedRx {}

    impl TxMemory for MappedTx {
        #[inline(always)]
        fn header(&self) -> &TxHeader {
            // SAFETY: mapped and aligned (`new`), atomics only.
            unsafe { self.header.as_ref() }
        }

        #[inline(always)]
        fn lines(&self) -> u32 {
            self.mask + 1
        }

        #[inline(always)]
        fn line(&self, number: u32) -> &Line {
            // SAFETY: the masked index is below the number of lines; mapped and aligned (`new`), atomics only.
            unsafe { self.lines.add((number & self.mask) as usize).as_ref() }
        }
    }

    impl RxMemory for MappedRx {
        #[inline(always)]
        fn header(&self) -> &RxHeader {
            // SAFETY: mapped and aligned (`new`), atomics only.
            unsafe { self.header.as_ref() }
        }
    }
}
