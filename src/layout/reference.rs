//! Reference entries: which object a participant, or a message, holds a counted reference to.
//!
//! ```text
//! a participant's table:   ReferenceControl (32 bytes = 2 entries), then ReferenceEntry 2..65,536
//! a message block:         ReferenceEntry 0..children, then the message
//! ```
use core::mem::offset_of;

use crate::sync::atomic::AtomicU64;

/// The first entry of a table that holds a reference.
pub const FIRST_REFERENCE: u32 = 2;

/// One counted reference.
#[repr(C)]
#[derive(Debug, Default)]
pub struct ReferenceEntry {
    /// [`ReferenceWord`]; see there for states and transitions.
    pub word: AtomicU64,
    /// `ObjectId::bits`; written while EMPTY.
    pub object: AtomicU64,
}

/// The state of a reference: EMPTY -> ADD(s) -> HELD -> DROP(s) -> EMPTY, or ADD(s) -> EMPTY when the
/// operation is known not to have happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ReferenceState {
    Empty = 0,
    /// Operation `seq` adds this reference: counted or not yet.
    Add = 1,
    /// Counted.
    Held = 2,
    /// Operation `seq` takes this reference away: still counted or not any more.
    Drop = 3,
}

/// The value of an entry's word: `{seq:62 | state:2}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReferenceWord {
    pub state: ReferenceState,
    /// Of ADD and DROP: the operation, in the sequence of who operates.
    pub seq: u64,
}

impl ReferenceWord {
    pub const EMPTY: Self = Self { state: ReferenceState::Empty, seq: 0 };
    pub const HELD: Self = Self { state: ReferenceState::Held, seq: 0 };

    #[inline]
    pub const fn pack(self) -> u64 {
        self.state as u64 | self.seq << 2
    }

    #[inline]
    pub const fn unpack(word: u64) -> Self {
        let state = match word & 3 {
            0 => ReferenceState::Empty,
            1 => ReferenceState::Add,
            2 => ReferenceState::Held,
            _ => ReferenceState::Drop,
        };
        Self { state, seq: word >> 2 }
    }
}

/// The start of a participant's table. It survives the reuse of the participant's slot.
#[repr(C)]
#[derive(Debug, Default)]
pub struct ReferenceControl {
    /// The number of the last operation begun.
    pub seqno: AtomicU64,
    /// The highest operation that others saw done before they overwrote its stamp.
    pub applied: AtomicU64,
    /// Where the entry of the operation under way is (an offset into the region), 0: none. The place
    /// belongs to the participant as long as this names it.
    pub place: AtomicU64,
    /// Mark: entries of the table from here on have never been used.
    pub end: AtomicU64,
}

/// For the layout hash.
pub const SHAPE: &[u64] = &[
    size_of::<ReferenceEntry>() as u64,
    offset_of!(ReferenceEntry, word) as u64,
    offset_of!(ReferenceEntry, object) as u64,
    size_of::<ReferenceControl>() as u64,
    offset_of!(ReferenceControl, seqno) as u64,
    offset_of!(ReferenceControl, applied) as u64,
    offset_of!(ReferenceControl, place) as u64,
    offset_of!(ReferenceControl, end) as u64,
];

#[cfg(not(loom))]
const _: () = {
    assert!(size_of::<ReferenceEntry>() == 16);
    assert!(size_of::<ReferenceControl>() == 16 * FIRST_REFERENCE as usize);
};
