//! A claimed message with its bytes, wherever they lie: in the slot, in a lease cell, or in a block.
//!
//! # Safety
//!
//! While the claim lives nobody else changes the slot, the cell or the block that it names: a block in flight belongs to
//! the slot or cell that names it, and only the claim's owner commits it.
#![allow(unsafe_code)]

use crate::arena::BlockView;
use crate::error::{Error, ErrorKind, Result};
use crate::ring::frozen::FrozenBytes;
use crate::ring::{Message, RingMemory, Taken};

/// A claimed message. Dropped without [`release`](Self::release) it goes back, marked as redelivered.
#[must_use]
pub struct Held<'q, M: RingMemory> {
    taken: Taken<'q, M>,
    block: Option<BlockView<'q>>,
}

impl<'q, M: RingMemory> Held<'q, M> {
    /// Looks up the message's block, if it has one, with `find`.
    ///
    /// # Errors
    ///
    /// `Corrupt` if the block that the message names does not live: the region is damaged. The message is dropped, so
    /// that the damage does not stop every consumer.
    pub fn new(taken: Taken<'q, M>, find: impl FnOnce(u64) -> Option<BlockView<'q>>) -> Result<Self> {
        let block = match taken.message() {
            Message::Inline { .. } => None,
            Message::Block { reference, .. } => match find(reference) {
                Some(block) => Some(block),
                None => {
                    taken.commit();
                    return Err(lost(reference));
                }
            },
        };
        Ok(Self { taken, block })
    }

    /// The block, if the message lies in one.
    pub fn block(&self) -> Option<&BlockView<'q>> {
        self.block.as_ref()
    }

    /// Gives back a dead letter, which goes on being one.
    pub fn lay_down(self) {
        match self.taken {
            Taken::Cell(lease) => lease.lay_down(),
            slot @ Taken::Slot(_) => slot.put_back(),
        }
    }

    /// The message is consumed: the commit, then the memory.
    pub fn release(self) {
        let Self { taken, block } = self;
        // The commit of a message in a block; killed from here on, a reaper does the rest.
        if let Some(block) = &block {
            block.mark_dying();
        }
        taken.commit();
        if let Some(block) = block {
            block.finish_free();
        }
    }
}

// SAFETY: the bytes are the region's and frozen while the claim lives (see the module); the claim holds no bytes itself,
// so that moving it moves none.
unsafe impl<M: RingMemory> FrozenBytes for Held<'_, M> {
    fn bytes(&self) -> &[u8] {
        match (&self.block, self.taken.message()) {
            // SAFETY: as above; within the block by its own bounds.
            (Some(block), _) => unsafe { core::slice::from_raw_parts(block.ptr(), block.len() as usize) },
            // SAFETY: as above; within the payload.
            (None, Message::Inline { ptr, len }) => unsafe { core::slice::from_raw_parts(ptr, len) },
            (None, Message::Block { .. }) => &[],
        }
    }
}

#[cold]
fn lost(reference: u64) -> Error {
    Error::new(
        ErrorKind::Corrupt,
        "queue",
        format!("a message names block {reference:#x}, which does not live"),
    )
}
