//! A list in an arena.

use std::fmt;

use super::memory::Memory;
use crate::arena::{Arena, Block, BlockView, ObjectView};
use crate::error::{ErrorKind, Result};
use crate::layout::block_place::BlockPlace;
use crate::layout::list::{ListBody, ListWords};
use crate::layout::object::ObjectId;
use crate::region::Region;
use crate::sync::atomic::{AtomicU64, Ordering};

/// The memory of one list.
#[derive(Clone, Copy)]
pub struct Stored<'a> {
    arena: &'a Arena,
    /// That of the arena, at hand.
    region: &'a Region,
    object: ObjectId,
    words: &'a ListWords<AtomicU64>,
    /// Looks for the dead: what they left is room, too.
    look: Option<&'a dyn Fn()>,
}

impl<'a> Stored<'a> {
    /// That of the list `object`, with this body; `look` is asked once, where there is no room, to make some.
    #[inline(always)]
    pub fn new(
        arena: &'a Arena,
        region: &'a Region,
        object: ObjectId,
        body: &'a ListBody,
        look: Option<&'a dyn Fn()>,
    ) -> Self {
        Self { arena, region, object, words: &body.words, look }
    }

    /// That of a list that its user knows to live. `None`: it has no such body.
    pub fn of(arena: &'a Arena, object: &ObjectView) -> Option<Self> {
        let fits = object.body_len() >= size_of::<ListBody>() as u64;
        let region = arena.region();
        fits.then(|| Self::new(arena, region, object.id(), region.at(object.body_offset()), None))
    }

    /// Its elements are in blocks.
    pub fn is_boxed(&self) -> bool {
        self.words.boxed.load(Ordering::Relaxed) != 0
    }

    /// The block at a place, if it is content of this list in that life.
    pub fn view(&self, place: BlockPlace) -> Option<BlockView<'a>> {
        self.arena.named(place.block(), self.object)
    }
}

impl<'a> Memory for Stored<'a> {
    type Word = AtomicU64;
    type Private = Block<'a>;

    #[inline(always)]
    fn control(&self) -> &ListWords<AtomicU64> {
        self.words
    }

    #[inline(always)]
    fn words(&self, place: BlockPlace, count: u64) -> Option<&[AtomicU64]> {
        self.region.words(place.offset(), count)
    }

    fn alloc(&self, words: u64) -> Result<Block<'a>> {
        match self.arena.alloc(words * 8, 0) {
            Err(error) if error.kind() == ErrorKind::OutOfMemory && self.look.is_some() => {
                self.look.inspect(|look| look());
                self.arena.alloc(words * 8, 0)
            }
            answer => answer,
        }
    }

    fn place(&self, block: &Block<'a>) -> BlockPlace {
        block.view().place()
    }

    fn make_value(&self, block: Block<'a>) {
        block.make_value(self.object);
    }

    fn is_value(&self, place: BlockPlace) -> bool {
        self.view(place).is_some()
    }

    fn free(&self, place: BlockPlace) {
        self.arena.free_named(place.block(), self.object);
    }
}

impl fmt::Debug for Stored<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stored").field("object", &self.object).finish_non_exhaustive()
    }
}
