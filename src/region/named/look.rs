//! Who uses a name; removing one that nobody uses.

use std::os::fd::{AsFd, BorrowedFd};

use crate::error::{Error, Result};
use crate::region::files::Files;
use crate::region::named::Record;
use crate::region::named::door::NamedDoor;
use crate::region::named::errors::{busy_until, give_up, object};
use crate::region::named::find::{Found, Opened, check_file, find, unlink_failed};
use crate::region::named::patience::{pause, until};
use crate::region::named::protocol::{Cleared, clear};
use crate::region::registry;
use crate::sys::beacon;
use crate::sys::shm::{self, ShmName};

/// What came of an attempt to remove a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// There is no such name.
    Absent,
    /// Nobody used it; it is gone now.
    Removed,
    /// It is in use, perhaps by this process.
    InUse,
}

/// A name as it was at the moment of the look.
#[derive(Debug)]
pub struct Looked {
    /// The processes that are attached: 0 for one that is in none of this process's pid namespaces.
    pub pids: Vec<u32>,
    /// Bytes of memory.
    pub bytes: u64,
    /// What it says of itself, or why it is not accepted.
    pub record: Result<Record>,
}

/// Looks at a name; `None`: there is none.
///
/// # Errors
/// `InvalidRegion` for what is not the library's, or not this user's; `Os`.
pub fn look(name: &ShmName) -> Result<Option<Looked>> {
    loop {
        let registry = registry::lock();
        let (pids, info, record) = match find(&registry, name)? {
            Found::Nothing => return Ok(None),
            Found::Ours(region) => {
                let seen = (others(region.memfd()), shm::info_of(region.memfd()), region.record());
                let joined = region.me().is_ok();
                drop(registry);
                drop(region);
                let mut pids = seen.0?;
                pids.extend(joined.then(std::process::id));
                (pids, seen.1.map_err(|cause| Error::os(object(name), "fstat", cause))?, seen.2)
            }
            Found::Other(Opened { file, info }) => {
                let record = check_file(file.as_fd(), &info, &object(name)).map(|(_, record)| record);
                (others(file.as_fd())?, info, record)
            }
            Found::Again => {
                drop(registry);
                pause();
                continue;
            }
        };
        return Ok(Some(Looked { pids, bytes: info.bytes, record }));
    }
}

/// Removes a name that nobody uses.
///
/// # Errors
/// As [`look`], and `InvalidState` if a process does not go on in the middle of opening or removing it.
pub fn remove_unused(name: &ShmName) -> Result<Removal> {
    let until = until();
    loop {
        // As in `open_once`: a region goes after the lock.
        let ours;
        let registry = registry::lock();
        let cleared = match find(&registry, name)? {
            Found::Nothing => return Ok(Removal::Absent),
            Found::Ours(region) => {
                ours = region;
                let Files::Named { file, id, .. } = ours.files() else { return Ok(Removal::InUse) };
                if ours.me().is_ok() {
                    return Ok(Removal::InUse);
                }
                // A forked copy: it has the file open, and is nobody.
                let door = NamedDoor { file, id: *id, name };
                busy_until(clear(&door).map_err(unlink_failed(name))?, name, until, file)?
            }
            Found::Other(opened) => {
                let cleared = clear(&opened.door(name)).map_err(unlink_failed(name))?;
                busy_until(cleared, name, until, &opened.file)?
            }
            Found::Again => {
                give_up(name, until, None)?;
                Cleared::Busy
            }
        };
        drop(registry);
        match cleared {
            Cleared::Removed => return Ok(Removal::Removed),
            Cleared::Used => return Ok(Removal::InUse),
            Cleared::NotCurrent | Cleared::Busy => pause(),
        }
    }
}

fn others(file: BorrowedFd<'_>) -> Result<Vec<u32>> {
    beacon::holders(file).map_err(|cause| Error::os("named region", "fcntl(F_GETLK)", cause))
}
