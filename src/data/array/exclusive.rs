//! Alone inside: the elements, for who changes many.
//!
//! # Safety
//!
//! Who calls [`Array::exclude`], [`Array::settle`] and [`settle_for_the_dead`] has the array's lock, and keeps it as long as the [`Exclusive`] lives. The mode is EXCL
//! meanwhile, and all announcements were waited for: nobody else is inside. (Single elements may be loaded by others at any time, and
//! are stored whole, see [`super::elements`].)
#![allow(unsafe_code)]

use core::cell::Cell;
use core::ptr::NonNull;

use super::elements::{Array, Elements};
use super::gate::{self, Lines, Owner, Refusal};
use super::redo::{self, Record};
use crate::arena::{Arena, Block, BlockView, ObjectView};
use crate::data::draft::Draft;
use crate::layout::array::{ArrayBody, Mode};
use crate::layout::object::ObjectId;
use crate::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// Nobody else is inside until it is dropped.
pub struct Exclusive<'a, T: Copy> {
    array: &'a Array<T>,
    before: Mode,
}

impl<T: Copy> Array<T> {
    /// For the owner of the lock: keeps everybody out, and waits for who is inside.
    ///
    /// # Errors
    /// Why the wait ended early.
    #[cold]
    pub fn exclude<L: Lines>(&self, owner: &Owner<'_, L>) -> Result<Exclusive<'_, T>, Refusal> {
        let before = gate::change(owner, Mode::Excl, || ())?;
        Ok(Exclusive { array: self, before })
    }

    /// For the owner of the lock: stores one element in a mode that lets single stores in.
    ///
    /// # Errors
    /// Why readers could not be waited for.
    #[cold]
    pub fn store_locked<L: Lines>(
        &self,
        owner: &Owner<'_, L>,
        index: usize,
        value: T,
    ) -> Result<(), Refusal> {
        gate::change(owner, Mode::Open, || self.store(index, value)).map(drop)
    }

    /// For the heir of the lock, before anything else.
    #[cold]
    pub fn settle(&self) {
        redo::settle(&Words::of(self));
    }
}

impl<T: Copy> Exclusive<'_, T> {
    /// All elements.
    #[inline]
    pub fn elements(&self) -> &[T] {
        // SAFETY: nobody else is inside, and changes through this take it mutably.
        unsafe { self.array.frozen() }
    }

    /// Changes elements in place, one after the other: as many as there are from `at` on.
    pub fn overwrite(&mut self, at: usize, from: &[T]) {
        self.array.elements().overwrite(at, from);
    }

    /// Makes the draft's elements the array's, from `at` on, in one step.
    pub fn commit(&mut self, at: usize, draft: Draft<'_, [T]>) {
        let range = (at as u64 * size_of::<T>() as u64, size_of_val(&*draft) as u64);
        let block = draft.into_block();
        let reference = block.reference();
        let record = Words { range, block: Cell::new(Some(block)), ..Words::of(self.array) };
        redo::commit(&record, reference);
    }

    /// Says whose process (0: nobody's) changes elements in place.
    pub fn mark_editing(&mut self, pid: u32) {
        // Release: what was changed is there when the mark is gone, also for who does not take the lock. (Nobody does.)
        self.array.body().editing.store(u64::from(pid), Release);
    }
}

impl<T: Copy> Drop for Exclusive<'_, T> {
    fn drop(&mut self) {
        // In a forked copy the array is its parent's. After a death in the middle of changes in place it stays closed.
        if self.array.is_present() && self.array.body().editing.load(Relaxed) == 0 {
            gate::reopen(&self.array.gate(), self.before);
        }
    }
}

/// For who repairs after a death, and has the lock: [`Array::settle`] of an array that this process need not have open. `object` lives, and
/// `body` is its body.
#[cold]
pub fn settle_for_the_dead(arena: &Arena, object: &ObjectView, body: &ArrayBody) {
    let room = object.body_len() - size_of::<ArrayBody>() as u64;
    // Single loads of others find whole values; those of other sizes have none.
    match room.checked_div(body.count.load(Relaxed)) {
        Some(2) => settle_as::<u16>(arena, object, body),
        Some(4) => settle_as::<u32>(arena, object, body),
        Some(size) if size.is_multiple_of(8) => settle_as::<u64>(arena, object, body),
        _ => settle_as::<u8>(arena, object, body),
    }
}

fn settle_as<T: Copy>(arena: &Arena, object: &ObjectView, body: &ArrayBody) {
    let start = size_of::<ArrayBody>();
    let len = (object.body_len() as usize - start) / size_of::<T>();
    let at = object.body(arena.region()).wrapping_add(start).cast::<T>();
    if let Some(at) = NonNull::new(at).filter(|at| at.is_aligned()) {
        // SAFETY: behind the body, in the object, which lives.
        let elements = unsafe { Elements::at(at, len) };
        redo::settle(&Words::over(arena, object.id(), body, elements));
    }
}

/// The redo record over the words of a body.
struct Words<'a, T: Copy> {
    arena: &'a Arena,
    id: ObjectId,
    body: &'a ArrayBody,
    elements: Elements<T>,
    /// First byte, and bytes, of what is to be named.
    range: (u64, u64),
    /// To be committed.
    block: Cell<Option<Block<'a>>>,
    dying: Cell<Option<BlockView<'a>>>,
}

impl<'a, T: Copy> Words<'a, T> {
    fn of(array: &'a Array<T>) -> Self {
        Self::over(array.arena(), array.object().id(), array.body(), array.elements())
    }

    fn over(arena: &'a Arena, id: ObjectId, body: &'a ArrayBody, elements: Elements<T>) -> Self {
        Self { arena, id, body, elements, range: (0, 0), block: Cell::new(None), dying: Cell::new(None) }
    }

    fn value(&self, block: u64) -> Option<BlockView<'a>> {
        self.arena.value(block, self.id)
    }
}

impl<T: Copy> Record for Words<'_, T> {
    fn named(&self) -> u64 {
        self.body.block.load(Acquire)
    }

    fn name(&self, block: u64) {
        let body = self.body;
        body.at.store(self.range.0, Relaxed);
        body.len.store(self.range.1, Relaxed);
        // Release: who finds the name finds the range.
        body.block.store(block, Release);
    }

    fn unname(&self) {
        self.body.block.store(0, Release);
    }

    fn commit(&self, _block: u64) {
        if let Some(block) = self.block.take() {
            block.make_value(self.id);
        }
    }

    fn is_committed(&self, block: u64) -> bool {
        self.value(block).is_some()
    }

    fn copy(&self, block: u64) {
        let Some(view) = self.value(block) else { return };
        let body = self.body;
        let bytes = size_of::<T>() as u64;
        let count = (body.len.load(Relaxed).min(view.len()) / bytes) as usize;
        let at = (body.at.load(Relaxed) / bytes) as usize;
        // SAFETY: the block's bytes are elements, as many as it is long at most; it is aligned to 64, and nobody changes it: it belongs to
        // the owner of the lock.
        let from = unsafe { core::slice::from_raw_parts(view.ptr().cast::<T>(), count) };
        self.elements.overwrite(at, from);
    }

    fn condemn(&self, block: u64) {
        if let Some(view) = self.value(block) {
            view.mark_dying();
            self.dying.set(Some(view));
        }
    }

    fn free(&self, _block: u64) {
        if let Some(view) = self.dying.take() {
            view.finish_free();
        }
    }
}
