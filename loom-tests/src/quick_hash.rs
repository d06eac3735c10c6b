//! A hash that is quick rather than hard to attack: an explorer hashes each state that it meets.

use std::hash::{BuildHasherDefault, Hasher};

/// For `HashMap::with_hasher`.
pub type QuickHash = BuildHasherDefault<Quick>;

/// Multiplies and rotates, eight bytes at a time.
#[derive(Default)]
pub struct Quick(u64);

impl Quick {
    fn mix(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Hasher for Quick {
    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..part.len()].copy_from_slice(part);
            self.mix(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.mix(u64::from(value));
    }

    fn write_u32(&mut self, value: u32) {
        self.mix(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        self.mix(value);
    }

    fn write_usize(&mut self, value: usize) {
        self.mix(value as u64);
    }

    fn write_isize(&mut self, value: isize) {
        self.mix(value as u64);
    }

    /// The map takes its buckets from the low bits, which a product mixes least.
    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 32
    }
}
