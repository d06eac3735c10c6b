//! Dictionaries by bytes: archives of keys to archives of values, which may carry handles. Types are a matter of the layer above.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use rkyv::Archive;

use super::memory::Attached;
use crate::arena::{Block, ObjectRef};
use crate::channel::domain::Domain;
use crate::channel::parcel;
use crate::channel::transfer::Child;
use crate::data::dict::content::body_len;
use crate::data::dict::{Batch, Dict, Entered, Extent, Fixed, Key, Next, Put, Seen, Words};
use crate::error::{Error, ErrorKind, Result};
use crate::layout::block::{FRONT, SMALL_MAX};
use crate::layout::block_place::BlockPlace;
use crate::layout::dict::{Lengths, PAIR, STRIPES_MAX, Settings, at};
use crate::layout::object::ObjectId;
use crate::sync::atomic::Ordering::{Relaxed, Release};
use crate::sync::{fence, hint};
use crate::sys::random;

/// What a value is copied into.
pub(crate) use crate::data::dict::Bytes as Copied;

/// A value on its way in.
#[derive(Clone, Copy)]
pub(crate) enum Value<'a> {
    /// Of a dictionary with inline values.
    Word(u64),
    /// Its archive, and the handles in it.
    Archive(&'a [u8], &'a [Child]),
}

/// A value on its way out.
pub(crate) enum Found {
    Word(u64),
    /// Its archive was copied into the buffer.
    Archive,
    /// The same, with handles.
    WithHandles(Vec<Child>),
}

/// One dictionary in this process.
pub(crate) struct Raw {
    dict: Dict<Attached>,
}

/// One entry, locked: nobody else changes it, or those that share its stripe.
pub(crate) struct Locked<'a> {
    raw: &'a Raw,
    entered: Entered<'a, Attached>,
}

thread_local! {
    /// The dictionaries whose entries this thread has locked while it runs somebody's closure, by region and object.
    static UPDATING: RefCell<Vec<(u64, ObjectId)>> = const { RefCell::new(Vec::new()) };
    static UPDATES: Cell<usize> = const { Cell::new(0) };
}

/// This thread runs a closure for an entry of a dictionary.
pub(crate) struct Updating;

impl Drop for Updating {
    fn drop(&mut self) {
        UPDATES.set(UPDATES.get().saturating_sub(1));
        let _ = UPDATING.try_with(|list| list.borrow_mut().pop());
    }
}

impl Raw {
    /// Makes one with these settings; `stripes` is a power of two. Its secrets are random; made from `seed` only in tests that need the same bytes in every run.
    pub(crate) fn create(
        domain: &Domain,
        kind: u32,
        type_hash: u64,
        settings: Settings,
        stripes: u32,
        capacity: usize,
        seed: Option<u64>,
    ) -> Result<Self> {
        if !stripes.is_power_of_two() || stripes > STRIPES_MAX {
            let what = format!("{stripes} stripes: it takes a power of two, at most {STRIPES_MAX}");
            return Err(Error::new(ErrorKind::InvalidInput, "shared dictionary", what));
        }
        let (store, len) = (domain.store(), body_len(stripes));
        let make = || store.create_object(kind, type_hash, "dict", len, |_zeros| {});
        let object = domain.with_room(make)?;
        let settings = Settings { stripes: stripes.trailing_zeros(), ..settings };
        let body = domain.region().words(object.view().body_offset(), len / 8).unwrap_or_default();
        for i in 0..4 {
            let random = match seed {
                Some(seed) => Ok(seed.rotate_left(16 * i as u32)),
                None => random::nonzero(),
            };
            let word = random.map_err(|cause| Error::os("shared dictionary", "getrandom", cause))?;
            body.store(at::SEEDS + i, word, Relaxed);
        }
        // Last: a body without is that of no dictionary.
        body.store(at::SETTINGS, settings.pack(), Release);
        let raw = Self::open(object)?;
        raw.dict.begin(capacity as u64)?;
        Ok(raw)
    }

    /// The one in this object, whose kind and type the caller has compared.
    pub(crate) fn open(object: ObjectRef) -> Result<Self> {
        Ok(Self { dict: Dict::new(Attached::open(object)?) })
    }

    /// Whether its keys and values are kept in this way, in however many stripes.
    pub(crate) fn keeps_as(&self, settings: Settings) -> bool {
        self.dict.settings() == Settings { stripes: self.dict.settings().stripes, ..settings }
    }

    pub(crate) fn object(&self) -> &ObjectRef {
        self.dict.memory.object()
    }

    fn domain(&self) -> &Arc<Domain> {
        &self.dict.memory.domain
    }

    /// That this is still the process that made the handle.
    #[inline(always)]
    pub(crate) fn check(&self) -> Result<()> {
        self.dict.memory.check()
    }

    /// A key that is its own word.
    #[inline(always)]
    pub(crate) fn key_of_word(&self, word: u64) -> Key<'static> {
        Key { hash: self.dict.memory.seeds.of_word(word), word, bytes: &[] }
    }

    /// A key of two words, as all keys of the dictionary are.
    #[inline(always)]
    pub(crate) fn key_of_pair<'k>(&self, pair: [u64; 2], bytes: &'k [u8]) -> Key<'k> {
        let hash = self.dict.memory.seeds.of_pair(pair);
        Key { hash, word: hash, bytes }
    }

    /// A key by its archive.
    #[inline]
    pub(crate) fn key_of_bytes<'k>(&self, bytes: &'k [u8]) -> Key<'k> {
        let hash = self.dict.memory.seeds.of_bytes(bytes);
        Key { hash, word: hash, bytes }
    }

    /// Entries; exact only while nobody writes.
    pub(crate) fn len(&self) -> u64 {
        self.dict.len()
    }

    /// The value under a key; its archive is copied into `out`.
    #[inline(always)]
    pub(crate) fn get(&self, key: &Key<'_>, out: &mut Copied) -> Result<Option<Found>> {
        self.check()?;
        match self.dict.try_get(key, out) {
            Some(Seen::Inline(word)) => Ok(Some(Found::Word(word))),
            Some(Seen::Copied(_)) => Ok(Some(Found::Archive)),
            Some(Seen::Absent) => Ok(None),
            Some(Seen::Handles(..)) | None => self.get_slow(key, out),
        }
    }

    /// The words of the plain value under a key. `None`: somebody came in between.
    #[inline(always)]
    pub(crate) fn try_get_fixed<K: Archive, V: Archive, const N: usize>(
        &self,
        key: &Key<'_>,
    ) -> Result<Option<Option<[u64; N]>>> {
        self.check()?;
        let seen = self.dict.try_get(key, &mut Fixed::<K, V, N>::new());
        if let Some(Seen::Copied(words)) = seen {
            return Ok(Some(Some(words)));
        }
        Ok(matches!(seen, Some(Seen::Absent)).then_some(None))
    }

    /// Looks until nobody comes in between; after some tries with the entry locked.
    #[cold]
    fn look(&self, key: &Key<'_>, out: &mut Copied) -> Result<Seen> {
        if !self.is_updating() {
            return self.dict.get(key, out);
        }
        // This thread has a lock of this dictionary, and waits for no other: it looks until others are not just changing this one.
        loop {
            match self.dict.try_get(key, out) {
                Some(seen) => return Ok(seen),
                None => hint::spin_loop(),
            }
        }
    }

    #[cold]
    fn get_slow(&self, key: &Key<'_>, out: &mut Copied) -> Result<Option<Found>> {
        match self.look(key, out)? {
            Seen::Absent => Ok(None),
            Seen::Inline(word) => Ok(Some(Found::Word(word))),
            Seen::Copied(_) => Ok(Some(Found::Archive)),
            Seen::Handles(..) => {
                let locked = self.lock(key.hash)?;
                Ok(locked.find(key, out)?.map(|(_, found)| found))
            }
        }
    }

    /// Locks the entry for a hash.
    ///
    /// # Errors
    /// `Deadlock` from within a closure that changes another entry of the dictionary.
    #[inline(always)]
    pub(crate) fn lock(&self, hash: u64) -> Result<Locked<'_>> {
        self.check()?;
        if UPDATES.get() != 0 && self.is_updating() {
            return Err(self.deadlock());
        }
        Ok(Locked { raw: self, entered: self.dict.enter(hash)? })
    }

    /// Locks the entry for a key, and sees to it that there is a slot for it. The value that is there, its archive copied into `out`.
    pub(crate) fn lock_with_room(
        &self,
        key: &Key<'_>,
        out: &mut Copied,
    ) -> Result<(Locked<'_>, Option<(usize, Found)>)> {
        loop {
            let locked = self.lock(key.hash)?;
            let found = locked.find(key, out)?;
            if found.is_some() || locked.entered.has_room() {
                return Ok((locked, found));
            }
            locked.grow(key)?;
        }
    }

    /// Whether there is a value under a key.
    pub(crate) fn contains(&self, key: &Key<'_>) -> Result<bool> {
        self.check()?;
        let mut out = Copied::new();
        let seen = match self.dict.try_get(key, &mut out) {
            Some(seen) => seen,
            None => self.look(key, &mut out)?,
        };
        Ok(seen != Seen::Absent)
    }

    fn name(&self) -> (u64, ObjectId) {
        (self.domain().region().id(), self.object().id())
    }

    #[cold]
    fn is_updating(&self) -> bool {
        // The list is made for a thread, with an allocation of the C library's for its end, when it is first looked at: not for who changes no entry.
        UPDATES.get() != 0 && UPDATING.try_with(|list| list.borrow().contains(&self.name())).unwrap_or(false)
    }

    #[cold]
    fn deadlock(&self) -> Error {
        let object = format!("shared dictionary {}", self.object().id().index);
        Error::new(ErrorKind::Deadlock, object, "the calling thread is changing one of its entries already")
            .hint("do it before or after `update`, not in its closure")
    }

    /// Puts a value under a key. True: there was none.
    ///
    /// # Errors
    /// Those of the arena, and then nothing has changed.
    pub(crate) fn insert(&self, key: &Key<'_>, value: Value<'_>) -> Result<bool> {
        self.check()?;
        let mut put = match value {
            Value::Word(word) => Put::Inline(word),
            Value::Archive(..) => self.prepare(key, value)?,
        };
        loop {
            let locked = self.lock(key.hash)?;
            match locked.put(key, put) {
                Ok(new) => return Ok(new),
                Err(back) => put = back,
            }
            locked.grow(key)?;
        }
    }

    /// A value as it will be linked.
    pub(crate) fn prepare(&self, key: &Key<'_>, value: Value<'_>) -> Result<Put<Block<'_>>> {
        match value {
            Value::Word(word) => Ok(Put::Inline(word)),
            Value::Archive(bytes, children) => Ok(Put::Block(self.block(key, bytes, children)?)),
        }
    }

    fn block(&self, key: &Key<'_>, bytes: &[u8], children: &[Child]) -> Result<Block<'_>> {
        let Settings { inline_keys: inline, in_front, .. } = self.dict.settings();
        let lengths =
            Lengths { value: bytes.len() as u64, key: if inline { 0 } else { key.bytes.len() as u64 } };
        let is_small = lengths.key <= PAIR as u64 && lengths.payload(true) <= SMALL_MAX;
        if lengths.key > Lengths::KEY_MAX || lengths.value > Lengths::VALUE_MAX || in_front && !is_small {
            let what = format!("a key of {} bytes, a value of {} bytes", lengths.key, lengths.value);
            return Err(Error::new(ErrorKind::TooLarge, "shared dictionary", what)
                .hint("a key has at most 16 MiB - 1"));
        }
        let (domain, count) = (self.domain(), children.len() as u32);
        let block = domain.with_room(|| domain.store().alloc(lengths.payload(in_front), count))?;
        parcel::add_shared(domain, &block, children)?;
        let offset = block.view().content_offset().wrapping_sub(if in_front { FRONT } else { 0 });
        let words = domain.region().words(offset, lengths.words(in_front)).unwrap_or_default();
        // Who sees one of these words sees what led away from the block's last life.
        fence::fence(Release);
        words.store(0, lengths.pack(), Relaxed);
        words.fill(Lengths::value_at(in_front), bytes);
        if !inline {
            words.fill(lengths.key_at(in_front), key.bytes);
        }
        Ok(block)
    }

    /// References of this process's own to the handles of a value, whose entry is locked.
    fn handles(&self, place: BlockPlace) -> Result<Vec<Child>> {
        let view = self.domain().store().view_at(place.offset());
        view.map_or(Ok(Vec::new()), |view| parcel::whole(self.domain(), &view))
    }

    /// What the bucket that covers `cursor` has from there on. The handles of those values that have some are in the order of the batch.
    pub(crate) fn scan(&self, cursor: u64, batch: &mut Batch, handles: &mut Vec<Vec<Child>>) -> Result<Next> {
        self.check()?;
        if UPDATES.get() != 0 && self.is_updating() {
            return Err(self.deadlock());
        }
        handles.clear();
        self.dict.scan(cursor, batch, &mut |reference| {
            handles.push(self.handles(reference)?);
            Ok(())
        })
    }

    /// Takes everything out.
    pub(crate) fn clear(&self) -> Result<()> {
        self.check()?;
        if self.is_updating() {
            return Err(self.deadlock());
        }
        self.dict.clear()
    }

    /// How large it is.
    pub(crate) fn extent(&self) -> Result<Extent> {
        self.check()?;
        if self.is_updating() {
            return Err(self.deadlock());
        }
        self.dict.measure()
    }
}

impl Locked<'_> {
    /// The slot of a key, and its value; its archive is copied into `out`.
    pub(crate) fn find(&self, key: &Key<'_>, out: &mut Copied) -> Result<Option<(usize, Found)>> {
        let Some((slot, seen)) = self.entered.find(key, out) else { return Ok(None) };
        let found = match seen {
            Seen::Absent => return Ok(None),
            Seen::Inline(word) => Found::Word(word),
            Seen::Copied(_) => Found::Archive,
            Seen::Handles(reference, _) => Found::WithHandles(self.raw.handles(reference)?),
        };
        Ok(Some((slot, found)))
    }

    /// The slot of a key.
    pub(crate) fn slot(&self, key: &Key<'_>) -> Option<usize> {
        self.entered.slot(key)
    }

    /// Puts a value under a key, or gives it back if there is no room: [`grow`](Self::grow).
    #[inline(always)]
    pub(crate) fn put<'b>(&self, key: &Key<'_>, put: Put<Block<'b>>) -> Result<bool, Put<Block<'b>>> {
        match self.slot(key) {
            Some(slot) => {
                self.entered.replace(slot, put);
                Ok(false)
            }
            None => self.entered.insert(key, put).map(|()| true),
        }
    }

    /// Puts a value under a key that is not there, where there is [room](Raw::lock_with_room).
    pub(crate) fn insert(&self, key: &Key<'_>, put: Put<Block<'_>>) -> Result<()> {
        self.entered.insert(key, put).map_err(|_| {
            Error::new(ErrorKind::Corrupt, "shared dictionary", "a slot that was free is not any more")
        })
    }

    /// Replaces the value of a slot.
    pub(crate) fn replace(&self, slot: usize, put: Put<Block<'_>>) {
        self.entered.replace(slot, put);
    }

    /// Takes a slot out.
    pub(crate) fn remove(&self, slot: usize) {
        self.entered.remove(slot);
    }

    /// Makes room for another key. The entry is not locked any more.
    pub(crate) fn grow(self, key: &Key<'_>) -> Result<()> {
        let (raw, full) = (self.raw, self.entered.segment());
        drop(self);
        raw.dict.grow(key.hash, full)
    }

    /// As long as this lives, calls of this thread that would lock another entry fail.
    pub(crate) fn updating(&self) -> Updating {
        UPDATES.set(UPDATES.get() + 1);
        let _ = UPDATING.try_with(|list| list.borrow_mut().push(self.raw.name()));
        Updating
    }
}
