//! Removing what nobody uses.

use std::fmt;

use super::info::{self, NamedInfo};
use crate::error::Result;
use crate::region::named::{Removal, remove_unused};
use crate::sys::mqueue;

/// What [`gc_named`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NamedGc {
    /// Names that nobody used: gone, and their memory with them.
    pub removed: Vec<NamedInfo>,
    /// What was left alone: names in use, and what is not this library's or not this user's (then
    /// [`problem`](NamedInfo::problem) says why).
    pub kept: Vec<NamedInfo>,
}

impl fmt::Display for NamedGc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} removed, {} kept", self.removed.len(), self.kept.len())?;
        self.removed.iter().try_for_each(|info| write!(f, "\n  removed {info}"))?;
        self.kept.iter().try_for_each(|info| write!(f, "\n  kept {info}"))
    }
}

/// Removes every named queue of this user that no process uses: what was left by programs that were killed. A name in use is
/// never removed, nor what is not a named queue of this library. Names that other versions of the library made are
/// removed under the same rule. So is the one name that a program can leave which is killed while it makes a queue with
/// [`Backend::PosixMq`](crate::Backend::PosixMq); it is in no list.
///
/// Killed in it: what it had removed is gone, the rest is as it was.
///
/// # Errors
///
/// `Os` if `/dev/shm` cannot be read. What could not be removed is in [`NamedGc::kept`], with the reason.
///
/// ```
/// let done = processing::gc_named()?;
/// println!("{done}");
/// # Ok::<(), processing::Error>(())
/// ```
pub fn gc_named() -> Result<NamedGc> {
    // One that is being made has its descriptor, and loses nothing.
    mqueue::remove_leftover();
    let mut done = NamedGc::default();
    for name in info::names()? {
        let Some(info) = NamedInfo::look(&name) else { continue };
        if info.in_use {
            done.kept.push(info);
            continue;
        }
        match remove_unused(&name) {
            Ok(Removal::Removed) => done.removed.push(info),
            Ok(Removal::Absent) => {}
            // Somebody came in between the two looks.
            Ok(Removal::InUse) => done.kept.extend(NamedInfo::look(&name)),
            Err(error) => done.kept.push(NamedInfo::refused(&name, &error)),
        }
    }
    for list in [&mut done.removed, &mut done.kept] {
        list.sort_by(|a, b| a.name.cmp(&b.name));
    }
    Ok(done)
}
