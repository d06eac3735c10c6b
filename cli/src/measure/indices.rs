//! Where to look next: indices that neither the compiler nor the processor foresees, the same for all who are compared.

use std::hint::black_box;

/// xorshift64, brought into a range by a multiplication.
pub struct Indices(u64);

impl Indices {
    /// Different seeds, different indices.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// One of `0..limit`, which is at most 2^32; opaque to the optimiser.
    #[inline(always)]
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        black_box(((self.0 >> 32) * limit) >> 32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_places_come_and_no_other() {
        let mut indices = Indices::new(7);
        let mut seen = [0u32; 10];
        (0..10_000).for_each(|_| seen[indices.below(10) as usize] += 1);
        assert!(seen.iter().all(|count| (700..1300).contains(count)), "{seen:?}");
    }
}
