//! `SharedList<T>`. The algorithm, and who repairs what, is [`crate::data::list`]'s; here are values.

mod builder;
mod change;
mod compare;
mod element;
mod handle;
mod iter;
mod lookup;
mod order;
mod read;
#[cfg(test)]
mod tests;
mod text;

use std::marker::PhantomData;
use std::sync::Arc;

pub use builder::SharedListBuilder;
pub use iter::ListIter;

use crate::arena::{Arena as Store, Body, ObjectRef};
use crate::channel::domain::Domain;
use crate::channel::{codec, kind};
use crate::data::list::stored::Stored;
use crate::data::list::{List, OutOfRange};
use crate::error::{Error, ErrorKind, Result};
use crate::layout::list::ListBody;
use crate::layout::object::ObjectId;
use crate::prim::spin::{Spinner, WaitStrategy};
use crate::region::{Presence, Region};
use crate::shared::SharedData;
use crate::shared::inline::is_inline;
use crate::shared::lock::{DataLock, Held};
use crate::sync::atomic::Ordering;

const NOUN: &str = "shared list";

/// A list in shared memory that threads and processes change and read at the same time, and that grows as needed: a `Vec<T>` between
/// processes.
///
/// # Guarantees
///
/// - Each call takes effect at one moment, whole or not at all, [`extend`](Self::extend), [`sort`](Self::sort) and
///   [`set_slice`](Self::set_slice) too; readers see the list before it or after it. An error means that nothing was changed.
/// - **A process may be killed at any instruction** of any call: the others find the list before it or after it, nothing is leaked, nobody waits for
///   the dead, and nobody is told.
/// - Reading takes no lock: a process that is stopped in the middle of a change holds up others that change the list, and no reader.
///   (Elements that carry handles are read under the lock; so is what changed under a reader several times in a row.)
/// - While others write, [`iter`](Self::iter) yields each element that was there throughout once.
/// - The memory goes with the last handle of all processes.
///
/// # Not guaranteed
///
/// - That an index means the same element in the next call, where others insert and remove. [`update`](Self::update) changes an element under the
///   lock; [`Lock`](crate::Lock) holds several calls together.
/// - Speed of what moves elements: [`insert`](Self::insert), [`remove`](Self::remove) and everything that changes the order copies the words of all
///   elements behind the place, and needs memory for that meanwhile. At the end, and element by element, nothing is copied.
///
/// # Elements
///
/// Values of any size, and handles of other shared objects: a list may hold lists. An element of a plain type of at most 8 bytes (numbers, and structures
/// of them that rkyv copies as they are) lies in the list itself, 8 bytes each; any other is serialised into a block of its own, of 128
/// bytes or more. Types with `Rc`, `Arc` or `Weak` are refused when the program is built. A list that holds its own handle,
/// directly or through others, is freed with the region and not before.
///
/// # Cost
///
/// `get` of such a number takes a few nanoseconds; `set`, `push` and `pop` 20 to 40, most of it for the lock. Memory: at most twice what the elements
/// need; it goes back to the arena when the list gets shorter, but for one segment.
///
/// ```
/// use processing::{Process, SharedList};
///
/// fn square(list: SharedList<u64>) -> processing::Result<()> {
///     for i in 0..list.len() {
///         list.update(i, |v| *v *= *v)?;
///     }
///     list.push(&100)
/// }
///
/// let list = SharedList::from_slice(&[1, 2, 3])?;
/// Process::new(square, (list.clone(),)).start()?.join()?;
/// assert_eq!(list, [1, 4, 9, 100]);
/// assert_eq!(list.to_string(), "SharedList([1, 4, 9, 100])");
/// # Ok::<(), processing::Error>(())
/// ```
pub struct SharedList<T> {
    inner: Arc<Inner>,
    spinner: Spinner,
    element: PhantomData<fn(T) -> T>,
}

/// One list in this process.
struct Inner {
    lock: DataLock,
    body: Body<ListBody>,
    presence: Presence,
    /// What each call needs, at hand.
    store: Arc<Store>,
    region: Arc<Region>,
    id: ObjectId,
}

impl<T: SharedData> SharedList<T> {
    /// An empty list in the arena of this process tree. Memory for elements is taken with the first one.
    ///
    /// # Errors
    ///
    /// As [`SharedListBuilder::build`].
    ///
    /// ```
    /// let list = processing::SharedList::<String>::new()?;
    /// assert!(list.is_empty());
    /// # Ok::<(), processing::Error>(())
    /// ```
    pub fn new() -> Result<Self> {
        Self::builder().build()
    }

    /// A list of copies of these values.
    ///
    /// # Errors
    ///
    /// As [`SharedListBuilder::build_from`].
    ///
    /// ```
    /// let list = processing::SharedList::from_slice(&["a".to_owned(), "b".to_owned()])?;
    /// assert_eq!(list.len(), 2);
    /// # Ok::<(), processing::Error>(())
    /// ```
    pub fn from_slice(values: &[T]) -> Result<Self> {
        let list = Self::new()?;
        list.extend_from_slice(values)?;
        Ok(list)
    }

    /// A list of what the iterator yields.
    ///
    /// # Errors
    ///
    /// As [`SharedListBuilder::build_from`].
    ///
    /// ```
    /// let list = processing::SharedList::from_values((0u32..5).map(|i| i * i))?;
    /// assert_eq!(list, [0, 1, 4, 9, 16]);
    /// # Ok::<(), processing::Error>(())
    /// ```
    pub fn from_values(values: impl IntoIterator<Item = T>) -> Result<Self> {
        Self::builder().build_from(values)
    }

    /// Sets arena and waiting.
    pub fn builder() -> SharedListBuilder<T> {
        SharedListBuilder::new()
    }

    /// How this handle waits for the lock of those who change the list (default: adaptive), and the clones that are made of it from now
    /// on.
    pub fn set_wait_strategy(&mut self, strategy: WaitStrategy) {
        self.spinner = Spinner::new(strategy);
    }

    /// Elements are values, and not blocks.
    const INLINE: bool = is_inline::<T>();

    fn create(domain: &Domain, spinner: Spinner) -> Result<Self> {
        let hash = codec::fingerprint::<T>();
        let name = format!("list of {}", crate::shared::names::short::<T>());
        let len = size_of::<ListBody>() as u64;
        let create = || domain.store().create_object(kind::LIST, hash, &name, len, |_zeros| {});
        let object = domain.with_room(create)?;
        let body = Body::<ListBody>::of(object.clone())?;
        // Nobody else has it yet.
        body.words.boxed.store(u64::from(!Self::INLINE), Ordering::Relaxed);
        Self::over(object, spinner)
    }

    fn over(object: ObjectRef, spinner: Spinner) -> Result<Self> {
        let mismatch = || {
            let here = crate::shared::names::short::<T>();
            let what = format!("it is a {}, and not a list of {here}", object.name());
            Err(Error::new(ErrorKind::TypeMismatch, format!("{NOUN} {}", object.id().index), what)
                .hint("open it with the type it was created with"))
        };
        if object.kind() != kind::LIST || object.type_hash() != codec::fingerprint::<T>() {
            return mismatch();
        }
        let body = Body::<ListBody>::of(object.clone())?;
        if (body.words.boxed.load(Ordering::Relaxed) != 0) == Self::INLINE {
            return mismatch();
        }
        let lock = DataLock::open(object, NOUN)?;
        let (store, id) = (body.object().arena().clone(), body.object().id());
        let region = store.region().clone();
        let presence = region.presence()?;
        let inner = Inner { lock, body, presence, store, region, id };
        Ok(Self { inner: Arc::new(inner), spinner, element: PhantomData })
    }

    /// Runs `f` over the list in its arena.
    #[inline(always)]
    fn with<R>(&self, f: impl FnOnce(&List<'_, Stored<'_>>, &Stored<'_>) -> R) -> R {
        let inner = &*self.inner;
        let look = || inner.lock.domain().look_for_dead();
        let stored = Stored::new(&inner.store, &inner.region, inner.id, &inner.body, Some(&look));
        f(&List::new(&stored, !Self::INLINE), &stored)
    }

    /// The same, for what takes no memory.
    #[inline(always)]
    fn look<R>(&self, f: impl FnOnce(&List<'_, Stored<'_>>) -> R) -> R {
        let inner = &*self.inner;
        let stored = Stored::new(&inner.store, &inner.region, inner.id, &inner.body, None);
        f(&List::new(&stored, !Self::INLINE))
    }

    /// The right to change the list, until it is dropped. Whoever gets it from a dead process has repaired the list.
    #[inline(always)]
    fn lock(&self) -> Result<Held<'_>> {
        self.inner.lock.hold(&self.spinner, || self.look(|list| list.settle()))
    }

    /// Runs `f` with the lock, also inside of [`update`](Self::update).
    fn locked<R>(&self, f: impl FnOnce() -> Result<R>) -> Result<R> {
        if self.inner.lock.is_mine() {
            return f();
        }
        let _held = self.lock()?;
        f()
    }

    /// That this is the process which made the handle.
    #[inline(always)]
    fn check(&self) -> Result<()> {
        self.inner.presence.check(&self.inner.region).map(drop)
    }
}

impl<T> SharedList<T> {
    fn store(&self) -> &Store {
        &self.inner.store
    }

    #[cold]
    fn out_of_range(&self, index: usize, len: u64) -> Error {
        let what = format!("there is no element {index}, the length is {len}");
        Error::new(ErrorKind::OutOfRange, self.inner.lock.object(), what)
    }

    /// Why there is no word of an element, for who has the lock.
    #[cold]
    fn missing(&self, list: &List<'_, Stored<'_>>, index: usize) -> Error {
        match list.len() {
            len if len > index as u64 => self.damaged(),
            len => self.out_of_range(index, len),
        }
    }

    #[cold]
    fn not_there(&self, index: usize, why: OutOfRange) -> Error {
        self.out_of_range(index, why.len)
    }

    /// What the list's own words say cannot be.
    #[cold]
    fn damaged(&self) -> Error {
        let what = "its words in shared memory do not fit each other";
        Error::new(ErrorKind::InvalidRegion, self.inner.lock.object(), what)
    }

    /// An error of the algorithm, which does not know whose list it is.
    #[cold]
    fn named(&self, error: Error) -> Error {
        match error.kind() {
            ErrorKind::InvalidRegion | ErrorKind::Limit => error.about(self.inner.lock.object()),
            _ => error,
        }
    }
}

impl<T> Clone for SharedList<T> {
    fn clone(&self) -> Self {
        let spinner = Spinner::new(self.spinner.strategy());
        Self { inner: self.inner.clone(), spinner, element: PhantomData }
    }
}
