//! The blocks of an object of an arena, for [`Swap`](super::swap::Swap).

use super::swap::{Blocks, Word};
use crate::arena::Arena;
use crate::layout::object::ObjectId;
use crate::layout::structure::Chain;
use crate::sync::atomic::Ordering::{Acquire, Release};

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct ArenaBlocks<'a> {
    chain: &'a Chain,
    arena: &'a Arena,
    object: ObjectId,
}

impl<'a> ArenaBlocks<'a> {
    /// Those of `object`, whose body has this chain. Who changes them has its lock, or tears it down.
    pub fn new(chain: &'a Chain, arena: &'a Arena, object: ObjectId) -> Self {
        Self { chain, arena, object }
    }
}

impl Blocks for ArenaBlocks<'_> {
    fn get(&self, word: Word) -> u64 {
        self.chain.word(word).load(Acquire)
    }

    fn put(&self, word: Word, value: u64) {
        self.chain.word(word).store(value, Release);
    }

    fn is_value(&self, block: u64) -> bool {
        self.arena.value(block, self.object).is_some()
    }

    fn len(&self, block: u64) -> u64 {
        self.arena.block(block).map_or(0, |view| view.len())
    }

    fn link(&self, block: u64) -> u64 {
        self.arena.block(block).map_or(0, |view| view.link())
    }

    fn set_link(&self, block: u64, to: u64) {
        if let Some(view) = self.arena.block(block) {
            view.set_link(to);
        }
    }

    fn mark_dying(&self, block: u64) {
        if let Some(view) = self.arena.value(block, self.object) {
            view.mark_dying();
        }
    }

    fn finish_free(&self, block: u64) {
        if let Some(view) = self.arena.block(block) {
            view.finish_free();
        }
    }

    fn announced(&self, each: &mut dyn FnMut(u64)) -> bool {
        // Pairs with the light fences of those who announce.
        if !self.arena.region().order_announcements() {
            return false;
        }
        self.arena.region().each_announcement(|line| {
            // Acquire: pairs with the Release that takes an announcement back: its reader has read.
            line.held.iter().map(|word| word.load(Acquire)).filter(|word| *word != 0).for_each(&mut *each);
        });
        true
    }
}
