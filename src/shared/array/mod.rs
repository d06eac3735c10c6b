//! `SharedArray<T>`: elements of one plain type, as many as it was made with.

mod builder;
mod edit;
mod iter;
mod lock;
mod lone;
mod read;
mod show;
mod travel;
mod write;

use std::ops::{Bound, Range, RangeBounds};
use std::sync::Arc;
use std::time::Duration;

pub use builder::SharedArrayBuilder;
pub use edit::ArrayEditGuard;
pub use iter::ArrayIter;
pub use read::ArrayReadGuard;
pub use write::ArrayWriteGuard;

use super::lock::DataLock;
use super::{SharedData, names};
use crate::arena::ObjectRef;
use crate::channel::domain::deadline_in;
use crate::channel::{codec, kind};
use crate::data::array::Array;
use crate::data::draft::Draft;
use crate::error::{Error, ErrorKind, Result};
use crate::prim::limits::Limits;
use crate::prim::spin::{Spinner, WaitStrategy};
use crate::ring::plain::plain_len;

const NOUN: &str = "shared array";

/// An array of fixed length between processes, without a server.
///
/// Its elements are of one *plain* type: one that is its own archive, without pointers and without padding, as numbers, arrays of them, and
/// structures of them with rkyv's derives and `repr(C)`. Anything else is refused when the program is built.
///
/// There are two ways to use it, which exclude each other only where they must:
///
/// - **Single elements** of 1, 2, 4 or 8 bytes: [`get`](Self::get) and [`set`](Self::set) are one load and one store of the processor, from any
///   number of processes at once.
/// - **Guards**: [`read`](Self::read) gives all elements as a slice that does not change, in place and without a copy, to any number of readers at
///   once; [`write`](Self::write) and [`write_range`](Self::write_range) give a slice to change, whose content becomes the array's in one step;
///   [`edit`](Self::edit) changes them in place, for arrays that are too large to be copied.
///
/// # Guarantees
///
/// - A value that was set is loaded whole. What a guard reads is the array at one moment, and never part of a change.
/// - **A writer may be killed at any instruction**: all of what its guard changed is there, or nothing. So for [`fill`](Self::fill) and
///   [`set_slice`](Self::set_slice). Nobody is told, and nothing is to be repaired. Only [`edit`](Self::edit) is not like that: who dies in it
///   leaves the array closed, until somebody calls [`recover`](Self::recover).
/// - A reader that is killed does not keep a writer out; a writer that is killed keeps nobody out.
/// - The memory goes with the last handle of all processes.
///
/// # Not guaranteed
///
/// - Any order between single elements: who loads two of them may see the second one's new value and the first one's old one. A single
///   [`get`](Self::get) beside a guard that is being committed may see some elements new and others old; where the writer was killed in the
///   middle of that, until somebody notices its death, or makes a call that is not a `get`: either finishes it. Guards have an order.
/// - Progress past a *stopped* process that is in the middle of a `set`, or has a guard: others wait where they cannot be beside it.
///   Use the forms with a timeout.
///
/// # Cost
///
/// `get` is a load with two comparisons. `set`, and `read` with the drop of its guard, are some loads and stores, without a read-modify-write or a
/// system call, as long as single stores do not alternate with guards: each change from one to the other takes some microseconds, more
/// where others must be waited for. A guard that writes copies its range twice.
///
/// ```
/// use processing::{Process, SharedArray};
///
/// fn work(a: SharedArray<i32>) -> processing::Result<()> {
///     for i in 0..a.len() {
///         a.set(i, -a.get(i)?)?;
///     }
///     Ok(())
/// }
///
/// let a = SharedArray::from_slice(&[0, 1, 2, 3])?;
/// Process::new(work, (a.clone(),)).start()?.join()?;
/// assert_eq!(a.to_vec()?, [0, -1, -2, -3]);
/// assert_eq!(a.slice(1..3)?, [-1, -2]);
/// assert_eq!(a.to_string(), "SharedArray(i32, [0, -1, -2, -3])");
///
/// a.write()?.sort();
/// assert_eq!(a.read()?.first(), Some(&-3));
/// # Ok::<(), processing::Error>(())
/// ```
///
/// What is not plain is refused:
///
/// ```compile_fail
/// let words = processing::SharedArray::from_slice(&[(1u8, 1u64)]);
/// ```
pub struct SharedArray<T> {
    inner: Arc<Inner<T>>,
    spinner: Spinner,
}

/// What the clones of a handle share.
struct Inner<T> {
    array: Array<T>,
    lock: DataLock,
}

impl<T: SharedData + Copy> SharedArray<T> {
    const PLAIN: () = {
        assert!(
            plain_len::<T>().is_some(),
            "the elements of a shared array must be plain: their archive has the same bytes, without pointers and padding"
        );
        assert!(size_of::<T>() > 0, "the elements of a shared array must have a size");
        assert!(align_of::<T>() <= 64, "the elements of a shared array are aligned to 64 bytes at most");
    };

    /// An array of `len` default values (zeros, of numbers), in the arena of this process tree.
    ///
    /// # Errors
    ///
    /// As [`SharedArrayBuilder::build`].
    pub fn new(len: usize) -> Result<Self>
    where
        T: Default,
    {
        Self::builder().build(len)
    }

    /// An array of these elements, in the arena of this process tree.
    ///
    /// # Errors
    ///
    /// As [`SharedArrayBuilder::build`].
    pub fn from_slice(elements: &[T]) -> Result<Self> {
        Self::builder().build_from(elements)
    }

    /// Sets arena and waiting.
    pub fn builder() -> SharedArrayBuilder<T> {
        SharedArrayBuilder::new()
    }

    /// The array in this object.
    fn over(object: ObjectRef, strategy: WaitStrategy) -> Result<Self> {
        const { Self::PLAIN };
        let wrong = |what| {
            Err(Error::new(ErrorKind::TypeMismatch, format!("object {}", object.id().index), what)
                .hint("open it as what it was created"))
        };
        if object.kind() != kind::ARRAY {
            return wrong("it is not a shared array".to_owned());
        }
        if object.type_hash() != Self::type_hash() {
            let (its, ours) = (object.name(), names::short::<T>());
            return wrong(format!("the elements of this shared array are {its}, and not {ours}"));
        }
        let lock = DataLock::open(object.clone(), NOUN)?;
        let array = Array::of(object)?;
        Ok(Self { inner: Arc::new(Inner { array, lock }), spinner: Spinner::new(strategy) })
    }

    fn type_hash() -> u64 {
        codec::fingerprint_of_any::<T>()
    }

    #[inline(always)]
    fn array(&self) -> &Array<T> {
        &self.inner.array
    }

    /// How many elements it has: as many as it was made with.
    #[inline]
    pub fn len(&self) -> usize {
        self.array().len()
    }

    /// It has no elements.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All elements, to be read in place: they do not change while the guard lives. Any number of readers have one at once; who writes,
    /// or sets a single element, waits until all of them are gone.
    ///
    /// A thread with seven such guards, or one of a process in which 64 other threads use shared data, reads a copy; so does one that has a
    /// guard of this array already, if somebody waits to write.
    ///
    /// The guard stays with its thread. Cost: see [`SharedArray`].
    ///
    /// # Errors
    ///
    /// `Deadlock` if this thread writes to it; `OwnerDied` if somebody died in [`edit`](Self::edit); `Unsupported` if the kernel refuses
    /// `membarrier` here and not to others; `WrongProcess` if the handle was inherited through a fork.
    #[inline]
    pub fn read(&self) -> Result<ArrayReadGuard<'_, T>> {
        self.read_within(&Limits::NONE)
    }

    /// [`read`](Self::read), if that needs no wait.
    ///
    /// # Errors
    ///
    /// `Timeout` if it does; those of [`read`](Self::read).
    pub fn try_read(&self) -> Result<ArrayReadGuard<'_, T>> {
        self.read_within(&Limits::TRY)
    }

    /// [`read`](Self::read), waiting at most so long.
    ///
    /// # Errors
    ///
    /// `Timeout` when the time is up; those of [`read`](Self::read).
    pub fn read_timeout(&self, timeout: Duration) -> Result<ArrayReadGuard<'_, T>> {
        self.read_within(&deadline_in(timeout))
    }

    /// All elements, to be changed: nobody else reads them by a guard or changes any meanwhile. The guard is a copy, which becomes the
    /// array's content in one step when it is dropped, or [`commit`](ArrayWriteGuard::commit)ted; after a panic it does not. Killed at
    /// any instruction, all of it is there or nothing.
    ///
    /// It takes as much of the arena as the elements do; for part of them use [`write_range`](Self::write_range). A single
    /// [`get`](Self::get) of others waits for nobody: it sees what was there before the commit.
    ///
    /// # Errors
    ///
    /// `OutOfMemory` or `TooLarge` if the arena has no room for the copy; `Deadlock` if this thread has a guard of it already;
    /// `OwnerDied` if somebody died in [`edit`](Self::edit); `Unsupported` if the kernel refuses `membarrier` here and not to others;
    /// `WrongProcess`. Nothing was changed then.
    pub fn write(&self) -> Result<ArrayWriteGuard<'_, T>> {
        self.write_within(.., &Limits::NONE)
    }

    /// [`write`](Self::write), if that needs no wait.
    ///
    /// # Errors
    ///
    /// `Timeout` if it does; those of [`write`](Self::write).
    pub fn try_write(&self) -> Result<ArrayWriteGuard<'_, T>> {
        self.write_within(.., &Limits::TRY)
    }

    /// [`write`](Self::write), waiting at most so long.
    ///
    /// # Errors
    ///
    /// `Timeout` when the time is up: somebody has a guard. Those of [`write`](Self::write).
    pub fn write_timeout(&self, timeout: Duration) -> Result<ArrayWriteGuard<'_, T>> {
        self.write_within(.., &deadline_in(timeout))
    }

    /// [`write`](Self::write) of part of the elements: the guard is these, and costs no more than these. Index 0 of it is the first of
    /// the range. It keeps others from all elements.
    ///
    /// ```
    /// let a = processing::SharedArray::from_slice(&[1u8, 2, 3, 4])?;
    /// a.write_range(1..3)?.reverse();
    /// assert_eq!(a.to_vec()?, [1, 3, 2, 4]);
    /// # Ok::<(), processing::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `OutOfRange` if the range does not lie in the array; those of [`write`](Self::write).
    pub fn write_range(&self, range: impl RangeBounds<usize>) -> Result<ArrayWriteGuard<'_, T>> {
        self.write_within(range, &Limits::NONE)
    }

    /// All elements, to be changed one after the other in place: for arrays that are too large for the copy of [`write`](Self::write).
    /// Nobody else reads them by a guard or changes any meanwhile; a single [`get`](Self::get) of others sees each change at once.
    ///
    /// **Who is killed, or panics, in the middle leaves the array half-changed and closed**: guards and `set` fail with `OwnerDied` from
    /// then on, until somebody calls [`recover`](Self::recover).
    ///
    /// ```
    /// let a = processing::SharedArray::<u64>::new(1000)?;
    /// let mut edit = a.edit()?;
    /// for i in 0..edit.len() {
    ///     edit.set(i, i as u64 * 2)?;
    /// }
    /// edit.write(3, &[0, 0])?;
    /// assert_eq!(edit[..6], [0, 2, 4, 0, 0, 10]);
    /// drop(edit);
    /// assert_eq!(a.get(999)?, 1998);
    /// # Ok::<(), processing::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`write`](Self::write), but for those about room.
    pub fn edit(&self) -> Result<ArrayEditGuard<'_, T>> {
        ArrayEditGuard::of(self, false)
    }

    /// After a death in [`edit`](Self::edit): all elements, as they were left, to be put right in place. Dropping the guard says that
    /// they are, and opens the array again. Whoever dies before that leaves it closed.
    ///
    /// # Errors
    ///
    /// `InvalidState` if nobody died in an edit, or somebody has recovered it already; those of [`edit`](Self::edit).
    pub fn recover(&self) -> Result<ArrayEditGuard<'_, T>> {
        ArrayEditGuard::of(self, true)
    }

    /// A copy of part of the elements, as they were at one moment.
    ///
    /// # Errors
    ///
    /// `OutOfRange` if the range does not lie in the array; those of [`read`](Self::read).
    pub fn slice(&self, range: impl RangeBounds<usize>) -> Result<Vec<T>> {
        let range = self.range(range)?;
        let guard = self.read()?;
        Ok(guard.get(range).map(<[T]>::to_vec).unwrap_or_default())
    }

    /// A copy of all elements, as they were at one moment.
    ///
    /// # Errors
    ///
    /// Those of [`read`](Self::read).
    pub fn to_vec(&self) -> Result<Vec<T>> {
        Ok(self.read()?.to_vec())
    }

    /// Replaces as many elements as there are in `elements`, from `at` on, in one step. Until then it takes as much of the arena again as they do.
    ///
    /// # Errors
    ///
    /// `OutOfRange` if they do not lie in the array; those of [`write`](Self::write).
    pub fn set_slice(&self, at: usize, elements: &[T]) -> Result<()> {
        let range = self.range(at..at.saturating_add(elements.len()))?;
        self.replace(range, |block| Draft::copied(block, elements))
    }

    /// Makes all elements this value, in one step. Until then it takes as much of the arena again as they do.
    ///
    /// # Errors
    ///
    /// Those of [`write`](Self::write).
    pub fn fill(&self, value: T) -> Result<()> {
        self.replace(0..self.len(), |block| Draft::repeated(block, value, self.len()))
    }

    /// How this handle waits (default: adaptive), and the clones that are made of it from now on.
    pub fn set_wait_strategy(&mut self, strategy: WaitStrategy) {
        self.spinner = Spinner::new(strategy);
    }

    /// The range in numbers, if it lies in the array.
    fn range(&self, range: impl RangeBounds<usize>) -> Result<Range<usize>> {
        let len = self.len();
        let start = match range.start_bound() {
            Bound::Included(at) => *at,
            Bound::Excluded(at) => at.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(at) => at.saturating_add(1),
            Bound::Excluded(at) => *at,
            Bound::Unbounded => len,
        };
        if start <= end && end <= len {
            return Ok(start..end);
        }
        Err(self.outside(format!("elements {start}..{end} are asked for, and it has {len}")))
    }

    #[cold]
    fn outside(&self, what: String) -> Error {
        Error::new(ErrorKind::OutOfRange, self.object(), what).hint("see len()")
    }

    /// "shared array 7".
    fn object(&self) -> String {
        self.inner.lock.object()
    }

    /// In a forked copy: the error that says so.
    #[cold]
    fn stranger(&self) -> Error {
        let array = self.array();
        match array.presence().check(array.object().arena().region()) {
            Err(error) => error,
            Ok(_) => Error::new(ErrorKind::WrongProcess, self.object(), "the handle is another process's"),
        }
    }
}

impl<T> Clone for SharedArray<T> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), spinner: Spinner::new(self.spinner.strategy()) }
    }
}
