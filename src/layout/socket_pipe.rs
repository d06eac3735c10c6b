//! The body of a pipe whose messages travel through a pair of sockets: who has each end, and by what both sleep.
//!
//! ```text
//! 0     PipeHeader, with no lines
//! 128   what end 0 sends: event word not-empty on one line, event word not-full on the next
//! 256   what end 1 sends: the same
//! ```
//! The sockets themselves are not here: each end's process has one descriptor.

use core::mem::offset_of;

use super::pipe::PipeHeader;
use crate::sync::atomic::AtomicU32;

/// The body.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub struct SocketPipeBody {
    /// As of any pipe.
    pub head: PipeHeader,
    /// What each end sends.
    pub directions: [Direction; 2],
}

/// One direction. Each word is on a line of its own: the one is looked at by the sender with each message, the other by the
/// receiver.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub struct Direction {
    /// Event word of a receiver that sleeps.
    pub not_empty: AtomicU32,
    _spare: [AtomicU32; 15],
    /// Event word of a sender that sleeps.
    pub not_full: AtomicU32,
    _spare2: [AtomicU32; 15],
}

/// What the layout hash knows of this file.
pub const SHAPE: &[u64] = &[
    size_of::<SocketPipeBody>() as u64,
    offset_of!(SocketPipeBody, directions) as u64,
    size_of::<Direction>() as u64,
    offset_of!(Direction, not_full) as u64,
];

#[cfg(not(loom))]
const _: () = {
    assert!(size_of::<SocketPipeBody>() == 384);
    assert!(offset_of!(SocketPipeBody, directions) == 128);
    assert!(offset_of!(Direction, not_full) == 64);
};
