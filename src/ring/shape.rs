//! Positions: where a ticket lies, without a division.
//!
//! A *position* is a ticket written as `lap << bits | index`, with `bits` enough for every index. Positions
//! grow as tickets do; for a capacity that is a power of two they are the tickets. They are full u64s, while
//! a slot word keeps only [`LAP_BITS`] bits of the lap: a word is read relative to a position near it.

use super::slot::{LAP_BITS, SlotWord};

/// The arithmetic of a ring with a given capacity.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    bits: u32,
    index_mask: u64,
    last: u64,
    hint_mask: u64,
    lap_unused: u32,
}

impl Shape {
    /// `capacity` is at least 1. Hints are stored about every `hint_period` tickets (a power of two).
    pub fn new(capacity: u32, hint_period: u64) -> Self {
        let last = u64::from(capacity.max(1)) - 1;
        let bits = u64::BITS - last.leading_zeros();
        let lap_bits = LAP_BITS.min(u64::BITS - bits);
        Self {
            bits,
            index_mask: (1 << bits) - 1,
            last,
            hint_mask: hint_period - 1,
            lap_unused: u64::BITS - lap_bits,
        }
    }

    /// How often hints are stored: often enough to save most of a walk over the ring, too seldom to cost.
    pub fn hint_period(capacity: u32) -> u64 {
        (u64::from(capacity) / 4).next_power_of_two().max(16)
    }

    #[inline(always)]
    pub fn capacity(&self) -> u64 {
        self.last + 1
    }

    /// The distance of a slot's tickets.
    #[inline(always)]
    pub fn lap(&self) -> u64 {
        1 << self.bits
    }

    #[inline(always)]
    pub fn index(&self, position: u64) -> u32 {
        (position & self.index_mask) as u32
    }

    #[inline(always)]
    pub fn lap_of(&self, position: u64) -> u64 {
        position >> self.bits
    }

    #[inline(always)]
    pub fn next(&self, position: u64) -> u64 {
        if position & self.index_mask == self.last { (position | self.index_mask) + 1 } else { position + 1 }
    }

    /// The same ticket as a plain count from 0.
    pub fn ordinal(&self, position: u64) -> u64 {
        self.lap_of(position) * self.capacity() + (position & self.index_mask)
    }

    /// E(position).
    #[inline(always)]
    pub fn empty(&self, position: u64) -> SlotWord {
        SlotWord::empty(self.lap_of(position))
    }

    /// F(position), first delivery.
    #[inline(always)]
    pub fn full(&self, position: u64) -> SlotWord {
        SlotWord::full(self.lap_of(position))
    }

    #[inline(always)]
    pub fn writing(&self, position: u64, me: u16) -> SlotWord {
        SlotWord::writing(self.lap_of(position), me)
    }

    /// E of the next ticket of the slot.
    #[inline(always)]
    pub fn done(&self, position: u64) -> SlotWord {
        self.empty(position.wrapping_add(self.lap()))
    }

    /// The position that `word`, read in the slot of `near`, speaks of: the one nearest to `near`.
    #[inline]
    pub fn position_of(&self, word: SlotWord, near: u64) -> u64 {
        let laps = word.lap().wrapping_sub(self.lap_of(near)) << self.lap_unused;
        let laps = (laps as i64) >> self.lap_unused;
        near.wrapping_add((laps as u64) << self.bits)
    }

    /// Whether `word` is of `position`'s ticket.
    pub fn is_of(&self, word: SlotWord, position: u64) -> bool {
        self.empty(position).lap() == word.lap()
    }

    /// How many positions there are from hint to hint.
    pub fn period(&self) -> u64 {
        self.hint_mask + 1
    }

    /// A hint is due.
    #[inline(always)]
    pub fn hint_due(&self, position: u64) -> bool {
        position & self.hint_mask == 0
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn positions_walk_every_slot_of_any_capacity() {
        for capacity in [1u32, 2, 3, 4, 5, 7, 8, 1000] {
            let shape = Shape::new(capacity, 16);
            let mut position = 0;
            for ticket in 0..3 * u64::from(capacity) + 2 {
                assert_eq!(shape.ordinal(position), ticket);
                assert_eq!(u64::from(shape.index(position)), ticket % u64::from(capacity));
                assert_eq!(shape.lap_of(position), ticket / u64::from(capacity));
                position = shape.next(position);
            }
        }
    }

    #[test]
    fn words_are_read_near_a_position() {
        for capacity in [1u32, 3, 1 << 18, 1 << 20] {
            let shape = Shape::new(capacity, 16);
            for near in [shape.lap() * 5, shape.lap() * ((1 << 43) + 7)] {
                for laps in [-3i64, -1, 0, 1, 2, 1000] {
                    let position = near.wrapping_add((laps as u64).wrapping_mul(shape.lap()));
                    assert_eq!(shape.position_of(shape.full(position), near), position);
                }
            }
        }
    }

    #[test]
    fn laps_wrap() {
        let shape = Shape::new(1, 16);
        let near = (1u64 << LAP_BITS) - 1;
        let word = SlotWord::full(0);
        assert_eq!(shape.position_of(word, near), near + 1);
        assert_eq!(shape.done(near), SlotWord::empty(0));
    }
}
