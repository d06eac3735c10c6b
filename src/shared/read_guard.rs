//! A shared struct's value, read in place.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use super::data::SharedData;
use crate::data::pinned::Pinned;

/// The value of a [`SharedStruct`](crate::SharedStruct) as it was when the guard was made, in place: it derefs to the archived value.
///
/// Others may replace the value meanwhile: this one stays as it is, and is freed when no guard reads it any more. A guard stays with its
/// thread. One that was forgotten (`std::mem::forget`) keeps its value, and its room, until the process ends.
///
/// The reader is never waited for; killed with it, a process keeps nothing.
#[must_use = "what it reads is there as long as the guard is"]
pub struct StructReadGuard<'a, T: SharedData> {
    value: Pinned<'a, T::Archived>,
    _stays: PhantomData<*const ()>,
}

impl<'a, T: SharedData> StructReadGuard<'a, T> {
    #[inline(always)]
    pub(super) fn new(value: Pinned<'a, T::Archived>) -> Self {
        Self { value, _stays: PhantomData }
    }
}

impl<T: SharedData> Deref for StructReadGuard<'_, T> {
    type Target = T::Archived;

    #[inline(always)]
    fn deref(&self) -> &T::Archived {
        &self.value
    }
}

impl<T: SharedData<Archived: fmt::Debug>> fmt::Debug for StructReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
