//! Single elements.

use super::lock::Wanted;
use super::{ArrayIter, SharedArray};
use crate::data::array::gate::{self, Side};
use crate::error::{Error, Result};
use crate::prim::limits::Limits;
use crate::shared::SharedData;

impl<T: SharedData + Copy> SharedArray<T> {
    /// One element. It waits for nobody, whoever has a guard. For elements of 1, 2, 4 or 8 bytes: others are refused
    /// when the program is built.
    ///
    /// Cost: a load, and two comparisons. It orders nothing else (it is a *relaxed* load).
    ///
    /// ```
    /// let a = processing::SharedArray::from_slice(&[1.5f64, 2.5])?;
    /// assert_eq!(a.get(1)?, 2.5);
    /// assert!(a.get(2).unwrap_err().to_string().contains("element 2 is asked for, and it has 2"));
    /// # Ok::<(), processing::Error>(())
    /// ```
    ///
    /// ```compile_fail
    /// let a = processing::SharedArray::from_slice(&[[0u8; 3]])?;
    /// a.get(0)?;
    /// # Ok::<(), processing::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `OutOfRange` if there is no such element; `WrongProcess` if the handle was inherited through a fork.
    #[inline]
    pub fn get(&self, index: usize) -> Result<T> {
        match self.array().load(index) {
            Some(value) if self.array().is_present() => Ok(value),
            _ => Err(self.no_such(index)),
        }
    }

    /// Stores one element. For elements of 1, 2, 4 or 8 bytes: others are refused when the program is built.
    ///
    /// While others have guards it waits until they are gone. Who loads the element sees the old value or the new one. Cost: see
    /// [`SharedArray`]. It orders nothing else.
    ///
    /// # Errors
    ///
    /// `OutOfRange` if there is no such element; `Deadlock` if this thread has a guard of the array; `OwnerDied` if somebody died in
    /// [`edit`](Self::edit); `Unsupported` if others use guards and the kernel refuses `membarrier` here and not to others;
    /// `WrongProcess`. The element is as before then.
    #[inline]
    pub fn set(&self, index: usize, value: T) -> Result<()> {
        let array = self.array();
        if index >= array.len() {
            return Err(self.no_such(index));
        }
        // A process that is not the one that made the handle has no line.
        if let Some(line) = array.my_line() {
            let visitor = array.gate().visitor(&line.set);
            if gate::enter(&visitor, Side::Set) {
                array.store(index, value);
                gate::leave(&visitor, Side::Set);
                return Ok(());
            }
        }
        self.set_slow(index, value)
    }

    #[cold]
    #[inline(never)]
    fn set_slow(&self, index: usize, value: T) -> Result<()> {
        self.lock_alone(&Limits::NONE, Wanted::Whole)?.store(index, value)
    }

    /// The elements one after the other, each as it is when its turn comes. It waits for nobody, and others may change them meanwhile:
    /// for a view of one moment use [`read`](Self::read). For elements of 1, 2, 4 or 8 bytes.
    ///
    /// ```
    /// let a = processing::SharedArray::from_slice(&[1u32, 2, 3])?;
    /// assert_eq!(a.iter()?.sum::<u32>(), 6);
    /// # Ok::<(), processing::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `WrongProcess` if the handle was inherited through a fork.
    pub fn iter(&self) -> Result<ArrayIter<'_, T>> {
        if !self.array().is_present() {
            return Err(self.stranger());
        }
        Ok(ArrayIter::new(self.array()))
    }

    #[cold]
    #[inline(never)]
    fn no_such(&self, index: usize) -> Error {
        if index < self.len() {
            return self.stranger();
        }
        self.outside(format!("element {index} is asked for, and it has {}", self.len()))
    }
}
