//! Anonymous files: no name, so nothing is left behind whoever dies.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::{FallocateFlags, MemfdFlags, SealFlags, fallocate, fcntl_get_seals, memfd_create};
use rustix::io::Errno;

use crate::sync::kill;

/// What keeps a region's length as it is: a file that shrinks turns a load into SIGBUS.
pub const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::SEAL);

/// Creates an empty anonymous file, close-on-exec, that can be sealed.
pub fn create(name: &str) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Kernels before 6.3 do not know the flag that keeps a memory file from being executed.
    match memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL) {
        Err(Errno::INVAL) => Ok(memfd_create(name, flags)?),
        answer => Ok(answer?),
    }
}

/// Sets the length; the file stays sparse.
pub fn set_len(fd: BorrowedFd<'_>, len: u64) -> io::Result<()> {
    // Above RLIMIT_FSIZE the kernel does not only refuse, it sends SIGXFSZ.
    let limit = rustix::process::getrlimit(rustix::process::Resource::Fsize).current;
    if limit.is_some_and(|limit| len > limit) {
        return Err(Errno::FBIG.into());
    }
    Ok(rustix::fs::ftruncate(fd, len)?)
}

/// The length and the inode.
pub fn stat(fd: BorrowedFd<'_>) -> io::Result<Stat> {
    let stat = rustix::fs::fstat(fd)?;
    Ok(Stat { len: u64::try_from(stat.st_size).unwrap_or(0), device: stat.st_dev, inode: stat.st_ino })
}

/// Bytes of memory that the file takes.
pub fn blocks(fd: BorrowedFd<'_>) -> io::Result<u64> {
    Ok(u64::try_from(rustix::fs::fstat(fd)?.st_blocks).unwrap_or(0) * 512)
}

/// What identifies a file, and its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    pub len: u64,
    pub device: u64,
    pub inode: u64,
}

/// Seals the length.
pub fn seal(fd: BorrowedFd<'_>) -> io::Result<()> {
    Ok(rustix::fs::fcntl_add_seals(fd, SEALS)?)
}

/// Seals length and content.
pub fn seal_content(fd: BorrowedFd<'_>) -> io::Result<()> {
    Ok(rustix::fs::fcntl_add_seals(fd, SEALS | SealFlags::WRITE)?)
}

/// The seals of a file; none for a file that cannot have any.
pub fn seals(fd: BorrowedFd<'_>) -> SealFlags {
    fcntl_get_seals(fd).unwrap_or(SealFlags::empty())
}

/// Gives every page of the range memory, or none of those that had none.
pub fn commit(fd: BorrowedFd<'_>, offset: u64, len: u64) -> io::Result<()> {
    kill::point();
    let (mut at, end) = (offset, offset + len);
    let mut piece = len;
    while at < end {
        let step = piece.min(end - at);
        match fallocate(fd, FallocateFlags::empty(), at, step) {
            Ok(()) => at += step,
            // A signal makes the kernel give everything back: ask for less at a time.
            Err(Errno::INTR) => piece = (piece / 2).max(1 << 20),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Gives the memory of the range back; it reads as zeros from then on.
pub fn decommit(fd: BorrowedFd<'_>, offset: u64, len: u64) -> io::Result<()> {
    kill::point();
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    loop {
        match fallocate(fd, flags, offset, len) {
            Err(Errno::INTR) => {}
            answer => return Ok(answer?),
        }
    }
}

/// Fills `bytes` from `offset`; how many bytes there were.
pub fn read_at(fd: BorrowedFd<'_>, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < bytes.len() {
        match rustix::io::pread(fd, &mut bytes[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(filled)
}

/// Writes all of `bytes` at `offset`.
pub fn write_at(fd: BorrowedFd<'_>, bytes: &[u8], offset: u64) -> io::Result<()> {
    let mut written = 0;
    while written < bytes.len() {
        match rustix::io::pwrite(fd, &bytes[written..], offset + written as u64) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => written += count,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
