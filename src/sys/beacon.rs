//! The beacon: a file whose record locks tell who lives.
//!
//! A participant holds the POSIX record lock on the byte of its id. The kernel drops it when the process
//! is killed, exits or calls exec, and does not give it to a forked child: it is the one sign of life that
//! knows all four cases (an advisory `flock` or an open-file-description lock stays with the child, a pidfd
//! does not see exec, a pid is reused).
//!
//! The same rule has a sharp edge: **a process drops all its record locks on a file when it closes any
//! descriptor of that file.** So a beacon is never duplicated and its descriptors are closed only when the
//! process is done with the region; and a process that closes all its descriptors declares itself dead.
//!
//! `F_GETLK` does not report the locks of the asking process; callers know their own id.
//!
//! The file of a named region is its own beacon, and on byte 0, which is nobody's, lies its *gate*: the lock that one
//! process at a time takes to come in or to remove the name.
//!
//! # Safety
//!
//! `fcntl` reads and writes one local structure.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Mutex;

use rustix::fs::SealFlags;

use super::memfd::{self, Stat};
use crate::layout::ParticipantId;
use crate::sync::kill;

/// "PRCBEACN" in memory order.
const MAGIC: u64 = u64::from_le_bytes(*b"PRCBEACN");

/// The byte of [`Beacon::try_exclude`], far above all ids.
const EXCLUSION: libc::off_t = 1 << 32;

/// The file that carries the locks, and what tells it from any other.
#[derive(Debug)]
pub struct Beacon {
    fd: OwnedFd,
    stat: Stat,
    /// Further descriptors of the same file that reached this process. Closing one would drop the locks.
    kept: Mutex<Vec<OwnedFd>>,
}

/// What the kernel says about one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// No other process holds the lock.
    Nobody,
    /// Some other process does.
    Somebody,
    /// The descriptor is not the beacon any more: somebody closed it behind the library's back.
    Lost,
}

impl Beacon {
    /// Creates the beacon of a region: 16 sealed bytes that name it.
    pub fn create(region: u64) -> io::Result<Self> {
        let fd = memfd::create("processing-beacon")?;
        memfd::set_len(fd.as_fd(), 16)?;
        memfd::write_at(fd.as_fd(), &MAGIC.to_le_bytes(), 0)?;
        memfd::write_at(fd.as_fd(), &region.to_le_bytes(), 8)?;
        memfd::seal_content(fd.as_fd())?;
        let stat = memfd::stat(fd.as_fd())?;
        Ok(Self { fd, stat, kept: Mutex::new(Vec::new()) })
    }

    /// The region that a descriptor is the beacon of; `None` if it is no beacon.
    pub fn region_of(fd: BorrowedFd<'_>) -> io::Result<Option<u64>> {
        let mut bytes = [0u8; 16];
        if !memfd::seals(fd).contains(memfd::SEALS | SealFlags::WRITE)
            || memfd::read_at(fd, &mut bytes, 0)? != bytes.len()
        {
            return Ok(None);
        }
        let (magic, region) = bytes.split_at(8);
        let number = |half: &[u8]| half.iter().rev().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
        Ok((number(magic) == MAGIC).then(|| number(region)))
    }

    /// Wraps a descriptor that [`region_of`](Self::region_of) accepted.
    pub fn adopt(fd: OwnedFd) -> io::Result<Self> {
        let stat = memfd::stat(fd.as_fd())?;
        Ok(Self { fd, stat, kept: Mutex::new(Vec::new()) })
    }

    /// Keeps a further descriptor of this file open until the beacon is dropped.
    pub fn keep(&self, fd: OwnedFd) {
        self.kept.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(fd);
    }

    /// Whether `fd` is a descriptor of this file.
    pub fn is(&self, fd: BorrowedFd<'_>) -> bool {
        memfd::stat(fd).is_ok_and(|stat| stat == self.stat)
    }

    /// Takes the lock of `id` for this process. False: another process has it, or the beacon is lost.
    pub fn lock(&self, id: ParticipantId) -> bool {
        kill::point();
        self.set(id, libc::F_WRLCK).is_ok() && self.is(self.fd.as_fd())
    }

    /// Drops the lock of `id`.
    pub fn unlock(&self, id: ParticipantId) {
        kill::point();
        // It fails only for a descriptor that is not ours any more, and then there is no lock.
        let _ = self.set(id, libc::F_UNLCK);
    }

    /// Takes the lock that is nobody's sign of life, but for one process at a time, for this process; false if another one has it. The
    /// kernel drops it with the process, as all of them; threads exclude each other by other means.
    pub fn try_exclude(&self) -> io::Result<bool> {
        kill::point();
        match self.set_place(EXCLUSION, libc::F_WRLCK) {
            Ok(()) => Ok(true),
            Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Drops it.
    pub fn end_exclusion(&self) {
        kill::point();
        let _ = self.set_place(EXCLUSION, libc::F_UNLCK); // as in `unlock`
    }

    /// Who holds the lock of `id`, this process aside.
    pub fn holder(&self, id: ParticipantId) -> Holder {
        let mut lock = byte(libc::off_t::from(id), libc::F_WRLCK);
        // SAFETY: see the module.
        let answer = unsafe { libc::fcntl(self.fd.as_raw_fd(), libc::F_GETLK, &raw mut lock) };
        if answer < 0 {
            return Holder::Lost;
        }
        if lock.l_type != libc::F_UNLCK as libc::c_short {
            return Holder::Somebody;
        }
        // "Free" is a death sentence: be sure that the answer is about the beacon, and not about a file that
        // took its number after the program closed all its descriptors.
        if self.is(self.fd.as_fd()) { Holder::Nobody } else { Holder::Lost }
    }

    /// Takes the gate for this process. False: another process has it.
    ///
    /// # Errors
    /// What the kernel says, but for that.
    pub fn lock_gate(&self) -> io::Result<bool> {
        kill::point();
        match self.set(GATE, libc::F_WRLCK) {
            Ok(()) => Ok(true),
            Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Drops the gate.
    pub fn unlock_gate(&self) {
        kill::point();
        let _ = self.set(GATE, libc::F_UNLCK); // as for `unlock`
    }

    /// The process that has the gate, this one aside; 0 if it is none of this pid namespace.
    pub fn gate_holder(&self) -> Option<u32> {
        find_lock(self.fd.as_fd(), GATE, GATE + 1).ok().flatten().map(|found| found.pid)
    }

    /// Whether another process holds the lock of any participant.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn is_used(&self) -> io::Result<bool> {
        Ok(find_lock(self.fd.as_fd(), GATE + 1, END)?.is_some())
    }

    fn set(&self, id: ParticipantId, kind: i32) -> io::Result<()> {
        self.set_place(libc::off_t::from(id), kind)
    }

    fn set_place(&self, place: libc::off_t, kind: i32) -> io::Result<()> {
        loop {
            let lock = byte(place, kind);
            // SAFETY: see the module.
            if unsafe { libc::fcntl(self.fd.as_raw_fd(), libc::F_SETLK, &raw const lock) } == 0 {
                return Ok(());
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }
}

impl AsFd for Beacon {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The byte of the gate.
const GATE: ParticipantId = 0;
/// Behind the last participant's byte.
const END: ParticipantId = crate::layout::MAX_PARTICIPANTS as ParticipantId + 1;

/// The processes, this one aside, that hold locks of participants on a file; 0 for each that is none of this pid
/// namespace.
///
/// # Errors
/// What the kernel says.
pub fn holders(file: BorrowedFd<'_>) -> io::Result<Vec<u32>> {
    let mut pids = Vec::new();
    // The kernel tells one lock of a range, and not always the first: what is left of and right of it is asked for, too.
    let mut ranges = vec![(1, END)];
    while let Some((from, end)) = ranges.pop() {
        if from < end
            && let Some(found) = find_lock(file, from, end)?
        {
            pids.push(found.pid);
            ranges.extend([(from, found.from), (found.end, end)]);
        }
    }
    pids.sort_unstable();
    pids.dedup();
    Ok(pids)
}

/// A lock of another process, cut to the range that was asked about.
struct Found {
    pid: u32,
    from: u16,
    end: u16,
}

/// Some lock of another process on bytes `from..end`.
fn find_lock(file: BorrowedFd<'_>, from: u16, end: u16) -> io::Result<Option<Found>> {
    let mut lock = byte(libc::off_t::from(from), libc::F_WRLCK);
    lock.l_len = libc::off_t::from(end - from);
    // SAFETY: see the module.
    if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETLK, &raw mut lock) } < 0 {
        return Err(io::Error::last_os_error());
    }
    if lock.l_type == libc::F_UNLCK as libc::c_short {
        return Ok(None);
    }
    // The length 0 means: to the end of any file.
    let behind = if lock.l_len <= 0 { i64::MAX } else { lock.l_start.saturating_add(lock.l_len) };
    let cut = |at: i64| u16::try_from(at.max(0)).unwrap_or(u16::MAX).clamp(from, end);
    let pid = u32::try_from(lock.l_pid).unwrap_or(0);
    // At least one byte, so that who asks for the rest comes to an end.
    Ok(Some(Found { pid, from: cut(lock.l_start), end: cut(behind).max(cut(lock.l_start) + 1) }))
}

fn byte(place: libc::off_t, kind: i32) -> libc::flock {
    // SAFETY: a plain structure of integers.
    let mut lock: libc::flock = unsafe { core::mem::zeroed() };
    lock.l_type = kind as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    lock.l_start = place;
    lock.l_len = 1;
    lock
}
