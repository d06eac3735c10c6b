//! Blocks that are content of an object, and no messages: what an object names, directly or through other such blocks.
//!
//! They belong to the object. Who has the object's lock links and frees them; who tears the object down frees what is left
//! ([`Rings::messages`](super::Rings::messages)). The reaper of a dead process leaves them alone: the next owner of the lock finishes or
//! undoes what the dead one was doing, by what the object's body says.

use super::{Arena, Block, BlockView, own};
use crate::layout::block::{BlockRef, HEADER, OwnState, Position, blocks_of, stride_of};
use crate::layout::block_place::{BlockPlace, Named};
use crate::layout::chunk::ChunkState;
use crate::layout::object::ObjectId;
use crate::layout::{CHUNK, REFERENCE_SIZE};
use crate::sync::atomic::Ordering::{Acquire, Relaxed};

impl Block<'_> {
    /// PRIVATE(me) -> VALUE of `object`. Its body (or a block of its) must name the block before this, where an heir looks: from here on
    /// nobody else would find it.
    pub fn make_value(self, object: ObjectId) -> u64 {
        let view = self.view();
        own::value(view.header(), view.own(), object.bits());
        self.forget();
        view.reference()
    }
}

impl BlockView<'_> {
    /// One word that the block's owner has for itself: usually another block of the same object.
    #[inline]
    pub fn link(&self) -> u64 {
        self.header().ticket.load(Acquire)
    }

    /// Sets [`link`](Self::link).
    #[inline]
    pub fn set_link(&self, reference: u64) {
        self.header().ticket.store(reference, Relaxed);
        // Relaxed: a block is published by the store that names it, and its owner has the object's lock.
    }

    /// Where the payload starts in the region: references of the block first, then its content. A multiple of 64.
    #[inline]
    pub fn offset(&self) -> u64 {
        self.bytes()
    }

    /// Which life of the block this is.
    #[inline]
    pub fn generation(&self) -> u64 {
        self.own().generation
    }

    /// What names the block in this life.
    #[inline]
    pub fn name(&self) -> Named {
        Named::new(self.offset(), self.generation())
    }

    /// The word by which others find the block in this life.
    #[inline]
    pub fn place(&self) -> BlockPlace {
        BlockPlace::new(self.name(), self.children() != 0)
    }

    /// Where the content starts in the region: behind the references.
    #[inline]
    pub fn content_offset(&self) -> u64 {
        self.offset() + u64::from(self.children()) * REFERENCE_SIZE
    }
}

impl Arena {
    /// The block that `reference` names, if it is content of `object`.
    #[inline]
    pub fn value(&self, reference: u64, object: ObjectId) -> Option<BlockView<'_>> {
        self.block(reference).filter(|view| is_value_of(view, object))
    }

    /// The block of this name, if it is content of `object` in that life.
    #[inline]
    pub fn named(&self, block: Named, object: ObjectId) -> Option<BlockView<'_>> {
        self.view_at(block.offset).filter(|view| block.is_of(view.generation()) && is_value_of(view, object))
    }

    /// The block whose payload starts at this offset, whatever its state. `None`: none does. For offsets in words of an object whose lock the
    /// caller has.
    pub fn view_at(&self, offset: u64) -> Option<BlockView<'_>> {
        let geometry = self.region().geometry();
        if !(geometry.chunks..geometry.total).contains(&offset) {
            return None;
        }
        let chunk = (offset - geometry.chunks) / CHUNK;
        let word = self.chunk_word(chunk);
        let within = offset - geometry.chunk(chunk);
        let index = match word.state {
            ChunkState::Run if within == 0 => Position::RUN,
            ChunkState::Slab => {
                let class = word.value as usize;
                let stride = stride_of(class);
                let index = within.checked_sub(HEADER)? / stride;
                let proper = index * stride + HEADER == within && index < u64::from(blocks_of(class));
                proper.then_some(index as u16)?
            }
            _ => return None,
        };
        self.block_at(Position { chunk: chunk as u32, index })
    }

    /// Where the payload of the block starts that `reference` names, whoever has it by now, and in whatever life.
    pub fn offset_of(&self, reference: u64) -> Option<u64> {
        let position = BlockRef(reference).position()?;
        self.block_at(position).map(|view| view.offset())
    }

    /// Frees the block that `reference` names, if it is content of `object`; what it refers to loses a reference. False: it is not, or not any more.
    ///
    /// The caller has the object's lock, and nothing that others follow names the block. Killed in it before the block is
    /// DYING, an heir does it again; after, the reaper frees it.
    pub fn free_value(&self, reference: u64, object: ObjectId) -> bool {
        self.value(reference, object).map(free).is_some()
    }

    /// As [`free_value`](Self::free_value), by name.
    pub fn free_named(&self, block: Named, object: ObjectId) -> bool {
        self.named(block, object).map(free).is_some()
    }
}

fn free(view: BlockView<'_>) {
    view.mark_dying();
    view.finish_free();
}

fn is_value_of(view: &BlockView<'_>, object: ObjectId) -> bool {
    view.own().state == OwnState::Value && view.header().ring.load(Relaxed) == object.bits()
}
