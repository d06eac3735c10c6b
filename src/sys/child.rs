//! A child as the kernel knows it: a descriptor that cannot come to mean another process.
//!
//! # Safety
//!
//! One `ioctl` into a struct of the kernel's own size, and a call without pointers, on a descriptor that is borrowed for
//! the call.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process, pidfd_open, pidfd_send_signal,
    waitid, waitpid,
};

use super::clock;
use crate::sync::kill;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Code(i32),
    Signal(i32),
}

impl Status {
    /// From the number that `wait` gives.
    pub fn from_wait(status: i32) -> Self {
        if status & 0x7f == 0 { Self::Code((status >> 8) & 0xff) } else { Self::Signal(status & 0x7f) }
    }
}

/// What the kernel says when it is asked for the status of an ended child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaped {
    /// It has ended, like this.
    Ended(Status),
    /// Not yet.
    Not,
    /// It has ended, and somebody else has taken the status.
    Lost,
}

/// What to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The process has ended; its parent may not have reaped it yet.
    Ended,
    /// It has ended and was reaped (from Linux 6.9).
    Gone,
}

/// A pidfd.
#[derive(Debug)]
pub struct PidFd(OwnedFd);

impl PidFd {
    /// Of a child that cannot have been reaped yet.
    pub fn open(pid: u32) -> io::Result<Self> {
        kill::point();
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(Errno::SRCH)?;
        Ok(Self(pidfd_open(pid, PidfdFlags::empty())?))
    }

    /// Of a child that was made just now. If there is no descriptor for it, there is no child either.
    pub fn of_new_child(pid: u32) -> io::Result<Self> {
        Self::open(pid).inspect_err(|_| {
            // Nobody has waited for it yet, so that the number is still its own.
            if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
                let _ = kill_process(pid, Signal::KILL);
                let _ = waitpid(Some(pid), WaitOptions::empty());
            }
        })
    }

    pub fn of_descriptor(fd: OwnedFd) -> Self {
        Self(fd)
    }

    /// Sends a signal; nothing happens if the process has ended.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        match pidfd_send_signal(&self.0, signal) {
            Err(Errno::SRCH) => Ok(()),
            other => Ok(other?),
        }
    }

    /// It is ending: it has ended, or was sent a signal that ends it and has not come to that yet. False also where the
    /// kernel cannot tell (before Linux 5.15), and for a signal that leaves a core file.
    pub fn is_doomed(&self) -> bool {
        // Takes the memory from a process that is ending, and refuses for any other. No other call says what was sent
        // to a process that has not run since.
        // SAFETY: no pointers.
        let answer = unsafe { libc::syscall(libc::SYS_process_mrelease, self.0.as_raw_fd(), 0) };
        answer == 0 || io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH)
    }

    /// Waits for `event` until `deadline` (CLOCK_MONOTONIC nanoseconds). False: the deadline passed.
    pub fn wait(&self, event: Event, deadline: Option<u64>) -> io::Result<bool> {
        Ok(wait_any(&[self], event, deadline)?.first() == Some(&true))
    }

    /// Takes the status of a child of this very process.
    pub fn reap(&self) -> io::Result<Reaped> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        loop {
            return match waitid(WaitId::PidFd(self.0.as_fd()), options) {
                Ok(None) => Ok(Reaped::Not),
                Ok(Some(status)) => Ok(match (status.exit_status(), status.terminating_signal()) {
                    (Some(code), _) => Reaped::Ended(Status::Code(code)),
                    (None, Some(signal)) => Reaped::Ended(Status::Signal(signal)),
                    (None, None) => Reaped::Not,
                }),
                Err(Errno::INTR) => continue,
                Err(Errno::CHILD) => Ok(self.exit_info().map_or(Reaped::Lost, Reaped::Ended)),
                Err(errno) => Err(errno.into()),
            };
        }
    }

    /// The status that the kernel keeps for who holds a pidfd (from Linux 6.15), of anyone's child, once it
    /// is reaped.
    pub fn exit_info(&self) -> Option<Status> {
        let info = self.info(libc::PIDFD_INFO_EXIT)?;
        (info.mask & u64::from(libc::PIDFD_INFO_EXIT) != 0).then(|| Status::from_wait(info.exit_code))
    }

    fn info(&self, mask: u32) -> Option<libc::pidfd_info> {
        // SAFETY: a struct of integers.
        let mut info: libc::pidfd_info = unsafe { core::mem::zeroed() };
        info.mask = mask.into();
        // SAFETY: the request carries the size of `info`, and the kernel writes no more than that.
        let answer = unsafe { libc::ioctl(self.0.as_raw_fd(), libc::PIDFD_GET_INFO, &raw mut info) };
        (answer == 0).then_some(info)
    }
}

impl AsFd for PidFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The kernel keeps exit statuses for pidfds.
pub fn keeps_exit_info() -> bool {
    let name = rustix::system::uname();
    let release = name.release().to_string_lossy();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse().unwrap_or(0u32));
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    // The number alone would believe a sandbox that only claims a version.
    version >= (6, 15)
        && PidFd::open(std::process::id()).is_ok_and(|me| me.info(libc::PIDFD_INFO_EXIT).is_some())
}

/// Waits until one of the processes had its `event`, and says which had.
pub fn wait_any(pidfds: &[&PidFd], event: Event, deadline: Option<u64>) -> io::Result<Vec<bool>> {
    // POLLHUP is always reported, and means that the process was reaped; POLLIN that it has ended.
    let flags = match event {
        Event::Ended => PollFlags::IN,
        Event::Gone => PollFlags::empty(),
    };
    let mut fds: Vec<PollFd<'_>> = pidfds.iter().map(|p| PollFd::new(&p.0, flags)).collect();
    loop {
        let left =
            deadline.map(|at| clock::timespec(at.saturating_sub(if at == 0 { 0 } else { clock::now() })));
        match poll(&mut fds, left.as_ref()) {
            Ok(_) => return Ok(fds.iter().map(|fd| !fd.revents().is_empty()).collect()),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}
