//! Where a block of shared data is, in one word that a store changes.
//!
//! ```text
//! | generation:23 | HANDLES:1 | offset / 64:40 |       0: none
//! ```
//! The offset is that of the block's payload, so that readers get there without its header, which tells who owns the block. The generation is the low bits of
//! the block's own: it tells this life from others. Words that have to say more about what they lead to have fewer of its bits ([`Named`]).
//! HANDLES: references to other objects stand in front of the content, which is therefore read under the lock.
//!
//! # States and transitions
//!
//! A word that holds a place is changed by who has the lock of the object alone:
//!
//! ```text
//! 0 -> p     the block is filled, and PRIVATE(me) or VALUE. Where this word is what an heir goes by, it is PRIVATE, and becomes VALUE next
//! p -> q     a commit: q is VALUE, p is to be freed
//! p -> 0     the block is FREE, or another word leads to it
//! ```
//! Readers follow a word to whatever is there by now, copy it, and look whether the word (or what led to that) is still the same. Who has the lock
//! asks the block's header whether it is [VALUE](super::block::OwnState) of the object in the life that the word names: only then is it content. So a word may go on
//! to name a block that its owner's reaper has freed.

/// A block by the offset of its payload and the low bits of its generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Named {
    /// A multiple of 64, below 2^46.
    pub offset: u64,
    /// The low `bits` bits.
    pub generation: u64,
    pub bits: u32,
}

impl Named {
    /// With all bits of the generation.
    #[inline]
    pub const fn new(offset: u64, generation: u64) -> Self {
        Self { offset, generation, bits: 48 }
    }

    /// Whether it names this life.
    #[inline]
    pub const fn is_of(self, generation: u64) -> bool {
        generation & ((1 << self.bits) - 1) == self.generation
    }

    /// The word `{generation:bits | more | offset / 64:40}`.
    pub(super) const fn pack(self, bits: u32, more: u64) -> u64 {
        (self.generation & ((1 << bits) - 1)) << (u64::BITS - bits) | more << OFFSET_BITS | (self.offset / 64)
    }

    /// The block that such a word names.
    #[inline(always)]
    pub(super) const fn unpack(word: u64, bits: u32) -> Self {
        Self { offset: offset_in(word), generation: word >> (u64::BITS - bits), bits }
    }
}

const OFFSET_BITS: u32 = 40;

/// The offset in a word of this form.
#[inline(always)]
pub(super) const fn offset_in(word: u64) -> u64 {
    (word & ((1 << OFFSET_BITS) - 1)) * 64
}

/// What stands in front of the offset in a word of this form.
#[inline(always)]
pub(super) const fn more_in(word: u64) -> u64 {
    word >> OFFSET_BITS
}

/// See the module.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct BlockPlace(pub u64);

impl BlockPlace {
    /// Bits of the generation.
    const GENERATION: u32 = 23;
    const HANDLES: u64 = 1;

    /// The place of a block; `handles`: references stand in front of the content.
    #[inline]
    pub const fn new(block: Named, handles: bool) -> Self {
        Self(block.pack(Self::GENERATION, handles as u64))
    }

    /// There is none.
    #[inline(always)]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Where the payload starts: references first, then the content.
    #[inline(always)]
    pub const fn offset(self) -> u64 {
        offset_in(self.0)
    }

    /// References to other objects stand in front of the content.
    #[inline(always)]
    pub const fn has_handles(self) -> bool {
        more_in(self.0) & Self::HANDLES != 0
    }

    /// The block.
    #[inline]
    pub const fn block(self) -> Named {
        Named::unpack(self.0, Self::GENERATION)
    }
}

/// For the layout hash.
pub const SHAPE: &[u64] = &[OFFSET_BITS as u64, BlockPlace::GENERATION as u64, BlockPlace::HANDLES];

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_place_says_what_was_put_in() {
        for (offset, generation, handles) in
            [(64, 0, false), ((1 << 46) - 64, u64::MAX >> 16, true), (1 << 30, 5, true)]
        {
            let place = BlockPlace::new(Named::new(offset, generation), handles);
            assert_eq!((place.offset(), place.has_handles()), (offset, handles));
            let block = place.block();
            assert_eq!(block.offset, offset);
            assert!(block.is_of(generation) && !block.is_of(generation.wrapping_add(1)) && !place.is_none());
        }
        assert!(BlockPlace::default().is_none());
    }
}
