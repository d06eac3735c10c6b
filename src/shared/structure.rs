//! `SharedStruct<T>`: a value of any size, read in place, replaced or changed whole.

use std::fmt;
use std::sync::Arc;

use super::data::{self, SharedData};
use super::lock::{DataLock, Held};
use super::names::short;
use super::open;
use super::read_guard::StructReadGuard;
use super::write_guard::StructWriteGuard;
use crate::arena::{Block, BlockView, Body, ObjectRef};
use crate::channel::message::Buffer;
use crate::channel::transfer::{Child, Scope};
use crate::channel::{codec, kind, parcel};
use crate::data::blocks::ArenaBlocks;
use crate::data::pinned::{Announced, Known, Pinned, with_bytes};
use crate::data::swap::{self, Swap};
use crate::error::{Error, ErrorKind, Result};
use crate::layout::structure::StructBody;
use crate::locks::SyncBuilder;
use crate::prim::spin::{Spinner, WaitStrategy};
use crate::region::{Presence, Region};
use crate::ring::blocks;
use crate::ring::handle::ArchivedHandle;

const NOUN: &str = "shared struct";

/// A value of any type and size between processes, read where it lies: no copy, no deserialisation, no lock.
///
/// # Guarantees
///
/// - [`read`](Self::read) gives the value as it was at some moment of the call, in place. It stays as it is as long as the guard lives, whatever others
///   do meanwhile. It waits for nobody: neither for a writer that is stopped in the middle nor for one that was killed there.
/// - [`set`](Self::set) and the changes of [`write`](Self::write) take effect one after the other, each whole and in one step. **Killed in it**, a
///   process has changed the value or has not, and the next one goes on; nobody is told, for there is nothing to repair. So it is where the guard of `write`
///   is dropped by a panic: then nothing has changed.
/// - What was replaced is freed when no guard reads it any more. A reader that was killed with a guard does not keep it: it is
///   freed with one of the next changes, or with the struct.
///
/// # Not guaranteed
///
/// - Progress of writers past a *stopped* one: they wait until it runs again. (Readers do not.)
/// - That memory is as much as one value takes: what was replaced is kept until some changes have come together (thirty-two, or 256 KiB), and as long as a guard
///   reads it; a *stopped* reader keeps what its guards read, and nothing else.
/// - A struct that holds a handle of itself, in however many steps, stays until the region goes.
///
/// # Cost
///
/// `read` is a few nanoseconds, independent of the size, but for the first one of a process after each change, which checks the bytes. A thread has
/// room for 7 guards at a time, over all structs, and 64 threads of a process have such room: beyond that a guard has a copy, made under the lock. `set`
/// serialises the value, takes a block of the arena and a lock; `write` copies the value.
///
/// ```
/// use processing::rkyv::{Archive, Deserialize, Serialize};
/// use processing::{Process, SharedStruct};
///
/// #[derive(Archive, Serialize, Deserialize)]
/// #[rkyv(crate = processing::rkyv)]
/// struct Quote {
///     bid: f64,
///     ask: f64,
///     venue: String,
/// }
///
/// fn requote(quote: SharedStruct<Quote>) -> processing::Result<()> {
///     quote.set(&Quote { bid: 2.0, ask: 2.5, venue: "elsewhere".into() })
/// }
///
/// let quote = SharedStruct::new(&Quote { bid: 1.0, ask: 1.5, venue: "here".into() })?;
/// let before = quote.read()?;
/// Process::new(requote, (quote.clone(),)).start()?.join()?;
/// assert_eq!((before.bid.to_native(), before.venue.as_str()), (1.0, "here"));
/// let now = quote.read()?;
/// assert_eq!((now.ask.to_native(), now.venue.as_str()), (2.5, "elsewhere"));
/// assert_eq!(quote.get()?.venue, "elsewhere");
/// # Ok::<(), processing::Error>(())
/// ```
///
/// Types with shared pointers are refused when the program is built:
///
/// ```compile_fail
/// let _ = processing::SharedStruct::new(&std::rc::Rc::new(7u32));
/// ```
///
/// ```compile_fail
/// let _ = processing::SharedStruct::new(&vec![std::sync::Arc::new(7u32)]);
/// ```
pub struct SharedStruct<T: SharedData> {
    inner: Arc<Inner<T::Archived>>,
    spinner: Spinner,
}

/// One struct in this process.
struct Inner<A> {
    body: Body<StructBody>,
    lock: DataLock,
    presence: Presence,
    region: Arc<Region>,
    known: Known<A>,
}

impl<T: SharedData> SyncBuilder<SharedStruct<T>> {
    /// Creates it with this value.
    ///
    /// # Errors
    ///
    /// `OutOfMemory` or `Limit` if the arena is full, `TooLarge` if the value could never fit it; `InvalidInput` if it cannot be serialised, or holds
    /// an end of a pipe or a handle of another arena.
    pub fn build(self, value: &T) -> Result<SharedStruct<T>> {
        let domain = self.arena_chosen().domain()?;
        let hash = codec::fingerprint::<T>();
        let len = size_of::<StructBody>() as u64;
        let create = || domain.store().create_object(kind::STRUCT, hash, &short::<T>(), len, |_zeros| {});
        // Without a value nobody else gets it.
        let shared = SharedStruct::over(domain.with_room(create)?, self.spinner())?;
        shared.set(value)?;
        Ok(shared)
    }
}

impl<T: SharedData> SharedStruct<T> {
    /// A shared struct in the arena of this process tree.
    ///
    /// # Errors
    ///
    /// As [`SyncBuilder::build`].
    pub fn new(value: &T) -> Result<Self> {
        Self::builder().build(value)
    }

    /// Sets arena and waiting.
    pub fn builder() -> SyncBuilder<Self> {
        SyncBuilder::new()
    }

    fn over(object: ObjectRef, spinner: Spinner) -> Result<Self> {
        open::check::<T>(&object, kind::STRUCT)?;
        let lock = DataLock::open(object.clone(), NOUN)?;
        let region = lock.domain().region().clone();
        let presence = region.presence()?;
        let body = Body::of(object)?;
        let inner = Inner { body, lock, presence, region, known: Known::default() };
        Ok(Self { inner: Arc::new(inner), spinner })
    }

    /// The value, where it lies. As long as the guard lives it stays as it is; others replace it meanwhile.
    ///
    /// # Errors
    ///
    /// `WrongProcess` if the handle was inherited through a fork; `Corrupt` if what is there is no value of the type (another build of it). Where the guard
    /// is a copy: `Deadlock` if this thread is just changing the value.
    #[inline(always)]
    pub fn read(&self) -> Result<StructReadGuard<'_, T>> {
        match self.announce() {
            Some(announced) => match Pinned::known(announced, &self.inner.known) {
                Ok(value) => Ok(StructReadGuard::new(value)),
                Err(announced) => self.read_first(announced),
            },
            None => self.read_copy(),
        }
    }

    #[inline(always)]
    fn announce(&self) -> Option<Announced<'_>> {
        let inner = &*self.inner;
        let slot = inner.presence.my_line()?.vacant()?;
        Announced::new(&inner.body.chain, slot, &inner.presence)
    }

    /// A value that this process has not looked at before.
    #[cold]
    fn read_first<'a>(&'a self, announced: Announced<'a>) -> Result<StructReadGuard<'a, T>> {
        let view = self.view(announced.block())?;
        let found = Pinned::find(announced, &view, &self.inner.known, data::view::<T>);
        found.unwrap_or_else(|| Err(self.corrupt())).map(StructReadGuard::new)
    }

    /// Without room for another announcement.
    #[cold]
    fn read_copy(&self) -> Result<StructReadGuard<'_, T>> {
        let _held = self.hold()?;
        let mut bytes = Buffer::new();
        with_bytes(&self.value()?, |value| bytes.extend_from_slice(value));
        Pinned::copied(bytes, data::view::<T>).map(StructReadGuard::new)
    }

    /// The value itself, made from the archive.
    ///
    /// Handles in it are references of this process's own from then on.
    ///
    /// # Errors
    ///
    /// Those of [`read`](Self::read); `Corrupt` if the type's own deserialisation refuses it; `Limit` if it holds handles, and this process has
    /// no room for more.
    pub fn get(&self) -> Result<T> {
        let domain = self.inner.lock.domain();
        let Some(announced) = self.announce() else {
            let _held = self.hold()?;
            let view = self.value()?;
            let make = || with_bytes(&view, data::decode::<T>);
            return parcel::with_handles(domain, &view, make);
        };
        let view = self.view(announced.block())?;
        let known = match Pinned::known(announced, &self.inner.known) {
            Ok(known) => known,
            Err(announced) => {
                let found = Pinned::find(announced, &view, &self.inner.known, data::view::<T>);
                found.unwrap_or_else(|| Err(self.corrupt()))?
            }
        };
        parcel::with_handles(domain, &view, || data::own::<T>(&known))
    }

    /// Replaces the value, in one step. Guards keep what they read.
    ///
    /// When it returns, the value is this one until somebody changes it again, whatever happens to this process. Killed before that, it is
    /// this one, or the one before.
    ///
    /// # Errors
    ///
    /// `OutOfMemory` if the arena is full, `TooLarge` if the value could never fit it; `InvalidInput` if it cannot be serialised, or holds an end of
    /// a pipe or a handle of another arena; `WrongProcess` if the handle was inherited through a fork; `Deadlock` if this thread has a guard of
    /// [`write`](Self::write). Then the value is as before.
    pub fn set(&self, value: &T) -> Result<()> {
        let scope = Scope::open();
        data::encode(value, |bytes| self.put(bytes, &scope.take()))?
    }

    fn put(&self, bytes: &[u8], children: &[Child]) -> Result<()> {
        let domain = self.inner.lock.domain();
        let block = self.with_reclaimed(|| {
            let room = || domain.store().alloc(bytes.len() as u64, children.len() as u32);
            let mut block = domain.with_room(room)?;
            blocks::fill(&mut block, bytes);
            parcel::add_shared(domain, &block, children)?;
            Ok(block)
        })?;
        let held = self.hold()?;
        self.replace(&held, block);
        Ok(())
    }

    /// Runs `f`, and if it finds no room once more without what was replaced and is read by nobody.
    fn with_reclaimed<R>(&self, f: impl Fn() -> Result<R>) -> Result<R> {
        self.inner.presence.check(&self.inner.region)?;
        match f() {
            Err(error) if error.kind() == ErrorKind::OutOfMemory => {
                let held = self.hold()?;
                self.swap().reclaim();
                drop(held);
                f()
            }
            answer => answer,
        }
    }

    /// Changes the value in place: in a copy of its bytes, which becomes the value in one step when the guard is dropped or
    /// [`commit`](StructWriteGuard::commit)ted. Other writers wait until then; readers do not.
    ///
    /// # Errors
    ///
    /// `OutOfMemory` if the arena is full; `WrongProcess` if the handle was inherited through a fork; `Deadlock` if this thread has such a guard already;
    /// `Corrupt` if what is there is no value of the type; `Limit` if it holds handles, and this process has no room for more.
    pub fn write(&self) -> Result<StructWriteGuard<'_, T>> {
        let held = self.hold()?;
        let domain = self.inner.lock.domain();
        let view = self.value()?;
        let handles = parcel::whole(domain, &view)?;
        let room = || domain.with_room(|| domain.store().alloc(view.len(), view.children()));
        let mut block = match room() {
            Err(error) if error.kind() == ErrorKind::OutOfMemory => {
                self.swap().reclaim();
                room()?
            }
            block => block?,
        };
        with_bytes(&view, |bytes| blocks::fill(&mut block, bytes));
        parcel::add_shared(domain, &block, &handles)?;
        StructWriteGuard::over(self, block, held).unwrap_or_else(|| Err(self.corrupt()))
    }

    /// How this handle waits for other writers (default: adaptive), and the clones that are made of it from now on.
    pub fn set_wait_strategy(&mut self, strategy: WaitStrategy) {
        self.spinner = Spinner::new(strategy);
    }

    /// The block becomes the value.
    pub(super) fn replace(&self, _held: &Held<'_>, block: Block<'_>) {
        let (swap, new) = (self.swap(), block.reference());
        let due = swap.replace(new, || {
            block.make_value(self.object().id());
        });
        if due {
            swap.reclaim();
        }
    }

    /// That the calling process is the one that made the handle.
    pub(super) fn check(&self) -> Result<()> {
        self.inner.presence.check(&self.inner.region).map(|_| ())
    }

    fn hold(&self) -> Result<Held<'_>> {
        self.inner.lock.hold(&self.spinner, || self.swap().repair())
    }

    fn swap(&self) -> Swap<ArenaBlocks<'_>> {
        let object = self.object();
        Swap::new(ArenaBlocks::new(&self.inner.body.chain, object.arena(), object.id()))
    }

    fn object(&self) -> &ObjectRef {
        self.inner.body.object()
    }

    /// The block of the value, for who has the lock.
    fn value(&self) -> Result<BlockView<'_>> {
        self.view(swap::root(&self.inner.body.chain))
    }

    /// A block that is announced, or whose lock the caller has.
    fn view(&self, block: u64) -> Result<BlockView<'_>> {
        let object = self.object();
        object.arena().value(block, object.id()).ok_or_else(|| self.corrupt())
    }

    #[cold]
    fn corrupt(&self) -> Error {
        // In a forked copy it may be gone.
        match self.inner.presence.check(&self.inner.region) {
            Err(error) => error,
            Ok(_) => Error::new(
                ErrorKind::Corrupt,
                format!("{NOUN} {}", self.object().id().index),
                "it names a block that is not its own",
            ),
        }
    }
}

impl<T: SharedData> Clone for SharedStruct<T> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), spinner: Spinner::new(self.spinner.strategy()) }
    }
}

/// `SharedStruct(Quote, Quote { bid: 1.0 })`.
impl<T: SharedData + fmt::Debug> fmt::Display for SharedStruct<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.get() {
            Ok(value) => write!(f, "SharedStruct({}, {value:?})", short::<T>()),
            Err(error) => write!(f, "SharedStruct({}, <{error}>)", short::<T>()),
        }
    }
}

impl<T: SharedData + fmt::Debug> fmt::Debug for SharedStruct<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<T: SharedData> rkyv::Archive for SharedStruct<T> {
    type Archived = ArchivedHandle<SharedStruct<T>>;
    type Resolver = u32;

    fn resolve(&self, index: u32, out: rkyv::Place<Self::Archived>) {
        ArchivedHandle::emplace(index, out);
    }
}

impl<T, S> rkyv::Serialize<S> for SharedStruct<T>
where
    T: SharedData,
    S: rkyv::rancor::Fallible<Error: rkyv::rancor::Source> + ?Sized,
{
    fn serialize(&self, _: &mut S) -> Result<u32, S::Error> {
        use crate::channel::transfer::export;
        export(Child::whole(self.object().clone())).map_err(<S::Error as rkyv::rancor::Source>::new)
    }
}

impl<T, D> rkyv::Deserialize<SharedStruct<T>, D> for ArchivedHandle<SharedStruct<T>>
where
    T: SharedData,
    D: rkyv::rancor::Fallible<Error: rkyv::rancor::Source> + ?Sized,
{
    fn deserialize(&self, _: &mut D) -> Result<SharedStruct<T>, D::Error> {
        use crate::channel::transfer::{import, noted};
        let child = import(self.index());
        child
            .and_then(|child| noted(SharedStruct::over(child.object, Spinner::default())))
            .map_err(<D::Error as rkyv::rancor::Source>::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_type_is_a_mismatch_that_names_both() {
        let numbers = SharedStruct::new(&vec![1u64]).unwrap();
        let object = numbers.object().clone();
        let error = SharedStruct::<String>::over(object.clone(), Spinner::default()).map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TypeMismatch);
        let text = error.to_string();
        assert!(text.contains("`Vec<u64>`") && text.contains("`String`"), "{text}");
        let again = SharedStruct::<Vec<u64>>::over(object, Spinner::default()).unwrap();
        assert_eq!(again.get().unwrap(), [1]);
    }

    #[test]
    fn an_announcement_is_there_as_long_as_the_guard() {
        let shared = SharedStruct::new(&7u32).unwrap();
        let announced = || {
            let mut blocks = Vec::new();
            shared.inner.region.each_announcement(|line| {
                blocks.extend(line.held.iter().map(|word| word.load(crate::sync::atomic::Ordering::Acquire)));
            });
            let root = swap::root(&shared.inner.body.chain);
            blocks.into_iter().filter(|block| *block == root).count()
        };
        assert_eq!(announced(), 0);
        let guards = [shared.read().unwrap(), shared.read().unwrap()];
        assert_eq!(announced(), 2);
        drop(guards);
        assert_eq!(announced(), 0);
        // Seven, and a copy.
        let guards: Vec<_> = (0..8).map(|_| shared.read().unwrap()).collect();
        assert_eq!(announced(), 7);
        assert!(guards.iter().all(|guard| guard.to_native() == 7));
    }
}
