//! From a name to its file, which is checked before anything of it is used.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use rustix::fs::FileType;

use crate::error::{Error, ErrorKind, Result};
use crate::layout::header::{FIXED_BYTES, FIXED_WORDS, MAGIC, NAMED, NAMED_AT, NAMED_END};
use crate::region::Region;
use crate::region::check::{Checked, check};
use crate::region::named::Record;
use crate::region::named::door::NamedDoor;
use crate::region::named::errors::object;
use crate::region::named::protocol::{Cleared, clear};
use crate::region::registry::{Known, Registry};
use crate::sys::beacon::Beacon;
use crate::sys::memfd;
use crate::sys::shm::{self, FileInfo, ShmName};

/// A file that was opened by its name.
pub struct Opened {
    pub file: Beacon,
    pub info: FileInfo,
}

impl Opened {
    pub fn door<'a>(&'a self, name: &'a ShmName) -> NamedDoor<'a> {
        NamedDoor { file: &self.file, id: self.info.id, name }
    }
}

/// What a name led to.
pub enum Found {
    Nothing,
    /// This process is attached to it.
    Ours(Arc<Region>),
    Other(Opened),
    /// It changed meanwhile, or another thread is closing it: again.
    Again,
}

/// Follows a name. The file is opened only if it is not one of this process's: closing it would drop their locks.
pub fn find(registry: &Registry, name: &ShmName) -> Result<Found> {
    let failed = |call| move |cause| Error::os(object(name), call, cause);
    let Some(seen) = shm::info(name).map_err(failed("stat"))? else { return Ok(Found::Nothing) };
    trusted(&seen, &object(name))?;
    match registry.find_file(seen.id) {
        Known::Attached(region) => return Ok(Found::Ours(region)),
        Known::Closing => return Ok(Found::Again),
        Known::No => {}
    }
    let Some(file) = shm::open(name).map_err(failed("open"))? else { return Ok(Found::Nothing) };
    let info = shm::info_of(file.as_fd()).map_err(failed("fstat"))?;
    if info.id != seen.id {
        // It became another one between the two looks; should that be ours, it stays open.
        if let Known::Attached(region) = registry.find_file(info.id) {
            region.keep_beacon(file);
            return Ok(Found::Ours(region));
        }
        return Ok(Found::Again);
    }
    if !says_named(file.as_fd()) {
        let hint = format!("nothing was changed; if it is of no use, remove {} by hand", name.path());
        let what = "the file is not a named region, or it was damaged";
        return Err(Error::new(ErrorKind::InvalidRegion, object(name), what).hint(hint));
    }
    let file = Beacon::adopt(file).map_err(failed("fstat"))?;
    Ok(Found::Other(Opened { file, info }))
}

/// Takes a stale name away. `Some`: again; it was stale, or a process (which, if it can be told) has the gate.
pub fn unless_stale(opened: &Opened, name: &ShmName) -> Result<Option<Option<u32>>> {
    if opened.file.is_used().map_err(unlink_failed(name))? {
        return Ok(None);
    }
    Ok(match clear(&opened.door(name)).map_err(unlink_failed(name))? {
        Cleared::Used => None,
        Cleared::Busy => Some(opened.file.gate_holder()),
        Cleared::Removed | Cleared::NotCurrent => Some(None),
    })
}

pub fn unlink_failed(name: &ShmName) -> impl FnOnce(io::Error) -> Error + '_ {
    move |cause| Error::os(object(name), "removing a name that nobody uses", cause)
}

/// Checks a file that is said to be a named region's; `object` is what the error is about.
pub fn check_file(file: BorrowedFd<'_>, info: &FileInfo, object: &str) -> Result<(Checked, Record)> {
    trusted(info, object)?;
    let mut bytes = [0; NAMED_END];
    let read = memfd::read_at(file, &mut bytes, 0)
        .map_err(|cause| Error::os(object.to_owned(), "reading the header", cause))?;
    let bytes = bytes.get(..read).unwrap_or_default();
    let checked =
        check(bytes.get(..FIXED_BYTES).unwrap_or(bytes), info.len).map_err(|e| e.about(object.to_owned()))?;
    if !checked.named {
        let what = "the file is a region that was made without a name";
        return Err(Error::new(ErrorKind::InvalidRegion, object.to_owned(), what));
    }
    let record =
        Record::read(bytes.get(NAMED_AT..).unwrap_or_default()).map_err(|e| e.about(object.to_owned()))?;
    Ok((checked, record))
}

/// Whether a file begins as a named region of any version does.
pub fn says_named(file: BorrowedFd<'_>) -> bool {
    let mut bytes = [0; FIXED_BYTES];
    let whole = memfd::read_at(file, &mut bytes, 0).is_ok_and(|read| read == FIXED_BYTES);
    let words = bytes.as_chunks::<8>().0.first_chunk::<FIXED_WORDS>();
    let word = |at: usize| words.map_or(0, |words| u64::from_ne_bytes(words[at]));
    whole && word(0) == MAGIC && word(4) & NAMED != 0
}

/// Whose file it is, before anything in it is looked at.
fn trusted(info: &FileInfo, object: &str) -> Result<()> {
    let refuse = |what: String, hint: String| {
        Err(Error::new(ErrorKind::InvalidRegion, object.to_owned(), what).hint(hint))
    };
    if info.kind != FileType::RegularFile {
        return refuse(format!("it is {}, and not a file", kind_of(info.kind)), "choose another name".into());
    }
    let user = shm::user();
    if info.uid != user {
        let what = format!("it belongs to user {}, and this process acts for user {user}", info.uid);
        return refuse(what, "names are shared by all users of the machine: choose another".into());
    }
    if info.mode != 0o600 {
        let what = format!("its mode is {:03o}, and not 600: others could write to it", info.mode);
        return refuse(what, "somebody changed it by hand; change it back, or remove the file".into());
    }
    Ok(())
}

fn kind_of(kind: FileType) -> &'static str {
    match kind {
        FileType::Symlink => "a symbolic link",
        FileType::Directory => "a folder",
        FileType::Fifo => "a pipe",
        FileType::Socket => "a socket",
        _ => "something special",
    }
}
