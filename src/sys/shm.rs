//! Named files of shared memory: entries of `/dev/shm`.
//!
//! A file is made without a name and linked when it is finished, so that no half-made name can be left behind or seen:
//! killed before the link, its creator leaves nothing at all. (The crate `shared_memory` creates under the name, and an
//! opener may find the file empty; it is used for what is finished, see [`super::map`].)

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::sync::kill;

/// Where POSIX shared memory lies on Linux.
pub const FOLDER: &str = "/dev/shm";
/// What the library's entries begin with. It never changes: other builds look for it.
const PREFIX: &str = "processing-";
/// The most bytes of a name: with the prefix it fits into an entry's 255.
pub const LONGEST: usize = 200;

/// A name that can be an entry of the folder.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShmName(String);

impl ShmName {
    /// Checks a name.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn new(name: &str) -> Result<Self, &'static str> {
        if name.is_empty() {
            Err("it is empty")
        } else if name.len() > LONGEST {
            Err("it is longer than 200 bytes")
        } else if name.contains('/') {
            Err("it contains a '/'")
        } else if name.contains('\0') {
            Err("it contains a NUL")
        } else if name == "." || name == ".." {
            Err("it is a name of folders")
        } else {
            Ok(Self(name.to_owned()))
        }
    }

    /// The name as the user gave it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The entry's path.
    pub fn path(&self) -> String {
        format!("{FOLDER}/{PREFIX}{}", self.0)
    }

    /// The entry as `shm_open` calls it.
    pub fn os_id(&self) -> String {
        format!("/{PREFIX}{}", self.0)
    }
}

/// What identifies a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileId {
    pub device: u64,
    pub inode: u64,
}

/// What the kernel says of a file.
#[derive(Clone, Copy, Debug)]
pub struct FileInfo {
    pub id: FileId,
    pub len: u64,
    /// Bytes of memory that it takes.
    pub bytes: u64,
    pub uid: u32,
    /// The permission bits.
    pub mode: u32,
    pub kind: FileType,
}

impl From<rustix::fs::Stat> for FileInfo {
    fn from(stat: rustix::fs::Stat) -> Self {
        Self {
            id: FileId { device: stat.st_dev, inode: stat.st_ino },
            len: u64::try_from(stat.st_size).unwrap_or(0),
            bytes: u64::try_from(stat.st_blocks).unwrap_or(0) * 512,
            uid: stat.st_uid,
            mode: stat.st_mode & 0o7777,
            kind: FileType::from_raw_mode(stat.st_mode),
        }
    }
}

/// A new empty file in the folder, without a name, for its owner alone; close-on-exec.
pub fn create() -> io::Result<OwnedFd> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let mode = Mode::RUSR | Mode::WUSR;
    let fd = rustix::fs::open(FOLDER, flags, mode)?;
    // The process's umask may have taken more.
    rustix::fs::fchmod(&fd, mode)?;
    Ok(fd)
}

/// Gives a file that has no name its name. False: there is an entry of this name.
pub fn link(file: BorrowedFd<'_>, name: &ShmName) -> io::Result<bool> {
    kill::point();
    let own = format!("/proc/self/fd/{}", file.as_raw_fd());
    let answer = match rustix::fs::linkat(CWD, own.as_str(), CWD, name.path(), AtFlags::SYMLINK_FOLLOW) {
        // Without a /proc. Before Linux 6.10 it takes a right that few have.
        Err(Errno::NOENT) => rustix::fs::linkat(file, "", CWD, name.path(), AtFlags::EMPTY_PATH),
        answer => answer,
    };
    match answer {
        Ok(()) => Ok(true),
        Err(Errno::EXIST) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Opens the file that the name has now; `None`: there is none. A symbolic link is an error (ELOOP).
pub fn open(name: &ShmName) -> io::Result<Option<OwnedFd>> {
    // Not blocking: it may have become something that an open waits for.
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    present(rustix::fs::open(name.path(), flags, Mode::empty()))
}

/// What the name names now, itself if it is a symbolic link; `None`: nothing.
pub fn info(name: &ShmName) -> io::Result<Option<FileInfo>> {
    let stat = present(rustix::fs::statat(CWD, name.path(), AtFlags::SYMLINK_NOFOLLOW))?;
    Ok(stat.map(FileInfo::from))
}

/// What an open file is.
pub fn info_of(file: BorrowedFd<'_>) -> io::Result<FileInfo> {
    Ok(rustix::fs::fstat(file)?.into())
}

/// Removes the name; the file stays as long as somebody has it open.
pub fn unlink(name: &ShmName) -> io::Result<()> {
    kill::point();
    present(rustix::fs::unlink(name.path())).map(|_| ())
}

/// All entries that can be the library's, in no order.
pub fn names() -> io::Result<Vec<ShmName>> {
    let mut names = Vec::new();
    let entries = match std::fs::read_dir(FOLDER) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(names),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?.file_name();
        let name = entry.to_str().and_then(|entry| entry.strip_prefix(PREFIX));
        names.extend(name.and_then(|name| ShmName::new(name).ok()));
    }
    Ok(names)
}

/// Bytes that the folder's file system has, and how many of them are free. 0 of 0: it has no bound.
pub fn space(file: BorrowedFd<'_>) -> io::Result<(u64, u64)> {
    let stat = rustix::fs::fstatvfs(file)?;
    Ok((stat.f_blocks.saturating_mul(stat.f_frsize), stat.f_bavail.saturating_mul(stat.f_frsize)))
}

/// The user that this process acts for.
pub fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn present<T>(answer: Result<T, Errno>) -> io::Result<Option<T>> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        let long = "n".repeat(LONGEST);
        for good in ["orders", "a b", "ä", "...", "-", &long] {
            assert_eq!(ShmName::new(good).unwrap().as_str(), good);
        }
        for (bad, why) in [
            ("", "empty"),
            ("a/b", "'/'"),
            ("a\0b", "NUL"),
            (".", "folders"),
            ("..", "folders"),
            (&format!("{long}n"), "longer than 200"),
        ] {
            assert!(ShmName::new(bad).unwrap_err().contains(why), "{bad:?}");
        }
    }
}
