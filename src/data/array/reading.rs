//! A view of all elements, frozen.
//!
//! # Safety
//!
//! What is read in place does not change: its word in the thread's line was let in by SHARED, or put there by the owner of the lock in front of
//! SHARED, and whoever would store anything waits until the word is gone, which is when this is dropped. It stays with its thread,
//! whose line it is. Who calls [`Array::share`] has the array's lock.
#![allow(unsafe_code)]

use core::marker::PhantomData;
use core::ops::Deref;

use super::elements::Array;
use super::gate::{self, Lines, Owner, Refusal, Side, Visitor};
use crate::layout::array::Mode;
use crate::sync::atomic::AtomicU64;

/// All elements as they were at one moment: in place, or a copy of them.
pub struct Reading<'a, T: Copy> {
    array: &'a Array<T>,
    at: At<'a, T>,
    _stays: PhantomData<*const ()>,
}

enum At<'a, T> {
    /// Announced in this word.
    Place(&'a AtomicU64),
    Copy(Box<[T]>),
}

impl<T: Copy> Array<T> {
    /// Reads in place, if the gate lets readers in and the thread has a word for it.
    #[inline]
    pub fn read(&self) -> Option<Reading<'_, T>> {
        let slot = self.my_line()?.vacant()?;
        gate::enter(&self.gate().visitor(slot), Side::Read).then(|| self.reading(At::Place(slot)))
    }

    /// Reads a copy, if the calling thread reads in place already. Who would write may be waiting for that: and then it has the lock.
    #[cold]
    pub fn read_again(&self) -> Option<Reading<'_, T>> {
        // SAFETY: what this thread announces is waited for, and this thread goes on announcing it meanwhile.
        self.is_read_here().then(|| self.reading(At::Copy(unsafe { self.frozen() }.into())))
    }

    /// Lets readers in, for the owner of the lock, who is the first of them.
    ///
    /// # Errors
    /// Why single stores could not be kept out.
    #[cold]
    pub fn share<L: Lines>(&self, owner: &Owner<'_, L>) -> Result<Reading<'_, T>, Refusal> {
        let slot = self.my_line().and_then(|line| line.vacant());
        let announce = || slot.iter().for_each(|slot| self.gate().visitor(slot).announce());
        gate::change(owner, Mode::Shared, announce)?;
        Ok(self.reading(match slot {
            Some(slot) => At::Place(slot),
            // SAFETY: the mode is SHARED, and only the owner of the lock changes it.
            None => At::Copy(unsafe { self.frozen() }.into()),
        }))
    }

    fn reading<'a>(&'a self, at: At<'a, T>) -> Reading<'a, T> {
        Reading { array: self, at, _stays: PhantomData }
    }
}

impl<T: Copy> Deref for Reading<'_, T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        match &self.at {
            // SAFETY: announced, see the module.
            At::Place(_) => unsafe { self.array.frozen() },
            At::Copy(copy) => copy,
        }
    }
}

impl<T: Copy> Drop for Reading<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // In a forked copy the word is its parent's.
        if let At::Place(slot) = self.at
            && self.array.is_present()
        {
            gate::leave(&self.array.gate().visitor(slot), Side::Read);
        }
    }
}
