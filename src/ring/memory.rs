//! Where a ring lies: the mapped region's bytes, or a model's vectors.
//!
//! # Safety
//!
//! [`Mapped`] turns offsets of a `Geometry` that `Geometry::decode` has checked against the body's length
//! into pointers; indices come from [`super::shape::Shape`] and are below the capacity, cells below `cells`.
//! Words are atomics and may be borrowed; payload bytes are only ever raw pointers here.
#![allow(unsafe_code)]

use crate::layout::ring::{Control, Hint};
use crate::sync::atomic::AtomicU64;

/// The parts of a ring, by index.
///
/// # Safety
///
/// Distinct slots and cells are distinct memory; the payload pointers are valid for the ring's `room` bytes
/// as long as `self` lives; a word's address never changes.
pub unsafe trait RingMemory: Send + Sync {
    fn control(&self) -> &Control;
    fn head(&self) -> &Hint;
    fn tail(&self) -> &Hint;
    /// The word of slot `index`.
    fn word(&self, index: u32) -> &AtomicU64;
    /// The length word of slot `index`; only in rings of messages of any length.
    fn length(&self, index: u32) -> &AtomicU64;
    fn payload(&self, index: u32) -> *mut u8;
    fn cell_word(&self, cell: u32) -> &AtomicU64;
    fn cell_ticket(&self, cell: u32) -> &AtomicU64;
    fn cell_length(&self, cell: u32) -> &AtomicU64;
    fn cell_payload(&self, cell: u32) -> *mut u8;
    /// Copies `len` payload bytes, at most the ring's room.
    ///
    /// # Safety
    ///
    /// The caller has claimed both.
    unsafe fn copy_to_cell(&self, index: u32, cell: u32, len: usize);
}

#[cfg(not(loom))]
pub use mapped::{Body, Mapped};

#[cfg(not(loom))]
mod mapped {

    use super::RingMemory;
    use crate::error::{Error, ErrorKind, Result};
    use crate::layout::LINE;
    use crate::layout::ring::{CELL_PAYLOAD, CELLS, CONTROL, Control, Geometry, HEAD, Header, Hint, TAIL};
    use crate::sync::atomic::AtomicU64;
    use crate::sync::kill;

    /// Memory that holds a ring's body and keeps it mapped.
    ///
    /// # Safety
    ///
    /// `ptr()` is the same aligned-to-64 address at each call, valid for reads and writes of `len()` bytes for
    /// as long as the value lives, also when it moves; the bytes are touched by other users only as a ring.
    #[allow(clippy::len_without_is_empty, reason = "no ring is empty")]
    pub unsafe trait Body: Send + Sync {
        fn ptr(&self) -> *mut u8;
        fn len(&self) -> u64;
    }

    /// A ring in a region's bytes.
    #[derive(Debug)]
    pub struct Mapped<B> {
        base: *mut u8,
        slots: *mut u8,
        stride: usize,
        payload: usize,
        cell_stride: usize,
        body: B,
    }

    // SAFETY: the pointers are into `B`'s memory, which may be used from any thread (its contract).
    unsafe impl<B: Body> Send for Mapped<B> {}
    // SAFETY: as above; all access is through atomics or raw pointers of claimed payloads.
    unsafe impl<B: Body> Sync for Mapped<B> {}

    impl<B: Body> Mapped<B> {
        /// Makes a ring in `body`, which nobody else uses yet. `zeroed`: all its bytes are zero, so that no slot
        /// need be touched.
        pub fn init(body: B, geometry: &Geometry, zeroed: bool) -> Result<(Self, Geometry)> {
            let geometry = Geometry::decode(geometry.encode(), checked_len(&body)?)?;
            let base = body.ptr();
            if !zeroed {
                kill::point();
                // SAFETY: the checked geometry lies within the body, and nobody else uses it yet.
                unsafe { core::ptr::write_bytes(base, 0, geometry.slots_offset() as usize) };
                for index in 0..geometry.capacity as usize {
                    // SAFETY: as above: an aligned word of slot `index`.
                    unsafe {
                        base.add(geometry.slots_offset() as usize + index * geometry.stride as usize)
                            .cast::<u64>()
                            .write(0)
                    };
                }
            }
            // SAFETY: aligned, in bounds; `Header` is made of atomics.
            unsafe { &*base.cast::<Header>() }.store(&geometry);
            Ok((Self::over(body, &geometry), geometry))
        }

        /// A ring that somebody made.
        pub fn attach(body: B) -> Result<(Self, Geometry)> {
            let len = checked_len(&body)?;
            // SAFETY: at least CELLS bytes, aligned; `Header` is made of atomics.
            let words = unsafe { &*body.ptr().cast::<Header>() }.fetch();
            let geometry = Geometry::decode(words, len)?;
            Ok((Self::over(body, &geometry), geometry))
        }

        fn over(body: B, geometry: &Geometry) -> Self {
            let base = body.ptr();
            Self {
                base,
                // SAFETY: the checked geometry lies within the body.
                slots: unsafe { base.add(geometry.slots_offset() as usize) },
                stride: geometry.stride as usize,
                payload: geometry.payload_offset() as usize,
                cell_stride: geometry.cell_stride() as usize,
                body,
            }
        }

        /// What keeps the memory.
        pub fn body(&self) -> &B {
            &self.body
        }

        /// The constant first line.
        pub fn header(&self) -> &Header {
            // SAFETY: aligned, in bounds (`checked_len`); `Header` is made of atomics.
            unsafe { &*self.base.cast::<Header>() }
        }

        #[inline(always)]
        fn slot(&self, index: u32) -> *mut u8 {
            // SAFETY: see the module: the slot lies within the body.
            unsafe { self.slots.add(index as usize * self.stride) }
        }

        fn cell(&self, cell: u32) -> *mut u8 {
            // SAFETY: see the module: the cell lies within the body.
            unsafe { self.base.add(CELLS + cell as usize * self.cell_stride) }
        }

        /// The atomic word `offset` bytes into a slot or cell at `at`.
        ///
        /// # Safety
        ///
        /// `at` is a slot or cell of this ring and the word at `offset` is one of its words.
        #[inline(always)]
        unsafe fn word_at(&self, at: *mut u8, offset: usize) -> &AtomicU64 {
            // SAFETY: in bounds and aligned to 8 (strides are multiples of 8), only used as an atomic.
            unsafe { &*at.add(offset).cast::<AtomicU64>() }
        }
    }

    fn checked_len<B: Body>(body: &B) -> Result<u64> {
        let bad = |what: &'static str| Err(Error::new(ErrorKind::InvalidRegion, "ring", what));
        if body.len() < CELLS as u64 {
            return bad("too short for a ring");
        }
        if !body.ptr().addr().is_multiple_of(LINE) {
            return bad("not aligned to a line");
        }
        Ok(body.len())
    }

    // SAFETY: the geometry was checked: slots and cells are disjoint and within the body.
    unsafe impl<B: Body> RingMemory for Mapped<B> {
        #[inline(always)]
        fn control(&self) -> &Control {
            // SAFETY: in bounds, aligned, made of atomics.
            unsafe { &*self.base.add(CONTROL).cast() }
        }

        fn head(&self) -> &Hint {
            // SAFETY: in bounds, aligned, made of atomics.
            unsafe { &*self.base.add(HEAD).cast() }
        }

        fn tail(&self) -> &Hint {
            // SAFETY: in bounds, aligned, made of atomics.
            unsafe { &*self.base.add(TAIL).cast() }
        }

        #[inline(always)]
        fn word(&self, index: u32) -> &AtomicU64 {
            // SAFETY: the first word of a slot.
            unsafe { self.word_at(self.slot(index), 0) }
        }

        #[inline(always)]
        fn length(&self, index: u32) -> &AtomicU64 {
            // SAFETY: the second word of a slot, where slots have a length word (stride is at least 16).
            unsafe { self.word_at(self.slot(index), 8) }
        }

        #[inline(always)]
        fn payload(&self, index: u32) -> *mut u8 {
            // SAFETY: stride covers the payload's offset and room.
            unsafe { self.slot(index).add(self.payload) }
        }

        fn cell_word(&self, cell: u32) -> &AtomicU64 {
            // SAFETY: the first word of a cell.
            unsafe { self.word_at(self.cell(cell), 0) }
        }

        fn cell_ticket(&self, cell: u32) -> &AtomicU64 {
            // SAFETY: the second word of a cell.
            unsafe { self.word_at(self.cell(cell), 8) }
        }

        fn cell_length(&self, cell: u32) -> &AtomicU64 {
            // SAFETY: the third word of a cell.
            unsafe { self.word_at(self.cell(cell), 16) }
        }

        fn cell_payload(&self, cell: u32) -> *mut u8 {
            // SAFETY: the cell's stride covers the payload's offset and room.
            unsafe { self.cell(cell).add(CELL_PAYLOAD) }
        }

        unsafe fn copy_to_cell(&self, index: u32, cell: u32, len: usize) {
            kill::point();
            // SAFETY: both are claimed by the caller and have room for `len` bytes; they do not overlap.
            unsafe { core::ptr::copy_nonoverlapping(self.payload(index), self.cell_payload(cell), len) };
        }
    }
}
