//! The lifeline: how a child learns, from the kernel alone, that the process that started it is gone.
//!
//! A pipe whose write end only the creator holds. Each child opens the read end anew (the owner of the
//! signal belongs to the open file, so that a shared one would signal one child only) and asks the kernel
//! to send SIGTERM when something happens to it. Nothing is ever written: what happens is that the last
//! writer goes, by exit, exec or SIGKILL. No thread, no poll, nothing to do for the child.
//!
//! # Safety
//!
//! `fcntl` with plain integers on a descriptor that is borrowed for the call.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::pipe::PipeFlags;

use crate::sync::{kill, mutant};

const F_SETSIG: libc::c_int = 10;

/// The creator's side.
#[derive(Debug)]
pub struct Lifeline {
    read: OwnedFd,
    _write: OwnedFd,
}

impl Lifeline {
    pub fn new() -> io::Result<Self> {
        kill::point();
        let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        Ok(Self { read, _write: write })
    }

    /// What a child needs to [`hold`].
    pub fn read_end(&self) -> BorrowedFd<'_> {
        self.read.as_fd()
    }
}

/// The child's side. Dropped, the child is on its own.
#[derive(Debug)]
pub struct Held(OwnedFd);

/// A lifeline that will be a child's, opened by who forks it: all but the name of the one who gets the signal.
#[derive(Debug)]
pub struct Prepared(OwnedFd);

/// Opens the lifeline once more, for a child that is to be forked.
pub fn prepare(read: BorrowedFd<'_>) -> io::Result<Prepared> {
    let own = open(read)?;
    // Nobody is its owner yet, so that nobody gets the signal.
    control(&own, F_SETSIG, libc::SIGTERM)?;
    if !mutant::on("process.lifeline_not_armed") {
        control(&own, libc::F_SETFL, libc::O_NONBLOCK | libc::O_ASYNC)?;
    }
    Ok(Prepared(own))
}

impl Prepared {
    /// In the child: makes it its own. If the creator has gone by now, it says nothing: [`Held::broken`] tells.
    pub fn hold(self) -> io::Result<Held> {
        control(&self.0, libc::F_SETOWN, rustix::process::getpid().as_raw_nonzero().get())?;
        Ok(Held(self.0))
    }
}

fn open(read: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let path = format!("/proc/self/fd/{}", read.as_raw_fd());
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    kill::point();
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// Asks the kernel for SIGTERM to this process when the creator is gone. `Ok(None)`: it is gone already.
pub fn hold(read: BorrowedFd<'_>) -> io::Result<Option<Held>> {
    let own = open(read)?;
    // The order matters: whom and what first, and only then the switch.
    control(&own, libc::F_SETOWN, rustix::process::getpid().as_raw_nonzero().get())?;
    control(&own, F_SETSIG, libc::SIGTERM)?;
    if !mutant::on("process.lifeline_not_armed") {
        control(&own, libc::F_SETFL, libc::O_NONBLOCK | libc::O_ASYNC)?;
    }
    let held = Held(own);
    // A creator that went before the switch sent nothing.
    Ok(if held.broken() { None } else { Some(held) })
}

impl Held {
    /// The creator is gone.
    pub fn broken(&self) -> bool {
        let mut fds = [PollFd::new(&self.0, PollFlags::empty())];
        let _ = poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
        fds[0].revents().contains(PollFlags::HUP)
    }
}

fn control(fd: &OwnedFd, command: libc::c_int, value: libc::c_int) -> io::Result<()> {
    // SAFETY: see the module.
    let answer = unsafe { libc::fcntl(fd.as_raw_fd(), command, value) };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
