//! Guards that read.

use std::fmt;
use std::ops::Deref;

use super::SharedArray;
use super::lock::Wanted;
use crate::data::array::Reading;
use crate::error::Result;
use crate::prim::limits::Limits;
use crate::ring::plain::plain_slice;
use crate::shared::SharedData;

/// All elements of a [`SharedArray`], which do not change while this lives; see [`read`](SharedArray::read).
///
/// It stays with its thread. A guard that is forgotten ([`std::mem::forget`]) keeps writers out until its process ends.
#[must_use = "others may write when the guard is dropped"]
pub struct ArrayReadGuard<'a, T: SharedData + Copy> {
    reading: Reading<'a, T>,
}

impl<T: SharedData + Copy> SharedArray<T> {
    #[inline]
    pub(super) fn read_within(&self, limits: &Limits<'_>) -> Result<ArrayReadGuard<'_, T>> {
        match self.array().read() {
            Some(reading) => Ok(ArrayReadGuard { reading }),
            None => self.read_slow(limits),
        }
    }

    #[cold]
    #[inline(never)]
    fn read_slow(&self, limits: &Limits<'_>) -> Result<ArrayReadGuard<'_, T>> {
        if let Some(reading) = self.array().read_again() {
            return Ok(ArrayReadGuard { reading });
        }
        let lock = self.lock(limits, Wanted::Whole)?;
        Ok(ArrayReadGuard { reading: lock.share()? })
    }
}

impl<T: SharedData + Copy> ArrayReadGuard<'_, T> {
    /// The bytes of all elements, in place.
    ///
    /// ```
    /// let a = processing::SharedArray::from_slice(&[1u16, 2])?;
    /// assert_eq!(a.read()?.as_bytes(), [1u16, 2].map(u16::to_ne_bytes).as_flattened());
    /// # Ok::<(), processing::Error>(())
    /// ```
    pub fn as_bytes(&self) -> &[u8] {
        plain_slice(self)
    }
}

impl<T: SharedData + Copy> Deref for ArrayReadGuard<'_, T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        &self.reading
    }
}

impl<T: SharedData + Copy + fmt::Debug> fmt::Debug for ArrayReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
