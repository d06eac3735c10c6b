//! The body of a semaphore: its value, and a lane for each thread that takes permits.
//!
//! ```text
//! 0    word      u64   the value and who changed it last, see SemaphoreWord
//! 8    event     u32   those who wait for a permit sleep by it
//! 12   lanes     u32   how many there are; written once before anybody else sees the semaphore
//! 16   bound     u64   of a bounded semaphore: 1 more than what the value does not exceed; 0: it is not bounded; written once
//! 24   spare
//! 64   lanes, 64 bytes each:
//!      0    owner   u64   the thread that has the lane, see LaneOwner
//!      8    word    u64   what it holds and what it is about to do, see LaneWord
//!      16   spare
//! ```
//! Lanes have numbers from 1.

use core::mem::offset_of;

use super::ParticipantId;
use super::lock::{LockState, LockWord};
use crate::sync::atomic::{AtomicU32, AtomicU64};
use crate::sync::mutant;

/// The start of the body.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub struct SemaphoreBody {
    /// [`SemaphoreWord`].
    pub word: AtomicU64,
    pub event: AtomicU32,
    pub lanes: AtomicU32,
    pub bound: AtomicU64,
    spare: [AtomicU64; 5],
}

/// What a thread holds of a semaphore.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub struct Lane {
    /// [`LaneOwner`].
    pub owner: AtomicU64,
    /// [`LaneWord`]; see there for states and transitions.
    pub word: AtomicU64,
    spare: [AtomicU64; 6],
}

/// The largest value.
pub const VALUE_MAX: u32 = (1 << 31) - 1;
/// The most lanes of a semaphore.
pub const LANES_MAX: u32 = 16_000;

const SEQ_BITS: u32 = 19;
const SEQ_MASK: u64 = (1 << SEQ_BITS) - 1;
const NUMBER_BITS: u32 = 14;
const NUMBER_MASK: u64 = (1 << NUMBER_BITS) - 1;
const VALUE_SHIFT: u32 = SEQ_BITS + NUMBER_BITS;

/// The value, stamped with who changed it last: `{value:31 | lane:14 | seq:19}`.
///
/// The stamp says that the operation `seq` of this lane has happened, whatever its [`LaneWord`] says; lane 0: the last
/// change was nobody's. Whoever overwrites a stamp first brings the lane's word up to date, if its owner has not.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SemaphoreWord(pub u64);

impl SemaphoreWord {
    /// Of a new semaphore.
    pub const fn new(value: u32) -> Self {
        Self((value as u64) << VALUE_SHIFT)
    }

    /// How many permits are free.
    #[inline(always)]
    pub const fn value(self) -> u32 {
        (self.0 >> VALUE_SHIFT) as u32
    }

    /// The lane that changed it last; 0: none.
    #[inline(always)]
    pub const fn lane(self) -> u32 {
        (self.0 >> SEQ_BITS & NUMBER_MASK) as u32
    }

    const fn stamped(value: u32, lane: u32, by: LaneWord) -> Self {
        Self((value as u64) << VALUE_SHIFT | (lane as u64) << SEQ_BITS | by.seq() & SEQ_MASK)
    }

    /// One permit less, by the operation that `lane` intends. The value is not zero.
    #[inline(always)]
    pub const fn taken(self, lane: u32, intent: LaneWord) -> Self {
        Self::stamped(self.value().wrapping_sub(1) & VALUE_MAX, lane, intent)
    }

    /// So many permits more, by the operation that `lane` intends; at most `max` in all.
    #[inline(always)]
    pub const fn returned(self, permits: u32, max: u32, lane: u32, intent: LaneWord) -> Self {
        let value = self.value().saturating_add(permits);
        Self::stamped(if value > max { max } else { value }, lane, intent)
    }

    /// One permit more, by anybody. The value is below the most that it may be.
    #[inline(always)]
    pub const fn given(self) -> Self {
        Self::new(self.value() + 1)
    }

    /// Whether it says that the operation that `lane` intends has happened.
    #[inline(always)]
    pub const fn says_done(self, lane: u32, intent: LaneWord) -> bool {
        self.lane() == lane && (self.0 ^ intent.seq()) & SEQ_MASK == 0
    }
}

impl core::fmt::Debug for SemaphoreWord {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} by {}:{}", self.value(), self.lane(), self.0 & SEQ_MASK)
    }
}

/// What a thread is about to do to the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum LaneOp {
    /// Nothing: the lane is at rest.
    None = 0,
    /// To take a permit.
    Acquire = 1,
    /// To give back one that it holds.
    Release = 2,
    /// The reaper of its dead owner: to give back all that it holds.
    Return = 3,
}

/// What a lane holds, and what is about to be done to it: `{op:2 | seq:30 | held:32}`.
///
/// ```text
/// (None, s, h)        -> (op, s+1, h)         by its owner, or by the reaper of its owner (Return)
/// (Acquire, s, h)     -> (None, s, h+1)       the semaphore's word had the stamp (lane, s): by the owner, by whoever wants to
/// (Release, s, h)     -> (None, s, h-1)       overwrite the stamp, or by the reaper
/// (Return, s, h)      -> (None, s, 0)
/// (op, s, h)          -> (None, s, h)         it has not happened: by the owner that gives up, or by the reaper
/// (None, s, h)        -> (None, s, h-1)       by the owner, who keeps the permit for good
/// ```
/// `seq` goes on when the lane changes hands: an old stamp must not speak of a new owner's operation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct LaneWord(pub u64);

const OP_SHIFT: u32 = 62;
const LANE_SEQ_SHIFT: u32 = 32;
const LANE_SEQ_MASK: u64 = (1 << 30) - 1;

impl LaneWord {
    const fn new(op: LaneOp, seq: u64, held: u32) -> Self {
        Self((op as u64) << OP_SHIFT | (seq & LANE_SEQ_MASK) << LANE_SEQ_SHIFT | held as u64)
    }

    /// What is about to be done.
    #[inline(always)]
    pub const fn op(self) -> LaneOp {
        match self.0 >> OP_SHIFT {
            0 => LaneOp::None,
            1 => LaneOp::Acquire,
            2 => LaneOp::Release,
            _ => LaneOp::Return,
        }
    }

    const fn seq(self) -> u64 {
        self.0 >> LANE_SEQ_SHIFT & LANE_SEQ_MASK
    }

    /// How many permits the lane holds, not counting what is about to be done.
    #[inline(always)]
    pub const fn held(self) -> u32 {
        self.0 as u32
    }

    /// Something is about to be done, or was, and the word does not say so yet.
    #[inline(always)]
    pub const fn is_pending(self) -> bool {
        self.0 >> OP_SHIFT != 0
    }

    /// The next operation is about to be done.
    #[inline(always)]
    pub const fn intends(self, op: LaneOp) -> Self {
        Self::new(op, self.seq() + 1, self.held())
    }

    /// It has happened.
    #[inline(always)]
    pub const fn finished(self) -> Self {
        let held = match self.op() {
            LaneOp::None => self.held(),
            LaneOp::Acquire => self.held().saturating_add(1),
            LaneOp::Release => self.held().saturating_sub(1),
            LaneOp::Return => 0,
        };
        Self::new(LaneOp::None, self.seq(), held)
    }

    /// It has not happened, and will not.
    #[inline(always)]
    pub const fn withdrawn(self) -> Self {
        Self::new(LaneOp::None, self.seq(), self.held())
    }

    /// A permit is kept for good: nobody gives it back for its holder any more.
    #[inline(always)]
    pub const fn forgotten(self) -> Self {
        Self::new(self.op(), self.seq(), self.held().saturating_sub(1))
    }

    /// What a new owner of the lane starts with.
    pub fn inherited(self) -> Self {
        if mutant::on("semaphore.seq_restarts") { Self::new(self.op(), 0, self.held()) } else { self }
    }
}

impl core::fmt::Debug for LaneWord {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:?}:{} holds {}", self.op(), self.seq(), self.held())
    }
}

/// Whose a lane is: `{tenant:32 | thread:32}`, zero if nobody's; the tenant as in a [`LockWord`].
///
/// ```text
/// 0          -> mine     CAS, by a thread that has none yet
/// (me, old)  -> mine     CAS, a thread of the same process has ended, and the lane holds nothing
/// (d, any)   -> 0        the reaper of d, last; or d itself when it lets go of its last handle
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct LaneOwner(pub u64);

impl LaneOwner {
    /// Nobody's.
    pub const NOBODY: Self = Self(0);

    /// This thread of this process.
    #[inline(always)]
    pub const fn new(tenant: LockWord, thread: u32) -> Self {
        Self(tenant.0 << 32 | thread as u64)
    }

    /// The process.
    #[inline(always)]
    pub const fn tenant(self) -> LockWord {
        LockWord(self.0 >> 32)
    }

    /// The thread.
    #[inline(always)]
    pub const fn thread(self) -> u32 {
        self.0 as u32
    }

    /// The participant.
    pub const fn participant(self) -> Option<ParticipantId> {
        match self.tenant().state() {
            LockState::Owned(who, _) => Some(who),
            _ => None,
        }
    }
}

/// The most permits that may be free, as a body's `bound` says it.
pub const fn max_of(bound: u64) -> u32 {
    match bound.checked_sub(1) {
        Some(max) if max < VALUE_MAX as u64 => max as u32,
        _ => VALUE_MAX,
    }
}

/// What a body's `bound` says of a semaphore that is bounded by `max`.
pub const fn bound_of(max: u32) -> u64 {
    max as u64 + 1
}

/// Bytes of the body of a semaphore with so many lanes.
pub const fn body_len(lanes: u32) -> u64 {
    size_of::<SemaphoreBody>() as u64 + lanes as u64 * size_of::<Lane>() as u64
}

/// What the layout hash knows of this file.
pub const SHAPE: &[u64] = &[
    size_of::<SemaphoreBody>() as u64,
    offset_of!(SemaphoreBody, word) as u64,
    offset_of!(SemaphoreBody, event) as u64,
    offset_of!(SemaphoreBody, lanes) as u64,
    offset_of!(SemaphoreBody, bound) as u64,
    size_of::<Lane>() as u64,
    offset_of!(Lane, owner) as u64,
    offset_of!(Lane, word) as u64,
    SEQ_BITS as u64,
    NUMBER_BITS as u64,
    LANE_SEQ_SHIFT as u64,
    OP_SHIFT as u64,
];

#[cfg(not(loom))]
const _: () = {
    assert!(size_of::<SemaphoreBody>() == 64);
    assert!(size_of::<Lane>() == 64);
    assert!((LANES_MAX as u64) < NUMBER_MASK);
};

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_value_keeps_its_stamp() {
        let intent = LaneWord::default().intends(LaneOp::Acquire);
        let word = SemaphoreWord::new(VALUE_MAX);
        assert_eq!((word.value(), word.lane()), (VALUE_MAX, 0));
        let taken = word.taken(LANES_MAX, intent);
        assert_eq!((taken.value(), taken.lane()), (VALUE_MAX - 1, LANES_MAX));
        assert!(taken.says_done(LANES_MAX, intent) && !taken.says_done(1, intent));
        assert!(!taken.says_done(LANES_MAX, intent.finished().intends(LaneOp::Release)));
        assert_eq!(taken.given(), word);
        assert_eq!(word.returned(u32::MAX, 7, 1, intent).value(), 7);
        assert_eq!(SemaphoreWord::new(0).returned(u32::MAX, VALUE_MAX, 1, intent).value(), VALUE_MAX);
        // Bytes that nobody wrote must not make anybody panic.
        assert_eq!(SemaphoreWord::new(0).taken(1, intent).value(), VALUE_MAX);
    }

    #[test]
    fn a_lane_counts_what_has_happened() {
        let rest = LaneWord::default();
        let taking = rest.intends(LaneOp::Acquire);
        assert!(taking.is_pending() && !rest.is_pending());
        assert_eq!((taking.op(), taking.held()), (LaneOp::Acquire, 0));
        let one = taking.finished();
        assert_eq!((one.op(), one.held(), one.seq()), (LaneOp::None, 1, 1));
        assert_eq!(taking.withdrawn().held(), 0);
        let two = one.intends(LaneOp::Acquire).finished();
        assert_eq!(two.intends(LaneOp::Release).finished().held(), 1);
        assert_eq!(two.intends(LaneOp::Return).finished().held(), 0);
        assert_eq!((two.forgotten().held(), two.forgotten().seq()), (1, 2));
        assert_eq!(rest.intends(LaneOp::Release).finished().held(), 0);
        let last = LaneWord::new(LaneOp::None, LANE_SEQ_MASK, u32::MAX).intends(LaneOp::Acquire);
        assert_eq!((last.seq(), last.finished().held()), (0, u32::MAX));
    }

    #[test]
    fn a_bound_may_be_zero() {
        assert_eq!([max_of(0), max_of(u64::MAX)], [VALUE_MAX; 2]);
        assert_eq!([0, 1, VALUE_MAX].map(|max| max_of(bound_of(max))), [0, 1, VALUE_MAX]);
    }

    #[test]
    fn an_owner_names_its_participant() {
        let owner = LaneOwner::new(LockWord::owned(1023, 5), u32::MAX);
        assert_eq!((owner.participant(), owner.thread()), (Some(1023), u32::MAX));
        assert_eq!(LaneOwner::NOBODY.participant(), None);
    }
}
