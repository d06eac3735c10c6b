//! The elements of an array as this process has them.
//!
//! # Safety
//!
//! The reference to the object keeps its body in place and mapped; the number of elements is checked against the body's length once, and their
//! alignment against the body's, which is 64. The bytes of each element are those of a value of the type at any time: they
//! were at creation, and each store is of a whole element. Elements of 1, 2, 4 and 8 bytes are only ever stored by
//! atomics of their own size, so that whoever loads one meanwhile loads a whole value; others are touched only by who the [gate](super::gate)
//! let in.
#![allow(unsafe_code)]

use core::fmt;
use core::mem::transmute_copy;
use core::ptr::NonNull;

use super::gate::Gate;
use crate::arena::{Arena, Block, Body, ObjectRef};
use crate::error::{Error, ErrorKind, Result};
use crate::layout::announcement::AnnounceLine;
use crate::layout::array::ArrayBody;
use crate::region::Presence;
use crate::sync::atomic::Ordering::Relaxed;
use crate::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64};
use crate::sync::kill;

/// Where elements lie, for as long as something keeps their object.
pub(super) struct Elements<T> {
    at: NonNull<T>,
    len: usize,
}

impl<T> Clone for Elements<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Elements<T> {}

/// The body of an array of this process, with its elements.
pub struct Array<T> {
    elements: Elements<T>,
    presence: Presence,
    /// What announcements name.
    name: u64,
    body: Body<ArrayBody>,
}

// SAFETY: elements are loaded and stored atomically, or by who the gate let in; values of the type may go to other threads.
unsafe impl<T: Send> Send for Array<T> {}
// SAFETY: as above; guards on several threads read them in place.
unsafe impl<T: Send + Sync> Sync for Array<T> {}

/// Whether one element is one machine word's business.
pub(super) const fn is_lone<T>() -> bool {
    matches!(size_of::<T>(), 1 | 2 | 4 | 8)
}

impl<T> Array<T> {
    /// The words in front of the elements.
    #[inline(always)]
    pub fn body(&self) -> &ArrayBody {
        &self.body
    }

    /// The object.
    pub fn object(&self) -> &ObjectRef {
        self.body.object()
    }

    pub(super) fn arena(&self) -> &Arena {
        self.object().arena()
    }

    /// How many elements it has.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.elements.len
    }

    /// It has none.
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Is this still the process that opened it.
    #[inline(always)]
    pub fn is_present(&self) -> bool {
        self.presence.id().is_some()
    }

    /// Who opened it.
    pub fn presence(&self) -> &Presence {
        &self.presence
    }

    /// A block for a draft of so many elements. `None`: there are none.
    ///
    /// # Errors
    /// As [`Arena::alloc`].
    pub fn room(&self, count: usize) -> Result<Option<Block<'_>>> {
        if count == 0 {
            return Ok(None);
        }
        self.arena().alloc(count as u64 * size_of::<T>() as u64, 0).map(Some)
    }

    /// Its gate.
    #[inline(always)]
    pub fn gate(&self) -> Gate<'_> {
        Gate { mode: &self.body.mode, event: &self.body.event, name: self.name }
    }

    /// The calling thread's announcements, if it has any.
    #[inline(always)]
    pub fn my_line(&self) -> Option<&AnnounceLine> {
        self.object().arena().region().my_line()
    }

    /// The calling thread reads it in place: it would wait for itself.
    pub fn is_read_here(&self) -> bool {
        // Relaxed: this thread's own words.
        self.my_line().is_some_and(|line| line.held.iter().any(|word| word.load(Relaxed) == self.name))
    }
}

impl<T: Copy> Array<T> {
    const LONE: () = assert!(
        is_lone::<T>(),
        "single elements of a shared array can be used if they take 1, 2, 4 or 8 bytes: use `read`, `write` and `slice` for others"
    );

    /// The array in this object, whose type the caller has checked.
    ///
    /// # Errors
    /// `InvalidRegion` if the body is too small; `WrongProcess`.
    pub fn of(object: ObjectRef) -> Result<Self> {
        const { assert!(align_of::<T>() <= 64) };
        let presence = object.arena().region().presence()?;
        let name = object.body_reference();
        let body = Body::<ArrayBody>::of(object)?;
        let count = body.count.load(Relaxed);
        let room = body.object().body_len() - size_of::<ArrayBody>() as u64;
        let at = body.object().body().wrapping_add(size_of::<ArrayBody>()).cast::<T>();
        let fits = count.checked_mul(size_of::<T>() as u64).is_some_and(|need| need <= room);
        match (NonNull::new(at), usize::try_from(count)) {
            (Some(at), Ok(len)) if fits && at.is_aligned() => {
                Ok(Self { elements: Elements { at, len }, presence, name, body })
            }
            _ => Err(Error::new(
                ErrorKind::InvalidRegion,
                format!("array {}", body.object().id().index),
                format!("{count} elements do not fit its {room} bytes"),
            )),
        }
    }

    /// One element. `None`: there is no such.
    #[inline(always)]
    pub fn load(&self, index: usize) -> Option<T> {
        const { Self::LONE };
        if index >= self.len() {
            return None;
        }
        // SAFETY: in bounds; see the module. The arms that do not fit the type are never taken.
        unsafe {
            let at = self.elements.at.as_ptr().add(index);
            Some(match size_of::<T>() {
                1 => transmute_copy(&(*at.cast::<AtomicU8>()).load(Relaxed)),
                2 => transmute_copy(&(*at.cast::<AtomicU16>()).load(Relaxed)),
                4 => transmute_copy(&(*at.cast::<AtomicU32>()).load(Relaxed)),
                _ => transmute_copy(&(*at.cast::<AtomicU64>()).load(Relaxed)),
            })
        }
    }

    /// Stores one element, for who was let in. Nothing happens if there is no such.
    #[inline(always)]
    pub fn store(&self, index: usize, value: T) {
        const { Self::LONE };
        if index < self.len() {
            self.elements.put(index, &value);
        }
    }

    /// Where they lie.
    pub(super) fn elements(&self) -> Elements<T> {
        self.elements
    }

    /// All of them, frozen.
    ///
    /// # Safety
    ///
    /// As long as the slice is used, the gate lets nobody in who stores, and the caller stores nothing.
    #[inline(always)]
    pub(super) unsafe fn frozen(&self) -> &[T] {
        // SAFETY: in bounds; the caller says that they do not change.
        unsafe { core::slice::from_raw_parts(self.elements.at.as_ptr(), self.len()) }
    }
}

impl<T: Copy> Elements<T> {
    /// Those of an array, as elements of another type, of which as many as fit take the place of one.
    ///
    /// # Safety
    ///
    /// `at` is that of `len` such elements, which stay there as long as this is used.
    pub(super) unsafe fn at(at: NonNull<T>, len: usize) -> Self {
        Self { at, len }
    }

    /// One element of a size that is stored at once.
    #[inline(always)]
    fn put(&self, index: usize, value: &T) {
        debug_assert!(index < self.len && is_lone::<T>());
        // SAFETY: in bounds, say all callers; `value` has as many bytes as the arm that is taken; see the module.
        unsafe {
            let at = self.at.as_ptr().add(index);
            match size_of::<T>() {
                1 => (*at.cast::<AtomicU8>()).store(transmute_copy(value), Relaxed),
                2 => (*at.cast::<AtomicU16>()).store(transmute_copy(value), Relaxed),
                4 => (*at.cast::<AtomicU32>()).store(transmute_copy(value), Relaxed),
                8 => (*at.cast::<AtomicU64>()).store(transmute_copy(value), Relaxed),
                _ => {}
            }
        }
    }

    /// Stores many from `at` on: as many as there is room for. For who is alone inside.
    pub(super) fn overwrite(&self, at: usize, from: &[T]) {
        let count = from.len().min(self.len.saturating_sub(at));
        let from = &from[..count];
        if is_lone::<T>() {
            for (index, value) in (at..).zip(from) {
                self.put(index, value);
            }
        } else if count > 0 {
            kill::point();
            // SAFETY: in bounds; nobody else is inside, so that nobody looks at them; `from` is memory of its own.
            unsafe { self.at.as_ptr().add(at).copy_from_nonoverlapping(from.as_ptr(), count) };
        }
    }
}

impl<T> fmt::Debug for Array<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.body.fmt(f)
    }
}
