//! How a dictionary is set up.

use std::marker::PhantomData;

use super::SharedDict;
use super::codec::settings;
use super::raw::Raw;
use crate::channel::codec::fingerprint_of_pair;
use crate::channel::domain::Arena;
use crate::channel::kind;
use crate::error::Result;
use crate::shared::data::SharedData;

/// Settings of a new [`SharedDict`].
///
/// ```
/// use processing::{Arena, SharedDict};
///
/// let arena = Arena::builder().limit(64 << 20).build()?;
/// let squares = SharedDict::<u64, u64>::builder().arena(&arena).capacity(400).stripes(16).build()?;
/// squares.extend((0..400).map(|n| (n, n * n)))?;
/// assert_eq!(squares.get(&20)?, Some(400));
/// # Ok::<(), processing::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is made before build is called"]
pub struct SharedDictBuilder<K, V> {
    arena: Arena,
    capacity: usize,
    stripes: u32,
    seed: Option<u64>,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K: SharedData, V: SharedData> SharedDictBuilder<K, V> {
    pub(super) fn new() -> Self {
        Self { arena: Arena::default(), capacity: 0, stripes: 64, seed: None, types: PhantomData }
    }

    /// Creates it in this arena instead of the process tree's.
    pub fn arena(mut self, arena: &Arena) -> Self {
        self.arena = arena.clone();
        self
    }

    /// About how many entries there will be (default: few): the first segment is made for so many, but for no more than some 400. From there on the
    /// dictionary grows as it is filled.
    pub fn capacity(mut self, entries: usize) -> Self {
        self.capacity = entries;
        self
    }

    /// Into how many shares the entries are divided, each with a lock for its writers (default 64; a power of two, at most 256). Each costs 64 bytes.
    pub fn stripes(mut self, stripes: u32) -> Self {
        self.stripes = stripes;
        self
    }

    /// For the project's own tests: keys are hashed with this, and not with random secrets, so that the same calls leave the same bytes in every run.
    #[cfg(feature = "internals")]
    #[doc(hidden)]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Creates it.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a number of stripes that is no power of two, or above 256; `OutOfMemory` or `Limit` if the arena is full; `WrongProcess` in a
    /// copy that the program forked itself.
    pub fn build(self) -> Result<SharedDict<K, V>> {
        let settings = settings::<K, V>();
        let hash = fingerprint_of_pair::<K, V>();
        let domain = self.arena.domain()?;
        let (stripes, capacity) = (self.stripes, self.capacity);
        Ok(SharedDict::over(Raw::create(&domain, kind::DICT, hash, settings, stripes, capacity, self.seed)?))
    }
}
