//! The fork server: a small, single-threaded copy of the executable that forks children ahead of need.
//!
//! One for each process that starts others. It is told `ASK` over its socket, forks a child that waits for its
//! orders on a socket of its own, and answers with that child's pid, a pidfd and the other end of the socket:
//! ```text
//! ask     { b'?' }                                       answered in order
//! answer  { pid:u32, errno:i32 }   + pidfd, socket       pid 0: the fork failed
//! ```
//! From then on creator and child have nothing to do with the server, except that it is the parent in the
//! kernel's eyes. Where the kernel keeps exit statuses for whoever holds a pidfd (Linux 6.15), children are
//! never waited for. Elsewhere the server keeps a copy of the child's end of the socket, and puts the status
//! into it.
//!
//! It ends when its creator's end of the socket is closed, and at nothing else: signals to the whole program
//! (Ctrl-C) are held back, so that the creator decides. They are not held back in the children, from the
//! moment when they are forked, and what was held back is not inherited: none is lost and none is late.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};

use super::boot::{self, Order};
use super::{catch, outcome, run};
use crate::sync::mutant;
use crate::sys::child::{PidFd, Reaped, Status};
use crate::sys::fdpass::{Link, Received};
use crate::sys::fork::{self, Alone, Forked, Refused};
use crate::sys::lifeline::{self, Prepared};
use crate::sys::{exit, signal};

/// Asks for one more child.
pub(crate) const ASK: &[u8] = b"?";

/// Said by a child that waits for its orders and is hit by any signal from now on. Nobody reads it.
const READY: &[u8] = b"R";

/// `errno` of an answer when the server has threads and must not fork.
pub(crate) const THREADS: i32 = libc::EDEADLK;

/// An answer, read.
pub(crate) fn parse_answer(record: &[u8]) -> Option<Result<u32, io::Error>> {
    let (pid, errno) = record.split_at_checked(4)?;
    let pid = u32::from_le_bytes(pid.try_into().ok()?);
    let errno = i32::from_le_bytes(errno.try_into().ok()?);
    Some(if pid == 0 { Err(io::Error::from_raw_os_error(errno)) } else { Ok(pid) })
}

struct Server {
    control: Link,
    lifeline: OwnedFd,
    keeps_exit_info: bool,
    /// The children whose status is relayed.
    relayed: Vec<Relayed>,
    /// Once there was one thread there is one for good: a server runs nothing that starts others.
    alone: Option<Alone>,
    /// Opened for the next child.
    next_lifeline: Option<Prepared>,
}

/// A child whose status the creator cannot ask the kernel for.
struct Relayed {
    pidfd: PidFd,
    /// A copy of the child's end.
    link: Link,
}

/// Serves until the creator is gone.
pub(crate) fn serve(control: Link, lifeline: OwnedFd, keeps_exit_info: bool) -> ! {
    if keeps_exit_info {
        signal::ignore_children();
    }
    signal::hold_group_signals();
    catch::prepare();
    let mut server =
        Server { control, lifeline, keeps_exit_info, relayed: Vec::new(), alone: None, next_lifeline: None };
    let mut buffer = [0; 16];
    loop {
        server.relay();
        let received = if server.relayed.is_empty() {
            server.control.receive(&mut buffer)
        } else {
            server.control.try_receive(&mut buffer)
        };
        match received {
            Ok(Received::Record(..)) => {
                if let Some(link) = server.fork_ahead() {
                    become_child(server, link)
                }
            }
            Ok(Received::Nothing) => server.sleep(),
            // With answers unread or without.
            Ok(Received::End | Received::Unread) => exit::now(0),
            Err(_) => exit::now(1),
        }
    }
}

/// In the forked child: a process of its own, that keeps nothing of the server's.
fn become_child(mut server: Server, link: Link) -> ! {
    if server.keeps_exit_info {
        signal::heed_children();
    }
    signal::hold_nothing();
    let held = match server.next_lifeline.take().map(Prepared::hold) {
        Some(Ok(held)) => held, // a creator that has gone by now is noticed by the link, and before the target runs
        _ => run::hold_lifeline(server.lifeline.as_fd(), &link),
    };
    // Else children would keep the server's socket, and each other's, open.
    if mutant::on("process.children_keep_sockets") {
        std::mem::forget(server);
    } else {
        drop(server);
    }
    let _ = link.send(READY, &[]); // the creator may be gone: the next look says so
    match boot::receive(&link) {
        Ok(Some(Order::Child { boot, .. })) => catch::start(boot, link, held),
        Ok(_) => exit::now(0), // not needed any more
        Err(error) => catch::refuse(&link, &format!("the arguments did not arrive: {error}")),
    }
}

impl Server {
    fn sleep(&self) {
        let pidfds = self.relayed.iter().map(|child| child.pidfd.as_fd());
        let mut fds: Vec<PollFd<'_>> = [self.control.as_fd()]
            .into_iter()
            .chain(pidfds)
            .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
            .collect();
        let _ = poll(&mut fds, None); // EINTR: look again
    }

    /// Takes the status of those that have ended, and puts it where the creator will look.
    fn relay(&mut self) {
        self.relayed.retain(|child| match child.pidfd.reap() {
            Ok(Reaped::Not) => true,
            Ok(Reaped::Ended(status)) => {
                outcome::send_status(
                    &child.link,
                    match status {
                        Status::Code(code) => code << 8,
                        Status::Signal(signal) => signal,
                    },
                );
                false
            }
            Ok(Reaped::Lost) | Err(_) => false,
        });
    }

    /// Forks a child that waits for its orders, and tells the creator about it. In that child, its socket.
    fn fork_ahead(&mut self) -> Option<Link> {
        match self.try_fork_ahead() {
            Ok(link) => link,
            Err(error) => {
                self.answer(0, error.raw_os_error().unwrap_or(libc::EIO), &[]);
                None
            }
        }
    }

    fn try_fork_ahead(&mut self) -> io::Result<Option<Link>> {
        let (creators, childs) = Link::pair()?;
        self.next_lifeline = Some(lifeline::prepare(self.lifeline.as_fd())?);
        let alone = match self.alone {
            Some(alone) => Ok(alone),
            None => fork::alone(),
        };
        self.alone = alone.as_ref().ok().copied();
        let forked = alone.and_then(fork::fork_alone);
        let pid = match forked {
            Ok(Forked::Child) => return Ok(Some(childs)),
            Ok(Forked::Parent { child }) => child,
            Err(Refused::Threads(_)) => return Err(io::Error::from_raw_os_error(THREADS)),
            Err(Refused::Os(error)) => return Err(error),
        };
        self.next_lifeline = None; // the child's now
        // If a step fails from here on, the creator's end closes, and the child ends by that.
        let pidfd = PidFd::open(pid)?;
        self.answer(pid, 0, &[pidfd.as_fd(), creators.as_fd()]);
        if !self.keeps_exit_info {
            self.relayed.push(Relayed { pidfd, link: childs });
        }
        Ok(None)
    }

    fn answer(&self, pid: u32, errno: i32, fds: &[BorrowedFd<'_>]) {
        let [a, b, c, d] = pid.to_le_bytes();
        let [e, f, g, h] = errno.to_le_bytes();
        match self.control.send(&[a, b, c, d, e, f, g, h], fds) {
            Err(error) if pid != 0 => self.answer(0, error.raw_os_error().unwrap_or(libc::EIO), &[]),
            _ => {} // told; or the creator is gone, which the next look says
        }
    }
}
