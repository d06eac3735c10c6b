//! Where a list lies: a region, or a model's words.

use crate::error::Result;
use crate::layout::block_place::BlockPlace;
use crate::layout::list::ListWords;
use crate::prim::words::Word;

/// What a list asks of the memory that it lies in.
///
/// A block is PRIVATE to who took it (and goes when its owner drops it, or dies), then VALUE: content of this list, for its owner to
/// free; see `layout/block.rs`.
pub trait Memory {
    type Word: Word;
    /// A block that nobody else knows. Dropped, it is free.
    type Private;

    /// The words of the body.
    fn control(&self) -> &ListWords<Self::Word>;

    /// The first `count` words of a block's payload, whoever has the block by now. `None`: that is not in the memory.
    fn words(&self, place: BlockPlace, count: u64) -> Option<&[Self::Word]>;

    /// A block of so many words, with any content.
    ///
    /// # Errors
    /// There is no room.
    fn alloc(&self, words: u64) -> Result<Self::Private>;

    /// Where it is.
    fn place(&self, block: &Self::Private) -> BlockPlace;

    /// PRIVATE(me) -> VALUE of this list.
    fn make_value(&self, block: Self::Private);

    /// It is VALUE of this list, in the life that the place names.
    fn is_value(&self, place: BlockPlace) -> bool;

    /// VALUE -> DYING(me) -> FREE; nothing if it is not VALUE of this list in that life.
    fn free(&self, place: BlockPlace);
}

/// Elements that are to be added: their words, and the blocks that those name, if the list is one of blocks.
#[derive(Debug)]
pub struct Fresh<P> {
    pub words: Vec<u64>,
    pub blocks: Vec<P>,
}

impl<P> Default for Fresh<P> {
    fn default() -> Self {
        Self { words: Vec::new(), blocks: Vec::new() }
    }
}

impl<P> Fresh<P> {
    /// Adds one.
    pub fn push(&mut self, word: u64, block: Option<P>) {
        self.words.push(word);
        self.blocks.extend(block);
    }
}
