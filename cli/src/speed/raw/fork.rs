//! A process that does nothing: fork, exit, wait.
//!
//! # Safety
//!
//! The child calls nothing but `_exit`, which is allowed after a fork in any process.
#![allow(unsafe_code)]

use crate::measure::{Batch, Contender, Entry};
use anyhow::{Context as _, ensure};
use rustix::io::retry_on_intr;
use rustix::process::{Pid, WaitOptions, waitpid};

pub fn entries() -> Vec<Entry> {
    vec![entry()]
}

pub fn entry() -> Entry {
    Entry::new("raw.fork", |_| Ok(Forking))
}

/// Forks the instrument itself, as the start methods start from it: both sides find the same memory.
struct Forking;

impl Contender for Forking {
    fn batch(&mut self, operations: u64) -> anyhow::Result<Batch> {
        Batch::timing_each(operations, fork_and_wait)
    }
}

fn fork_and_wait() -> anyhow::Result<()> {
    // SAFETY: see the module.
    let pid = match unsafe { libc::fork() } {
        -1 => return Err(std::io::Error::last_os_error()).context("fork"),
        // SAFETY: see the module.
        0 => unsafe { libc::_exit(7) },
        pid => Pid::from_raw(pid).context("fork answered no pid")?,
    };
    let (_, status) = retry_on_intr(|| waitpid(Some(pid), WaitOptions::empty()))?.context("no such child")?;
    ensure!(status.exit_status() == Some(7), "the child ended with {status:?}");
    Ok(())
}
