//! Changing a value from what it is, under its entry's lock.

use super::SharedDict;
use super::codec::{value_of, with_value};
use super::key::AsKey;
use super::raw::{Copied, Found};
use crate::data::dict::Key;
use crate::error::Result;
use crate::shared::data::SharedData;

impl<K: SharedData, V: SharedData> SharedDict<K, V> {
    /// Replaces the value under a key by what `change` makes of it, and returns that. `None`: there is none, and `change` was not called
    /// ([`update_or_insert`](Self::update_or_insert) begins with a default then).
    ///
    /// The entry is locked meanwhile: nobody else changes it, and others read the old value. A call that locks an entry of this dictionary from within
    /// `change` fails with `Deadlock`; so keep it short, and look at other entries before or after.
    ///
    /// ```
    /// let d = processing::SharedDict::<String, u64>::new()?;
    /// d.insert(&"k".to_owned(), &1)?;
    /// assert_eq!(d.update("k", |v| v + 1)?, Some(2));
    /// assert_eq!(d.update("x", |v| v + 1)?, None);
    /// # Ok::<(), processing::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get) and [`insert`](Self::insert); then the value is as before.
    ///
    /// # Panics
    ///
    /// If `change` does; then the value is as before.
    pub fn update<Q: AsKey<K> + ?Sized>(&self, key: &Q, change: impl FnOnce(V) -> V) -> Result<Option<V>> {
        self.with_key(key, |key| {
            let locked = self.raw.lock(key.hash)?;
            let mut bytes = Copied::new();
            let Some((slot, found)) = locked.find(key, &mut bytes)? else { return Ok(None) };
            // Also while values are made and serialised: that is code of the type's.
            let _updating = locked.updating();
            let value = change(value_of(found, &bytes)?);
            // It may have forked.
            self.raw.check()?;
            with_value(&value, Self::INLINE, |value| {
                locked.replace(slot, self.raw.prepare(key, value)?);
                Ok(())
            })?;
            Ok(Some(value))
        })
    }

    /// As [`update`](Self::update), with `default` for a value that is not there. Returns what is there then.
    ///
    /// ```
    /// let d = processing::SharedDict::<String, Vec<u32>>::new()?;
    /// for n in [1, 2] {
    ///     d.update_or_insert("k", vec![], |mut list| {
    ///         list.push(n);
    ///         list
    ///     })?;
    /// }
    /// assert_eq!(d.get("k")?, Some(vec![1, 2]));
    /// # Ok::<(), processing::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`update`](Self::update).
    ///
    /// # Panics
    ///
    /// If `change` does; then nothing has changed.
    pub fn update_or_insert<Q>(&self, key: &Q, default: V, change: impl FnOnce(V) -> V) -> Result<V>
    where
        Q: AsKey<K> + ?Sized,
    {
        self.with_key(key, |key| {
            let mut bytes = Copied::new();
            let (locked, found) = self.raw.lock_with_room(key, &mut bytes)?;
            let _updating = locked.updating();
            let (slot, before) = match found {
                Some((slot, found)) => (Some(slot), value_of(found, &bytes)?),
                None => (None, default),
            };
            let value = change(before);
            // It may have forked.
            self.raw.check()?;
            let put = with_value(&value, Self::INLINE, |value| self.raw.prepare(key, value))?;
            match slot {
                Some(slot) => locked.replace(slot, put),
                None => locked.insert(key, put)?,
            }
            Ok(value)
        })
    }

    /// The value under a key; `default`, which is inserted then, if there is none.
    ///
    /// ```
    /// let d = processing::SharedDict::<String, u32>::new()?;
    /// assert_eq!(d.set_default("k", 1)?, 1);
    /// assert_eq!(d.set_default("k", 2)?, 1);
    /// # Ok::<(), processing::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get) and [`insert`](Self::insert).
    pub fn set_default<Q: AsKey<K> + ?Sized>(&self, key: &Q, default: V) -> Result<V> {
        self.with_key(key, |key| {
            let mut bytes = Copied::new();
            let (locked, found) = self.raw.lock_with_room(key, &mut bytes)?;
            let Some((_, found)) = found else {
                let _updating = locked.updating();
                let put = with_value(&default, Self::INLINE, |value| self.raw.prepare(key, value))?;
                locked.insert(key, put)?;
                return Ok(default);
            };
            drop(locked);
            value_of(found, &bytes)
        })
    }

    /// Keeps the entries for which `keep` says so, and takes the others out, one after the other. Each entry that is there all the time is looked at once, under its
    /// lock; `keep` must not change this dictionary.
    ///
    /// ```
    /// let d = processing::SharedDict::<u64, u64>::new()?;
    /// d.extend((0..100).map(|n| (n, n % 3)))?;
    /// d.retain(|_, v| *v == 0)?;
    /// assert_eq!(d.len(), 34);
    /// # Ok::<(), processing::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`iter`](Self::iter) and [`remove`](Self::remove); what was taken out before stays out.
    pub fn retain(&self, mut keep: impl FnMut(&K, &V) -> bool) -> Result<()> {
        for entry in self.iter() {
            let (key, _) = entry?;
            self.with_key(&key, |at| self.retain_one(&key, at, &mut keep))?;
        }
        Ok(())
    }

    fn retain_one(&self, key: &K, at: &Key<'_>, keep: &mut impl FnMut(&K, &V) -> bool) -> Result<()> {
        let locked = self.raw.lock(at.hash)?;
        let mut bytes = Copied::new();
        let Some((slot, found)): Option<(usize, Found)> = locked.find(at, &mut bytes)? else { return Ok(()) };
        let _updating = locked.updating();
        let keeps = keep(key, &value_of(found, &bytes)?);
        // It may have forked.
        self.raw.check()?;
        if !keeps {
            locked.remove(slot);
        }
        Ok(())
    }
}
