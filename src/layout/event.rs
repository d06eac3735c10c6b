//! The body of an event: one word, a futex.

use crate::sync::atomic::AtomicU32;
use crate::sync::mutant;

/// One word on a line of its own.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub struct EventBody {
    /// [`EventWord`]; see there for states and transitions.
    pub word: AtomicU32,
    spare: [AtomicU32; 15],
}

/// `{generation:30 | SET | WAITERS}`.
///
/// ```text
/// clear(g)          -> set(g + 1)         and WAITERS goes; if it was there, everybody is woken after that
/// set(g)            -> clear(g)
/// clear(g)          -> clear(g)+WAITERS   by a thread that is about to sleep
/// ```
/// A waiter goes on when it sees SET, *or another generation than when it came*: it may have slept through a set that
/// was cleared at once.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct EventWord(pub u32);

const WAITERS: u32 = 1;
const SET: u32 = 2;
const GENERATION_SHIFT: u32 = 2;

impl EventWord {
    /// The event is set.
    #[inline(always)]
    pub const fn is_set(self) -> bool {
        self.0 & SET != 0
    }

    /// Somebody sleeps, or is about to.
    #[inline(always)]
    pub const fn has_waiters(self) -> bool {
        self.0 & WAITERS != 0
    }

    /// How often it was set, the last 30 bits.
    pub const fn generation(self) -> u32 {
        self.0 >> GENERATION_SHIFT
    }

    /// clear -> set: one generation on.
    pub const fn set(self) -> Self {
        Self(self.generation().wrapping_add(1) << GENERATION_SHIFT | SET)
    }

    /// set -> clear.
    pub const fn cleared(self) -> Self {
        Self(self.0 & !SET)
    }

    /// With the mark of a sleeper.
    pub const fn with_waiters(self) -> Self {
        Self(self.0 | WAITERS)
    }

    /// Whether a waiter that came when the word was `before` may go on.
    #[inline(always)]
    pub fn has_come(self, before: Self) -> bool {
        let pulsed = self.generation() != before.generation();
        self.is_set() || pulsed && !mutant::on("event.bit_only")
    }
}

impl core::fmt::Debug for EventWord {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let set = if self.is_set() { "SET" } else { "CLEAR" };
        let waiters = if self.has_waiters() { "+WAITERS" } else { "" };
        write!(f, "{set}({}){waiters}", self.generation())
    }
}

/// For the layout hash.
pub const SHAPE: &[u64] =
    &[size_of::<EventBody>() as u64, core::mem::offset_of!(EventBody, word) as u64, SET as u64];

#[cfg(not(loom))]
const _: () = assert!(size_of::<EventBody>() == super::LINE);

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_set_that_was_cleared_at_once_is_seen() {
        let before = EventWord::default().with_waiters();
        let pulsed = before.set().cleared();
        assert!(before.set().is_set() && !before.set().has_waiters());
        assert!(!before.has_come(before) && before.set().has_come(before) && pulsed.has_come(before));
        let last = EventWord(u32::MAX << GENERATION_SHIFT);
        assert_eq!(last.set(), EventWord(SET), "the generation wraps within its bits");
        assert!(last.set().cleared().has_come(last));
    }
}
