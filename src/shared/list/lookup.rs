//! Looking for values, and putting copies together.

use super::SharedList;
use crate::error::Result;
use crate::shared::SharedData;

impl<T: SharedData> SharedList<T> {
    /// The index of the first element that equals `value`; `None` if none does. Others may move it before it is used.
    ///
    /// # Errors
    ///
    /// Those of [`to_vec`](Self::to_vec).
    ///
    /// ```
    /// let list = processing::SharedList::from_slice(&[4, 5, 4])?;
    /// assert_eq!((list.index(&4)?, list.index(&6)?), (Some(0), None));
    /// assert_eq!((list.count(&4)?, list.contains(&5)?), (2, true));
    /// # Ok::<(), processing::Error>(())
    /// ```
    pub fn index(&self, value: &T) -> Result<Option<usize>>
    where
        T: PartialEq,
    {
        Ok(self.to_vec()?.iter().position(|element| element == value))
    }

    /// How many elements equal `value`.
    ///
    /// # Errors
    ///
    /// Those of [`to_vec`](Self::to_vec).
    pub fn count(&self, value: &T) -> Result<usize>
    where
        T: PartialEq,
    {
        Ok(self.to_vec()?.iter().filter(|element| *element == value).count())
    }

    /// Whether an element equals `value`.
    ///
    /// # Errors
    ///
    /// Those of [`to_vec`](Self::to_vec).
    pub fn contains(&self, value: &T) -> Result<bool>
    where
        T: PartialEq,
    {
        Ok(self.index(value)?.is_some())
    }

    /// Copies of all elements, `times` times one after the other.
    ///
    /// # Errors
    ///
    /// Those of [`to_vec`](Self::to_vec).
    ///
    /// # Panics
    ///
    /// If the number of elements overflows.
    ///
    /// ```
    /// let list = processing::SharedList::from_slice(&[1, 2])?;
    /// assert_eq!(list.repeat(2)?, [1, 2, 1, 2]);
    /// assert_eq!(list.concat([7])?, [1, 2, 7]);
    /// # Ok::<(), processing::Error>(())
    /// ```
    pub fn repeat(&self, times: usize) -> Result<Vec<T>>
    where
        T: Clone,
    {
        let all = self.to_vec()?;
        Ok(std::iter::repeat_n(all, times).flatten().collect())
    }

    /// Copies of all elements, followed by `others`. To add them to this list: [`extend`](Self::extend).
    ///
    /// # Errors
    ///
    /// Those of [`to_vec`](Self::to_vec).
    pub fn concat(&self, others: impl IntoIterator<Item = T>) -> Result<Vec<T>> {
        let mut all = self.to_vec()?;
        all.extend(others);
        Ok(all)
    }
}
