//! What the archive of a value is copied into, out of words: short ones without an allocation.

use core::ops::Deref;

use rkyv::util::AlignedVec;

/// Bytes that need no allocation.
const SHORT: usize = 128;

#[derive(Clone, Debug)]
#[repr(align(16))]
struct Short([u8; SHORT]);

/// Some bytes, aligned to 16.
#[derive(Debug)]
pub struct Bytes {
    short: Short,
    long: AlignedVec<16>,
    len: usize,
}

impl Bytes {
    /// None.
    #[inline(always)]
    pub fn new() -> Self {
        Self { short: Short([0; SHORT]), long: AlignedVec::new(), len: 0 }
    }

    /// Room for so many bytes, in the place of what was there; what is in it is not said.
    #[inline(always)]
    pub fn room(&mut self, len: usize) -> &mut [u8] {
        self.len = len;
        if len > SHORT {
            return self.long_room(len);
        }
        &mut self.short.0[..len]
    }

    #[cold]
    fn long_room(&mut self, len: usize) -> &mut [u8] {
        self.long.resize(len, 0);
        &mut self.long
    }

    /// None, again.
    #[inline(always)]
    pub fn clear(&mut self) {
        self.len = 0;
    }
}

impl Default for Bytes {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for Bytes {
    type Target = [u8];

    #[inline(always)]
    fn deref(&self) -> &[u8] {
        match self.short.0.get(..self.len) {
            Some(bytes) => bytes,
            None => &self.long,
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_and_are_aligned() {
        let mut bytes = Bytes::new();
        for len in [0, 1, SHORT, SHORT + 1, 5000, 3, SHORT + 9, 0] {
            bytes.room(len).fill(len as u8);
            assert!(bytes.len() == len && bytes.iter().all(|byte| *byte == len as u8));
            assert!(bytes.as_ptr().addr().is_multiple_of(16));
        }
        bytes.room(7);
        bytes.clear();
        assert!(bytes.is_empty());
    }
}
