//! The arena of this process: one for each region it is attached to.
use std::collections::HashMap;
use std::fmt;
use std::mem::offset_of;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::block::RUN;
use super::count::Book;
use super::hints::{Hints, Pages};
use super::object::Table;
use super::rings::Rings;
use crate::error::{Error, ErrorKind, Result};
use crate::layout::block::{BlockHeader, CLASSES, HEADER, MAX_CHUNKS, Position, blocks_of, stride_of};
use crate::layout::chunk::{ChunkEntry, ChunkState, ChunkWord};
use crate::layout::header::Header;
use crate::layout::object::{ArenaControl, ObjectEntry, ObjectId, ObjectState, ObjectWord};
use crate::layout::reference::{FIRST_REFERENCE, ReferenceControl, ReferenceEntry};
use crate::layout::{CHUNK, CHUNK_ENTRY_SIZE, OBJECT_SIZE, OBJECTS, PAGE, ParticipantId, REFERENCE_SIZE};
use crate::region::{Me, Region};
use crate::sync::atomic::AtomicU64;
use crate::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

/// Memory in a region, as one participant uses it.
///
/// One for each region of a process (its operations on counted references go one after the other, under a lock of this
/// value): keep it in an `Arc` and share it. After a fork, and after [`Region::leave`], every call answers
/// `WrongProcess`: join again and make another one.
pub struct Arena {
    pub(super) region: Arc<Region>,
    pub(super) me: Me,
    pub(super) rings: &'static dyn Rings,
    pub(super) hints: Hints,
    pub(super) table: Mutex<Table>,
    chunk_pages: Pages,
    object_pages: Pages,
    reference_pages: Pages,
}

/// Where a block is.
pub(super) struct Located<'a> {
    pub header: &'a BlockHeader,
    /// Offset of the payload.
    pub bytes: u64,
    /// Bytes that it has room for.
    pub room: u64,
    /// As in [`Taken`](super::block::Taken).
    pub class: u8,
}

/// A lock that a panicking thread held is still good: what it guards are hints and lists of entries.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Arena {
    /// The arena of this process in `region`. `rings` answers for objects that hold messages, for as long as
    /// the process lives.
    ///
    /// # Errors
    /// `WrongProcess` if the process is not attached, `OutOfMemory` if its table of references cannot be had.
    pub fn new(region: Arc<Region>, rings: &'static dyn Rings) -> Result<Arc<Self>> {
        let me = region.me()?;
        let geometry = *region.geometry();
        if geometry.chunk_count > MAX_CHUNKS {
            return Err(Error::new(
                ErrorKind::Limit,
                "arena",
                format!("{} chunks are more than a region can name, {MAX_CHUNKS}", geometry.chunk_count),
            ));
        }
        let arena = Self {
            me,
            rings,
            hints: Hints::new(geometry.chunk_count),
            table: Mutex::new(Table::default()),
            chunk_pages: Pages::new(geometry.chunk_count * CHUNK_ENTRY_SIZE),
            object_pages: Pages::new(OBJECTS * OBJECT_SIZE),
            reference_pages: Pages::new(geometry.references_each * REFERENCE_SIZE),
            region,
        };
        arena.ensure_reference(0)?;
        *lock(&arena.table) = arena.read_table();
        Ok(Arc::new(arena))
    }

    /// The region.
    pub fn region(&self) -> &Arc<Region> {
        &self.region
    }

    /// This process's id in the region, if it is still the one that made this arena.
    #[inline]
    pub fn me(&self) -> Result<ParticipantId> {
        let me = self.region.me()?;
        if me == self.me { Ok(me.id) } else { Err(stale()) }
    }

    /// The shared marks and hints.
    #[inline]
    pub(super) fn control(&self) -> &ArenaControl {
        self.region.at(offset_of!(Header, arena) as u64)
    }

    /// Entries of a participant's table.
    #[inline]
    pub(super) fn references_each(&self) -> u64 {
        self.region.geometry().references_each
    }

    #[inline]
    pub(super) fn chunk_count(&self) -> u64 {
        self.region.geometry().chunk_count
    }

    #[inline]
    pub(super) fn chunk(&self, index: u64) -> &ChunkEntry {
        self.region.at(self.region.geometry().chunk_entry(index))
    }

    #[inline]
    pub(super) fn chunk_word(&self, index: u64) -> ChunkWord {
        ChunkWord::unpack(self.chunk(index).word.load(Acquire))
    }

    /// Changes a chunk's word from what was seen.
    pub(super) fn change_chunk(&self, index: u64, old: ChunkWord, new: ChunkWord) -> bool {
        self.chunk(index).word.compare_exchange(old.pack(), new.pack(), AcqRel, Acquire).is_ok()
    }

    /// Stores the word of a chunk that this process owns.
    pub(super) fn set_chunk(&self, index: u64, new: ChunkWord) {
        self.chunk(index).word.store(new.pack(), Release);
    }

    #[inline]
    pub(super) fn object(&self, index: u32) -> &ObjectEntry {
        self.region.at(self.region.geometry().object(index))
    }

    /// `None` if there is no such block now.
    #[inline]
    pub(super) fn locate(&self, position: Position) -> Option<Located<'_>> {
        let chunk = u64::from(position.chunk);
        if chunk >= self.chunk_count() {
            return None;
        }
        let entry = self.chunk(chunk);
        let word = ChunkWord::unpack(entry.word.load(Acquire));
        let base = self.region.geometry().chunk(chunk);
        match word.state {
            ChunkState::Slab => {
                let class = word.value as usize;
                if class >= CLASSES.len() || position.index >= blocks_of(class) {
                    return None;
                }
                let stride = stride_of(class);
                let at = base + u64::from(position.index) * stride;
                let header = self.region.at(at);
                Some(Located { header, bytes: at + HEADER, room: stride - HEADER, class: class as u8 })
            }
            ChunkState::Run if position.index == Position::RUN => {
                let room = u64::from(word.value) * CHUNK;
                Some(Located { header: &entry.block, bytes: base, room, class: RUN })
            }
            _ => None,
        }
    }

    /// Every block there is, free ones of slabs too. Runs that are being built or freed are left out.
    pub(super) fn each_block(&self, mut each: impl FnMut(Position, &BlockHeader)) {
        self.each_used_chunk(|chunk, word| match word.state {
            ChunkState::Slab if (word.value as usize) < CLASSES.len() => {
                let base = self.region.geometry().chunk(chunk);
                let stride = stride_of(word.value as usize);
                for index in 0..blocks_of(word.value as usize) {
                    let header = self.region.at(base + u64::from(index) * stride);
                    each(Position { chunk: chunk as u32, index }, header);
                }
            }
            ChunkState::Run => {
                each(Position { chunk: chunk as u32, index: Position::RUN }, &self.chunk(chunk).block);
            }
            _ => {}
        });
    }

    /// Every chunk within the marks, with its word.
    pub(super) fn each_used_chunk(&self, mut each: impl FnMut(u64, ChunkWord)) {
        let count = self.chunk_count();
        let low = self.control().slab_end.load(Acquire).min(count);
        let high = (count - self.control().run_depth.load(Acquire).min(count)).max(low);
        for chunk in (0..low).chain(high..count) {
            each(chunk, self.chunk_word(chunk));
        }
    }

    /// Gives the page of a chunk's entry memory, before its first touch.
    #[inline]
    pub(super) fn ensure_chunk_entry(&self, chunk: u64) -> Result<()> {
        let table = self.region.geometry().chunk_table;
        self.ensure(&self.chunk_pages, table, chunk * CHUNK_ENTRY_SIZE)
    }

    #[inline]
    pub(super) fn ensure_object(&self, index: u32) -> Result<()> {
        self.ensure(&self.object_pages, self.region.geometry().objects, u64::from(index) * OBJECT_SIZE)
    }

    /// For this process's own table.
    #[inline]
    pub(super) fn ensure_reference(&self, index: u32) -> Result<()> {
        let table = self.region.geometry().references_of(self.me.id);
        self.ensure(&self.reference_pages, table, u64::from(index) * REFERENCE_SIZE)
    }

    #[inline]
    fn ensure(&self, pages: &Pages, table: u64, offset: u64) -> Result<()> {
        let page = (table + offset) / PAGE - table / PAGE;
        if pages.has(page) {
            Ok(())
        } else {
            self.commit_page(pages, page, table / PAGE * PAGE + page * PAGE)
        }
    }

    #[cold]
    fn commit_page(&self, pages: &Pages, page: u64, offset: u64) -> Result<()> {
        self.region.commit(offset, PAGE)?;
        pages.add(page);
        Ok(())
    }

    /// Where an entry of a participant's table is.
    #[inline]
    pub(super) fn reference_place(&self, who: ParticipantId, index: u32) -> u64 {
        self.region.geometry().references_of(who) + u64::from(index) * REFERENCE_SIZE
    }

    /// The places of a participant's entries that were ever used.
    pub(super) fn reference_places(&self, who: ParticipantId) -> impl Iterator<Item = u64> + '_ {
        let end = (self.reference_control(who).end.load(Acquire)).min(self.references_each()) as u32;
        (FIRST_REFERENCE..end.max(FIRST_REFERENCE)).map(move |index| self.reference_place(who, index))
    }

    pub(super) fn reference_control(&self, who: ParticipantId) -> &ReferenceControl {
        self.region.at(self.region.geometry().references_of(who))
    }

    /// The lists of a participant's process: its entries, from what its table says.
    fn read_table(&self) -> Table {
        let mut table = Table { next: FIRST_REFERENCE, ..Table::default() };
        let mut inherited = HashMap::new();
        for place in self.reference_places(self.me.id) {
            let Some(entry) = self.entry(place) else { continue };
            use crate::layout::reference::{ReferenceState, ReferenceWord};
            let word = ReferenceWord::unpack(entry.word.load(Acquire));
            let index = ((place - self.region.geometry().references_of(self.me.id)) / REFERENCE_SIZE) as u32;
            match ObjectId::from_bits(entry.object.load(Relaxed)) {
                Some(object) if word.state == ReferenceState::Held => {
                    inherited.insert(object, place);
                }
                _ => table.free.push(index),
            }
            table.next = index + 1;
        }
        table.inherited = inherited;
        table
    }
}

impl Book for Arena {
    #[inline]
    fn control(&self, who: u16) -> &ReferenceControl {
        self.reference_control(who)
    }

    #[inline]
    fn entry(&self, place: u64) -> Option<&ReferenceEntry> {
        let geometry = self.region.geometry();
        let in_tables = place >= geometry.references && place < geometry.chunk_table;
        let in_chunks = place >= geometry.chunks && place < geometry.total;
        (place.is_multiple_of(REFERENCE_SIZE) && (in_tables || in_chunks)).then(|| self.region.at(place))
    }

    #[inline]
    fn count(&self, object: ObjectId) -> &AtomicU64 {
        &self.object(object.index).count
    }

    fn last_reference_gone(&self, object: ObjectId, who: u16) {
        let word = &self.object(object.index).word;
        let old = ObjectWord::unpack(word.load(Acquire));
        if old.generation == object.generation && matches!(old.state, ObjectState::Live | ObjectState::Init) {
            // Nobody else changes it: there is no reference, and there cannot come one.
            word.store(old.to(ObjectState::Dying, who).pack(), Release);
        }
    }
}

impl fmt::Debug for Arena {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arena")
            .field("region", &self.region.id())
            .field("me", &self.me)
            .finish_non_exhaustive()
    }
}

#[cold]
fn stale() -> Error {
    Error::new(ErrorKind::WrongProcess, "arena", "this process has left the region and joined it again")
        .hint("make the handle anew")
}
