//! How much memory there is and how much is used.
use super::Arena;
use crate::layout::CHUNK;
use crate::layout::block::{OwnState, OwnWord, Position};
use crate::layout::chunk::ChunkState;
use crate::sync::atomic::Ordering::{Acquire, Relaxed};

/// Bytes, at about the same moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Memory that the region's file has from the system, tables included.
    pub committed: u64,
    /// Room of the blocks that are not free.
    pub allocated: u64,
    /// Room that the region may grow to.
    pub limit: u64,
    /// Objects that are not free.
    pub objects: u64,
}

impl Arena {
    /// A look at every block; for people, not for decisions.
    pub fn usage(&self) -> Usage {
        let mut allocated = 0;
        self.each_block(|position: Position, header| {
            if OwnWord::unpack(header.own.load(Acquire)).state != OwnState::Free {
                allocated += self.locate(position).map_or(0, |block| block.room);
            }
        });
        let committed = rustix::fs::fstat(self.region.memfd()).map_or(0, |stat| stat.st_blocks as u64 * 512);
        let objects = self.control().objects.load(Relaxed);
        Usage { committed, allocated, limit: self.region.limit(), objects }
    }

    /// Chunks that are nobody's.
    pub(super) fn free_chunks(&self) -> u64 {
        let mut used = 0;
        self.each_used_chunk(|_, word| used += u64::from(word.state != ChunkState::Free));
        self.chunk_count() - used
    }

    /// Bytes of chunks that are nobody's.
    pub fn free_bytes(&self) -> u64 {
        self.free_chunks() * CHUNK
    }
}
