//! How a list is set up.

use std::marker::PhantomData;

use super::SharedList;
use crate::channel::domain::Arena;
use crate::error::Result;
use crate::prim::spin::{Spinner, WaitStrategy};
use crate::shared::SharedData;

/// Settings of a new [`SharedList`].
///
/// ```
/// use processing::{Arena, SharedList};
/// let arena = Arena::builder().limit(16 << 20).build()?;
/// let list = SharedList::builder().arena(&arena).build_from([1u8, 2, 3])?;
/// assert_eq!(list.get(2)?, 3);
/// drop(list);
/// assert!(arena.fsck()?.is_clean());
/// # Ok::<(), processing::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is made before build is called"]
pub struct SharedListBuilder<T> {
    arena: Arena,
    strategy: WaitStrategy,
    made: PhantomData<fn() -> T>,
}

impl<T: SharedData> SharedListBuilder<T> {
    pub(super) fn new() -> Self {
        Self { arena: Arena::default(), strategy: WaitStrategy::default(), made: PhantomData }
    }

    /// Creates it in this arena instead of the process tree's.
    pub fn arena(mut self, arena: &Arena) -> Self {
        self.arena = arena.clone();
        self
    }

    /// How this handle and its clones wait for the lock of those who change the list; other processes choose for themselves.
    pub fn wait(mut self, strategy: WaitStrategy) -> Self {
        self.strategy = strategy;
        self
    }

    /// Creates an empty list.
    ///
    /// # Errors
    ///
    /// `OutOfMemory` or `Limit` if the arena is full.
    pub fn build(self) -> Result<SharedList<T>> {
        SharedList::create(&*self.arena.domain()?, Spinner::new(self.strategy))
    }

    /// Creates a list of these values.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build) and [`SharedList::extend`].
    pub fn build_from(self, values: impl IntoIterator<Item = T>) -> Result<SharedList<T>> {
        let list = self.build()?;
        list.extend(values)?;
        Ok(list)
    }
}
