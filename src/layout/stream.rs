//! One direction of a connection: lines of 64 bytes that the writer fills, and one header for each side.
//!
//! ```text
//! TxRoom (written by the writer only)             RxRoom (written by the reader only)
//! 0    state | event                              0    state | event
//! 128  line 0 .. line N-1, 64 bytes each          128  position
//! ```
//! The two rooms are separate structures, so that they can live in regions that only one side can write.

use crate::sync::atomic::{AtomicU32, AtomicU64};

/// Payload words of a line.
pub const LINE_WORDS: usize = 7;
/// Payload bytes of a line: a message up to this length lies within one line.
pub const LINE_BYTES: usize = LINE_WORDS * 8;
/// Fewest lines of a stream.
pub const MIN_LINES: u32 = 2;
/// Most lines of a stream: line numbers (20 bits) of two neighbouring laps must differ.
pub const MAX_LINES: u32 = 1 << 19;

/// One line: 8 bytes of header, 56 of payload.
///
/// `word` = `{ line number:20 | valid:6 | code:6 }`, see `ring::stream::word`. All messages of a line have one
/// length and one `tag`.
///
/// ```text
/// all zero, or the number of the lap before  -- nothing yet
///   -> {n, valid, code}   the writer, Release, after tag and payload
///   -> {n, valid+, code}  the writer appends a message of the same length and tag, Release
///   -> {n+N, ..}          the writer again, after the reader's position has passed n
/// ```
#[repr(C)]
#[cfg_attr(not(loom), repr(align(64)))]
#[derive(Debug, Default)]
pub struct Line {
    pub word: AtomicU32,
    /// Type of the messages in this line; stored before the line's first `word`.
    pub tag: AtomicU32,
    pub payload: [AtomicU64; LINE_WORDS],
}

/// The words by which one side sleeps and is woken; written by that side only.
///
/// Read-mostly: while nobody sleeps, each side reads the other's `state` and nobody writes.
#[repr(C)]
#[cfg_attr(not(loom), repr(align(128)))]
#[derive(Debug, Default)]
pub struct EndWords {
    /// `{ generation:28 | CLOSED | ESTABLISHED | REQUEST | PARKED }`, see `prim::park`.
    pub state: AtomicU32,
    /// The futex on which the *other* side sleeps; changed by this side when it wakes that sleeper.
    pub event: AtomicU32,
}

/// What the writer's side of a stream starts with; its lines follow.
#[repr(C)]
#[derive(Debug, Default)]
pub struct TxHeader {
    pub end: EndWords,
}

/// The reader's side of a stream.
#[repr(C)]
#[derive(Debug, Default)]
pub struct RxHeader {
    pub end: EndWords,
    pub position: Position,
}

/// The line that the reader is at, on a cache line of its own: it changes once a line, or once in several.
#[repr(C)]
#[cfg_attr(not(loom), repr(align(128)))]
#[derive(Debug, Default)]
pub struct Position {
    /// `{ line number:20 | taken:12 }`: all lines before that number are free again; `taken` bytes (for empty
    /// messages: messages) of that line are consumed. Within a line only [`settle`] stores it.
    ///
    /// [`settle`]: crate::ring::stream::StreamRx::settle
    pub word: AtomicU32,
}

/// Bytes of the writer's room with `lines` lines.
pub const fn tx_room(lines: u32) -> u64 {
    TX_LINES + lines as u64 * 64
}

/// Offset of the first line in the writer's room.
pub const TX_LINES: u64 = 128;
/// Bytes of the reader's room.
pub const RX_ROOM: u64 = 256;

#[cfg(not(loom))]
const _: () = {
    assert!(size_of::<Line>() == 64 && align_of::<Line>() == 64);
    assert!(core::mem::offset_of!(Line, word) == 0);
    assert!(core::mem::offset_of!(Line, tag) == 4);
    assert!(core::mem::offset_of!(Line, payload) == 8);
    assert!(size_of::<EndWords>() == 128);
    assert!(core::mem::offset_of!(EndWords, state) == 0);
    assert!(core::mem::offset_of!(EndWords, event) == 4);
    assert!(size_of::<TxHeader>() as u64 == TX_LINES);
    assert!(size_of::<RxHeader>() as u64 == RX_ROOM);
    assert!(core::mem::offset_of!(RxHeader, position) == 128);
};

/// What the layout hash knows of this file.
pub const SHAPE: &[u64] = &[
    size_of::<Line>() as u64,
    size_of::<TxHeader>() as u64,
    size_of::<RxHeader>() as u64,
    TX_LINES,
    RX_ROOM,
    MAX_LINES as u64,
];
