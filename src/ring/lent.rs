//! A message that somebody reads where it lies: claimed in the ring, or a copy of his own.
//!
//! # Safety
//!
//! A copy is nobody else's, is never changed, and lies on the heap, so that moving its owner moves no byte of it.
#![allow(unsafe_code)]

use rkyv::util::AlignedVec;

use crate::ring::RingMemory;
use crate::ring::frozen::FrozenBytes;
use crate::ring::held::Held;

/// See the module.
#[must_use]
pub enum Kept<'q, M: RingMemory> {
    /// Dropped without [`release`](Self::release) it goes back.
    Claimed(Held<'q, M>),
    /// Taken already.
    Copied(AlignedVec<16>),
}

impl<M: RingMemory> Kept<'_, M> {
    /// The message is consumed.
    pub fn release(self) {
        if let Self::Claimed(held) = self {
            held.release();
        }
    }
}

// SAFETY: see the module, and `Held`.
unsafe impl<M: RingMemory> FrozenBytes for Kept<'_, M> {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Claimed(held) => held.bytes(),
            Self::Copied(bytes) => bytes,
        }
    }
}
