//! A value that is read where it lies, while its block is announced.
//!
//! # Safety
//!
//! The bytes of a block that is content of a shared structure do not change from the moment at which it is VALUE until it is freed; it is not freed while
//! a reader has it announced ([`super::swap`]), nor by anybody else while the lock of the structure is held. So they may be borrowed while
//! an [`Announced`] lives, or, in [`with_bytes`], while its caller has that lock; only blocks of shared structures are given to
//! this module. A copy lies on the heap, is nobody else's and is not changed. [`Known`] keeps the address of a value only
//! together with the reference of its block, in which the value was found and checked; that address is used while the block is announced.
#![allow(unsafe_code)]
#![allow(clippy::disallowed_types, reason = "private to the process: addresses in its mapping")]

use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::Deref;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64 as Private, Ordering, fence};

use rkyv::util::AlignedVec;

use super::swap;
use crate::arena::BlockView;
use crate::layout::structure::Chain;
use crate::region::Presence;
use crate::sync::atomic::AtomicU64;

/// The block that a thread has announced.
#[derive(Debug)]
pub struct Announced<'a> {
    slot: Slot<'a>,
    block: u64,
}

/// An announcement, taken back when it is dropped.
#[derive(Debug)]
struct Slot<'a> {
    word: &'a AtomicU64,
    presence: &'a Presence,
}

impl<'a> Announced<'a> {
    /// Announces what the structure's value is now, in a vacant word of the calling thread's line. `None`: there is no value.
    #[inline(always)]
    pub fn new(chain: &Chain, word: &'a AtomicU64, presence: &'a Presence) -> Option<Self> {
        let block = swap::announce(chain, word)?;
        Some(Self { slot: Slot { word, presence }, block })
    }

    /// Which block.
    pub fn block(&self) -> u64 {
        self.block
    }
}

impl Drop for Slot<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        // In a forked copy it is the parent's.
        if self.presence.id().is_some() {
            // Release: the reads are over when others no longer see it.
            self.word.store(0, Ordering::Release);
        }
    }
}

/// No block is called that, and nobody announces it ([`swap::announce`]).
const NONE: u64 = 0;

/// The last value that this process found in a block, and checked.
#[derive(Debug)]
pub struct Known<A> {
    /// Its block; [`NONE`] at first, and while it changes.
    block: Private,
    at: AtomicPtr<A>,
    /// Somebody is changing the two.
    busy: AtomicBool,
    /// Threads share the values.
    value: PhantomData<A>,
}

impl<A> Default for Known<A> {
    fn default() -> Self {
        Self {
            block: Private::new(NONE),
            at: AtomicPtr::new(ptr::null_mut()),
            busy: AtomicBool::new(false),
            value: PhantomData,
        }
    }
}

impl<A> Known<A> {
    /// Where the value of this block is; only if it is the one that was found last, which is said beside.
    #[inline(always)]
    fn find(&self, block: u64) -> (bool, *mut A) {
        // Acquire: pairs with the Release in `learn`.
        let before = self.block.load(Ordering::Acquire);
        let at = self.at.load(Ordering::Relaxed);
        // Pairs with the fence in `learn`: who read the address of another block sees that `block` has changed.
        fence(Ordering::Acquire);
        let after = self.block.load(Ordering::Relaxed);
        ((before ^ block) | (after ^ block) == 0, at)
    }

    fn learn(&self, block: u64, at: NonNull<A>) {
        if self.busy.swap(true, Ordering::Acquire) {
            return; // another thread does, and the next reader will
        }
        self.block.store(NONE, Ordering::Relaxed);
        fence(Ordering::Release);
        self.at.store(at.as_ptr(), Ordering::Relaxed);
        self.block.store(block, Ordering::Release);
        self.busy.store(false, Ordering::Release);
    }
}

/// A value, and what keeps it where it is.
#[derive(Debug)]
pub struct Pinned<'a, A> {
    value: NonNull<A>,
    _kept: Kept<'a>,
}

#[derive(Debug)]
enum Kept<'a> {
    Announced { _by: Slot<'a> },
    Copied { _bytes: Copied },
}

/// Bytes of this process's own.
#[derive(Debug)]
struct Copied(ManuallyDrop<Box<AlignedVec<16>>>);

impl Drop for Copied {
    // Out of line: a guard is nearly always an announcement, and dropping that is two loads and a store.
    #[cold]
    #[inline(never)]
    fn drop(&mut self) {
        // SAFETY: dropped here alone, and once.
        unsafe { ManuallyDrop::drop(&mut self.0) };
    }
}

impl<'a, A> Pinned<'a, A> {
    /// The value of a block that this process has looked at before; else hands the announcement back.
    #[inline(always)]
    pub fn known(announced: Announced<'a>, known: &Known<A>) -> Result<Self, Announced<'a>> {
        let (is_known, at) = known.find(announced.block);
        if !is_known {
            return Err(announced);
        }
        // SAFETY: `learn` stores the address of a value before the block that it is in.
        let value = unsafe { NonNull::new_unchecked(at) };
        Ok(Self { value, _kept: Kept::Announced { _by: announced.slot } })
    }

    /// The value that `find` finds in the block that is announced.
    ///
    /// # Errors
    /// Those of `find`; `None` if `view` is of another block, or one that is no content.
    pub fn find<E>(
        announced: Announced<'a>,
        view: &BlockView<'_>,
        known: &Known<A>,
        find: impl for<'b> FnOnce(&'b [u8]) -> Result<&'b A, E>,
    ) -> Option<Result<Self, E>> {
        if view.reference() != announced.block {
            return None;
        }
        let found = with_bytes(view, |bytes| find(bytes).map(NonNull::from));
        Some(found.map(|value| {
            known.learn(announced.block, value);
            Self { value, _kept: Kept::Announced { _by: announced.slot } }
        }))
    }

    /// The value that `find` finds in a copy.
    ///
    /// # Errors
    /// Those of `find`.
    pub fn copied<E>(
        bytes: AlignedVec<16>,
        find: impl for<'b> FnOnce(&'b [u8]) -> Result<&'b A, E>,
    ) -> Result<Self, E> {
        let value = NonNull::from(find(&bytes)?);
        Ok(Self { value, _kept: Kept::Copied { _bytes: Copied(ManuallyDrop::new(Box::new(bytes))) } })
    }
}

impl<A> Deref for Pinned<'_, A> {
    type Target = A;

    #[inline(always)]
    fn deref(&self) -> &A {
        // SAFETY: found in the bytes that are announced or copied, which stay as they are while this lives; see the module.
        unsafe { self.value.as_ref() }
    }
}

/// Runs `f` over the bytes of a block that is content of a shared structure, and announced by the caller, or whose lock the caller has.
pub fn with_bytes<R>(view: &BlockView<'_>, f: impl FnOnce(&[u8]) -> R) -> R {
    // SAFETY: `ptr` is good for `len` bytes; nobody writes to them, nor frees the block, meanwhile: see the module.
    f(unsafe { core::slice::from_raw_parts(view.ptr(), view.len() as usize) })
}
