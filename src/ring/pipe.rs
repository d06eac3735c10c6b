//! Where the parts of a pipe lie in its body.
//!
//! # Safety
//!
//! [`PipeMemory`] is made from the body of a pipe object, whose bytes stay mapped while the object is
//! referenced (its holder keeps the reference beside it); offsets are checked against the body's length once,
//! in [`PipeMemory::attach`]; everything in it is atomics.
#![allow(unsafe_code)]

use core::ptr::NonNull;

use crate::arena::ObjectRef;
use crate::error::{Error, ErrorKind, Result};
use crate::layout::pipe::{ALIGN, PipeHeader, ROOMS, body_len, end_room};
use crate::layout::stream::{MAX_LINES, tx_room};
use crate::ring::ends::Ends;
use crate::ring::stream::{MappedRx, MappedTx, close_for_dead};
use crate::sync::atomic::Ordering;

/// A pipe's body.
#[derive(Clone, Copy, Debug)]
pub struct PipeMemory {
    header: NonNull<PipeHeader>,
    tx: [MappedTx; 2],
    rx: [MappedRx; 2],
}

// SAFETY: addresses of atomics that several processes use anyhow.
unsafe impl Send for PipeMemory {}
// SAFETY: as above.
unsafe impl Sync for PipeMemory {}

impl PipeMemory {
    /// Makes a pipe whose ends are both `owner`'s in a body of zeros that nobody else sees yet.
    pub fn init(body: *mut u8, lines: u32, owner: u16) {
        let Some(header) = NonNull::new(start(body).cast::<PipeHeader>()) else { return };
        // SAFETY: the caller's new body, aligned as every block and long enough for `lines`.
        let header = unsafe { header.as_ref() };
        header.lines.store(u64::from(lines), Ordering::Relaxed);
        Ends::new(header).open(owner);
    }

    /// The pipe in a body of `len` bytes.
    ///
    /// # Errors
    ///
    /// `InvalidRegion` if the body is not a pipe's.
    pub fn attach(body: *mut u8, len: u64) -> Result<Self> {
        let bad = |what: String| Error::new(ErrorKind::InvalidRegion, "pipe", what);
        let body = start(body);
        let header =
            NonNull::new(body.cast::<PipeHeader>()).filter(|at| at.is_aligned() && len >= body_len(0));
        let header = header.ok_or_else(|| bad(format!("a body of {len} bytes is not a pipe")))?;
        // SAFETY: mapped, aligned, long enough for the header; atomics only.
        let lines = unsafe { header.as_ref() }.lines.load(Ordering::Acquire);
        let lines = u32::try_from(lines).ok().filter(|n| *n <= MAX_LINES && body_len(*n) <= len);
        let lines = lines.ok_or_else(|| bad(format!("its lines do not fit a body of {len} bytes")))?;
        let rooms = |end: u64| {
            let at = ROOMS + end * end_room(lines);
            // SAFETY: both rooms lie in the body by the check of `lines`; see the module.
            unsafe {
                Some((
                    MappedTx::new(body.add(at as usize), lines)?,
                    MappedRx::new(body.add((at + tx_room(lines)) as usize))?,
                ))
            }
        };
        match (rooms(0), rooms(1)) {
            (Some((tx0, rx0)), Some((tx1, rx1))) => Ok(Self { header, tx: [tx0, tx1], rx: [rx0, rx1] }),
            _ => Err(bad(format!("{lines} lines are not a power of two, or the body is not aligned"))),
        }
    }

    fn header(&self) -> &PipeHeader {
        // SAFETY: see the module.
        unsafe { self.header.as_ref() }
    }

    /// Who has which end.
    pub fn ends(&self) -> Ends<'_> {
        Ends::new(self.header())
    }

    /// The room that an end writes its lines into.
    pub fn tx(&self, end: u8) -> MappedTx {
        self.tx[usize::from(end & 1)]
    }

    /// The room that an end keeps its reading position in.
    pub fn rx(&self, end: u8) -> MappedRx {
        self.rx[usize::from(end & 1)]
    }

    /// What [`Ends`] calls when an end was closed: ends both of its streams and wakes the other end.
    pub fn closed(&self, end: u8) {
        close_for_dead(&self.tx(end), &self.rx(end));
    }

    /// The pipe of an object.
    ///
    /// # Errors
    ///
    /// `InvalidRegion` if its body is not a pipe's.
    pub fn of(object: &ObjectRef) -> Result<Self> {
        Self::attach(object.body(), object.body_len())
    }
}

/// Where the pipe starts in its body.
fn start(body: *mut u8) -> *mut u8 {
    body.wrapping_add(body.align_offset(ALIGN as usize))
}
