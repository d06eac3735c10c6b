//! The word of a participant slot. States and transitions stand in `layout::participant`.

use core::fmt;

use crate::layout::ParticipantId;

/// A value of the word: `{ state:3 | who:13 | turn:16 | incarnation:32 }` from the low bits up.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Word(pub u64);

/// The state of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    Free,
    Reserved,
    Joining,
    Live,
    Reaping,
    /// The incarnations ran out: never used again.
    Retired,
}

const STATE_BITS: u32 = 3;
const WHO_BITS: u32 = 13;
const WHO_MASK: u64 = (1 << WHO_BITS) - 1;
const TURN_SHIFT: u32 = STATE_BITS + WHO_BITS;
const TURN_MASK: u64 = 0xffff;

impl Word {
    const fn pack(state: State, who: ParticipantId, turn: u16, incarnation: u32) -> Self {
        let state = match state {
            State::Free => 0,
            State::Reserved => 1,
            State::Joining => 2,
            State::Live => 3,
            State::Reaping => 4,
            State::Retired => 5,
        };
        let who = (who as u64 & WHO_MASK) << STATE_BITS;
        Self((incarnation as u64) << 32 | (turn as u64) << TURN_SHIFT | who | state)
    }

    pub const fn state(self) -> State {
        match self.0 & ((1 << STATE_BITS) - 1) {
            0 => State::Free,
            1 => State::Reserved,
            2 => State::Joining,
            3 => State::Live,
            4 => State::Reaping,
            // 6 and 7 are never written; a slot with them is best left alone.
            _ => State::Retired,
        }
    }

    /// The parent of a RESERVED slot, the reaper of a REAPING one; zero otherwise.
    pub const fn who(self) -> ParticipantId {
        (self.0 >> STATE_BITS & WHO_MASK) as ParticipantId
    }

    pub const fn turn(self) -> u16 {
        (self.0 >> TURN_SHIFT & TURN_MASK) as u16
    }

    pub const fn incarnation(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// FREE -> RESERVED.
    pub const fn reserved(self, parent: ParticipantId) -> Self {
        Self::pack(State::Reserved, parent, 0, self.incarnation())
    }

    /// FREE or RESERVED -> JOINING.
    pub const fn joining(self) -> Self {
        Self::pack(State::Joining, 0, 0, self.incarnation())
    }

    /// JOINING -> LIVE.
    pub const fn live(self) -> Self {
        Self::pack(State::Live, 0, 0, self.incarnation())
    }

    /// Any tenancy -> REAPING; an adoption raises the turn.
    pub const fn reaping(self, reaper: ParticipantId) -> Self {
        Self::pack(State::Reaping, reaper, self.turn().wrapping_add(1), self.incarnation())
    }

    /// REAPING or RESERVED -> FREE for the next tenant. An incarnation is never used twice.
    pub const fn freed(self) -> Self {
        match self.incarnation().checked_add(1) {
            Some(next) => Self::pack(State::Free, 0, 0, next),
            None => Self::pack(State::Retired, 0, 0, self.incarnation()),
        }
    }

    /// The slot waits for `who`: it is RESERVED for a child of `who`, or `who` reaps it.
    pub const fn names(self, who: ParticipantId) -> bool {
        matches!(self.state(), State::Reserved | State::Reaping) && self.who() == who
    }

    /// JOINING(i) as seen by a process that claimed incarnation `i`.
    pub const fn joining_of(incarnation: u32) -> Self {
        Self::pack(State::Joining, 0, 0, incarnation)
    }

    /// LIVE(i).
    pub const fn live_of(incarnation: u32) -> Self {
        Self::pack(State::Live, 0, 0, incarnation)
    }

    /// RESERVED(parent, i).
    pub const fn reserved_of(parent: ParticipantId, incarnation: u32) -> Self {
        Self::pack(State::Reserved, parent, 0, incarnation)
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({}", self.state(), self.incarnation())?;
        if self.who() != 0 {
            write!(f, ", {}", self.who())?;
        }
        if self.turn() != 0 {
            write!(f, ", turn {}", self.turn())?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_free_and_fields_do_not_overlap() {
        assert_eq!(Word(0), Word::pack(State::Free, 0, 0, 0));
        let word = Word::pack(State::Reaping, 1023, u16::MAX, u32::MAX);
        assert_eq!(
            (word.state(), word.who(), word.turn(), word.incarnation()),
            (State::Reaping, 1023, u16::MAX, u32::MAX)
        );
    }

    #[test]
    fn an_incarnation_is_never_used_twice() {
        let last = Word::pack(State::Reaping, 1, 1, u32::MAX).freed();
        assert_eq!(last.state(), State::Retired);
        assert_eq!(Word::live_of(4).reaping(2).freed(), Word::pack(State::Free, 0, 0, 5));
    }

    #[test]
    fn an_adoption_is_another_word() {
        let first = Word::live_of(4).reaping(2);
        assert_ne!(first, first.reaping(3).reaping(2));
    }
}
