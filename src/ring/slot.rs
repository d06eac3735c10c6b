//! The two words of a ring: of a slot, and of a lease cell. Pure functions; who may make which step stands
//! here, with which ordering stands where it is made.
//!
//! ```text
//!  63            18 17       15 14      2 1   0
//! +----------------+-----------+---------+-----+
//! | lap/generation | redeliver.|  owner  |state|
//! +----------------+-----------+---------+-----+
//! ```

/// Bits below the lap.
pub const LAP_SHIFT: u32 = 18;
/// Bits of a lap or a generation.
pub const LAP_BITS: u32 = 64 - LAP_SHIFT;
const OWNER_SHIFT: u32 = 2;
const OWNER_MASK: u64 = 0x1fff;
const REDELIVERIES_SHIFT: u32 = 15;
const REDELIVERIES_MASK: u64 = 7;
const STATE_MASK: u64 = 3;

/// What a slot word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SlotState {
    /// Free for the ticket of its lap.
    Empty,
    /// Claimed by a producer, which has not published yet.
    Writing,
    /// Holds a message for anyone.
    Full,
    /// Claimed by a consumer, which has not finished yet.
    Reading,
}

/// What a cell word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CellState {
    /// For anyone.
    Free,
    /// Being filled by its owner; its message is still in its slot.
    Private,
    /// Its owner leases the message in it.
    Held,
    /// Its owner died or gave the message back: for any consumer.
    Orphan,
}

const fn pack(lap: u64, redeliveries: u64, owner: u16, state: u64) -> u64 {
    lap << LAP_SHIFT | redeliveries << REDELIVERIES_SHIFT | (owner as u64 & OWNER_MASK) << OWNER_SHIFT | state
}

const fn owner(word: u64) -> u16 {
    (word >> OWNER_SHIFT & OWNER_MASK) as u16
}

const fn redeliveries(word: u64) -> u8 {
    (word >> REDELIVERIES_SHIFT & REDELIVERIES_MASK) as u8
}

/// One more redelivery: 7 wraps to 1, never to 0 ("first delivery"), and never sticks: a counter that
/// stuck would let a late helper rob a new owner that carries the dead one's id.
fn one_more(redeliveries: u8) -> u64 {
    match redeliveries {
        7 if crate::sync::mutant::on("mpmc.redeliveries_saturate") => 7,
        7 => 1,
        n => n as u64 + 1,
    }
}

/// The word of a slot. All zero is "empty, lap 0": memory that was never touched is a ring that was never used.
///
/// ```text
/// E(l) -> W(l,me)      put claims               CAS   any producer
/// W(l,me) -> F(l)      put publishes            store its owner
/// W(l,me) -> E(l+1)    put gives up, or died    store its owner; CAS by repair
/// F(l,n) -> R(l,me,n)  get claims               CAS   any consumer
/// R(l,me) -> E(l+1)    get commits, or detaches store its owner
/// R(l,me,n) -> F(l,n+1) put back, or died       store its owner; CAS by repair
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SlotWord(pub u64);

impl SlotWord {
    #[inline(always)]
    pub const fn empty(lap: u64) -> Self {
        Self(lap << LAP_SHIFT)
    }

    #[inline(always)]
    pub const fn full(lap: u64) -> Self {
        Self(lap << LAP_SHIFT | 2)
    }

    #[inline(always)]
    pub const fn writing(lap: u64, me: u16) -> Self {
        Self(pack(lap, 0, me, 1))
    }

    /// F(n) -> R(me, n).
    #[inline(always)]
    pub const fn reading(self, me: u16) -> Self {
        Self(self.0 | 3 | (me as u64 & OWNER_MASK) << OWNER_SHIFT)
    }

    /// R(n) -> F(n + 1).
    pub fn redelivered(self) -> Self {
        Self(pack(self.lap(), one_more(self.redeliveries()), 0, 2))
    }

    #[inline(always)]
    pub const fn lap(self) -> u64 {
        self.0 >> LAP_SHIFT
    }

    #[inline(always)]
    pub const fn owner(self) -> u16 {
        owner(self.0)
    }

    #[inline(always)]
    pub const fn redeliveries(self) -> u8 {
        redeliveries(self.0)
    }

    #[inline(always)]
    pub const fn state(self) -> SlotState {
        match self.0 & STATE_MASK {
            0 => SlotState::Empty,
            1 => SlotState::Writing,
            2 => SlotState::Full,
            _ => SlotState::Reading,
        }
    }

    /// W or R: the owner field means something.
    pub const fn is_claimed(self) -> bool {
        self.0 & 1 == 1
    }
}

impl std::fmt::Debug for SlotWord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:?}(lap {}, owner {}, redelivered {})",
            self.state(),
            self.lap(),
            self.owner(),
            self.redeliveries()
        )
    }
}

/// The word of a lease cell. Every step raises the generation, so that a late helper's CAS fails.
///
/// ```text
/// FREE -> PRIVATE(me)      detach reserves it              CAS   any consumer
/// PRIVATE(me) -> HELD(me)  filled; then the slot is freed  store its owner
/// PRIVATE(d) -> FREE       its owner died                  CAS   repair
/// HELD(me) -> FREE         released: the commit            store its owner
/// HELD(d) -> FREE          died while its slot was R(t,d)  CAS   repair
/// HELD(me,n) -> ORPHAN(n+1) put back, or died              store its owner; CAS by repair
/// HELD(me,n) -> ORPHAN(n)  a dead letter is laid down      store its owner
/// ORPHAN(n) -> HELD(me,n)  adopted                         CAS   any consumer
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CellWord(pub u64);

impl CellWord {
    fn step(self, redeliveries: u64, owner: u16, state: u64) -> Self {
        let step = u64::from(!crate::sync::mutant::on("mpmc.cell_without_generation"));
        Self(pack(self.generation().wrapping_add(step), redeliveries, owner, state))
    }

    pub const fn generation(self) -> u64 {
        self.0 >> LAP_SHIFT
    }

    pub const fn owner(self) -> u16 {
        owner(self.0)
    }

    pub const fn redeliveries(self) -> u8 {
        redeliveries(self.0)
    }

    pub const fn state(self) -> CellState {
        match self.0 & STATE_MASK {
            0 => CellState::Free,
            1 => CellState::Private,
            2 => CellState::Held,
            _ => CellState::Orphan,
        }
    }

    /// FREE -> PRIVATE(me).
    pub fn reserved(self, me: u16) -> Self {
        self.step(0, me, 1)
    }

    /// PRIVATE(me) -> HELD(me) with the count of its message.
    pub fn held(self, redeliveries: u8) -> Self {
        self.step(redeliveries as u64, self.owner(), 2)
    }

    /// PRIVATE or HELD -> FREE.
    pub fn freed(self) -> Self {
        self.step(0, 0, 0)
    }

    /// HELD(n) -> ORPHAN(n + 1), and 7 stays 7: the generation tells the steps apart.
    pub fn orphaned(self) -> Self {
        self.step((self.redeliveries() as u64 + 1).min(REDELIVERIES_MASK), 0, 3)
    }

    /// HELD(n) -> ORPHAN(n), of a dead letter.
    pub fn laid_down(self) -> Self {
        self.step(self.redeliveries() as u64, 0, 3)
    }

    /// ORPHAN(n) -> HELD(me, n).
    pub fn adopted(self, me: u16) -> Self {
        self.step(self.redeliveries() as u64, me, 2)
    }
}

impl std::fmt::Debug for CellWord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:?}(generation {}, owner {}, redelivered {})",
            self.state(),
            self.generation(),
            self.owner(),
            self.redeliveries()
        )
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn zero_is_empty_and_free() {
        assert_eq!(SlotWord(0), SlotWord::empty(0));
        assert_eq!(CellWord(0).state(), CellState::Free);
    }

    #[test]
    fn a_slot_goes_round() {
        let writing = SlotWord::writing(5, 1023);
        assert_eq!((writing.state(), writing.owner(), writing.lap()), (SlotState::Writing, 1023, 5));
        let full = SlotWord::full(5);
        assert_eq!((full.state(), full.owner(), full.redeliveries()), (SlotState::Full, 0, 0));
        let reading = full.reading(7);
        assert_eq!((reading.state(), reading.owner(), reading.lap()), (SlotState::Reading, 7, 5));
        let again = reading.redelivered();
        assert_eq!((again.state(), again.owner(), again.redeliveries()), (SlotState::Full, 0, 1));
        assert_eq!(again.reading(9).redeliveries(), 1);
    }

    #[test]
    fn redeliveries_wrap_past_zero() {
        let mut word = SlotWord::full(3).reading(1);
        let mut seen = Vec::new();
        for _ in 0..9 {
            let full = word.redelivered();
            seen.push(full.redeliveries());
            word = full.reading(1);
        }
        assert_eq!(seen, [1, 2, 3, 4, 5, 6, 7, 1, 2]);
    }

    #[test]
    fn every_step_of_a_cell_changes_its_generation() {
        let private = CellWord(0).reserved(4);
        let held = private.held(2);
        let orphan = held.orphaned();
        let adopted = orphan.adopted(5);
        let free = adopted.freed();
        let states: Vec<_> = [private, held, orphan, adopted, free]
            .iter()
            .map(|w| (w.state(), w.owner(), w.redeliveries(), w.generation()))
            .collect();
        use CellState::*;
        assert_eq!(
            states,
            [(Private, 4, 0, 1), (Held, 4, 2, 2), (Orphan, 0, 3, 3), (Held, 5, 3, 4), (Free, 0, 0, 5)]
        );
    }
}
