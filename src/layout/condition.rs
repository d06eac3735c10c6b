//! The body of a condition: a line of numbers, then a cell for each waiter, each on a line of its own, since a waiter looks
//! at its cell all the time before it sleeps.
//!
//! ```text
//! 0    sequence  u32   of the next waiter; written by who has the lock
//! 4    used      u32   cells from here on have never been used; grows only, written by who has the lock
//! 8    cells     u32   how many there are
//! 16   lock      u64   the name of its lock
//! 64   cells           `cells` lines, of which the first 8 bytes are used: CellWord
//! ```

use core::mem::offset_of;

use super::lock::LockWord;
use super::{LINE, ParticipantId};
use crate::sync::atomic::{AtomicU32, AtomicU64};

/// The line at the start; the cells follow.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub struct ConditionBody {
    pub sequence: AtomicU32,
    pub used: AtomicU32,
    pub cells: AtomicU32,
    spare: AtomicU32,
    pub lock: AtomicU64,
    rest: [AtomicU64; 5],
}

/// A waiter's place.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub struct ConditionCell {
    /// [`CellWord`]; see there for states and transitions. Its low half is a futex.
    pub word: AtomicU64,
    rest: [AtomicU64; 7],
}

/// Most cells of one condition.
pub const MAX_CELLS: u32 = 1 << 16;

/// Where cell `index` lies in the body.
pub const fn cell_at(index: u32) -> u64 {
    (size_of::<ConditionBody>() + index as usize * size_of::<ConditionCell>()) as u64
}

/// Bytes of a body with so many cells.
pub const fn body_len(cells: u32) -> u64 {
    cell_at(cells)
}

/// `{the waiter, as an owner of a lock would be named:32 | sequence:28 | 0 | ASLEEP | state:2}`.
///
/// ```text
/// FREE            -> WAITING(me)         by who has the lock, before it lets go of it
/// WAITING(me)     -> WAITING(me)+ASLEEP  about to sleep on the low half: who notifies it must wake it
/// WAITING(w)      -> NOTIFIED(w)         by who has the lock; or by the reaper of anybody, without it
/// WAITING(me)     -> FREE                the time is up, or the wait was cancelled
/// NOTIFIED(me)    -> FREE                the lock is back, as often as before: here the notification is consumed
/// any (d)         -> FREE                the reaper of d, before it touches other cells
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct CellWord(pub u64);

const STATE_MASK: u64 = 3;
const WAITING: u64 = 1;
const NOTIFIED: u64 = 2;
const ASLEEP: u64 = 4;
const SEQUENCE_SHIFT: u32 = 4;
const SEQUENCE_MASK: u32 = 0x0fff_ffff;
const OWNER_SHIFT: u32 = 32;

/// What a [`CellWord`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellState {
    Free,
    Waiting,
    Notified,
}

impl CellWord {
    /// Nobody's.
    pub const FREE: Self = Self(0);

    /// FREE -> WAITING.
    pub const fn waiting(me: LockWord, sequence: u32) -> Self {
        Self(me.0 << OWNER_SHIFT | ((sequence & SEQUENCE_MASK) as u64) << SEQUENCE_SHIFT | WAITING)
    }

    /// WAITING -> WAITING+ASLEEP.
    pub const fn asleep(self) -> Self {
        Self(self.0 | ASLEEP)
    }

    /// WAITING -> NOTIFIED.
    pub const fn notified(self) -> Self {
        Self(self.0 & !(STATE_MASK | ASLEEP) | NOTIFIED)
    }

    /// What it says.
    #[inline(always)]
    pub const fn state(self) -> CellState {
        match self.0 & STATE_MASK {
            WAITING => CellState::Waiting,
            NOTIFIED => CellState::Notified,
            _ => CellState::Free,
        }
    }

    /// Who notifies it must wake it.
    #[inline]
    pub const fn is_asleep(self) -> bool {
        self.0 & ASLEEP != 0
    }

    /// Whether it is a cell of this participant, of whatever incarnation.
    pub fn is_of(self, who: ParticipantId) -> bool {
        use super::lock::LockState;
        matches!(LockWord(self.0 >> OWNER_SHIFT).state(), LockState::Owned(owner, _) if owner == who)
    }

    /// How many waiters came since, when the next one's number is `next`.
    pub const fn age(self, next: u32) -> u32 {
        next.wrapping_sub((self.0 >> SEQUENCE_SHIFT) as u32) & SEQUENCE_MASK
    }

    /// The half that is slept on.
    #[inline]
    pub const fn futex(self) -> u32 {
        self.0 as u32
    }
}

impl core::fmt::Debug for CellWord {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let asleep = if self.is_asleep() { "+ASLEEP" } else { "" };
        let (owner, sequence) = (LockWord(self.0 >> OWNER_SHIFT), self.0 as u32 >> SEQUENCE_SHIFT);
        write!(f, "{:?}({owner:?}, {sequence}){asleep}", self.state())
    }
}

/// For the layout hash.
pub const SHAPE: &[u64] = &[
    size_of::<ConditionBody>() as u64,
    offset_of!(ConditionBody, sequence) as u64,
    offset_of!(ConditionBody, used) as u64,
    offset_of!(ConditionBody, cells) as u64,
    offset_of!(ConditionBody, lock) as u64,
    size_of::<ConditionCell>() as u64,
    offset_of!(ConditionCell, word) as u64,
    MAX_CELLS as u64,
    ASLEEP,
    SEQUENCE_SHIFT as u64,
];

#[cfg(not(loom))]
const _: () = {
    assert!(size_of::<ConditionBody>() == LINE);
    assert!(size_of::<ConditionCell>() == LINE);
};
#[cfg(loom)]
const _: usize = LINE;

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn cells_say_what_was_put_in() {
        assert_eq!(CellWord::default().state(), CellState::Free);
        for (who, sequence) in [(1, 0), (1023, SEQUENCE_MASK), (7, 12_345)] {
            let word = CellWord::waiting(LockWord::owned(who, 9), sequence);
            assert_eq!((word.state(), word.is_asleep(), word.age(sequence)), (CellState::Waiting, false, 0));
            assert!(word.is_of(who) && !word.is_of(who + 1) && !CellWord::FREE.is_of(who));
            assert_eq!((word.asleep().state(), word.asleep().is_asleep()), (CellState::Waiting, true));
            assert_eq!(word.asleep().notified(), word.notified());
            assert_eq!((word.notified().state(), word.notified().is_asleep()), (CellState::Notified, false));
            assert!(word.notified().is_of(who));
        }
        let last = CellWord::waiting(LockWord::owned(1, 1), SEQUENCE_MASK);
        assert_eq!(last.age(3), 4, "older than one that came after the numbers began anew");
    }
}
