//! The body of a pipe: who has each end, and the four rooms of its two streams.
//!
//! ```text
//! 0     PipeHeader (at the first multiple of 128 in the body)
//! 128   end 0: writer's room (its lines), reader's room
//! ..    end 1: the same
//! ```
//! The writer's room of end 0 is read by end 1 with the reader's room of end 1, and the other way round.

use super::stream::{RX_ROOM, tx_room};
use crate::sync::atomic::AtomicU64;

/// Lines of each direction: 8 KiB, so that a pipe is a small block.
pub const PIPE_LINES: u32 = 128;

/// The first lines of a pipe, whatever carries its messages.
#[repr(C)]
#[derive(Debug, Default)]
pub struct PipeHeader {
    /// [`EndWord`] of each end.
    pub ends: [AtomicU64; 2],
    /// Lines of each direction; written once before anyone else sees the pipe. 0: [`super::socket_pipe`].
    pub lines: AtomicU64,
    /// The block that carries each end, while it is in transit.
    pub carriers: [AtomicU64; 2],
    _spare: [AtomicU64; 11],
}

/// Where the rooms of end 0 start.
pub const ROOMS: u64 = 128;

/// Bytes of both rooms of one end.
pub const fn end_room(lines: u32) -> u64 {
    tx_room(lines) + RX_ROOM
}

/// Alignment of a pipe. Bodies have less, so that it starts at the first such address in its body: offsets in a region
/// are aligned as addresses are, up to a page.
pub const ALIGN: u64 = 128;

/// Bytes of a pipe's body.
pub const fn body_len(lines: u32) -> u64 {
    ALIGN - super::LINE as u64 + ROOMS + 2 * end_room(lines)
}

/// Who has an end: `{turn:48 | who:14 | state:2}`.
///
/// ```text
/// OPEN(me)  -> TRANSIT        its owner puts it into the arguments of a process
/// TRANSIT   -> OPEN(me)       the process that received it takes it; the turn goes up
/// OPEN(me)  -> CLOSED         its owner closes or drops it
/// OPEN(d)   -> CLOSED (lost)  the reaper of d
/// TRANSIT   -> CLOSED (lost)  what carried it is gone: by whoever notices
/// ```
/// Every change is a CAS of the whole word, CLOSED is final. The turn tells two owners with the same id apart: without it
/// a helper that judged the first one dead, and was stopped, could rob the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndWord {
    pub state: EndState,
    /// Of OPEN: the participant. Of CLOSED: 1 if the end was lost and not closed.
    pub who: u16,
    pub turn: u64,
}

/// The states of an [`EndWord`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum EndState {
    /// Never seen by others: a pipe is shared when its ends are open.
    None = 0,
    Open = 1,
    Transit = 2,
    Closed = 3,
}

impl EndWord {
    /// An end of a new pipe.
    pub const fn new(owner: u16) -> Self {
        Self { state: EndState::Open, who: owner, turn: 0 }
    }

    /// The word as stored.
    pub const fn pack(self) -> u64 {
        self.state as u64 | ((self.who & 0x3fff) as u64) << 2 | self.turn << 16
    }

    /// Reads a stored word.
    pub const fn unpack(word: u64) -> Self {
        let state = match word & 3 {
            0 => EndState::None,
            1 => EndState::Open,
            2 => EndState::Transit,
            _ => EndState::Closed,
        };
        Self { state, who: (word >> 2 & 0x3fff) as u16, turn: word >> 16 }
    }

    /// Whether `who` has it.
    pub fn is_open_for(self, who: u16) -> bool {
        self.state == EndState::Open && self.who == who
    }

    /// On its way.
    pub const fn sent_off(self) -> Self {
        Self { state: EndState::Transit, who: 0, turn: self.turn }
    }

    /// Arrived.
    pub const fn taken(self, who: u16) -> Self {
        Self { state: EndState::Open, who, turn: self.turn.wrapping_add(1) }
    }

    /// Closed by its owner.
    pub const fn closed(self) -> Self {
        Self { state: EndState::Closed, who: 0, turn: self.turn }
    }

    /// Closed for a dead owner, or lost on its way.
    pub const fn lost(self) -> Self {
        Self { state: EndState::Closed, who: 1, turn: self.turn }
    }

    /// Whether it was [`lost`](Self::lost).
    pub fn is_lost(self) -> bool {
        self.state == EndState::Closed && self.who == 1
    }
}

#[cfg(not(loom))]
const _: () = {
    assert!(size_of::<PipeHeader>() as u64 == ROOMS);
    assert!(body_len(PIPE_LINES) <= super::block::SMALL_MAX);
};

/// What the layout hash knows of this file.
pub const SHAPE: &[u64] =
    &[size_of::<PipeHeader>() as u64, ROOMS, ALIGN, PIPE_LINES as u64, body_len(PIPE_LINES)];
