//! Hashes of keys, keyed with random secrets: nobody can choose keys that fall into one bucket. They are part of the format: so they stand here, and not
//! in a crate that may change them.

use super::sip::sip13;

/// The secrets of one dictionary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Seeds([u64; 4]);

impl Seeds {
    /// Of random words; those that are multiplied with are made odd.
    pub const fn new(random: [u64; 4]) -> Self {
        Self([random[0], random[1] | 1, random[2], random[3] | 1])
    }

    /// As they stand in the body.
    pub const fn words(self) -> [u64; 4] {
        self.0
    }

    /// Of a key that is its own word: two multiplications, the halves of each product folded together.
    #[inline(always)]
    pub const fn of_word(self, key: u64) -> u64 {
        fold(fold(key ^ self.0[0], self.0[1]) ^ self.0[2], self.0[3])
    }

    /// Of a plain key of two words: their sums with two secrets multiplied, which is NH, the hash of UMAC: any two keys have the same product of 128 bits with
    /// a probability of 2^-64. Its halves are mixed by another multiplication, whose halves are folded together.
    #[inline(always)]
    pub const fn of_pair(self, [first, second]: [u64; 2]) -> u64 {
        let product = first.wrapping_add(self.0[0]) as u128 * second.wrapping_add(self.0[2]) as u128;
        fold(product as u64 ^ self.0[1], (product >> 64) as u64 ^ self.0[3])
    }

    /// Of a key's archive: SipHash-1-3.
    pub fn of_bytes(self, key: &[u8]) -> u64 {
        sip13(self.0[0], self.0[2], key)
    }
}

#[inline(always)]
const fn fold(a: u64, b: u64) -> u64 {
    let product = a as u128 * b as u128;
    product as u64 ^ (product >> 64) as u64
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn keys_that_differ_in_one_bit_spread_over_all_buckets() {
        let seeds = Seeds::new([
            0x243f_6a88_85a3_08d3,
            0x1319_8a2e_0370_7344,
            0xa409_3822_299f_31d0,
            0x082e_fa98_ec4e_6c89,
        ]);
        for make in [|i: u64| i, |i: u64| i << 32, |i: u64| i << 54, |i: u64| i * 4096] {
            let mut counts = [0u32; 64];
            for i in 0..1024 {
                counts[(seeds.of_word(make(i)) >> 58) as usize] += 1;
            }
            // 16 on average.
            assert!(counts.iter().all(|count| (1..48).contains(count)), "{counts:?}");
        }
    }

    #[test]
    fn pairs_that_differ_in_one_word_or_are_turned_round_spread_over_all_buckets() {
        let seeds = Seeds::new([
            0x243f_6a88_85a3_08d3,
            0x1319_8a2e_0370_7344,
            0xa409_3822_299f_31d0,
            0x082e_fa98_ec4e_6c89,
        ]);
        let makes: [fn(u64) -> [u64; 2]; 5] =
            [|i| [i, 0], |i| [0, i << 54], |i| [i << 32, i], |i| [!i, i], |i| [i & 31, i >> 5]];
        for make in makes {
            let mut counts = [0u32; 64];
            let mut hashes = std::collections::HashSet::new();
            for i in 0..1024 {
                let hash = seeds.of_pair(make(i));
                counts[(hash >> 58) as usize] += 1;
                hashes.insert(hash);
            }
            assert!(counts.iter().all(|count| (1..48).contains(count)), "{counts:?}");
            assert_eq!(hashes.len(), 1024);
        }
        assert_ne!(seeds.of_pair([1, 2]), seeds.of_pair([2, 1]));
    }

    #[test]
    fn the_hash_is_part_of_the_format() {
        let seeds = Seeds::new([1, 2, 3, 4]);
        assert_eq!(seeds.words(), [1, 3, 3, 5]);
        // (0 ^ 1) * 3 = 3; (3 ^ 3) * 5 = 0.
        assert_eq!(seeds.of_word(0), 0);
        assert_eq!(seeds.of_word(8), ((9 * 3) ^ 3) * 5);
        // The halves of 2^64 * 4 are 0 and 4: (0 ^ 3) * (4 ^ 5) = 3.
        assert_eq!(seeds.of_pair([(1 << 63) - 1, 5]), 3);
        assert_eq!(seeds.of_bytes(b"key"), sip13(1, 3, b"key"));
    }
}
