//! Reading, inserting, removing one entry.

use super::SharedDict;
use super::codec::{is_inline, pair_of, value_of, with_value, word_of};
use super::key::AsKey;
use super::raw::{Copied, Found, Value};
use crate::data::dict::Key;
use crate::data::plain::checked;
use crate::error::Result;
use crate::ring::plain::plain_len;
use crate::shared::data::SharedData;

impl<K: SharedData, V: SharedData> SharedDict<K, V> {
    /// Whether values are their own words: only beside keys that are.
    pub(super) const INLINE: bool = is_inline::<K>() && is_inline::<V>();

    /// Hands the key to `f` as the dictionary sees it.
    #[inline(always)]
    pub(super) fn with_key<Q, R>(&self, key: &Q, f: impl FnOnce(&Key<'_>) -> Result<R>) -> Result<R>
    where
        Q: AsKey<K> + ?Sized,
    {
        key.with_archive(|bytes| f(&self.key_of(bytes)))
    }

    #[inline(always)]
    fn key_of<'k>(&self, bytes: &'k [u8]) -> Key<'k> {
        match pair_of::<K>(bytes) {
            _ if is_inline::<K>() => self.raw.key_of_word(word_of(bytes)),
            Some(pair) => self.raw.key_of_pair(pair, bytes),
            None => self.raw.key_of_bytes(bytes),
        }
    }

    /// Hands key and value to `f`.
    #[inline(always)]
    fn with_both<R>(
        &self,
        key: &K,
        value: &V,
        f: impl FnOnce(&Key<'_>, Value<'_>) -> Result<R>,
    ) -> Result<R> {
        self.with_key(key, |key| with_value(value, Self::INLINE, |value| f(key, value)))
    }

    /// The value under a key, copied out. `None`: there is none.
    ///
    /// It waits for nobody and writes nothing, unless the value contains handles: then it takes the entry's lock.
    ///
    /// ```
    /// let d = processing::SharedDict::<u64, String>::new()?;
    /// d.insert(&1, &"one".to_owned())?;
    /// assert_eq!(d.get(&1)?.as_deref(), Some("one"));
    /// assert_eq!(d.get(&2)?, None);
    /// # Ok::<(), processing::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `WrongProcess` if the handle was inherited through a fork; `Corrupt` if the value's own deserialisation refuses it; `OutOfMemory` or `Limit`
    /// if a handle in it cannot be had; `Deadlock` for a value with handles, from within a closure that changes another entry.
    // Always: a value that is returned through memory, word by word, is slow to read again.
    #[inline(always)]
    pub fn get<Q: AsKey<K> + ?Sized>(&self, key: &Q) -> Result<Option<V>> {
        match key.plain() {
            Some(bytes) => self.get_by(&self.key_of(bytes)),
            None => self.with_key(key, |key| self.get_by(key)),
        }
    }

    #[inline(always)]
    fn get_by(&self, key: &Key<'_>) -> Result<Option<V>> {
        match plain_len::<V>() {
            Some(0..=16) if !Self::INLINE => self.get_fixed::<2>(key),
            Some(17..=64) => self.get_fixed::<8>(key),
            Some(65..=128) => self.get_fixed::<16>(key),
            _ => self.get_any(key),
        }
    }

    #[inline(always)]
    fn get_fixed<const N: usize>(&self, key: &Key<'_>) -> Result<Option<V>> {
        match self.raw.try_get_fixed::<K, V, N>(key)? {
            Some(None) => return Ok(None),
            Some(Some(words)) => {
                if let Some(value) = checked::<V, N>(words) {
                    return Ok(Some(value));
                }
            }
            None => {}
        }
        // In a place of its own: the other values need none then.
        let mut value = None;
        self.get_slow(key.hash, key.word, key.bytes, &mut value)?;
        Ok(value)
    }

    #[inline(always)]
    fn get_any(&self, key: &Key<'_>) -> Result<Option<V>> {
        let mut bytes = Copied::new();
        match self.raw.get(key, &mut bytes)? {
            Some(found) => value_of(found, &bytes).map(Some),
            None => Ok(None),
        }
    }

    /// Somebody came in between, or the value is none, which will be told.
    #[cold]
    fn get_slow(&self, hash: u64, word: u64, bytes: &[u8], value: &mut Option<V>) -> Result<()> {
        *value = self.get_any(&Key { hash, word, bytes })?;
        Ok(())
    }

    /// Whether there is a value under a key. As [`get`](Self::get), but nothing is made of the value.
    ///
    /// # Errors
    ///
    /// `WrongProcess`.
    pub fn contains<Q: AsKey<K> + ?Sized>(&self, key: &Q) -> Result<bool> {
        self.with_key(key, |key| self.raw.contains(key))
    }

    /// Puts a value under a key, in the place of the one that is there. True: there was none.
    ///
    /// ```
    /// let d = processing::SharedDict::<u64, u64>::new()?;
    /// assert!(d.insert(&7, &1)?);
    /// assert!(!d.insert(&7, &2)?);
    /// assert_eq!(d.get(&7)?, Some(2));
    /// # Ok::<(), processing::Error>(())
    /// ```
    ///
    /// Killed in it: the old value is there, or the new one; the memory of the other is free.
    ///
    /// # Errors
    ///
    /// `OutOfMemory` or `Limit` if the arena is full, and then nothing has changed; `TooLarge` for a key of 16 MiB or more; `InvalidInput` if key or value
    /// cannot be serialised, if the key contains a handle, or the value one of another arena or the end of a pipe; `Deadlock` from within a closure
    /// that changes another entry of this dictionary; `WrongProcess` if the handle was inherited through a fork.
    #[inline]
    pub fn insert(&self, key: &K, value: &V) -> Result<bool> {
        self.with_both(key, value, |key, value| self.raw.insert(key, value))
    }

    /// As [`insert`](Self::insert); returns what was there.
    ///
    /// ```
    /// let d = processing::SharedDict::<u64, String>::new()?;
    /// assert_eq!(d.replace(&1, &"a".to_owned())?, None);
    /// assert_eq!(d.replace(&1, &"b".to_owned())?.as_deref(), Some("a"));
    /// # Ok::<(), processing::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`insert`](Self::insert) and [`get`](Self::get). If the old value's own deserialisation refuses it, the new one is there all the same.
    pub fn replace(&self, key: &K, value: &V) -> Result<Option<V>> {
        let mut bytes = Copied::new();
        let old = self.with_both(key, value, |key, value| {
            let mut put = self.raw.prepare(key, value)?;
            loop {
                let locked = self.raw.lock(key.hash)?;
                let found = locked.find(key, &mut bytes)?.map(|(_, found)| found);
                match locked.put(key, put) {
                    Ok(_) => return Ok(found),
                    Err(back) => put = back,
                }
                locked.grow(key)?;
            }
        })?;
        old.map(|found| value_of(found, &bytes)).transpose()
    }

    /// Takes the entry of a key out. False: there was none.
    ///
    /// ```
    /// let d = processing::SharedDict::<u64, u64>::new()?;
    /// d.insert(&7, &1)?;
    /// assert!(d.remove(&7)?);
    /// assert!(!d.remove(&7)?);
    /// # Ok::<(), processing::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Deadlock` from within a closure that changes another entry of this dictionary; `WrongProcess`.
    pub fn remove<Q: AsKey<K> + ?Sized>(&self, key: &Q) -> Result<bool> {
        self.with_key(key, |key| {
            let locked = self.raw.lock(key.hash)?;
            let slot = locked.slot(key);
            slot.inspect(|slot| locked.remove(*slot));
            Ok(slot.is_some())
        })
    }

    /// Takes the entry of a key out, and returns its value. `None`: there was none.
    ///
    /// Killed in it: the entry is there, or it is gone, and the value with it.
    ///
    /// ```
    /// let d = processing::SharedDict::<u64, u64>::new()?;
    /// d.insert(&7, &1)?;
    /// assert_eq!((d.pop(&7)?, d.pop(&7)?), (Some(1), None));
    /// # Ok::<(), processing::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`remove`](Self::remove); `OutOfMemory` or `Limit` if a handle in the value cannot be had, and then it stays. `Corrupt` if the value's own
    /// deserialisation refuses it; it is gone then.
    pub fn pop<Q: AsKey<K> + ?Sized>(&self, key: &Q) -> Result<Option<V>> {
        let mut bytes = Copied::new();
        let found: Option<Found> = self.with_key(key, |key| {
            let locked = self.raw.lock(key.hash)?;
            let Some((slot, found)) = locked.find(key, &mut bytes)? else { return Ok(None) };
            locked.remove(slot);
            Ok(Some(found))
        })?;
        found.map(|found| value_of(found, &bytes)).transpose()
    }

    /// Entries: exact while nobody writes, otherwise as many as there were on the way. Two loads for each stripe, or about as many.
    pub fn len(&self) -> usize {
        usize::try_from(self.raw.len()).unwrap_or(usize::MAX)
    }

    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes everything out, at one moment. The memory of all entries is free afterwards.
    ///
    /// ```
    /// let d = processing::SharedDict::<u64, u64>::new()?;
    /// d.extend((0..1000).map(|n| (n, n)))?;
    /// d.clear()?;
    /// assert!(d.is_empty() && d.get(&1)?.is_none());
    /// # Ok::<(), processing::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `OutOfMemory` if there is not even room for what an empty dictionary has, and then nothing has changed; those of [`remove`](Self::remove).
    pub fn clear(&self) -> Result<()> {
        self.raw.clear()
    }

    /// Inserts all of these, one after the other: others see some of them there and others not yet.
    ///
    /// # Errors
    ///
    /// Those of [`insert`](Self::insert); what came before stays.
    pub fn extend(&self, entries: impl IntoIterator<Item = (K, V)>) -> Result<()> {
        entries.into_iter().try_for_each(|(key, value)| self.insert(&key, &value).map(drop))
    }
}
