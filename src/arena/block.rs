//! Blocks as this process holds them.
//!
//! # Safety
//!
//! Raw writes go to the payload of a block that the own word says is this process's (PRIVATE(me), just taken), within the
//! bounds that `locate` gave, which lie in the mapping.
#![allow(unsafe_code)]

use std::fmt;
use std::mem::ManuallyDrop;

use super::count::{self, Outcome};
use super::handle::{Located, lock};
use super::object::{ObjectRef, too_many};
use super::{Arena, own};
use crate::error::{Error, ErrorKind, Result};
use crate::layout::block::{BlockHeader, BlockRef, OwnState, OwnWord, Position, SMALL_MAX, class_of};
use crate::layout::object::ObjectId;
use crate::layout::reference::{ReferenceState, ReferenceWord};
use crate::layout::{CHUNK, ParticipantId, REFERENCE_SIZE};
use crate::region::{ParticipantState, Seat};
use crate::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use crate::sync::kill;

/// A block that was just taken.
pub(super) struct Taken<'a> {
    pub header: &'a BlockHeader,
    pub own: OwnWord,
    pub position: Position,
    /// Offset of the payload.
    pub bytes: u64,
    /// The class of a small block, [`RUN`] for a run.
    pub class: u8,
    /// Of a run: the payload is known to be zero.
    pub zero: bool,
}

/// The class of what is a run.
pub(super) const RUN: u8 = u8::MAX;

/// A look at a block that this process knows by its reference. It says nothing about who owns it: the slot or cell that named the
/// block does.
#[derive(Clone, Copy)]
pub struct BlockView<'a> {
    arena: &'a Arena,
    header: &'a BlockHeader,
    own: OwnWord,
    position: Position,
    bytes: u64,
    room: u64,
    class: u8,
}

/// A block of this process's own: PRIVATE(me). Freed when it is dropped.
///
/// After a death of the process in any of its calls the reaper frees it, with the references in it.
pub struct Block<'a> {
    view: BlockView<'a>,
    zero: bool,
}

impl Arena {
    /// Takes a block of `len` bytes, with room for `children` references in front of them. The bytes are aligned to 16, and to 64 without
    /// children; they are not cleared. Nothing is promised about their content.
    ///
    /// In the steady state no system call, no lock, one read-modify-write on the block's header.
    ///
    /// # Errors
    /// `TooLarge` if the region could never hold it, `OutOfMemory` if it has no room at present or the machine has no
    /// memory, `WrongProcess` in a forked child.
    #[inline]
    pub fn alloc(&self, len: u64, children: u32) -> Result<Block<'_>> {
        let me = self.me()?;
        let need = len.saturating_add(u64::from(children) * REFERENCE_SIZE);
        let taken = if need <= SMALL_MAX {
            self.take_small(class_of(need), need, me)?
        } else {
            self.take_run(need, me)?
        };
        taken.header.len.store(len, Relaxed);
        let view = BlockView {
            arena: self,
            header: taken.header,
            own: taken.own,
            position: taken.position,
            bytes: taken.bytes,
            room: need,
            class: taken.class,
        };
        let block = Block { view, zero: taken.zero };
        if children > 0 {
            block.make_children(children);
        }
        Ok(block)
    }

    /// The block that `reference` names, if it lives that life still.
    #[inline]
    pub fn block(&self, reference: u64) -> Option<BlockView<'_>> {
        let reference = BlockRef(reference);
        let position = reference.position()?;
        let Located { header, bytes, room, class } = self.locate(position)?;
        let own = OwnWord::unpack(header.own.load(Acquire));
        if own.state == OwnState::Free || !reference.is_life_of(own) {
            return None;
        }
        Some(BlockView { arena: self, header, own, position, bytes, room, class })
    }

    /// As [`block`](Self::block) for a position.
    pub(super) fn block_at(&self, position: Position) -> Option<BlockView<'_>> {
        let Located { header, bytes, room, class } = self.locate(position)?;
        let own = OwnWord::unpack(header.own.load(Acquire));
        Some(BlockView { arena: self, header, own, position, bytes, room, class })
    }

    /// Nothing that is free now would hold `need` bytes.
    #[cold]
    pub(super) fn no_room(&self, need: u64) -> Error {
        let free = self.free_chunks() * CHUNK;
        Error::new(
            ErrorKind::OutOfMemory,
            "arena",
            format!(
                "no room for {need} bytes: {free} of {} are free, in whole chunks of {CHUNK} that need not be adjacent",
                self.region.limit()
            ),
        )
        .hint("consume what is queued, or create the region with a larger limit")
    }

    /// No region of this size could hold it.
    #[cold]
    pub(super) fn too_large(&self, need: u64) -> Error {
        Error::new(
            ErrorKind::TooLarge,
            "arena",
            format!("{need} bytes can never fit: the region's limit is {} bytes", self.region.limit()),
        )
        .hint("send it in pieces, or create the region with a larger limit")
    }
}

impl<'a> BlockView<'a> {
    /// The own word as it was when the block was looked up.
    pub fn own(&self) -> OwnWord {
        self.own
    }

    /// Where the block is.
    pub fn position(&self) -> Position {
        self.position
    }

    /// (ring, ticket) that it was last sent through, as [`ObjectId::bits`].
    pub fn sent_through(&self) -> (u64, u64) {
        (self.header.ring.load(Acquire), self.header.ticket.load(Acquire))
    }

    /// The name of this life of the block.
    #[inline]
    pub fn reference(&self) -> u64 {
        BlockRef::new(self.position, self.own.generation).0
    }

    /// References in front of the bytes.
    #[inline]
    pub fn children(&self) -> u32 {
        // Release in `make_children` pairs: the entries are clear before they count.
        let most = self.room / REFERENCE_SIZE;
        self.header.children.load(Acquire).min(most) as u32
    }

    /// Bytes of content. Never more than there is room for, whatever the header says.
    #[inline]
    pub fn len(&self) -> u64 {
        let room = self.room - u64::from(self.children()) * REFERENCE_SIZE;
        self.header.len.load(Relaxed).min(room)
    }

    /// There is no content.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The content. Whoever owns the block, or a slot or cell that names it, may use it.
    #[inline]
    pub fn ptr(&self) -> *mut u8 {
        let skip = u64::from(self.children()) * REFERENCE_SIZE;
        self.arena.region.ptr(self.bytes + skip, self.room - skip)
    }

    /// The object that child `i` refers to; `None` if there is none.
    pub fn child(&self, i: u32) -> Option<ObjectId> {
        let entry = count::Book::entry(self.arena, self.child_place(i)?)?;
        let held = ReferenceWord::unpack(entry.word.load(Acquire)).state == ReferenceState::Held;
        held.then(|| ObjectId::from_bits(entry.object.load(Relaxed))).flatten()
    }

    pub(super) fn child_place(&self, i: u32) -> Option<u64> {
        (i < self.children()).then(|| self.bytes + u64::from(i) * REFERENCE_SIZE)
    }

    /// The commit: the caller has the slot or cell that names the block (or the block itself), and will free it with
    /// [`finish_free`](Self::finish_free). Killed from here on, the reaper frees it.
    #[inline]
    pub fn mark_dying(&self) {
        own::dying(self.header, self.own, self.arena.me.id);
    }

    /// Drops the children of a block that is DYING(me), and frees it.
    #[inline]
    pub fn finish_free(self) {
        self.arena.bury(self, self.arena.me.id, None);
    }

    pub(super) fn header(&self) -> &'a BlockHeader {
        self.header
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Arena {
    /// Frees a block that is DYING(who), as `who`: children first. Objects that lose their last reference are torn
    /// down at once, or put on `work`.
    #[inline]
    pub(super) fn bury(&self, view: BlockView<'_>, who: ParticipantId, work: Option<&mut Vec<ObjectId>>) {
        if view.header.children.load(Relaxed) != 0 {
            let mut own_work = Vec::new();
            let work_of_mine = work.is_none();
            let list = work.unwrap_or(&mut own_work);
            self.drop_children(view, who, list);
            self.free_block(view, who);
            if work_of_mine {
                self.tear_down_all(who, own_work);
            }
        } else {
            self.free_block(view, who);
        }
    }

    #[cold]
    fn drop_children(&self, view: BlockView<'_>, who: ParticipantId, work: &mut Vec<ObjectId>) {
        for i in 0..view.children() {
            let Some(place) = view.child_place(i) else { continue };
            // One operation of a participant at a time; a reaper is alone as it is.
            let _alone = (who == self.me.id).then(|| lock(&self.table));
            if let Some(Outcome::Last(object)) = count::remove(self, who, place) {
                work.push(object);
            }
        }
        // Before FREE: a free block has no children.
        view.header.children.store(0, Release);
    }

    #[inline]
    fn free_block(&self, view: BlockView<'_>, who: ParticipantId) {
        if view.class == RUN {
            self.free_run(view.position.chunk, view.own, who);
        } else {
            own::free(view.header, view.own);
            if who == self.me.id {
                self.hints.classes[usize::from(view.class)].recent.push(view.position);
            }
        }
    }
}

impl<'a> Block<'a> {
    fn make_children(&self, children: u32) {
        kill::point();
        let bytes = u64::from(children) * REFERENCE_SIZE;
        let start = self.view.arena.region.ptr(self.view.bytes, bytes);
        // SAFETY: the block is PRIVATE(me) and has room for them: `alloc` added them to the need.
        unsafe { start.write_bytes(0, bytes as usize) };
        self.view.header.children.store(u64::from(children), Release);
    }

    /// The content, to be written.
    #[inline]
    pub fn ptr(&self) -> *mut u8 {
        self.view.ptr()
    }

    /// Bytes of content.
    #[inline]
    pub fn len(&self) -> u64 {
        self.view.len()
    }

    /// There is no content.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// From now on the content is the first `len` bytes. Has no effect if there are not more.
    #[inline]
    pub fn truncate(&self, len: u64) {
        if len < self.len() {
            // Relaxed: PRIVATE(me), and published with the block.
            self.view.header.len.store(len, Relaxed);
        }
    }

    /// The bytes are known to be zero.
    pub(super) fn is_zero(&self) -> bool {
        // A small block's first life is in the zeros of a fresh chunk, unless that served as a run before.
        let fresh = || {
            let chunk = self.view.arena.chunk_word(u64::from(self.view.position.chunk));
            self.view.own.generation == 1 && !chunk.dirty
        };
        if self.view.class == RUN { self.zero } else { fresh() }
    }

    /// The name of the block.
    #[inline]
    pub fn reference(&self) -> u64 {
        self.view.reference()
    }

    /// The block without its end.
    #[inline]
    pub fn view(&self) -> BlockView<'a> {
        self.view
    }

    /// Puts a counted reference to `object` in place `i`.
    ///
    /// # Errors
    /// `InvalidInput` if there is no such place or it is taken, `Limit` if the object has too many references.
    pub fn add_child(&self, i: u32, object: &ObjectRef) -> Result<()> {
        let arena = self.view.arena;
        let Some(place) = self.view.child_place(i).filter(|_| self.view.child(i).is_none()) else {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "message",
                format!("place {i} of {} for handles does not exist or is taken", self.view.children()),
            ));
        };
        if !std::ptr::eq(&**object.arena(), arena) {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "message",
                "the handle belongs to another region",
            ));
        }
        let _alone = lock(&arena.table);
        count::add(arena, arena.me.id, place, object.id()).map_err(|_| too_many(object.id()))
    }

    /// PRIVATE(me) -> SENT(me), for slot `ticket` of `ring`, which is W(ticket, me). Answers the reference for
    /// the slot, which must be published next. The block belongs to the slot from then on.
    #[inline]
    pub fn mark_sent(self, ring: ObjectId, ticket: u64) -> u64 {
        let this = ManuallyDrop::new(self);
        let view = &this.view;
        own::sent(view.header, view.own, view.arena.me.id, ring.bits(), ticket);
        view.reference()
    }

    /// Hands the block to a seat that this process reserved: whoever attaches with the seat takes it with
    /// [`Arena::accept`], and it goes when the seat does.
    ///
    /// # Errors
    /// `InvalidState` if the seat is gone; the block is freed then.
    pub fn give_to(self, seat: Seat) -> Result<u64> {
        let view = self.view;
        let arena = view.arena;
        let reference = view.reference();
        own::hand_over(view.header, view.own, arena.me.id, seat.id);
        let now = arena.region.participant(seat.id);
        let gone = matches!(now.state, ParticipantState::Free | ParticipantState::Retired);
        if now.incarnation != seat.incarnation || gone {
            // Its reaper may have passed: nobody else would ever free it. If the reaper was later, it did.
            if !own::hand_over(view.header, view.own, seat.id, arena.me.id) {
                std::mem::forget(self);
            }
            return Err(Error::new(ErrorKind::InvalidState, "seat", "the seat was taken back"));
        }
        std::mem::forget(self);
        Ok(reference)
    }

    /// The block stays; its new owner is `own`'s.
    pub(super) fn forget(self) {
        std::mem::forget(self);
    }
}

impl Arena {
    /// A block that another process handed to this one ([`Block::give_to`]).
    ///
    /// # Errors
    /// `InvalidInput` if it is not this process's.
    pub fn accept(&self, reference: u64) -> Result<Block<'_>> {
        let me = self.me()?;
        match self.block(reference) {
            Some(view) if view.own.state == OwnState::Private && view.own.who == me => {
                Ok(Block { view, zero: false })
            }
            _ => Err(Error::new(ErrorKind::InvalidInput, "block", "it does not belong to this process")),
        }
    }
}

impl Drop for Block<'_> {
    fn drop(&mut self) {
        // In a forked child, or after `leave`, the block is not this process's.
        if self.view.arena.me().is_ok() {
            self.view.mark_dying();
            self.view.finish_free();
        }
    }
}

impl fmt::Debug for BlockView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockView")
            .field("position", &self.position)
            .field("own", &self.own)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Block<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.view.fmt(f)
    }
}
