//! Where everything lies in a region: a function of its limit alone.

use crate::layout::NAMED_REFERENCES;
use crate::layout::announcement::ANNOUNCEMENTS_SIZE;
use crate::layout::participant::SLOT_SIZE;
use crate::layout::{
    CHUNK, CHUNK_ENTRY_SIZE, MAX_PARTICIPANTS, OBJECT_SIZE, OBJECTS, PAGE, ParticipantId, REFERENCE_SIZE,
    REFERENCES,
};

/// Offsets and sizes in bytes from the start of the region.
///
/// ```text
/// 0           header
/// 4096        participants   (MAX_PARTICIPANTS + 1) slots of 256 bytes; slot 0 is not used
/// objects     object directory
/// announcements  one page of lines per participant slot
/// references  reference entries, one table of `references_each` entries per participant slot
/// chunk_table one entry per chunk
/// chunks      limit / 64 KiB chunks
/// total
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    pub limit: u64,
    pub participants: u64,
    pub objects: u64,
    pub announcements: u64,
    pub references: u64,
    /// Entries of one participant's table.
    pub references_each: u64,
    pub chunk_table: u64,
    pub chunks: u64,
    pub chunk_count: u64,
    pub total: u64,
}

/// Largest limit: what the 47-bit address space of a process leaves room for.
pub const LIMIT_MAX: u64 = 1 << 46;

const SLOTS: u64 = MAX_PARTICIPANTS as u64 + 1;

impl Geometry {
    /// For a limit that is a multiple of [`CHUNK`], not zero and at most [`LIMIT_MAX`].
    pub const fn new(limit: u64) -> Option<Self> {
        Self::with_references(limit, REFERENCES)
    }

    /// The same of a named region, which takes 1 GiB less of address space.
    pub const fn named(limit: u64) -> Option<Self> {
        Self::with_references(limit, NAMED_REFERENCES)
    }

    const fn with_references(limit: u64, references_each: u64) -> Option<Self> {
        if limit == 0 || limit > LIMIT_MAX || !limit.is_multiple_of(CHUNK) {
            return None;
        }
        let chunk_count = limit / CHUNK;
        let participants = PAGE;
        let objects = participants + SLOTS * SLOT_SIZE;
        let announcements = objects + OBJECTS * OBJECT_SIZE;
        let references = announcements + SLOTS * ANNOUNCEMENTS_SIZE;
        let chunk_table = references + SLOTS * references_each * REFERENCE_SIZE;
        let chunks = (chunk_table + chunk_count * CHUNK_ENTRY_SIZE).next_multiple_of(CHUNK);
        let total = chunks + limit;
        Some(Self {
            limit,
            participants,
            objects,
            announcements,
            references,
            references_each,
            chunk_table,
            chunks,
            chunk_count,
            total,
        })
    }

    /// Offset of a participant's slot.
    #[inline]
    pub const fn participant(&self, id: ParticipantId) -> u64 {
        self.participants + id as u64 * SLOT_SIZE
    }

    /// Offset of an entry of the object directory.
    #[inline]
    pub const fn object(&self, index: u32) -> u64 {
        self.objects + index as u64 * OBJECT_SIZE
    }

    /// Offset of a participant's announcements.
    #[inline]
    pub const fn announcements_of(&self, id: ParticipantId) -> u64 {
        self.announcements + id as u64 * ANNOUNCEMENTS_SIZE
    }

    /// Offset of a participant's table of reference entries.
    #[inline]
    pub const fn references_of(&self, id: ParticipantId) -> u64 {
        self.references + id as u64 * (self.references_each * REFERENCE_SIZE)
    }

    /// Offset of a chunk's entry.
    #[inline]
    pub const fn chunk_entry(&self, index: u64) -> u64 {
        self.chunk_table + index * CHUNK_ENTRY_SIZE
    }

    /// Offset of a chunk.
    #[inline]
    pub const fn chunk(&self, index: u64) -> u64 {
        self.chunks + index * CHUNK
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_follow_each_other() {
        for limit in [CHUNK, 64 << 20, 64 << 30, LIMIT_MAX] {
            let [g, named] = [Geometry::new(limit), Geometry::named(limit)].map(Option::unwrap);
            assert!(named.total + (1 << 29) < g.total);
            assert!(named.references_of(MAX_PARTICIPANTS as u16 + 1) <= named.chunk_table);
            assert_eq!(named.references_of(2) % 4096, 0);
            assert_eq!(g.participant(0), 4096);
            assert!(g.participant(MAX_PARTICIPANTS as u16) + SLOT_SIZE <= g.objects);
            assert!(g.object(OBJECTS as u32 - 1) + OBJECT_SIZE <= g.announcements);
            assert_eq!(g.announcements % 4096, 0);
            assert!(g.announcements_of(MAX_PARTICIPANTS as u16 + 1) <= g.references);
            assert!(g.references_of(MAX_PARTICIPANTS as u16 + 1) <= g.chunk_table);
            assert!(g.chunk_entry(g.chunk_count) <= g.chunks);
            assert_eq!(g.chunks % CHUNK, 0);
            assert_eq!(g.chunk(g.chunk_count), g.total);
        }
    }

    #[test]
    fn odd_limits_are_refused() {
        for limit in [0, 1, CHUNK + 1, LIMIT_MAX + CHUNK, u64::MAX] {
            assert_eq!(Geometry::new(limit), None);
        }
    }
}
