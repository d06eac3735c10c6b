//! The body of a lock (plain or recursive): who has it, and who had it when it died.
//!
//! ```text
//! 0    word      u64   who owns it, see LockWord
//! 8    again     u64   of a recursive lock: how often its owner has it besides the first time; written by the owner
//! 16   key       u64   { check of pid and name : 32 | whom they are about : 32 }: the key in an ORPHAN word, and 1 above
//!                     it; zero while it is written
//! 24   pid       u64
//! 32   backend   u64   what excludes, see BackendWord; written before anyone else sees the body; zero: the word itself
//! 64   name            64 bytes of UTF-8, padded with zeros
//! 128  of the backends of the C library alone: its object, 64 bytes
//! ```
//! With such a backend the word says who the owner is, and excludes nobody: it is stored after the library's object was taken,
//! and cleared before it is given back.
//!
//! The obituary is for people: it says who died, where the participant's own slot does not say it any more.

use core::mem::offset_of;

use super::ParticipantId;
use super::participant::NAME_BYTES;
use crate::sync::atomic::AtomicU64;
use crate::sync::mutant;

/// See the module.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub struct LockBody {
    /// [`LockWord`]; see there for states and transitions.
    pub word: AtomicU64,
    pub again: AtomicU64,
    pub key: AtomicU64,
    pub pid: AtomicU64,
    pub backend: AtomicU64,
    spare: [AtomicU64; 3],
    pub name: [AtomicU64; NAME_BYTES / 8],
}

/// Words behind the body that an object of the C library has: one line.
pub const NATIVE_WORDS: usize = 8;

/// What excludes: `{ layout of the C library's objects:32 | backend:32 }`. 0 the futex of the word, 1 a POSIX semaphore, 2 a
/// pthread mutex.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BackendWord {
    pub backend: u32,
    /// Builds of which this differs cannot use each other's objects; 0 of a futex.
    pub library: u32,
}

impl BackendWord {
    pub const fn pack(self) -> u64 {
        self.backend as u64 | (self.library as u64) << 32
    }

    pub const fn unpack(word: u64) -> Self {
        Self { backend: word as u32, library: (word >> 32) as u32 }
    }
}

/// Who owns a lock: `{thread:32 | incarnation:19 | who:11 | DIRTY:1 | WAITERS:1}`. The low half is a futex.
///
/// ```text
/// FREE            -> OWNED(me)            CAS, keeps WAITERS; whoever has slept sets it
/// OWNED(me)       -> FREE                 CAS if nobody waits; else FREE+WAITERS by FUTEX_WAKE_OP, which wakes one
///                                         in the same step of the kernel: neither a kill nor a stop fits between
/// FREE+WAITERS    -> OWNED(me)            the release that woke nobody takes it back, to find out whether anybody
///                                         is left to be woken; if so it sets WAITERS again
/// OWNED(o)        -> OWNED(o)+WAITERS     by a thread that is about to sleep
/// OWNED(d)        -> OWNED(me)+DIRTY+WAITERS   d is dead: its heir, told so
/// OWNED(d)        -> ORPHAN(key)+WAITERS  the reaper of d; then everybody is woken
/// ORPHAN          -> OWNED(me)+DIRTY+WAITERS   its heir
/// OWNED(me)+DIRTY -> OWNED(me)            the heir has repaired what the lock protects
/// OWNED(me)+DIRTY -> POISON               it has not; then everybody is woken
/// POISON          -> OWNED(me)+DIRTY+WAITERS   somebody will repair it after all
/// ```
/// The incarnation (its low 19 bits) tells the tenants of one participant slot apart: without it a new process with
/// a dead one's id would own what that one owned. (Only one that is stopped between its look and its change for exactly
/// 524,288 tenancies of a slot, or a multiple, could take a later tenant's word for the dead one's.)
///
/// The thread counts only while the word says OWNED: the kernel's release changes the low half alone, so that a free word
/// may have any. With the thread in the word an owner is known the moment it has the lock: a word beside it would be late,
/// and another thread of the same process might take itself for the owner.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct LockWord(pub u64);

/// Somebody sleeps, or is about to.
pub const WAITERS: u64 = 1;
/// The owner inherited it from a dead one and has not said that all is well.
pub const DIRTY: u64 = 2;
const FLAGS: u64 = WAITERS | DIRTY;
const WHO_SHIFT: u32 = 2;
const WHO_MASK: u64 = 0x7ff;
const INCARNATION_SHIFT: u32 = 13;
/// The bits of an incarnation that a word keeps.
pub const INCARNATION_MASK: u32 = 0x7_ffff;
const THREAD_SHIFT: u32 = 32;
const ORPHAN: u64 = 0x7fe;
const POISON: u64 = 0x7ff;

/// What a [`LockWord`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockState {
    Free,
    /// This tenant of this slot: an incarnation's low bits.
    Owned(ParticipantId, u32),
    /// The owner died and was cleared away; the key of its obituary.
    Orphan(u32),
    /// An heir gave up.
    Poison,
}

impl LockWord {
    /// Nobody's.
    pub const FREE: Self = Self(0);
    /// Nobody's, and somebody may sleep.
    pub const FREE_AND_WAITERS: Self = Self(WAITERS);
    /// Given up by an heir.
    pub const POISONED: Self = Self(POISON << WHO_SHIFT);

    /// Owned by this participant, by no thread in particular, without flags.
    pub const fn owned(who: ParticipantId, incarnation: u32) -> Self {
        let incarnation = (incarnation & INCARNATION_MASK) as u64;
        Self(incarnation << INCARNATION_SHIFT | (who as u64 & WHO_MASK) << WHO_SHIFT)
    }

    /// Owned by this thread of the same participant.
    #[inline(always)]
    pub const fn by(self, thread: u32) -> Self {
        Self(self.0 | (thread as u64) << THREAD_SHIFT)
    }

    /// OWNED -> ORPHAN: the key is made of the dead one's id and incarnation.
    pub const fn orphaned(self) -> Self {
        let key = (self.who() & 0x3ff) << 9 | self.0 >> INCARNATION_SHIFT & 0x1ff;
        Self(key << INCARNATION_SHIFT | ORPHAN << WHO_SHIFT | WAITERS)
    }

    const fn who(self) -> u64 {
        self.0 >> WHO_SHIFT & WHO_MASK
    }

    /// The low half: what the kernel sees.
    pub const fn low(self) -> u32 {
        self.0 as u32
    }

    /// FREE and WAITERS, as the kernel's release leaves the word of this owner.
    pub const fn freed_by_kernel(self) -> Self {
        Self(self.0 >> THREAD_SHIFT << THREAD_SHIFT | WAITERS)
    }

    /// The owning thread's number, of a word that says OWNED.
    pub const fn thread(self) -> u32 {
        (self.0 >> THREAD_SHIFT) as u32
    }

    /// What it says.
    #[inline]
    pub const fn state(self) -> LockState {
        let rest = self.0 as u32 >> INCARNATION_SHIFT;
        match self.who() {
            0 => LockState::Free,
            ORPHAN => LockState::Orphan(rest),
            POISON => LockState::Poison,
            who => LockState::Owned(who as ParticipantId, rest),
        }
    }

    /// Its owner and the thread, without flags; zero of a word that nobody owns.
    #[inline]
    pub const fn owner(self) -> Self {
        match self.state() {
            LockState::Owned(..) => Self(self.0 & !FLAGS),
            _ => Self(0),
        }
    }

    /// Its owner, whatever the thread, without flags; zero of a word that nobody owns.
    #[inline]
    pub const fn process(self) -> Self {
        Self(self.owner().low() as u64)
    }

    /// Somebody may sleep.
    #[inline]
    pub const fn has_waiters(self) -> bool {
        self.0 & WAITERS != 0
    }

    /// The owner is an heir that has not recovered yet.
    #[inline]
    pub const fn is_dirty(self) -> bool {
        self.0 & DIRTY != 0
    }

    /// With these flags besides.
    #[inline]
    pub const fn with(self, flags: u64) -> Self {
        Self(self.0 | flags)
    }

    /// FREE -> OWNED(me). A barger keeps the mark of the sleepers. Who has slept sets it, too: it cannot know whether it was
    /// the last. (No release leaves sleepers without a mark; this would mend it.)
    #[inline]
    pub fn taken_by(self, me: Self, slept: bool) -> Self {
        let kept = if mutant::on("lock.barger_drops_waiters") { 0 } else { self.0 & WAITERS };
        let own = if slept { WAITERS } else { 0 };
        me.with(kept | own)
    }

    /// OWNED(d), ORPHAN or POISON -> OWNED(me)+DIRTY. WAITERS in any case: the dead may have taken the mark away for a
    /// moment, to find out whether anybody sleeps.
    #[inline]
    pub fn inherited_by(me: Self) -> Self {
        me.with(if mutant::on("lock.heir_drops_waiters") { DIRTY } else { DIRTY | WAITERS })
    }
}

impl core::fmt::Debug for LockWord {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let dirty = if self.is_dirty() { "+DIRTY" } else { "" };
        let waiters = if self.has_waiters() { "+WAITERS" } else { "" };
        write!(f, "{:?}{dirty}{waiters}", self.state())
    }
}

/// For the layout hash.
pub const SHAPE: &[u64] = &[
    size_of::<LockBody>() as u64,
    offset_of!(LockBody, word) as u64,
    offset_of!(LockBody, again) as u64,
    offset_of!(LockBody, key) as u64,
    offset_of!(LockBody, pid) as u64,
    offset_of!(LockBody, backend) as u64,
    offset_of!(LockBody, name) as u64,
    NATIVE_WORDS as u64,
];

#[cfg(not(loom))]
const _: () = {
    assert!(size_of::<LockBody>() == 128);
    assert!(super::MAX_PARTICIPANTS < ORPHAN as usize);
    // The low half is where the kernel looks.
    assert!(cfg!(target_endian = "little"));
};

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_backend_word_says_what_was_put_in() {
        let word = BackendWord { backend: 2, library: 0x0028_2001 };
        assert_eq!(BackendWord::unpack(word.pack()), word);
        assert_eq!(BackendWord::unpack(0), BackendWord { backend: 0, library: 0 });
    }

    #[test]
    fn words_say_what_was_put_in() {
        for (who, incarnation) in [(1, 0), (1023, INCARNATION_MASK), (7, 12_345)] {
            let word = LockWord::owned(who, incarnation);
            assert_eq!(word.state(), LockState::Owned(who, incarnation));
            let flagged = word.with(WAITERS | DIRTY);
            assert_eq!((flagged.state(), flagged.owner()), (word.state(), word));
            let mine = word.by(u32::MAX);
            assert_eq!((mine.state(), mine.thread(), mine.process()), (word.state(), u32::MAX, word));
            assert_eq!((mine.freed_by_kernel().state(), mine.freed_by_kernel().low()), (LockState::Free, 1));
            assert_eq!(mine.orphaned(), word.orphaned());
            assert!(flagged.has_waiters() && flagged.is_dirty() && !word.has_waiters() && !word.is_dirty());
            assert!(matches!(word.orphaned().state(), LockState::Orphan(_)));
            assert_eq!(word.orphaned().owner(), LockWord(0));
        }
        assert_eq!(LockWord::FREE.with(WAITERS).state(), LockState::Free);
        assert_eq!(LockWord::POISONED.state(), LockState::Poison);
        // Of a later incarnation only its low bits are kept.
        assert_eq!(LockWord::owned(3, INCARNATION_MASK + 5), LockWord::owned(3, 4));
        assert_ne!(LockWord::owned(3, 4).orphaned(), LockWord::owned(3, 5).orphaned());
    }
}
