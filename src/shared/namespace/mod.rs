//! `Namespace`: attributes by name, each of its own type.

mod attribute;
#[cfg(feature = "internals")]
pub(crate) mod probe;

use std::fmt;
use std::sync::Arc;

use attribute::Attribute;

use super::SharedData;
use super::data;
use super::dict::AsKey;
use super::dict::raw::{Copied, Found, Raw, Value};
use crate::arena::ObjectRef;
use crate::channel::domain::Arena;
use crate::channel::kind;
use crate::channel::transfer::{Scope, provide};
use crate::data::dict::{Batch, Key, Next};
use crate::error::{Error, ErrorKind, Result};
use crate::layout::dict::Settings;
use crate::locks::handle::{check_kind, travels};

/// A namespace has few attributes, which few processes change.
const STRIPES: u32 = 4;

/// Attributes that processes share, each with a type of its own: `ns.set("x", &10u64)`.
///
/// # Guarantees
///
/// - Setting an attribute is one step: whoever reads it finds the old value or the new one, and a process that is killed while it sets one has set it or
///   not. Reading takes no lock.
/// - An attribute is read as the type that it was set with, or not at all: anything else is `TypeMismatch`, which names both.
/// - An attribute may be a handle of another shared object, or contain some: that object lives as long as the attribute.
///
/// # Not guaranteed
///
/// - That two attributes are read at one moment. What belongs together goes into one attribute, or a [`SharedStruct`](super::SharedStruct).
/// - That a type is another one: types of the same name, size and alignment in two programs are taken for the same.
/// - That a namespace in an attribute of itself (or of another that it leads to) is ever freed: it goes with the arena.
///
/// A setting costs as an insertion into a [`SharedDict`](super::SharedDict) with values of any length, and the value's `Debug` text, which is kept beside
/// it for those who print a namespace without knowing its types.
///
/// ```
/// use processing::{Namespace, Process};
///
/// fn f(ns: Namespace) -> processing::Result<()> {
///     let x = ns.get::<u64>("x")?;
///     ns.set("y", &vec![x, x + 1])
/// }
///
/// let ns = Namespace::new()?;
/// ns.set("x", &10u64)?;
/// Process::new(f, (ns.clone(),)).start()?.join()?;
/// assert_eq!(ns.get::<Vec<u64>>("y")?, [10, 11]);
/// assert_eq!(ns.to_string(), "Namespace(x=10, y=[10, 11])");
/// assert!(ns.get::<String>("x").unwrap_err().to_string().contains("it is a u64, and not a String"));
/// # Ok::<(), processing::Error>(())
/// ```
#[derive(Clone)]
pub struct Namespace {
    raw: Arc<Raw>,
}

impl Namespace {
    /// An empty one, in the arena of this process tree.
    ///
    /// # Errors
    ///
    /// `OutOfMemory` or `Limit` if the arena is full; `WrongProcess` in a copy that the program forked itself.
    pub fn new() -> Result<Self> {
        Self::in_arena(&Arena::default())
    }

    /// An empty one, in this arena.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn in_arena(arena: &Arena) -> Result<Self> {
        let domain = arena.domain()?;
        let raw = Raw::create(&domain, kind::NAMESPACE, 0, Settings::default(), STRIPES, 0, None)?;
        Ok(Self { raw: Arc::new(raw) })
    }

    pub(super) fn open(object: ObjectRef) -> Result<Self> {
        check_kind(&object, kind::NAMESPACE, "namespace")?;
        Ok(Self { raw: Arc::new(Raw::open(object)?) })
    }

    pub(super) fn reference(&self) -> &ObjectRef {
        self.raw.object()
    }

    /// Sets an attribute, of whatever type it was before.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the value cannot be serialised, holds the end of a pipe, or a handle of another arena; `OutOfMemory`, `TooLarge`, and then
    /// the attribute is as before; `Deadlock` from within [`update`](Self::update); `WrongProcess`.
    pub fn set<T: SharedData + fmt::Debug>(&self, name: &str, value: &T) -> Result<()> {
        let scope = Scope::open();
        let bytes = attribute::pack(value)?;
        let children = scope.take();
        self.with_key(name, |key| self.raw.insert(key, Value::Archive(&bytes, &children)).map(drop))
    }

    /// A copy of an attribute. No lock, unless it has handles.
    ///
    /// # Errors
    ///
    /// `NotFound`; `TypeMismatch` if it was set with another type; `Corrupt` if the type's own deserialisation refuses it; `WrongProcess`. Of an
    /// attribute with handles also `OutOfMemory` or `Limit` if one of them cannot be had, and `Deadlock` from within [`update`](Self::update).
    pub fn get<T: SharedData>(&self, name: &str) -> Result<T> {
        let mut bytes = Copied::new();
        let found = self.with_key(name, |key| self.raw.get(key, &mut bytes))?;
        value_of(found, &bytes, name)
    }

    /// Changes an attribute and returns what `change` returns. It is locked meanwhile: nobody else changes it, and others read what it was before.
    ///
    /// ```
    /// let ns = processing::Namespace::new()?;
    /// ns.set("n", &1u64)?;
    /// assert_eq!(ns.update("n", |n: &mut u64| std::mem::replace(n, 5))?, 1);
    /// assert_eq!(ns.get::<u64>("n")?, 5);
    /// # Ok::<(), processing::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get) and [`set`](Self::set); a call that changes this namespace from within `change` is `Deadlock`.
    ///
    /// # Panics
    ///
    /// If `change` does; then the attribute is as before.
    pub fn update<T: SharedData + fmt::Debug, R>(
        &self,
        name: &str,
        change: impl FnOnce(&mut T) -> R,
    ) -> Result<R> {
        self.with_key(name, |key| {
            let locked = self.raw.lock(key.hash)?;
            let mut bytes = Copied::new();
            let (slot, found) = locked.find(key, &mut bytes)?.ok_or_else(|| missing(name))?;
            // Also while values are made and serialised: that is code of the type's.
            let _updating = locked.updating();
            let mut value: T = value_of(Some(found), &bytes, name)?;
            let answer = change(&mut value);
            let scope = Scope::open();
            let bytes = attribute::pack(&value)?;
            let children = scope.take();
            locked.replace(slot, self.raw.prepare(key, Value::Archive(&bytes, &children))?);
            Ok(answer)
        })
    }

    /// Whether there is such an attribute.
    ///
    /// # Errors
    ///
    /// `WrongProcess`.
    pub fn contains(&self, name: &str) -> Result<bool> {
        self.with_key(name, |key| self.raw.contains(key))
    }

    /// Takes an attribute away. What it held goes with it.
    ///
    /// # Errors
    ///
    /// `NotFound`; `Deadlock` from within [`update`](Self::update); `WrongProcess`.
    pub fn remove(&self, name: &str) -> Result<()> {
        let removed = self.with_key(name, |key| {
            let locked = self.raw.lock(key.hash)?;
            Ok(locked.slot(key).map(|slot| locked.remove(slot)))
        })?;
        removed.ok_or_else(|| missing(name))
    }

    /// The names of all attributes, in their order. Each that was there throughout is among them.
    ///
    /// # Errors
    ///
    /// `WrongProcess`; `Corrupt`; `Deadlock` from within [`update`](Self::update); `OutOfMemory` or `Limit` if a handle in an attribute cannot be had.
    pub fn names(&self) -> Result<Vec<String>> {
        let mut names: Vec<String> = Vec::new();
        self.each(|name, _| names.push(name))?;
        names.sort_unstable();
        Ok(names)
    }

    /// Each attribute: its name, the name of its type, and its value as text, in the order of the names.
    ///
    /// # Errors
    ///
    /// Those of [`names`](Self::names).
    pub fn describe(&self) -> Result<Vec<(String, String, String)>> {
        let mut found = Vec::new();
        self.each(|name, attribute| found.push((name, attribute.type_name(), attribute.text())))?;
        found.sort_unstable();
        Ok(found)
    }

    fn each(&self, mut each: impl FnMut(String, &Attribute<'_>)) -> Result<()> {
        let (mut batch, mut handles, mut cursor) = (Batch::new(), Vec::new(), 0);
        loop {
            let next = self.raw.scan(cursor, &mut batch, &mut handles)?;
            for item in batch.items() {
                let name = data::decode::<String>(batch.key(item))?;
                each(name, &Attribute::parse(batch.value(item))?);
            }
            match next {
                Next::At(at) => cursor = at,
                Next::End => return Ok(()),
            }
        }
    }

    /// How many attributes there are; exact only while nobody sets or removes one.
    pub fn len(&self) -> usize {
        self.raw.len() as usize
    }

    /// There is no attribute.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes all attributes away, at one moment.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`, and then nothing has changed; `Deadlock` from within [`update`](Self::update); `WrongProcess`.
    pub fn clear(&self) -> Result<()> {
        self.raw.clear()
    }

    fn with_key<R>(&self, name: &str, f: impl FnOnce(&Key<'_>) -> Result<R>) -> Result<R> {
        self.raw.check()?;
        AsKey::<String>::with_archive(name, |bytes| f(&self.raw.key_of_bytes(bytes)))
    }
}

fn value_of<T: SharedData>(found: Option<Found>, bytes: &[u8], name: &str) -> Result<T> {
    let found = found.ok_or_else(|| missing(name))?;
    let archive = Attribute::parse(bytes)?.archive_of::<T>(name)?;
    match found {
        Found::WithHandles(children) => provide(children, || data::decode(archive)),
        Found::Archive | Found::Word(_) => data::decode(archive),
    }
}

#[cold]
fn missing(name: &str) -> Error {
    Error::new(ErrorKind::NotFound, "namespace", format!("there is no attribute {name:?}"))
        .hint("names() tells which there are")
}

travels!(Namespace);

/// `Namespace(x=10)`.
impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(attributes) = self.describe() else { return f.write_str("Namespace(?)") };
        f.write_str("Namespace(")?;
        for (i, (name, _, text)) in attributes.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}{name}={text}")?;
        }
        f.write_str(")")
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
