//! Announcements: what a thread looks at just now, and others must not take away.
//!
//! Each participant has a page of lines, each of its threads one of them. A word is a block reference (`BlockRef`): of the block
//! that must not be freed, or of the body of an object in whose content the thread is at work. Zero: nothing.
//!
//! ```text
//! 0 -> reference    by the line's thread, which then looks again whether that is still what it meant
//! reference -> 0    by the same thread, or by the one reaper of its process
//! ```
use core::mem::offset_of;

use super::PAGE;
use crate::sync::atomic::AtomicU64;
use crate::sync::atomic::Ordering::Relaxed;

/// Words for what is read in a line.
pub const HELD: usize = 7;

/// One thread's announcements.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub struct AnnounceLine {
    /// What is read in place.
    pub held: [AtomicU64; HELD],
    /// What a lone element is written to at this moment.
    pub set: AtomicU64,
}

/// Bytes of one participant's lines.
pub const ANNOUNCEMENTS_SIZE: u64 = PAGE;

/// Lines of one participant.
pub const LINES: u64 = ANNOUNCEMENTS_SIZE / size_of::<AnnounceLine>() as u64;

/// In the mark of a participant (`ParticipantSlot::announced`): its threads leave the fence between announcing and looking again to those who
/// ask (`membarrier(2)`).
pub const RELIES: u64 = 1 << 32;

impl AnnounceLine {
    /// A word of [`held`](Self::held) that announces nothing. For the line's thread.
    #[inline(always)]
    pub fn vacant(&self) -> Option<&AtomicU64> {
        let [first, ..] = &self.held;
        // Relaxed: this thread alone writes to it.
        if first.load(Relaxed) == 0 { Some(first) } else { self.vacant_behind() }
    }

    #[cold]
    fn vacant_behind(&self) -> Option<&AtomicU64> {
        self.held.iter().find(|word| word.load(Relaxed) == 0)
    }
}

/// For the layout hash.
pub const SHAPE: &[u64] =
    &[size_of::<AnnounceLine>() as u64, offset_of!(AnnounceLine, set) as u64, ANNOUNCEMENTS_SIZE];

#[cfg(not(loom))]
const _: () = assert!(size_of::<AnnounceLine>() == 64 && LINES == 64);
