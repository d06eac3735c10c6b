//! What names there are.

use std::fmt;

use crate::error::{Error, Result};
use crate::region::named::{Looked, look};
use crate::sys::shm::{self, FOLDER, ShmName};

/// A named queue as it was at the moment of the look. Stale as soon as it is returned.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NamedInfo {
    /// The name.
    pub name: String,
    /// The type of its messages, as the program that created it calls it (cut to 1024 bytes); empty if `problem` says
    /// why it is not known.
    pub type_name: String,
    /// Messages that fit.
    pub capacity: u64,
    /// The processes that use it, in order. One in a pid namespace that this process cannot see into is 0.
    pub pids: Vec<u32>,
    /// Somebody uses it. Otherwise it is stale: its last user was killed, and the next look at it by `create`, `open` or
    /// [`gc_named`](crate::gc_named) removes it.
    pub in_use: bool,
    /// Memory that it takes, in bytes.
    pub bytes: u64,
    /// Why this program could not use it: made by another version, by another user, damaged.
    pub problem: Option<String>,
}

impl fmt::Display for NamedInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, type_name, capacity, pids, bytes, .. } = self;
        match &self.problem {
            Some(problem) => write!(f, "{name}: {problem}")?,
            None => write!(f, "{name}: {capacity} of {type_name}, {bytes} bytes")?,
        }
        if self.in_use { write!(f, ", used by {pids:?}") } else { f.write_str(", used by nobody") }
    }
}

/// Every named queue of this machine, by name. Removes nothing: see [`gc_named`](crate::gc_named).
///
/// Cost: some ten system calls a name.
///
/// # Errors
///
/// `Os` if `/dev/shm` cannot be read. What is wrong with one name is in its [`problem`](NamedInfo::problem).
///
/// ```
/// let name = format!("doc-list-{}", std::process::id());
/// let q = processing::Queue::<u64>::builder().capacity(4).create(&name)?;
/// let all = processing::list_named()?;
/// let own = all.iter().find(|info| info.name == name).expect("it is there");
/// assert!(own.in_use && own.pids == [std::process::id()] && own.type_name == "u64");
/// # drop(q);
/// # Ok::<(), processing::Error>(())
/// ```
pub fn list_named() -> Result<Vec<NamedInfo>> {
    let mut all: Vec<NamedInfo> = names()?.iter().filter_map(NamedInfo::look).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

/// The names, in no order.
pub(super) fn names() -> Result<Vec<ShmName>> {
    shm::names().map_err(|cause| Error::os(FOLDER, "reading the folder", cause))
}

impl NamedInfo {
    /// `None`: it is gone.
    pub(super) fn look(name: &ShmName) -> Option<Self> {
        match look(name) {
            Ok(None) => None,
            Ok(Some(seen)) => Some(Self::seen(name, seen)),
            // Not the library's, or not this user's: nobody knows who uses it.
            Err(error) => Some(Self::refused(name, &error)),
        }
    }

    fn seen(name: &ShmName, seen: Looked) -> Self {
        let Looked { pids, bytes, record } = seen;
        let (record, problem) = match record {
            Ok(record) => (record, None),
            Err(error) => (Default::default(), Some(error.to_string())),
        };
        Self {
            name: name.as_str().to_owned(),
            type_name: record.type_name,
            capacity: record.capacity,
            in_use: !pids.is_empty(),
            pids,
            bytes,
            problem,
        }
    }

    pub(super) fn refused(name: &ShmName, error: &Error) -> Self {
        Self {
            name: name.as_str().to_owned(),
            type_name: String::new(),
            capacity: 0,
            pids: Vec::new(),
            in_use: true,
            bytes: 0,
            problem: Some(error.to_string()),
        }
    }
}
