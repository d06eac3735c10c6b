//! Going through all entries.

use std::collections::HashMap;
use std::hash::Hash;

use super::SharedDict;
use super::codec::{is_inline, of_word, value_of};
use super::raw::{Copied, Found};
use crate::channel::transfer::Child;
use crate::data::dict::batch::Item;
use crate::data::dict::{Batch, Next};
use crate::error::Result;
use crate::shared::data::{self, SharedData};

/// The entries of a dictionary; see [`SharedDict::iter`].
///
/// An error about one entry is followed by the next entry; one about the dictionary is the last item.
#[must_use = "an iterator does nothing unless it is asked"]
pub struct DictIter<'a, K, V> {
    dict: &'a SharedDict<K, V>,
    next: Next,
    batch: Batch,
    /// Of those items of the batch that have some, in its order.
    handles: Vec<Vec<Child>>,
    ready: std::vec::IntoIter<Result<(K, V)>>,
}

impl<K: SharedData, V: SharedData> SharedDict<K, V> {
    /// All entries, lazily and in no particular order: **each that is there from the first step to the last comes once**, also while others write and the dictionary
    /// grows; one that comes, goes or is replaced meanwhile as it is when its bucket is looked at, once or not at all. Nothing is locked from
    /// step to step.
    ///
    /// ```
    /// let d = processing::SharedDict::<u64, u64>::new()?;
    /// d.extend((0..1000).map(|n| (n, 2 * n)))?;
    /// let mut sum = 0;
    /// for entry in d.iter() {
    ///     let (key, value) = entry?;
    ///     assert_eq!(value, 2 * key);
    ///     sum += key;
    /// }
    /// assert_eq!(sum, 499_500);
    /// # Ok::<(), processing::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Each step: those of [`get`](Self::get); `Deadlock` from within a closure that changes an entry of this dictionary.
    pub fn iter(&self) -> DictIter<'_, K, V> {
        DictIter {
            dict: self,
            next: Next::At(0),
            batch: Batch::new(),
            handles: Vec::new(),
            ready: Vec::new().into_iter(),
        }
    }

    /// All keys, as [`iter`](Self::iter) finds them.
    ///
    /// # Errors
    ///
    /// Those of [`iter`](Self::iter).
    pub fn keys(&self) -> Result<Vec<K>> {
        self.iter().map(|entry| entry.map(|(key, _)| key)).collect()
    }

    /// All values, as [`iter`](Self::iter) finds them.
    ///
    /// # Errors
    ///
    /// Those of [`iter`](Self::iter).
    pub fn values(&self) -> Result<Vec<V>> {
        self.iter().map(|entry| entry.map(|(_, value)| value)).collect()
    }

    /// All entries, as [`iter`](Self::iter) finds them.
    ///
    /// ```
    /// let d = processing::SharedDict::<String, u64>::new()?;
    /// d.insert(&"k".to_owned(), &1)?;
    /// assert_eq!(d.items()?, [("k".to_owned(), 1)]);
    /// assert_eq!((d.keys()?, d.values()?), (vec!["k".to_owned()], vec![1]));
    /// # Ok::<(), processing::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`iter`](Self::iter).
    pub fn items(&self) -> Result<Vec<(K, V)>> {
        self.iter().collect()
    }

    /// A copy in this process's own memory, of what [`iter`](Self::iter) finds.
    ///
    /// ```
    /// let d = processing::SharedDict::<u64, u64>::new()?;
    /// d.extend([(1, 10), (2, 20)])?;
    /// assert_eq!(d.copy()?, std::collections::HashMap::from([(1, 10), (2, 20)]));
    /// # Ok::<(), processing::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`iter`](Self::iter).
    pub fn copy(&self) -> Result<HashMap<K, V>>
    where
        K: Hash + Eq,
    {
        self.iter().collect()
    }
}

impl<K: SharedData, V: SharedData> DictIter<'_, K, V> {
    /// The next bucket that has something. False: there is none.
    fn fill(&mut self) -> Result<bool> {
        while let Next::At(cursor) = self.next {
            self.next = self.dict.raw.scan(cursor, &mut self.batch, &mut self.handles)?;
            if self.batch.items().is_empty() {
                continue;
            }
            let mut handles = self.handles.drain(..);
            let entry = |item: &Item| entry_of(&self.batch, item, &mut handles);
            self.ready = self.batch.items().iter().map(entry).collect::<Vec<_>>().into_iter();
            return Ok(true);
        }
        Ok(false)
    }
}

fn entry_of<K: SharedData, V: SharedData>(
    batch: &Batch,
    item: &Item,
    handles: &mut impl Iterator<Item = Vec<Child>>,
) -> Result<(K, V)> {
    let inline = SharedDict::<K, V>::INLINE;
    let mut bytes = Copied::new();
    let found = if inline {
        Found::Word(item.value)
    } else {
        let archive = batch.value(item);
        bytes.room(archive.len()).copy_from_slice(archive);
        match item.handles.and_then(|_| handles.next()) {
            Some(children) => Found::WithHandles(children),
            None => Found::Archive,
        }
    };
    let key = if is_inline::<K>() { of_word(item.key) } else { data::decode(batch.key(item)) };
    Ok((key?, value_of(found, &bytes)?))
}

impl<K: SharedData, V: SharedData> Iterator for DictIter<'_, K, V> {
    type Item = Result<(K, V)>;

    fn next(&mut self) -> Option<Result<(K, V)>> {
        loop {
            if let Some(entry) = self.ready.next() {
                return Some(entry);
            }
            match self.fill() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => {
                    // Whoever goes on in spite of it comes to an end.
                    self.next = Next::End;
                    return Some(Err(error));
                }
            }
        }
    }
}

impl<'a, K: SharedData, V: SharedData> IntoIterator for &'a SharedDict<K, V> {
    type Item = Result<(K, V)>;
    type IntoIter = DictIter<'a, K, V>;

    fn into_iter(self) -> DictIter<'a, K, V> {
        self.iter()
    }
}

impl<K, V> std::fmt::Debug for DictIter<'_, K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DictIter").field("next", &self.next).finish_non_exhaustive()
    }
}
