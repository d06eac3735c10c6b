//! L0: every structure that lives in a region, with its offsets and sizes asserted when the library is
//! built. `FORMAT.md` draws them.
//!
//! Rules: `#[repr(C)]`, atomics of `crate::sync` only, no pointers (offsets from the region's start),
//! lines of 64 bytes spelled out, and all bytes zero is a valid, free state of everything.

/// The size of a cache line in the format, whatever the machine says.
pub const LINE: usize = 64;

/// Most participants of one region; ids are 1..=MAX_PARTICIPANTS and fit the 13 bits that words give them.
pub const MAX_PARTICIPANTS: usize = 1023;
