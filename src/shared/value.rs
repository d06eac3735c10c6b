//! `SharedValue<T>`: a number, or something of the size of a few.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::data::SharedData;
use super::lock::DataLock;
use super::names::short;
use super::open;
use crate::arena::{Body, ObjectRef};
use crate::channel::domain::Domain;
use crate::channel::{codec, kind};
use crate::data::plain;
use crate::data::stamped::Stamped;
use crate::error::{Error, ErrorKind, Result};
use crate::layout::value::{COPY_WORDS, VALUE_MAX, ValueBody, WordBody};
use crate::locks::SyncBuilder;
use crate::prim::spin::{Spinner, WaitStrategy};
use crate::region::Presence;
use crate::ring::handle::ArchivedHandle;
use crate::ring::plain::{plain_bytes, plain_len};
use crate::sync::atomic::Ordering::{AcqRel, Acquire, Release};
use crate::sync::hint;

const NOUN: &str = "shared value";

/// A small value between processes, read without a lock: a number, or anything of up to 64 bytes whose archive is its own bytes.
///
/// Those are: integers, floats, `bool`, `char`, arrays of such, and structs of such with rkyv's three derives and without
/// padding. A type that is none is refused when the program is built: [`SharedStruct`](crate::SharedStruct) takes any.
///
/// # Guarantees
///
/// - [`get`](Self::get) gives a value that was there at some moment of the call, whole. It waits for nobody: neither for a writer that is stopped
///   in the middle nor for one that was killed there.
/// - [`set`](Self::set) and [`update`](Self::update) take effect one after the other, each in one step. **Killed in it**, a process has changed the
///   value or has not, and the next one goes on; nobody is told, for there is nothing to repair.
/// - What was changed before is seen by who sees the change.
///
/// # Not guaranteed
///
/// - Progress of writers past a *stopped* one, where the value has more than 8 bytes: they wait until it runs again.
/// - That a reader beside writers that never pause is as quick as alone: it begins anew if two changes were made while it read.
///
/// # Cost
///
/// Up to 8 bytes: `get` is one load, `set` one store, `update` one compare-and-swap (more where others change it at the same time). More: `get` copies
/// the value, with two loads besides; `set` and `update` take a lock, two read-modify-writes while nobody waits. Memory: 128 bytes of the arena, or 448.
///
/// ```
/// use processing::{Process, SharedValue};
///
/// fn count(n: SharedValue<u64>) -> processing::Result<()> {
///     for _ in 0..1000 {
///         n.update(|n| *n += 1)?;
///     }
///     Ok(())
/// }
///
/// let n = SharedValue::new(0u64)?;
/// let counters: Vec<Process> =
///     (0..2).map(|_| Process::new(count, (n.clone(),)).start()).collect::<processing::Result<_>>()?;
/// for counter in counters {
///     counter.join()?;
/// }
/// assert_eq!(n.get(), 2000);
/// assert_eq!(n.to_string(), "SharedValue(u64, 2000)");
/// # Ok::<(), processing::Error>(())
/// ```
///
/// ```compile_fail
/// // A string does not lie in its own bytes.
/// let _ = processing::SharedValue::new(String::from("text"));
/// ```
///
/// ```compile_fail
/// // Too long.
/// let _ = processing::SharedValue::new([0u64; 9]);
/// ```
pub struct SharedValue<T> {
    inner: Arc<Inner>,
    spinner: Spinner,
    value: PhantomData<fn(T) -> T>,
}

/// One value in this process.
struct Inner {
    place: Place,
    presence: Presence,
    domain: Arc<Domain>,
    /// What it was when the handle was made, for forked copies.
    seed: Words,
}

enum Place {
    Word(Body<WordBody>),
    Copies(Body<ValueBody>, DataLock),
}

type Words = [u64; COPY_WORDS];

/// Refuses, when the program is built, what is no plain value of at most 64 bytes.
struct Plain<T>(PhantomData<T>);

impl<T: SharedData> Plain<T> {
    const LEN: usize = match plain_len::<T>() {
        Some(len) if len <= VALUE_MAX => len,
        Some(_) => panic!("a SharedValue has at most 64 bytes; SharedStruct takes values of any size"),
        None => panic!(
            "the archive of this type is not its own bytes: a SharedValue takes numbers, arrays of numbers, and structs of them \
             without padding; SharedStruct takes values of any type"
        ),
    };
    const WORDS: usize = Self::LEN.div_ceil(8);
    const IN_WORD: bool = Self::LEN <= 8;
}

impl<T: SharedData> SyncBuilder<SharedValue<T>> {
    /// Creates it with this value.
    ///
    /// # Errors
    ///
    /// `OutOfMemory` or `Limit` if the arena is full.
    pub fn build(self, value: T) -> Result<SharedValue<T>> {
        let domain = self.arena_chosen().domain()?;
        let hash = codec::fingerprint::<T>();
        let len = if Plain::<T>::IN_WORD { size_of::<WordBody>() } else { size_of::<ValueBody>() };
        let create =
            || domain.store().create_object(kind::VALUE, hash, &short::<T>(), len as u64, |_zeros| {});
        let object = domain.with_room(create)?;
        let words = words_of(&value);
        // Nobody else has it yet.
        match Inner::place::<T>(&object)? {
            Place::Word(body) => body.word.store(words[0], Release),
            Place::Copies(body, _) => Stamped::new(&body.copies).write(&words, Plain::<T>::WORDS),
        }
        SharedValue::over(object, self.spinner())
    }
}

impl Inner {
    fn place<T: SharedData>(object: &ObjectRef) -> Result<Place> {
        Ok(if Plain::<T>::IN_WORD {
            Place::Word(Body::of(object.clone())?)
        } else {
            Place::Copies(Body::of(object.clone())?, DataLock::open(object.clone(), NOUN)?)
        })
    }

    fn object(&self) -> &ObjectRef {
        match &self.place {
            Place::Word(body) => body.object(),
            Place::Copies(body, _) => body.object(),
        }
    }

    /// The words of the value. `None`: it was written over meanwhile.
    #[inline(always)]
    fn look(&self, words: usize) -> Option<Words> {
        match &self.place {
            Place::Word(body) => {
                let mut value = [0; COPY_WORDS];
                // Acquire: pairs with the Release of who changed it.
                value[0] = body.word.load(Acquire);
                Some(value)
            }
            Place::Copies(body, _) => Stamped::new(&body.copies).try_read(words),
        }
    }

    /// As often as it takes. In a forked copy the memory may be another's by now: `None`, after some time.
    #[cold]
    fn look_again(&self, words: usize) -> Option<Words> {
        const TRIES: u32 = 1000;
        let mut tries = 0;
        while self.presence.id().is_some() || tries < TRIES {
            if let Some(value) = self.look(words) {
                return Some(value);
            }
            tries = tries.saturating_add(1);
            hint::spin_loop();
        }
        None
    }
}

impl<T: SharedData> SharedValue<T> {
    /// A shared value in the arena of this process tree.
    ///
    /// # Errors
    ///
    /// As [`SyncBuilder::build`].
    pub fn new(value: T) -> Result<Self> {
        Self::builder().build(value)
    }

    /// Sets arena and waiting.
    pub fn builder() -> SyncBuilder<Self> {
        SyncBuilder::new()
    }

    fn over(object: ObjectRef, spinner: Spinner) -> Result<Self> {
        open::check::<T>(&object, kind::VALUE)?;
        let place = Inner::place::<T>(&object)?;
        let domain = Domain::of(&object)?;
        let presence = domain.region().presence()?;
        let mut inner = Inner { place, presence, domain, seed: [0; COPY_WORDS] };
        let words = inner.look(Plain::<T>::WORDS).or_else(|| inner.look_again(Plain::<T>::WORDS));
        inner.seed = words.filter(|words| decode::<T>(words).is_some()).ok_or_else(|| inner.corrupt())?;
        Ok(Self { inner: Arc::new(inner), spinner, value: PhantomData })
    }

    /// The value.
    ///
    /// It waits for nobody. In a copy that the program forked by itself it is a look, as at the length of a queue: right as long as the process
    /// that it was copied from has the value; afterwards it is whatever lies there, or what the value was when the handle was made.
    #[inline(always)]
    pub fn get(&self) -> T {
        match self.inner.look(Plain::<T>::WORDS).and_then(|words| decode(&words)) {
            Some(value) => value,
            None => self.get_slow(),
        }
    }

    #[cold]
    fn get_slow(&self) -> T {
        let found = self.inner.look_again(Plain::<T>::WORDS).and_then(|words| decode(&words));
        match found.or_else(|| decode(&self.inner.seed)) {
            Some(value) => value,
            None => unreachable!("the bytes were a value when the handle was made"),
        }
    }

    /// Replaces the value, in one step. Who sees it sees what this process did before.
    ///
    /// # Errors
    ///
    /// `WrongProcess` if the handle was inherited through a fork; `Deadlock` inside of [`update`](Self::update) of the same value, where that has
    /// more than 8 bytes. Then the value is as before.
    #[inline]
    pub fn set(&self, value: T) -> Result<()> {
        let words = words_of(&value);
        match &self.inner.place {
            Place::Word(body) => {
                self.inner.presence.check(self.inner.domain.region())?;
                // Release: pairs with the Acquire of `look`.
                body.word.store(words[0], Release);
            }
            Place::Copies(body, lock) => {
                let _held = lock.hold(&self.spinner, || ())?;
                Stamped::new(&body.copies).write(&words, Plain::<T>::WORDS);
            }
        }
        Ok(())
    }

    /// Changes the value, in one step, and returns what `change` returns. No change of others is lost in between.
    ///
    /// Up to 8 bytes `change` may run several times, each with the value as it is then, and only the last one counts: it should do
    /// nothing else. Longer values are locked while it runs, so that it runs once, and other writers wait.
    ///
    /// # Errors
    ///
    /// Those of [`set`](Self::set); `Corrupt` if what is there is no value of the type. Then the value is as before.
    ///
    /// # Panics
    ///
    /// If `change` does; then the value is as before.
    ///
    /// ```
    /// # use processing::SharedValue;
    /// let position = SharedValue::new([0.0f64; 3])?;
    /// let old = position.update(|at| {
    ///     let old = *at;
    ///     at[2] += 1.5;
    ///     old
    /// })?;
    /// assert_eq!((old, position.get()), ([0.0; 3], [0.0, 0.0, 1.5]));
    /// # Ok::<(), processing::Error>(())
    /// ```
    #[inline]
    pub fn update<R>(&self, mut change: impl FnMut(&mut T) -> R) -> Result<R> {
        match &self.inner.place {
            Place::Word(body) => {
                self.inner.presence.check(self.inner.domain.region())?;
                let mut words = [0; COPY_WORDS];
                words[0] = body.word.load(Acquire);
                loop {
                    let mut value = decode::<T>(&words).ok_or_else(|| self.inner.corrupt())?;
                    let answer = change(&mut value);
                    // It may have forked.
                    self.inner.presence.check(self.inner.domain.region())?;
                    let new = words_of(&value)[0];
                    match body.word.compare_exchange(words[0], new, AcqRel, Acquire) {
                        Ok(_) => return Ok(answer),
                        Err(now) => words[0] = now,
                    }
                }
            }
            Place::Copies(body, lock) => {
                let _held = lock.hold(&self.spinner, || ())?;
                let stamped = Stamped::new(&body.copies);
                let words = stamped.read_locked(Plain::<T>::WORDS);
                let mut value = decode::<T>(&words).ok_or_else(|| self.inner.corrupt())?;
                let answer = change(&mut value);
                // It may have forked.
                self.inner.presence.check(self.inner.domain.region())?;
                stamped.write(&words_of(&value), Plain::<T>::WORDS);
                Ok(answer)
            }
        }
    }
}

impl<T> SharedValue<T> {
    /// How this handle waits for other writers (default: adaptive), and the clones that are made of it from now on.
    pub fn set_wait_strategy(&mut self, strategy: WaitStrategy) {
        self.spinner = Spinner::new(strategy);
    }
}

impl Inner {
    #[cold]
    fn corrupt(&self) -> Error {
        // In a forked copy it may be gone.
        match self.presence.check(self.domain.region()) {
            Err(error) => error,
            Ok(_) => Error::new(
                ErrorKind::Corrupt,
                format!("{NOUN} {}", self.object().id().index),
                "its bytes are no value of its type",
            )
            .hint("check that both programs are built from the same types"),
        }
    }
}

/// The value that begins with these words, of which no more are looked at than it has. `None`: there is none.
#[inline(always)]
fn decode<T: SharedData>(words: &Words) -> Option<T> {
    match Plain::<T>::WORDS {
        0 | 1 => first::<T, 1>(words),
        2 => first::<T, 2>(words),
        3 => first::<T, 3>(words),
        4 => first::<T, 4>(words),
        5 => first::<T, 5>(words),
        6 => first::<T, 6>(words),
        7 => first::<T, 7>(words),
        _ => plain::checked(*words),
    }
}

#[inline(always)]
fn first<T: SharedData, const N: usize>(words: &Words) -> Option<T> {
    let mut first = [0; N];
    for (word, from) in first.iter_mut().zip(words) {
        *word = *from;
    }
    plain::checked(first)
}

/// The bytes of a plain value, padded with zeros.
#[inline(always)]
fn words_of<T: SharedData>(value: &T) -> Words {
    let mut bytes = [0; VALUE_MAX];
    if let (Some(from), Some(to)) = (plain_bytes(value), bytes.get_mut(..Plain::<T>::LEN)) {
        to.copy_from_slice(from);
    }
    let mut words = [0; COPY_WORDS];
    for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *word = u64::from_ne_bytes(*bytes);
    }
    words
}

impl<T> Clone for SharedValue<T> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), spinner: Spinner::new(self.spinner.strategy()), value: PhantomData }
    }
}

/// `SharedValue(i32, 5)`.
impl<T: SharedData + fmt::Debug> fmt::Display for SharedValue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedValue({}, {:?})", short::<T>(), self.get())
    }
}

impl<T: SharedData + fmt::Debug> fmt::Debug for SharedValue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<T> rkyv::Archive for SharedValue<T> {
    type Archived = ArchivedHandle<SharedValue<T>>;
    type Resolver = u32;

    fn resolve(&self, index: u32, out: rkyv::Place<Self::Archived>) {
        ArchivedHandle::emplace(index, out);
    }
}

impl<T, S> rkyv::Serialize<S> for SharedValue<T>
where
    S: rkyv::rancor::Fallible<Error: rkyv::rancor::Source> + ?Sized,
{
    fn serialize(&self, _: &mut S) -> Result<u32, S::Error> {
        use crate::channel::transfer::{Child, export};
        let child = Child::whole(self.inner.object().clone());
        export(child).map_err(<S::Error as rkyv::rancor::Source>::new)
    }
}

impl<T, D> rkyv::Deserialize<SharedValue<T>, D> for ArchivedHandle<SharedValue<T>>
where
    T: SharedData,
    D: rkyv::rancor::Fallible<Error: rkyv::rancor::Source> + ?Sized,
{
    fn deserialize(&self, _: &mut D) -> Result<SharedValue<T>, D::Error> {
        use crate::channel::transfer::{import, noted};
        let child = import(self.index());
        child
            .and_then(|child| noted(SharedValue::over(child.object, Spinner::default())))
            .map_err(<D::Error as rkyv::rancor::Source>::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_type_is_a_mismatch_that_names_both() {
        let small = SharedValue::new(1u32).unwrap();
        let error = SharedValue::<u64>::over(small.inner.object().clone(), Spinner::default());
        let error = error.map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TypeMismatch);
        let text = error.to_string();
        assert!(text.contains("`u32`") && text.contains("`u64`"), "{text}");
    }

    #[test]
    fn bytes_that_are_no_value_are_an_error_when_it_is_opened() {
        let truth = SharedValue::new(true).unwrap();
        let object = truth.inner.object().clone();
        let Place::Word(body) = &truth.inner.place else { panic!("it fits a word") };
        body.word.store(7, Release);
        let error = SharedValue::<bool>::over(object, Spinner::default()).map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert_eq!(truth.update(|value| *value = false).unwrap_err().kind(), ErrorKind::Corrupt);
        // What it was when the handle was made.
        assert!(truth.get());
    }
}
