//! What is said when a name cannot be had, and the way out.

use std::io;
use std::os::fd::BorrowedFd;

use crate::error::{Error, ErrorKind, Result};
use crate::region::Geometry;
use crate::region::named::protocol::Cleared;
use crate::sys::beacon::Beacon;
use crate::sys::clock;
use crate::sys::shm::{self, ShmName};

/// The same, or the error if it is busy and the time is up.
pub fn busy_until(cleared: Cleared, name: &ShmName, until: u64, file: &Beacon) -> Result<Cleared> {
    if cleared == Cleared::Busy {
        give_up(name, until, file.gate_holder())?;
    }
    Ok(cleared)
}

/// The error, if the time is up.
pub fn give_up(name: &ShmName, until: u64, holder: Option<u32>) -> Result<()> {
    if clock::now() < until { Ok(()) } else { Err(stopped(name, holder)) }
}

#[cold]
pub fn stopped(name: &ShmName, holder: Option<u32>) -> Error {
    let who = match holder {
        None | Some(0) => "another process".to_owned(),
        Some(pid) => format!("process {pid}"),
    };
    let what =
        format!("{who} has been opening or removing it for seconds: it is stopped, or names come and go");
    Error::new(ErrorKind::InvalidState, object(name), what).hint("let it go on (SIGCONT), or end it")
}

/// How errors call a name.
pub fn object(name: &ShmName) -> String {
    format!("named queue {:?} ({})", name.as_str(), name.path())
}

#[cold]
pub fn no_folder(cause: io::Error) -> Error {
    let kind = match cause.raw_os_error() {
        Some(libc::ENOENT | libc::ENOTDIR | libc::EOPNOTSUPP | libc::EISDIR | libc::EROFS | libc::EACCES) => {
            Some((ErrorKind::Unsupported, "named queues need a writable tmpfs at /dev/shm"))
        }
        Some(libc::ENOSPC | libc::ENOMEM) => Some((ErrorKind::OutOfMemory, FULL)),
        _ => None,
    };
    let error = Error::os(shm::FOLDER, "creating a file", cause);
    match kind {
        Some((kind, hint)) => error.of_kind(kind).hint(hint),
        None => error,
    }
}

/// The way out of a folder that is full, and how full it is; `file` lies in it.
pub fn full(file: BorrowedFd<'_>) -> String {
    match shm::space(file) {
        Ok((total, free)) if total > 0 => format!("/dev/shm has {total} bytes, {free} of them free: {FULL}"),
        _ => FULL.to_owned(),
    }
}

/// The way out of a folder that is full.
const FULL: &str = "make the file system at /dev/shm larger (mount -o remount,size=..; docker run --shm-size), \
                        remove what lies there, or call gc_named()";

#[cold]
pub fn no_entry(name: &ShmName, cause: io::Error) -> Error {
    let full = matches!(cause.raw_os_error(), Some(libc::ENOSPC));
    let error = Error::os(object(name), "linkat", cause);
    if full { error.of_kind(ErrorKind::OutOfMemory).hint(FULL) } else { error }
}

#[cold]
pub fn no_space(geometry: &Geometry, cause: io::Error) -> Error {
    let hint = format!(
        "it reserves {} MiB of address space (it uses memory only as it grows): give it a smaller limit, or raise \
         `ulimit -v`, `ulimit -f` or vm.max_map_count",
        geometry.total >> 20
    );
    let error = Error::os("named region", "reserving address space", cause);
    // Of descriptors the error itself says the way out.
    if error.kind() == ErrorKind::Limit { error } else { error.of_kind(ErrorKind::OutOfMemory).hint(hint) }
}
