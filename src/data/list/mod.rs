//! A list: elements in segments of doubling size, which a spine names.
//!
//! ```text
//! body --root--> spine: length | segment 0 | segment 1 | segment 2 | ..        an element is one word: a value, or
//!                                  8 words     16 words    32 words            the place of a block with its archive
//! ```
//! The words stand in [`layout/list.rs`](crate::layout::list). Readers lock nothing; who changes the list has its lock, which somebody else
//! gets from an owner that died: it [settles](List::settle) the list before anything else, and nobody is told of it.
//!
//! # Steps
//!
//! Each change has one store that decides, the **commit**. A block is named where an heir looks *before* it is VALUE: until then it is its
//! taker's, and goes with it; from then on it is the list's.
//!
//! *Add* to the end:
//! 1. new segments: the spine names each, then it is VALUE. A spine has no gaps.
//! 2. each new element: the word beyond the length, then (of a list of blocks) its block is VALUE. Beyond those all words are 0.
//! 3. **the length**.
//!
//! *Take* from the end:
//! 1. **the length**. 2. the version + 1. 3. of a list of blocks, from the last element down: free the block, the word = 0.
//! 4. segments that are not needed, from the last one down: free it, its name = 0.
//!
//! *Set* an element. A value: **the word**; the version + 1. A block:
//! 1. the record: index, old, then new, which arms it. 2. new is VALUE. 3. **the word**. 4. the version + 1. 5. free old. 6. the record = 0.
//!
//! *Replace*, for all else (insert, remove, a range, another order):
//! 1. a new spine S', which shares the segments before the first change, names new ones behind them, and says which spine it replaces and which
//!    elements it drops and adds. Nobody sees it. Here it may turn out that there is no room: then nothing has changed.
//! 2. `swap` = S', S' is VALUE, then its new segments, then the blocks of its new elements.
//! 3. **root = S'**. 4. the version + 1.
//! 5. free the blocks of what was dropped, then the old segments that S' does not have, then the old spine. 6. `swap` = 0.
//!
//! *Read*: the version; root, length, segment, word (and the block); the version again. The same: nothing that was read had been taken away.
//! Else again. What is read is checked before it is used as an offset or a length, and only bytes that were validated are looked at as a value.
//!
//! # Deaths
//!
//! What is DYING or PRIVATE of a dead process its reaper frees. The next owner of the lock first raises the version, since the dead
//! may have committed and not said so; then:
//!
//! | found | the dead was | the heir |
//! |---|---|---|
//! | `swap` = root | replacing, committed | goes on with 5 |
//! | `swap`, VALUE, not root | replacing, not committed | frees the blocks of what was added, the new segments, S' |
//! | `swap`, not VALUE | replacing, before or after all of that | `swap` = 0 |
//! | `set_new` = the word | setting, committed | frees old |
//! | `set_new`, not the word | setting, not committed | frees new, if it is VALUE |
//! | a name in the spine of what is not VALUE | adding or freeing a segment | the name = 0 |
//! | words beyond the length that are not 0 | adding, not committed, or taking, committed | as taking, step 3 |
//!
//! It dies in that: what it freed is not VALUE any more, what is left is found by the next one in the same way. Frees go from the last word
//! to the first, so that what is left begins at the length; from leaves to what names them; and a name goes after what it names. Without
//! an heir (the list itself goes, or is only looked at) [`each_block`](List::each_block) finds the same.
//!
//! # Orderings
//!
//! Commits are Release and pair with the Acquire loads of readers: who sees a length, a root or a place sees what it covers. Whatever
//! is stored to memory that may have been the list's before (words beyond the length, new segments, spines and blocks of elements) is
//! stored with Release, after the version was raised; a reader that met such a word fences (Acquire) before it looks at the version again, and
//! so sees the raised one. A value is set by Release, too: who reads many sees the version that earlier changes have raised.

mod append;
pub mod element;
pub mod memory;
mod read;
mod repair;
mod replace;
mod set;
mod shrink;
#[cfg(not(loom))]
pub mod stored;

pub use memory::{Fresh, Memory};
pub use read::OutOfRange;

/// The algorithm over borrowed memory. What changes the list is for who has its lock.
#[derive(Debug)]
pub struct List<'a, M> {
    memory: &'a M,
    /// Elements are in blocks.
    boxed: bool,
}

impl<'a, M: Memory> List<'a, M> {
    /// The list in `memory`; `boxed` as its body says.
    #[inline(always)]
    pub fn new(memory: &'a M, boxed: bool) -> Self {
        Self { memory, boxed }
    }

    /// How many elements there are, for who has the lock.
    #[inline]
    pub fn len(&self) -> u64 {
        self.spine().map_or(0, Self::len_of)
    }

    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The word of element `index`, for who has the lock. `None`: there is no such element.
    pub fn word(&self, index: u64) -> Option<u64> {
        self.find(index)?.ok()
    }
}
