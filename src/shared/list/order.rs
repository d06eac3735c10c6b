//! Another order.

use std::cmp::Ordering;

use super::SharedList;
use crate::error::Result;
use crate::shared::SharedData;

impl<T: SharedData> SharedList<T> {
    /// Turns the order round, in one step.
    ///
    /// # Errors
    ///
    /// `OutOfMemory` if there is no room for the words in their new order, `Deadlock`, `WrongProcess`.
    ///
    /// ```
    /// let list = processing::SharedList::from_values(0..4)?;
    /// list.reverse()?;
    /// assert_eq!(list, [3, 2, 1, 0]);
    /// # Ok::<(), processing::Error>(())
    /// ```
    pub fn reverse(&self) -> Result<()> {
        let _held = self.lock()?;
        self.with(|list, _| {
            let words = (0..list.len()).rev().map(|index| list.word(index).ok_or_else(|| self.damaged()));
            let words = words.collect::<Result<Vec<u64>>>()?;
            if words.len() < 2 { Ok(()) } else { list.arrange(0, words).map_err(|error| self.named(error)) }
        })
    }

    /// Sorts the list, in one step. Elements that are equal keep their order.
    ///
    /// All elements are copied into this process to be compared, while the lock is held.
    ///
    /// # Errors
    ///
    /// As [`reverse`](Self::reverse) and [`get`](Self::get).
    ///
    /// # Panics
    ///
    /// If a comparison does; then the list is as before.
    ///
    /// ```
    /// let list = processing::SharedList::from_slice(&["b".to_owned(), "c".into(), "a".into()])?;
    /// list.sort()?;
    /// assert_eq!(list, ["a", "b", "c"]);
    /// # Ok::<(), processing::Error>(())
    /// ```
    pub fn sort(&self) -> Result<()>
    where
        T: Ord,
    {
        self.sort_by(T::cmp)
    }

    /// As [`sort`](Self::sort), by this comparison.
    ///
    /// # Errors
    ///
    /// As [`sort`](Self::sort).
    ///
    /// # Panics
    ///
    /// As [`sort`](Self::sort).
    ///
    /// ```
    /// let list = processing::SharedList::from_slice(&[1.5f64, -0.5, 3.0])?;
    /// list.sort_by(|a, b| b.total_cmp(a))?;
    /// assert_eq!(list, [3.0, 1.5, -0.5]);
    /// # Ok::<(), processing::Error>(())
    /// ```
    pub fn sort_by(&self, mut compare: impl FnMut(&T, &T) -> Ordering) -> Result<()> {
        let _held = self.lock()?;
        self.with(|list, stored| {
            let mut all = Vec::new();
            for index in 0..list.len() {
                let word = list.word(index).ok_or_else(|| self.damaged())?;
                all.push((self.value_of(stored, word)?, word));
            }
            if all.is_sorted_by(|(a, _), (b, _)| compare(a, b) != Ordering::Greater) {
                return Ok(());
            }
            all.sort_by(|(a, _), (b, _)| compare(a, b));
            let words = all.iter().map(|(_, word)| *word).collect();
            list.arrange(0, words).map_err(|error| self.named(error))
        })
    }
}
