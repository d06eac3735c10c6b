//! Who a process is in a region.

use crate::layout::ParticipantId;

/// The calling process: its slot, and which tenant of the slot it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Me {
    pub id: ParticipantId,
    pub incarnation: u32,
}

impl Me {
    /// One word: incarnation in the high half, id in the low. Never zero.
    #[inline(always)]
    pub fn to_bits(self) -> u64 {
        u64::from(self.incarnation) << 32 | u64::from(self.id)
    }

    /// The inverse of [`to_bits`](Self::to_bits); zero is nobody.
    #[inline(always)]
    pub fn from_bits(bits: u64) -> Option<Self> {
        (bits != 0).then_some(Self { id: bits as ParticipantId, incarnation: (bits >> 32) as u32 })
    }
}

/// A slot that a parent holds for a child to come. The child attaches with it; if the parent dies first, the
/// seat is taken back and the child's attach fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Seat {
    pub id: ParticipantId,
    pub incarnation: u32,
}

impl Seat {
    /// The seat as one word, for a message to the child.
    pub fn to_bits(self) -> u64 {
        Me { id: self.id, incarnation: self.incarnation }.to_bits()
    }

    /// The inverse of [`to_bits`](Self::to_bits); zero is no seat.
    pub fn from_bits(bits: u64) -> Option<Self> {
        Me::from_bits(bits).map(|me| Self { id: me.id, incarnation: me.incarnation })
    }
}
