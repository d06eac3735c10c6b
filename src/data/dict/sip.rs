//! SipHash-1-3, after J.-P. Aumasson and D. J. Bernstein.

/// The hash of `bytes` under a key of two words.
pub fn sip13(k0: u64, k1: u64, bytes: &[u8]) -> u64 {
    sip::<1, 3>(k0, k1, bytes)
}

fn sip<const BLOCK: usize, const END: usize>(k0: u64, k1: u64, bytes: &[u8]) -> u64 {
    let mut state = State {
        v0: k0 ^ 0x736f_6d65_7073_6575,
        v1: k1 ^ 0x646f_7261_6e64_6f6d,
        v2: k0 ^ 0x6c79_6765_6e65_7261,
        v3: k1 ^ 0x7465_6462_7974_6573,
    };
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        state.take::<BLOCK>(u64::from_le_bytes(*word));
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    last[7] = bytes.len() as u8;
    state.take::<BLOCK>(u64::from_le_bytes(last));
    state.v2 ^= 0xff;
    state.rounds::<END>();
    state.v0 ^ state.v1 ^ state.v2 ^ state.v3
}

struct State {
    v0: u64,
    v1: u64,
    v2: u64,
    v3: u64,
}

impl State {
    #[inline(always)]
    fn take<const ROUNDS: usize>(&mut self, word: u64) {
        self.v3 ^= word;
        self.rounds::<ROUNDS>();
        self.v0 ^= word;
    }

    #[inline(always)]
    fn rounds<const ROUNDS: usize>(&mut self) {
        for _ in 0..ROUNDS {
            self.v0 = self.v0.wrapping_add(self.v1);
            self.v2 = self.v2.wrapping_add(self.v3);
            self.v1 = self.v1.rotate_left(13) ^ self.v0;
            self.v3 = self.v3.rotate_left(16) ^ self.v2;
            self.v0 = self.v0.rotate_left(32);
            self.v2 = self.v2.wrapping_add(self.v1);
            self.v0 = self.v0.wrapping_add(self.v3);
            self.v1 = self.v1.rotate_left(17) ^ self.v2;
            self.v3 = self.v3.rotate_left(21) ^ self.v0;
            self.v2 = self.v2.rotate_left(32);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::hash::Hasher;

    use super::*;

    /// The first of the reference vectors of SipHash-2-4: key 00 01 .. 0f, messages of 0, 1, .. bytes 00 01 ..
    #[test]
    fn the_reference_vectors_come_out() {
        let (k0, k1) = (0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908);
        let message: Vec<u8> = (0..16).collect();
        let vectors = [(0, 0x726f_db47_dd0e_0e31), (1, 0x74f8_39c5_93dc_67fd), (15, 0xa129_ca61_49be_45e5)];
        for (len, expected) in vectors {
            assert_eq!(sip::<2, 4>(k0, k1, &message[..len]), expected, "{len} bytes");
        }
    }

    /// The standard library's hasher is SipHash-1-3 under the key zero.
    #[test]
    fn it_is_the_one_of_the_standard_library() {
        let bytes: Vec<u8> = (0..100u8).map(|i| i.wrapping_mul(7)).collect();
        for len in 0..bytes.len() {
            let mut hasher = std::hash::DefaultHasher::new();
            hasher.write(&bytes[..len]);
            assert_eq!(sip13(0, 0, &bytes[..len]), hasher.finish(), "{len} bytes");
        }
    }
}
