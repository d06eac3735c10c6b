//! How a shared array is set up.

use std::marker::PhantomData;

use super::SharedArray;
use crate::channel::domain::Arena;
use crate::channel::kind;
use crate::data::array::{First, create};
use crate::error::Result;
use crate::prim::spin::WaitStrategy;
use crate::shared::{SharedData, names};

/// Settings of a new shared array; see [`SharedArray::builder`].
///
/// ```
/// use processing::{Arena, SharedArray};
/// let arena = Arena::builder().limit(64 << 20).build()?;
/// let a = SharedArray::<f64>::builder().arena(&arena).build(1_000_000)?;
/// assert_eq!(a.get(999_999)?, 0.0);
/// # Ok::<(), processing::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is made before build is called"]
pub struct SharedArrayBuilder<T> {
    arena: Arena,
    strategy: WaitStrategy,
    made: PhantomData<fn() -> T>,
}

impl<T: SharedData + Copy> SharedArrayBuilder<T> {
    pub(super) fn new() -> Self {
        Self { arena: Arena::default(), strategy: WaitStrategy::default(), made: PhantomData }
    }

    /// Creates it in this arena instead of the process tree's.
    pub fn arena(mut self, arena: &Arena) -> Self {
        self.arena = arena.clone();
        self
    }

    /// How this handle and its clones wait; other processes choose for themselves.
    pub fn wait(mut self, strategy: WaitStrategy) -> Self {
        self.strategy = strategy;
        self
    }

    /// Creates it with `len` default values. Fresh memory that is zero already is not touched; all of it is reserved, so that no later
    /// access can fail for lack of memory.
    ///
    /// # Errors
    ///
    /// `OutOfMemory` if the arena has no room at present, `TooLarge` if it could never hold it, `Limit` if it holds too
    /// many objects; `WrongProcess` in a forked child.
    pub fn build(self, len: usize) -> Result<SharedArray<T>>
    where
        T: Default,
    {
        self.make(First::Same(len, &T::default()))
    }

    /// Creates it with these elements.
    ///
    /// # Errors
    ///
    /// Those of [`build`](Self::build).
    pub fn build_from(self, elements: &[T]) -> Result<SharedArray<T>> {
        self.make(First::These(elements))
    }

    fn make(self, first: First<'_, T>) -> Result<SharedArray<T>> {
        const { SharedArray::<T>::PLAIN };
        let domain = self.arena.domain()?;
        let (hash, name) = (SharedArray::<T>::type_hash(), names::short::<T>());
        let make = || create(domain.store(), kind::ARRAY, hash, &name, first);
        SharedArray::over(domain.with_room(make)?, self.strategy)
    }
}
