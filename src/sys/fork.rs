//! `fork`.
//!
//! # Safety
//!
//! A forked child has one thread and everything that other threads of its parent left half-done. So
//! [`fork`] looks first, and refuses when there are others.
#![allow(unsafe_code)]

use std::io;

use crate::sync::kill;

/// Which of the two processes this is.
#[derive(Debug)]
pub enum Forked {
    Parent { child: u32 },
    Child,
}

/// Why there was no fork.
#[derive(Debug)]
pub enum Refused {
    /// The process has so many threads.
    Threads(u64),
    Os(io::Error),
}

/// The number of threads of this process.
pub fn threads() -> io::Result<u64> {
    // The link count of the folder is that of its entries, and two.
    Ok(rustix::fs::stat("/proc/self/task")?.st_nlink.saturating_sub(2))
}

/// This process had one thread, and nothing in it that starts another.
#[derive(Clone, Copy, Debug)]
pub struct Alone(());

/// Looks whether this process has one thread.
pub fn alone() -> Result<Alone, Refused> {
    match threads() {
        Ok(1) => Ok(Alone(())),
        Ok(more) => Err(Refused::Threads(more)),
        Err(error) => Err(Refused::Os(error)),
    }
}

/// Forks a process that has one thread.
pub fn fork() -> Result<Forked, Refused> {
    fork_alone(alone()?)
}

/// Forks a process that runs only this library's code since it was found to have one thread.
pub fn fork_alone(_: Alone) -> Result<Forked, Refused> {
    kill::point();
    // SAFETY: this is the only thread.
    match unsafe { libc::fork() } {
        0 => Ok(Forked::Child),
        pid => match u32::try_from(pid) {
            Ok(child) => Ok(Forked::Parent { child }),
            Err(_) => Err(Refused::Os(io::Error::last_os_error())),
        },
    }
}
