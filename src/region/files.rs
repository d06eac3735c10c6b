//! The files of a region: two without a name, or one with a name that is both.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;

use crate::error::{Error, ErrorKind, Result};
use crate::layout::header::FIXED_BYTES;
use crate::region::check::{Checked, check};
use crate::region::named;
use crate::sys::beacon::Beacon;
use crate::sys::memfd;
use crate::sys::shm::{self, FileId, ShmName};

/// See the module. Nothing in here is closed before the region is.
#[derive(Debug)]
pub enum Files {
    /// A sealed file, and the beacon beside it.
    Anonymous { memfd: OwnedFd, beacon: Beacon },
    /// One file, which carries the locks as well. It has no name while it is made.
    Named { file: Beacon, id: FileId, name: OnceLock<ShmName> },
}

impl Files {
    /// The file of a named region.
    pub fn named(file: Beacon, name: Option<ShmName>) -> Result<Self> {
        let info = shm::info_of(file.as_fd()).map_err(|cause| Error::os("named region", "fstat", cause))?;
        let id = info.id;
        Ok(Self::Named { file, id, name: name.map_or_else(OnceLock::new, OnceLock::from) })
    }

    /// The file that is mapped.
    pub fn memory(&self) -> BorrowedFd<'_> {
        match self {
            Self::Anonymous { memfd, .. } => memfd.as_fd(),
            Self::Named { file, .. } => file.as_fd(),
        }
    }

    /// The file that carries the locks.
    pub fn beacon(&self) -> &Beacon {
        match self {
            Self::Anonymous { beacon, .. } => beacon,
            Self::Named { file, .. } => file,
        }
    }

    /// The file of a named region, as names name it.
    pub fn id(&self) -> Option<FileId> {
        match self {
            Self::Anonymous { .. } => None,
            Self::Named { id, .. } => Some(*id),
        }
    }

    /// The name, if it has been given one.
    pub fn name(&self) -> Option<&ShmName> {
        match self {
            Self::Anonymous { .. } => None,
            Self::Named { name, .. } => name.get(),
        }
    }
}

/// What the two descriptors of a region that reached this process turned out to be.
pub enum Received {
    Anonymous(Checked),
    Named(Checked, ShmName),
}

impl Received {
    /// What the header says.
    pub fn checked(&self) -> &Checked {
        let (Self::Anonymous(checked) | Self::Named(checked, _)) = self;
        checked
    }
}

/// Checks two descriptors that are said to be those of a region; see [`check`].
pub fn check_received(memfd: BorrowedFd<'_>, beacon: BorrowedFd<'_>) -> Result<Received> {
    let seals = memfd::seals(memfd);
    if seals.contains(memfd::SEALS) {
        return check_anonymous(memfd, beacon).map(Received::Anonymous);
    }
    // A file with a name cannot be sealed: it is one, and it says so.
    let info = shm::info_of(memfd).map_err(|cause| Error::os("region", "fstat", cause))?;
    let same = shm::info_of(beacon).is_ok_and(|other| other.id == info.id);
    if same && named::says_named(memfd) {
        let (checked, record) = named::check_file(memfd, &info, "named region")?;
        let name = ShmName::new(&record.name).map_err(|why| {
            Error::new(ErrorKind::InvalidRegion, "named region", format!("its name is none: {why}"))
        })?;
        return Ok(Received::Named(checked, name));
    }
    let missing = memfd::SEALS.difference(seals);
    Err(invalid(format!("the file has seals {seals:?}, needed are {:?}; missing: {missing:?}", memfd::SEALS)))
}

fn check_anonymous(memfd: BorrowedFd<'_>, beacon: BorrowedFd<'_>) -> Result<Checked> {
    let stat = memfd::stat(memfd).map_err(|cause| Error::os("region", "fstat", cause))?;
    let mut bytes = [0u8; FIXED_BYTES];
    let read = memfd::read_at(memfd, &mut bytes, 0)
        .map_err(|cause| Error::os("region", "reading the header", cause))?;
    let checked = check(bytes.get(..read).unwrap_or(&[]), stat.len)?;
    if checked.named {
        return Err(invalid("it says that it has a name, and a sealed file has none".into()));
    }
    let of = Beacon::region_of(beacon).map_err(|cause| Error::os("region", "reading the beacon", cause))?;
    match of {
        Some(id) if id == checked.region_id => Ok(checked),
        Some(id) => {
            Err(invalid(format!("the beacon belongs to region {id:x}, the file to {:x}", checked.region_id)))
        }
        None => Err(invalid("the second descriptor is not a beacon (16 sealed bytes)".into())),
    }
}

#[cold]
fn invalid(what: String) -> Error {
    Error::new(ErrorKind::InvalidRegion, "region", what)
        .hint("pass the descriptors that the creator's region gives out")
}
