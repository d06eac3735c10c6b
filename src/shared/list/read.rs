//! Reading elements and ranges.

use std::ops::{Bound, Range, RangeBounds};

use super::SharedList;
use crate::channel::message::Buffer;
use crate::data::bytes::Bytes;
use crate::data::list::List;
use crate::data::list::stored::Stored;
use crate::error::{Error, ErrorKind, Result};
use crate::layout::block_place::BlockPlace;
use crate::shared::{SharedData, data, inline};
use crate::sync::hint;

/// How often a reader tries without the lock to read one element, and a range.
const TRIES: usize = 64;
const RANGE_TRIES: usize = 8;

/// Where the elements of a range that lies in one buffer start: aligned to this.
const ALIGN: usize = 16;

impl<T: SharedData> SharedList<T> {
    /// How many elements there are. Others may change it at any time: the answer says what was true at a moment during the call.
    ///
    /// ```
    /// let list = processing::SharedList::from_values(0..1_000u32)?;
    /// assert_eq!(list.len(), 1_000);
    /// # Ok::<(), processing::Error>(())
    /// ```
    #[inline]
    pub fn len(&self) -> usize {
        self.look(|list| list.try_len()).unwrap_or_else(|| self.len_slow()) as usize
    }

    #[cold]
    fn len_slow(&self) -> u64 {
        for _ in 0..TRIES {
            hint::spin_loop();
            if let Some(len) = self.look(|list| list.try_len()) {
                return len;
            }
        }
        // An error only in a forked copy, where it is as good an answer as any that may have changed since.
        self.locked(|| Ok(self.with(|list, _| list.len()))).unwrap_or_default()
    }

    /// Whether there is no element. Goes stale as [`len`](Self::len) does.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A copy of element `index`. No lock, no read-modify-write: a few nanoseconds for a number.
    ///
    /// # Errors
    ///
    /// `OutOfRange`, which names the index and the length; `Corrupt` if the type's own deserialisation refuses the
    /// element; `WrongProcess` in a forked copy. For an element with handles also `Limit` if this process cannot have another one.
    ///
    /// ```
    /// let list = processing::SharedList::from_slice(&[1.5, 2.5])?;
    /// assert_eq!(list.get(1)?, 2.5);
    /// let error = list.get(2).unwrap_err();
    /// assert_eq!(error.kind(), processing::ErrorKind::OutOfRange);
    /// # Ok::<(), processing::Error>(())
    /// ```
    #[inline]
    pub fn get(&self, index: usize) -> Result<T> {
        self.check()?;
        if Self::INLINE {
            match self.look(|list| list.try_get(index as u64)) {
                Some(Ok(word)) => return inline::of_word(word),
                Some(Err(why)) => return Err(self.not_there(index, why)),
                None => {}
            }
        }
        self.get_slow(index)
    }

    #[inline(never)]
    fn get_slow(&self, index: usize) -> Result<T> {
        let mut bytes = Bytes::new();
        for _ in 0..TRIES {
            let seen = self.with(|list, _| match Self::INLINE {
                true => list.try_get(index as u64),
                false => {
                    let place = list.try_copy(index as u64, |len| bytes.room(len));
                    place.map(|seen| seen.map(|place| place.0))
                }
            });
            match seen {
                Some(Ok(word)) if Self::INLINE => return inline::of_word(word),
                Some(Ok(word)) if BlockPlace(word).has_handles() => break,
                Some(Ok(_)) => return data::decode(&bytes),
                Some(Err(why)) => return Err(self.not_there(index, why)),
                None => hint::spin_loop(),
            }
        }
        self.locked(|| self.with(|list, stored| self.value_at(list, stored, index)))
    }

    /// Element `index`, for who has the lock.
    pub(super) fn value_at(
        &self,
        list: &List<'_, Stored<'_>>,
        stored: &Stored<'_>,
        index: usize,
    ) -> Result<T> {
        match list.word(index as u64) {
            Some(word) => self.value_of(stored, word),
            None => Err(self.missing(list, index)),
        }
    }

    /// A copy of the first element, if there is one.
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get), but for `OutOfRange`.
    pub fn first(&self) -> Result<Option<T>> {
        match self.get(0) {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.kind() == ErrorKind::OutOfRange => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A copy of the last element, if there is one.
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get), but for `OutOfRange`.
    ///
    /// ```
    /// let list = processing::SharedList::from_values('a'..='e')?;
    /// assert_eq!((list.first()?, list.last()?), (Some('a'), Some('e')));
    /// # Ok::<(), processing::Error>(())
    /// ```
    pub fn last(&self) -> Result<Option<T>> {
        Ok(self.copies(|len| Ok(len.saturating_sub(1)..len))?.pop())
    }

    /// Copies of the elements in a range, as they were at one moment.
    ///
    /// Where others change the list again and again meanwhile, it is read under the lock after some tries.
    ///
    /// # Errors
    ///
    /// `OutOfRange`, which names the range and the length; else those of [`get`](Self::get).
    ///
    /// ```
    /// let list = processing::SharedList::from_values(0..9u64)?;
    /// assert_eq!(list.slice(2..5)?, [2, 3, 4]);
    /// assert_eq!(list.slice(7..)?, [7, 8]);
    /// # Ok::<(), processing::Error>(())
    /// ```
    pub fn slice(&self, range: impl RangeBounds<usize>) -> Result<Vec<T>> {
        self.copies(|len| self.bounds(&range, len))
    }

    /// Copies of all elements, as they were at one moment.
    ///
    /// # Errors
    ///
    /// As [`slice`](Self::slice).
    pub fn to_vec(&self) -> Result<Vec<T>> {
        self.copies(|len| Ok(0..len))
    }

    /// The range as numbers, if it lies in a list of this length.
    pub(super) fn bounds(&self, range: &impl RangeBounds<usize>, len: u64) -> Result<Range<u64>> {
        let start = match range.start_bound() {
            Bound::Included(start) => *start as u64,
            Bound::Excluded(start) => (*start as u64).saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(end) => (*end as u64).saturating_add(1),
            Bound::Excluded(end) => *end as u64,
            Bound::Unbounded => len,
        };
        if start <= end && end <= len {
            return Ok(start..end);
        }
        let what = format!("there is no range {start}..{end}, the length is {len}");
        Err(Error::new(ErrorKind::OutOfRange, self.inner.lock.object(), what))
    }

    /// Copies of what `pick` chooses, as it was at one moment.
    pub(super) fn copies(&self, pick: impl Fn(u64) -> Result<Range<u64>>) -> Result<Vec<T>> {
        self.check()?;
        let mut copied = Copied::default();
        for _ in 0..RANGE_TRIES {
            copied.clear();
            let seen = self.with(|list, _| {
                list.try_each(&pick, |version, word| {
                    if Self::INLINE {
                        copied.words.push(word);
                        return true;
                    }
                    let place = BlockPlace(word);
                    copied.handles |= place.has_handles();
                    if copied.handles {
                        return false;
                    }
                    list.copy(version, place, |len| copied.room(len)).is_some()
                })
            });
            match seen {
                Some(Ok(())) if Self::INLINE => {
                    return copied.words.iter().map(|word| inline::of_word(*word)).collect();
                }
                Some(Ok(())) => return copied.parts().map(data::decode).collect(),
                Some(Err(error)) => return Err(error),
                None if copied.handles => break,
                None => hint::spin_loop(),
            }
        }
        self.locked(|| self.copies_locked(&pick))
    }

    /// The same, for who has the lock.
    pub(super) fn copies_locked(&self, pick: &dyn Fn(u64) -> Result<Range<u64>>) -> Result<Vec<T>> {
        self.with(|list, stored| {
            let range = pick(list.len())?;
            let word = |index| list.word(index).ok_or_else(|| self.damaged());
            range.map(|index| self.value_of(stored, word(index)?)).collect()
        })
    }
}

/// What was read of a range and is not known to be whole yet.
#[derive(Default)]
struct Copied {
    words: Vec<u64>,
    bytes: Buffer,
    /// Where each element's archive lies in the bytes.
    ranges: Vec<Range<usize>>,
    /// Some element has handles.
    handles: bool,
}

impl Copied {
    fn clear(&mut self) {
        self.words.clear();
        self.bytes.clear();
        self.ranges.clear();
    }

    /// Room for another archive.
    fn room(&mut self, len: usize) -> &mut [u8] {
        let start = self.bytes.len().next_multiple_of(ALIGN);
        self.bytes.resize(start + len, 0);
        self.ranges.push(start..start + len);
        self.bytes.get_mut(start..).unwrap_or_default()
    }

    fn parts(&self) -> impl Iterator<Item = &[u8]> {
        self.ranges.iter().map(|range| self.bytes.get(range.clone()).unwrap_or_default())
    }
}
