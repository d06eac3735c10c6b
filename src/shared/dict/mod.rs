//! `SharedDict<K, V>`: a dictionary in shared memory. What happens in it is in [`crate::data::dict`]; by bytes it is [`raw`], under which it serves
//! other types, too.

mod access;
mod builder;
mod codec;
mod entry;
mod iter;
mod key;
mod memory;
pub(crate) mod raw;
mod show;
mod stats;
mod travel;

use std::marker::PhantomData;
use std::sync::Arc;

pub use builder::SharedDictBuilder;
pub use iter::DictIter;
pub use key::AsKey;
pub use stats::DictStats;

use crate::arena::ObjectRef;
use crate::channel::codec::fingerprint_of_pair;
use crate::channel::kind;
use crate::error::{Error, ErrorKind, Result};
use crate::shared::data::SharedData;
use raw::Raw;

/// A dictionary in shared memory: threads and processes use it at once, without a server.
///
/// Keys and values are any [`SharedData`], of any size; values may be or contain handles of other objects of the arena (queues, locks, other
/// dictionaries), keys may not. Two keys are the same if their archives have the same bytes: so a key must not contain a `HashMap`, and of floats `0.0` and
/// `-0.0` differ. Keys are hashed with a secret that is random for each dictionary.
///
/// - **A reader never waits and writes nothing**: it looks again if the entry was changed meanwhile (after some tries, and for values with
///   handles always, it takes the entry's lock). **A writer locks a share of the entries**, one of 64 (see the [builder](Self::builder)); writers of
///   different shares do not meet. A reader sees the value before or after a change, never anything between.
/// - **Death**: a process that is killed in a call has made its change wholly or not at all; the next writer that needs what it had locked finishes or
///   undoes it, and waits for nothing else. A process that is *stopped* in a call delays writers of that share, and no reader.
/// - It grows as needed, a segment (of some hundred entries) at a time; growing delays writers of that segment, some microseconds. It does not shrink
///   but by [`clear`](Self::clear); memory of removed and replaced values is free at once. The whole goes with the last handle of all processes.
/// - An arena that is full is an error, and the dictionary is as before.
///
/// Not guaranteed: a common moment of several calls. [`len`](Self::len) while others write counts some of what they do; [`iter`](Self::iter) gives each
/// entry that is there all the time once, and of those that come and go some.
///
/// Cost, of `u64` to `u64`: a `get` loads four cache lines, a change makes two atomic read-modify-writes; an entry takes some 27 to 40 bytes. What is larger
/// than eight bytes lies in a block of its own. Handles are cheap to clone; they travel as arguments and in messages.
///
/// ```
/// use processing::{Process, SharedDict};
///
/// fn count(words: SharedDict<String, u64>) -> processing::Result<()> {
///     for word in ["a", "rose", "is", "a", "rose"] {
///         words.update_or_insert(word, 0, |n| n + 1)?;
///     }
///     Ok(())
/// }
///
/// let words = SharedDict::new()?;
/// let counters: Vec<Process> = (0..3)
///     .map(|_| Process::new(count, (words.clone(),)).start())
///     .collect::<processing::Result<_>>()?;
/// for counter in counters {
///     counter.join()?;
/// }
/// assert_eq!(words.get("rose")?, Some(6));
/// assert_eq!(words.len(), 3);
/// # Ok::<(), processing::Error>(())
/// ```
pub struct SharedDict<K, V> {
    raw: Arc<Raw>,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K: SharedData, V: SharedData> SharedDict<K, V> {
    /// An empty one, in the arena of this process tree.
    ///
    /// ```
    /// let ages = processing::SharedDict::<String, u32>::new()?;
    /// assert!(ages.insert(&"Ada".to_owned(), &36)?);
    /// assert_eq!(ages.get("Ada")?, Some(36));
    /// # Ok::<(), processing::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `OutOfMemory` or `Limit` if the arena is full.
    pub fn new() -> Result<Self> {
        Self::builder().build()
    }

    /// Sets arena, expected size and stripes.
    pub fn builder() -> SharedDictBuilder<K, V> {
        SharedDictBuilder::new()
    }

    fn over(raw: Raw) -> Self {
        Self { raw: Arc::new(raw), types: PhantomData }
    }

    fn open(object: ObjectRef) -> Result<Self> {
        if object.kind() != kind::DICT || object.type_hash() != fingerprint_of_pair::<K, V>() {
            return Err(Self::mismatch(&object));
        }
        let raw = Raw::open(object)?;
        // Types of the same names and sizes, of which one is plain and the other is not.
        if !raw.keeps_as(codec::settings::<K, V>()) {
            return Err(Self::mismatch(raw.object()));
        }
        Ok(Self::over(raw))
    }

    #[cold]
    fn mismatch(object: &ObjectRef) -> Error {
        let what = match object.kind() {
            kind::DICT => format!("it is not a {}", super::names::short::<Self>()),
            _ => "it is not a shared dictionary".to_owned(),
        };
        Error::new(ErrorKind::TypeMismatch, format!("object {}", object.id().index), what)
            .hint("open it as what it was created; both programs must be built from the same types")
    }
}

impl<K, V> SharedDict<K, V> {
    pub(crate) fn reference(&self) -> &ObjectRef {
        self.raw.object()
    }
}

impl<K, V> Clone for SharedDict<K, V> {
    fn clone(&self) -> Self {
        Self { raw: self.raw.clone(), types: PhantomData }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::domain::Arena;

    #[test]
    fn it_is_opened_as_what_it_is() {
        let arena = Arena::builder().limit(1 << 20).build().unwrap();
        let d = SharedDict::<u64, u64>::builder().arena(&arena).build().unwrap();
        let error = SharedDict::<u64, String>::open(d.reference().clone()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TypeMismatch);
        assert!(error.to_string().contains("SharedDict<u64, String>"), "{error}");
        let domain = arena.domain().unwrap();
        let other = domain.store().create_object(kind::EVENT, 0, "", 64, |_zeros| {}).unwrap();
        let error = SharedDict::<u64, u64>::open(other).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TypeMismatch);
        assert!(SharedDict::<u64, u64>::open(d.reference().clone()).is_ok());
    }

    /// What another build of the same types would have made.
    #[test]
    fn it_is_not_opened_where_its_entries_lie_otherwise() {
        let arena = Arena::builder().limit(1 << 20).build().unwrap();
        let domain = arena.domain().unwrap();
        let hash = fingerprint_of_pair::<[u8; 16], [u64; 8]>();
        let settings = codec::settings::<[u8; 16], String>();
        assert_ne!(settings, codec::settings::<[u8; 16], [u64; 8]>());
        let raw = Raw::create(&domain, kind::DICT, hash, settings, 4, 0, None).unwrap();
        let error = SharedDict::<[u8; 16], [u64; 8]>::open(raw.object().clone()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TypeMismatch);
        assert_ne!(fingerprint_of_pair::<u64, [u8; 20]>(), fingerprint_of_pair::<u64, [u8; 24]>());
    }
}
