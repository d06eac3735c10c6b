//! The identity of a process that outlives its pid.
//!
//! # Safety
//!
//! `fstatfs` writes one local structure.
#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, OwnedFd};

use rustix::process::{PidfdFlags, getpid, pidfd_open};

use crate::layout::participant::{SOURCE_NONE, SOURCE_PIDFS, SOURCE_START};

const PID_FS_MAGIC: u64 = 0x5049_4446;

/// The calling process: (number, where it comes from). Kept for people and events, never to judge.
pub fn own_identity() -> (u64, u64) {
    if let Some(inode) = own_inode() {
        return (inode, SOURCE_PIDFS);
    }
    match own_start_time() {
        Some(ticks) => (ticks, SOURCE_START),
        None => (0, SOURCE_NONE),
    }
}

/// The inode in pidfs (Linux 6.9): never reused while the machine is up.
fn own_inode() -> Option<u64> {
    let fd = pidfd_open(getpid(), PidfdFlags::empty()).ok()?;
    is_pidfs(&fd).then_some(())?;
    Some(rustix::fs::fstat(&fd).ok()?.st_ino)
}

/// Before pidfs all pidfds shared one anonymous inode.
fn is_pidfs(fd: &OwnedFd) -> bool {
    // SAFETY: a plain structure of integers.
    let mut stat: libc::statfs = unsafe { core::mem::zeroed() };
    // SAFETY: see the module.
    let answer = unsafe { libc::fstatfs(fd.as_raw_fd(), &raw mut stat) };
    answer == 0 && stat.f_type as u64 == PID_FS_MAGIC
}

/// Field 22 of /proc/self/stat, counted after the command's closing parenthesis.
fn own_start_time() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(19)?.parse().ok()
}
