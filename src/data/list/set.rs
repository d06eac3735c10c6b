//! Replacing one element, by who has the lock.

use super::List;
use super::append::damaged;
use super::memory::Memory;
use crate::error::Result;
use crate::layout::block_place::BlockPlace;
use crate::prim::words::Word;
use crate::sync::atomic::Ordering::{Relaxed, Release};
use crate::sync::mutant;

impl<M: Memory> List<'_, M> {
    /// Element `index`, which there is, becomes `word`; `block` is the one that it names, of a list of blocks. The block of before is free
    /// afterwards.
    ///
    /// # Errors
    /// `InvalidRegion`; then nothing was changed.
    pub fn set(&self, index: u64, word: u64, block: Option<M::Private>) -> Result<()> {
        let spine = self.spine().ok_or_else(damaged)?;
        let slot = self.slot(spine, index).ok_or_else(damaged)?;
        let Some(block) = block else {
            self.store_value(slot, word);
            return Ok(());
        };
        let control = self.memory.control();
        let old = BlockPlace(slot.load(Relaxed));
        control.set_index.store(index, Relaxed);
        control.set_old.store(old.0, Relaxed);
        if mutant::on("list.set_unarmed") {
            self.memory.make_value(block);
        } else {
            // Release: armed, with the two above; and before it is VALUE: from then on an heir has to find it.
            control.set_new.store(word, Release);
            self.memory.make_value(block);
        }
        // Release: the commit. Then the version, before the old block is changed.
        slot.store(word, Release);
        self.bump();
        self.memory.free(old);
        control.set_new.store(0, Release);
        Ok(())
    }

    /// Element `index` of a list of values becomes this one. `None`: there is no such element.
    #[inline(always)]
    pub fn set_value(&self, index: u64, value: u64) -> Option<()> {
        let spine = self.spine()?;
        if index >= Self::len_of(spine) {
            return None;
        }
        self.store_value(self.slot(spine, index)?, value);
        Some(())
    }

    #[inline(always)]
    fn store_value(&self, slot: &M::Word, value: u64) {
        // Release: one word, which is there or not; who sees it sees the version that earlier changes have raised. And raised again, for who
        // reads many at once.
        slot.store(value, Release);
        self.bump();
    }

    /// After a death: what was replaced is freed, or what was not put in its place.
    pub(super) fn settle_set(&self) {
        let control = self.memory.control();
        let new = control.set_new.load(Relaxed);
        if new == 0 {
            return;
        }
        let index = control.set_index.load(Relaxed);
        let slot = self.spine().and_then(|spine| self.slot(spine, index));
        let committed = slot.is_some_and(|slot| slot.load(Relaxed) == new);
        self.memory.free(BlockPlace(if committed { control.set_old.load(Relaxed) } else { new }));
        control.set_new.store(0, Release);
    }
}
