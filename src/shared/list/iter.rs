//! Iterating while others change the list.

use std::fmt;
use std::vec;

use super::SharedList;
use crate::error::Result;
use crate::shared::SharedData;

/// The elements of a [`SharedList`], one after the other; see [`SharedList::iter`].
#[must_use = "iterators do nothing before they are asked"]
pub struct ListIter<'a, T> {
    list: &'a SharedList<T>,
    words: Result<vec::IntoIter<u64>, Option<crate::error::Error>>,
}

impl<T: SharedData> SharedList<T> {
    /// Copies of the elements, made as they are asked for, while others may change the list.
    ///
    /// Each element that is there throughout is yielded once, in the order at the start. One that is removed or replaced meanwhile may be left out; one
    /// that is added later is. (A number is yielded as it was at the start.) [`to_vec`](Self::to_vec) shows all as they
    /// were at one moment.
    ///
    /// The iterator keeps 8 bytes an element; no lock is held between its steps.
    ///
    /// # Errors
    ///
    /// Items are errors in the cases of [`get`](Self::get), but for `OutOfRange`.
    ///
    /// ```
    /// let list = processing::SharedList::from_slice(&["a".to_owned(), "b".into()])?;
    /// let mut all = String::new();
    /// for text in list.iter() {
    ///     all += &text?;
    ///     list.push(&"c".into())?; // not seen by this loop
    /// }
    /// assert_eq!(all, "ab");
    /// # Ok::<(), processing::Error>(())
    /// ```
    pub fn iter(&self) -> ListIter<'_, T> {
        let words = self.words().map(Vec::into_iter).map_err(Some);
        ListIter { list: self, words }
    }

    /// The words of all elements, as they were at one moment.
    fn words(&self) -> Result<Vec<u64>> {
        const TRIES: usize = 8;
        self.check()?;
        let mut words = Vec::new();
        for _ in 0..TRIES {
            words.clear();
            let each = |_, word| {
                words.push(word);
                true
            };
            if self.with(|list, _| list.try_each(|len| Ok::<_, ()>(0..len), each)).is_some() {
                return Ok(words);
            }
        }
        self.locked(|| {
            self.with(|list, _| {
                (0..list.len()).map(|index| list.word(index).ok_or_else(|| self.damaged())).collect()
            })
        })
    }
}

impl<T: SharedData> Iterator for ListIter<'_, T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        match &mut self.words {
            Ok(words) => words.find_map(|word| self.list.value_if_there(word)),
            Err(error) => error.take().map(Err),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.words {
            Ok(words) => (0, Some(words.len())),
            Err(error) => (0, Some(usize::from(error.is_some()))),
        }
    }
}

impl<T: SharedData> std::iter::FusedIterator for ListIter<'_, T> {}

impl<'a, T: SharedData> IntoIterator for &'a SharedList<T> {
    type Item = Result<T>;
    type IntoIter = ListIter<'a, T>;

    fn into_iter(self) -> ListIter<'a, T> {
        self.iter()
    }
}

impl<T> fmt::Debug for ListIter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let left = self.words.as_ref().map_or(0, |words| words.len());
        f.debug_struct("ListIter").field("left", &left).finish_non_exhaustive()
    }
}
