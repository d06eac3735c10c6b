//! Taking everything out at once.

use super::Dict;
use super::memory::{Memory, Words, Writers};
use crate::layout::dict::{Phase, Root, at};
use crate::sync::atomic::Ordering::{Relaxed, Release};

impl<M: Writers> Dict<M> {
    /// Takes everything out, at one moment.
    ///
    /// # Errors
    /// Those of the memory (an empty segment is made); then nothing has changed.
    #[cold]
    pub fn clear(&self) -> Result<(), M::Error> {
        let _structure = self.lock_structure()?;
        let _frozen = self.freeze(0, self.stripes())?;
        let body = self.memory.body();
        let epoch = body.load(at::EPOCH, Relaxed).wrapping_add(1);
        body.store(at::EPOCH, epoch, Release);
        let nothing = self.nothing(0, epoch)?;
        let old = self.root();
        body.store(at::OLD, old.0, Relaxed);
        body.store(at::NEW, nothing.entry.0, Relaxed);
        body.store(at::NEW + 1, nothing.root.0, Relaxed);
        self.set_phase(Phase::Clear);
        self.memory.make_value(nothing.segment);
        self.memory.make_value(nothing.directory);
        body.store(at::ROOT, nothing.root.0, Release);
        self.finish_clear(old);
        self.set_phase(Phase::Idle);
        Ok(())
    }
}

impl<M: Memory> Dict<M> {
    /// After the commit: nothing is counted, and what the old directory leads to is freed.
    pub(super) fn finish_clear(&self, old: Root) {
        for stripe in 0..self.stripes() {
            self.store_in(stripe, at::COUNT, 0);
        }
        self.each_under(old, None, &mut |block| self.memory.free(block));
    }
}
