//! Changing a list.

use std::ops::RangeBounds;

use super::SharedList;
use crate::data::list::memory::Fresh;
use crate::error::Result;
use crate::shared::SharedData;

impl<T: SharedData> SharedList<T> {
    /// Adds a copy of `value` at the end.
    ///
    /// Killed in it: the value is there, or not at all. Two read-modify-writes while nobody else changes the list, no system call while nobody
    /// waits.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`, `TooLarge` or `Limit` if the arena has no room for it, `InvalidInput` if it cannot be serialised, or if a handle in it belongs
    /// to another arena or is the end of a connection; `Deadlock` inside of [`update`](Self::update) of the same list; `WrongProcess` in a
    /// forked copy; `Poisoned` if a panic came out of the library's own repair.
    ///
    /// ```
    /// let list = processing::SharedList::new()?;
    /// list.push(&"one".to_owned())?;
    /// assert_eq!(list.get(0)?, "one");
    /// # Ok::<(), processing::Error>(())
    /// ```
    #[inline]
    pub fn push(&self, value: &T) -> Result<()> {
        if Self::INLINE {
            let word = Self::word_of(value);
            let _held = self.lock()?;
            if self.look(|list| list.push_value(word)) {
                return Ok(());
            }
        }
        self.push_slow(value)
    }

    /// A block, or another segment.
    #[inline(never)]
    fn push_slow(&self, value: &T) -> Result<()> {
        let (word, block) = self.element(value)?;
        let _held = self.lock()?;
        self.with(|list, _| list.push(word, block)).map_err(|error| self.named(error))
    }

    /// Adds these values at the end, all of them in one step or none. They are taken from the iterator before anything is locked.
    ///
    /// # Errors
    ///
    /// Those of [`push`](Self::push).
    ///
    /// ```
    /// let list = processing::SharedList::<u64>::new()?;
    /// list.extend(2..9)?;
    /// assert_eq!(list.len(), 7);
    /// # Ok::<(), processing::Error>(())
    /// ```
    pub fn extend(&self, values: impl IntoIterator<Item = T>) -> Result<()> {
        let mut new = Fresh::default();
        for value in values {
            let (word, block) = self.element(&value)?;
            new.push(word, block);
        }
        self.append(new)
    }

    /// Adds copies of these values at the end, all of them in one step or none.
    ///
    /// # Errors
    ///
    /// Those of [`push`](Self::push).
    pub fn extend_from_slice(&self, values: &[T]) -> Result<()> {
        self.append(self.elements(values)?)
    }

    fn append<'a>(&'a self, new: Fresh<crate::arena::Block<'a>>) -> Result<()> {
        let _held = self.lock()?;
        if new.words.is_empty() {
            return Ok(());
        }
        self.with(|list, _| list.append(new)).map_err(|error| self.named(error))
    }

    /// Replaces element `index`.
    ///
    /// # Errors
    ///
    /// `OutOfRange`, which names the index and the length; else those of [`push`](Self::push).
    ///
    /// ```
    /// let list = processing::SharedList::from_slice(&[1, 2, 3])?;
    /// list.set(1, &7)?;
    /// assert_eq!(list, [1, 7, 3]);
    /// # Ok::<(), processing::Error>(())
    /// ```
    pub fn set(&self, index: usize, value: &T) -> Result<()> {
        if Self::INLINE {
            let word = Self::word_of(value);
            let _held = self.lock()?;
            return self.look(|list| match list.set_value(index as u64, word) {
                Some(()) => Ok(()),
                None => Err(self.missing(list, index)),
            });
        }
        let (word, block) = self.element(value)?;
        let _held = self.lock()?;
        self.with(|list, _| match list.word(index as u64) {
            Some(_) => list.set(index as u64, word, block).map_err(|error| self.named(error)),
            None => Err(self.missing(list, index)),
        })
    }

    /// Changes element `index` under the lock and returns what `change` returns: no other change of the list comes between. `change` works on a copy, which
    /// then replaces the element in one step.
    ///
    /// Inside of `change` other calls that change this list are refused (`Deadlock`); reading is fine, and sees the element as it was.
    ///
    /// # Errors
    ///
    /// Those of [`set`](Self::set) and [`get`](Self::get).
    ///
    /// # Panics
    ///
    /// If `change` does; then the element is as before.
    ///
    /// ```
    /// let list = processing::SharedList::from_slice(&[vec![1u8], vec![]])?;
    /// list.update(0, |v| v.push(2))?;
    /// assert_eq!(list.get(0)?, [1, 2]);
    /// # Ok::<(), processing::Error>(())
    /// ```
    pub fn update<R>(&self, index: usize, change: impl FnOnce(&mut T) -> R) -> Result<R> {
        let _held = self.lock()?;
        let mut value = self.with(|list, stored| self.value_at(list, stored, index))?;
        let answer = change(&mut value);
        // It may have forked.
        self.check()?;
        let (word, block) = self.element(&value)?;
        self.with(|list, _| list.set(index as u64, word, block)).map_err(|error| self.named(error))?;
        Ok(answer)
    }

    /// Takes the last element out; `None` if there is none.
    ///
    /// Killed in it: the element is there still, or shares the fate of the process.
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get), but for `OutOfRange`; `Deadlock`. Then it is there still.
    ///
    /// ```
    /// let list = processing::SharedList::from_slice(&[1, 2])?;
    /// assert_eq!((list.pop()?, list.pop()?, list.pop()?), (Some(2), Some(1), None));
    /// # Ok::<(), processing::Error>(())
    /// ```
    pub fn pop(&self) -> Result<Option<T>> {
        let _held = self.lock()?;
        self.with(|list, stored| {
            let Some(index) = list.len().checked_sub(1) else { return Ok(None) };
            let value = self.value_of(stored, list.word(index).ok_or_else(|| self.damaged())?)?;
            // What makes the value is the type's own: it may have forked, and then this is a copy.
            self.check()?;
            list.pop().map_err(|error| self.named(error))?;
            Ok(Some(value))
        })
    }

    /// Puts a copy of `value` before element `index`, or at the end if that is the length.
    ///
    /// Copies the words of all elements behind it; at the end nothing.
    ///
    /// # Errors
    ///
    /// `OutOfRange` if `index` is above the length; else those of [`push`](Self::push).
    ///
    /// ```
    /// let list = processing::SharedList::from_slice(&[1, 3])?;
    /// list.insert(1, &2)?;
    /// assert_eq!(list, [1, 2, 3]);
    /// # Ok::<(), processing::Error>(())
    /// ```
    pub fn insert(&self, index: usize, value: &T) -> Result<()> {
        let (word, block) = self.element(value)?;
        let _held = self.lock()?;
        self.with(|list, _| {
            let (len, at) = (list.len(), index as u64);
            if at > len {
                return Err(self.out_of_range(index, len));
            }
            let mut new = Fresh::default();
            let done = if at == len {
                list.push(word, block)
            } else {
                new.push(word, block);
                list.replace(at..at, new)
            };
            done.map_err(|error| self.named(error))
        })
    }

    /// Takes element `index` out; those behind it move up by one.
    ///
    /// Copies the words of all elements behind it; of the last one nothing.
    ///
    /// # Errors
    ///
    /// `OutOfRange`; `OutOfMemory` if there is no room for the words that move; else those of [`get`](Self::get), and `Deadlock`. Then it
    /// is there still.
    ///
    /// ```
    /// let list = processing::SharedList::from_slice(&[1, 2, 3])?;
    /// assert_eq!(list.remove(0)?, 1);
    /// assert_eq!(list, [2, 3]);
    /// # Ok::<(), processing::Error>(())
    /// ```
    pub fn remove(&self, index: usize) -> Result<T> {
        let _held = self.lock()?;
        self.with(|list, stored| {
            let value = self.value_at(list, stored, index)?;
            // As in `pop`.
            self.check()?;
            let at = index as u64;
            let done =
                if at + 1 == list.len() { list.pop() } else { list.replace(at..at + 1, Fresh::default()) };
            done.map_err(|error| self.named(error))?;
            Ok(value)
        })
    }

    /// Puts copies of `values`, of any number, in the place of the elements in a range, in one step.
    ///
    /// Copies the words of all elements behind the range's start.
    ///
    /// # Errors
    ///
    /// `OutOfRange`, which names the range and the length; else those of [`push`](Self::push).
    ///
    /// ```
    /// let list = processing::SharedList::from_values(0..6)?;
    /// list.set_slice(1..4, &[10])?;
    /// assert_eq!(list, [0, 10, 4, 5]);
    /// list.set_slice(2.., &[7, 8, 9])?;
    /// assert_eq!(list, [0, 10, 7, 8, 9]);
    /// # Ok::<(), processing::Error>(())
    /// ```
    pub fn set_slice(&self, range: impl RangeBounds<usize>, values: &[T]) -> Result<()> {
        let new = self.elements(values)?;
        let _held = self.lock()?;
        self.with(|list, _| {
            let len = list.len();
            let range = self.bounds(&range, len)?;
            let done = match (range.is_empty(), new.words.is_empty()) {
                (true, true) => Ok(()),
                (true, false) if range.start == len => list.append(new),
                (false, true) if range.end == len => list.truncate(range.start),
                _ => list.replace(range, new),
            };
            done.map_err(|error| self.named(error))
        })
    }

    /// Removes all elements. The memory goes back to the arena, but for one segment.
    ///
    /// # Errors
    ///
    /// `Deadlock`, `WrongProcess`.
    pub fn clear(&self) -> Result<()> {
        self.truncate(0)
    }

    /// Keeps the first `len` elements; does nothing if there are not more.
    ///
    /// # Errors
    ///
    /// `Deadlock`, `WrongProcess`.
    ///
    /// ```
    /// let list = processing::SharedList::from_values(0..100u16)?;
    /// list.truncate(2)?;
    /// assert_eq!(list, [0, 1]);
    /// list.clear()?;
    /// assert!(list.is_empty());
    /// # Ok::<(), processing::Error>(())
    /// ```
    pub fn truncate(&self, len: usize) -> Result<()> {
        let _held = self.lock()?;
        self.with(|list, _| list.truncate(len as u64)).map_err(|error| self.named(error))
    }
}
