//! Where a dictionary lies: a region, or a model's vectors.

use crate::error::Error;
use crate::layout::block_place::{BlockPlace, Named};
use crate::layout::dict::{SegmentSize, at};
use crate::prim::words;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::hint;

/// Words that others may change meanwhile. An index beyond the end reads zero and stores nothing.
pub trait Words: Copy {
    fn load(self, i: usize, order: Ordering) -> u64;
    fn store(self, i: usize, value: u64, order: Ordering);
    /// Acquire and Release if it succeeds.
    fn compare_exchange(self, i: usize, old: u64, new: u64) -> bool;
    /// This word will be looked at soon.
    #[inline(always)]
    fn prefetch(self, _i: usize) {}
    /// Copies bytes that start at word `i`, Relaxed.
    fn copy(self, i: usize, out: &mut [u8]) {
        for (i, part) in (i..).zip(out.chunks_mut(8)) {
            part.copy_from_slice(&self.load(i, Ordering::Relaxed).to_ne_bytes()[..part.len()]);
        }
    }
    /// Stores bytes from word `i` on, Relaxed; what is left of the last word becomes zero.
    fn fill(self, i: usize, bytes: &[u8]) {
        for (i, word) in (i..).zip(words::of(bytes)) {
            self.store(i, word, Ordering::Relaxed);
        }
    }
}

impl Words for &[AtomicU64] {
    #[inline(always)]
    fn load(self, i: usize, order: Ordering) -> u64 {
        self.get(i).map_or(0, |word| word.load(order))
    }

    #[inline(always)]
    fn store(self, i: usize, value: u64, order: Ordering) {
        if let Some(word) = self.get(i) {
            word.store(value, order);
        }
    }

    #[inline]
    fn compare_exchange(self, i: usize, old: u64, new: u64) -> bool {
        let order = Ordering::AcqRel;
        self.get(i).is_some_and(|word| word.compare_exchange(old, new, order, Ordering::Acquire).is_ok())
    }

    #[inline(always)]
    fn prefetch(self, i: usize) {
        if let Some(word) = self.get(i) {
            hint::prefetch(word);
        }
    }

    #[inline]
    fn copy(self, i: usize, out: &mut [u8]) {
        words::load(self.get(i..).unwrap_or_default(), out, Ordering::Relaxed);
    }
}

/// What readers need, and those who repair.
pub trait Memory {
    type Words<'a>: Words
    where
        Self: 'a;

    /// Of segments: the indices are what entries of the directory have. At most 8.
    const SEGMENTS: &'static [SegmentSize];

    /// The body of the dictionary.
    fn body(&self) -> Self::Words<'_>;

    /// The word in the body that readers look at.
    #[inline(always)]
    fn root(&self, order: Ordering) -> u64 {
        self.body().load(at::ROOT, order)
    }

    /// These words, wherever the offset came from; `None` if it leads out of the memory.
    fn words(&self, offset: u64, count: u64) -> Option<Self::Words<'_>>;

    /// The hash of an inline key.
    fn hash(&self, key: u64) -> u64;

    /// Where a block's own content begins: behind its references to other objects. Any word may be asked for.
    fn content(&self, place: BlockPlace) -> Option<u64>;

    /// The block is VALUE of this dictionary, in that life.
    fn is_value(&self, block: Named) -> bool;

    /// Frees it, if it is; for who holds the lock that covers it.
    fn free(&self, block: Named);
}

/// What writers need besides.
pub trait Writers: Memory {
    /// Why something was not to be had.
    type Error: From<Error>;
    /// PRIVATE; freed when it is dropped.
    type Block<'a>
    where
        Self: 'a;
    /// Given back when it is dropped.
    type Held<'a>
    where
        Self: 'a;

    /// A block for so many bytes, which are anything.
    ///
    /// # Errors
    /// If there is no room.
    fn alloc(&self, bytes: u64) -> Result<Self::Block<'_>, Self::Error>;

    /// Where it is. Its content may be written as words.
    fn name(&self, block: &Self::Block<'_>) -> Named;

    /// The word by which readers find it.
    fn place(&self, block: &Self::Block<'_>) -> BlockPlace;

    /// PRIVATE -> VALUE of this dictionary, which names it already.
    fn make_value(&self, block: Self::Block<'_>);

    /// Takes the lock at this index of the body. If its owner died, `repair` runs first.
    ///
    /// # Errors
    /// If the calling thread has it; `WrongProcess`; after a panic in a repair.
    fn lock(&self, word: usize, repair: &dyn Fn()) -> Result<Self::Held<'_>, Self::Error>;
}
