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
use crate::layout::pipe::{ALIGN, EndState, EndWord, PipeHeader, ROOMS, body_len, end_room};
use crate::layout::stream::{MAX_LINES, tx_room};
use crate::ring::stream::{MappedRx, MappedTx, close_for_dead};
use crate::sync::atomic::{AtomicU64, Ordering};

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
        for end in &header.ends {
            end.store(EndWord::new(owner).pack(), Ordering::Relaxed);
        }
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

    /// Who has an end (0 or 1).
    fn end(&self, end: u8) -> &AtomicU64 {
        &self.header().ends[usize::from(end & 1)]
    }

    /// The room that an end writes its lines into.
    pub fn tx(&self, end: u8) -> MappedTx {
        self.tx[usize::from(end & 1)]
    }

    /// The room that an end keeps its reading position in.
    pub fn rx(&self, end: u8) -> MappedRx {
        self.rx[usize::from(end & 1)]
    }

    /// The end's owner died, or the end was lost on its way.
    pub fn is_lost(&self, end: u8) -> bool {
        self.look(end).is_lost()
    }

    /// Whether somebody has the end, or it is on its way to somebody.
    pub fn is_closed(&self, end: u8) -> bool {
        self.look(end).state == EndState::Closed
    }

    fn look(&self, end: u8) -> EndWord {
        EndWord::unpack(self.end(end).load(Ordering::Acquire))
    }

    /// AcqRel: what the former owner wrote to the end's rooms comes with the word.
    fn change(&self, end: u8, old: EndWord, new: EndWord) -> bool {
        self.end(end).compare_exchange(old.pack(), new.pack(), Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// `who` closes its end. Nothing happens if it is not its own any more.
    pub fn close(&self, end: u8, who: u16) {
        let word = self.look(end);
        if word.is_open_for(who) && self.change(end, word, word.closed()) {
            self.end_streams(end);
        }
    }

    /// Ends both streams of an end and wakes the other end.
    fn end_streams(&self, end: u8) {
        close_for_dead(&self.tx(end), &self.rx(end));
    }

    /// Closes what `dead` had. Idempotent. `second_look` is asked after a word was loaded and before it is changed.
    pub fn repair(&self, dead: u16, second_look: &dyn Fn() -> bool) {
        for end in 0..2 {
            let word = self.look(end);
            if word.is_open_for(dead) && second_look() {
                self.change(end, word, word.lost());
            }
            // Always, also what its owner closed: whoever changed the word may have died before the streams.
            if self.is_closed(end) {
                self.end_streams(end);
            }
        }
    }

    /// `me` gives an end away in a block: OPEN(me) -> TRANSIT(carrier).
    ///
    /// # Errors
    ///
    /// `InvalidState` if the end is not this process's (any more).
    pub fn send_off(&self, end: u8, me: u16, carrier: u64) -> Result<()> {
        let word = self.look(end);
        if word.is_open_for(me) {
            self.carrier(end).store(carrier, Ordering::Relaxed);
            if self.change(end, word, word.sent_off()) {
                return Ok(());
            }
        }
        Err(Error::new(ErrorKind::InvalidState, "pipe", "the end is closed or was given away before"))
    }

    /// `me` takes an end that travelled in a block of its own: TRANSIT -> OPEN(me). One that was closed meanwhile
    /// stays closed.
    pub fn take(&self, end: u8, me: u16) {
        let word = self.look(end);
        if word.state == EndState::Transit {
            self.change(end, word, word.taken(me));
        }
    }

    /// The end that travels in this block.
    pub fn carried_by(&self, carrier: u64) -> Option<u8> {
        (0..2).find(|end| {
            self.look(*end).state == EndState::Transit
                && self.carrier(*end).load(Ordering::Relaxed) == carrier
        })
    }

    /// An end in transit whose carrier does not live any more was lost with it: closes it. `alive` is asked of
    /// the carrier.
    pub fn check_transit(&self, end: u8, alive: impl FnOnce(u64) -> bool) {
        let word = self.look(end);
        // The carrier is freed only after the end was taken, which changes the word: so a word that is the same
        // after the carrier was found dead will not be taken any more.
        if word.state == EndState::Transit
            && !alive(self.carrier(end).load(Ordering::Relaxed))
            && self.change(end, word, word.lost())
        {
            self.end_streams(end);
        }
    }

    fn carrier(&self, end: u8) -> &AtomicU64 {
        &self.header().carriers[usize::from(end & 1)]
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
