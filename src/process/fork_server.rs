//! The creator's side of its fork server.

use std::collections::VecDeque;
use std::io;

use super::boot;
use super::server::{self, ASK};
use crate::sys::child::{Event, PidFd, keeps_exit_info};
use crate::sys::clock;
use crate::sys::fdpass::{Link, Received};
use crate::sys::lifeline::Lifeline;
use crate::sys::spawn;

/// The fork server of this process, and the children forked ahead.
#[derive(Debug)]
pub(crate) struct ForkServer {
    control: Link,
    pidfd: PidFd,
    /// Nobody waits for the children; their status is asked of the kernel.
    pub keeps_exit_info: bool,
    /// Forked, and waiting for orders.
    ahead: VecDeque<Ahead>,
    /// Answers that are due.
    asked: usize,
}

/// A child that waits for its orders.
#[derive(Debug)]
pub(crate) struct Ahead {
    pub pid: u32,
    pub pidfd: PidFd,
    pub link: Link,
}

impl Ahead {
    /// It may be given orders. Not so if it was hit by a signal to the whole program (Ctrl-C) that the program survived:
    /// what came before a start must not end what is started.
    ///
    /// One that was forked in this very start need not be asked.
    fn is_fit(&self) -> io::Result<bool> {
        // Until it says that it is there, signals are held back in it, and nobody can know of them.
        self.link.wait_readable(None)?;
        Ok(!self.pidfd.is_doomed())
    }
}

/// Why there was no child.
#[derive(Debug)]
pub(crate) enum Unavailable {
    /// The server has ended; another one may be started.
    Gone,
    /// It answered, or could not be heard, with this error.
    Os(io::Error),
}

impl From<io::Error> for Unavailable {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Self::Gone,
            _ => Self::Os(error),
        }
    }
}

/// How many children wait forked ahead, between starts. Each costs little more than its page tables.
///
/// With two, a start right after a join does not wait for the server, which that join's start has set to work.
const KEEP_AHEAD: usize = 2;

impl ForkServer {
    /// Starts the server: this executable once more.
    pub fn start(lifeline: &Lifeline) -> io::Result<Self> {
        let keeps_exit_info = keeps_exit_info() && !relay_wanted();
        let (control, servers) = Link::pair()?;
        // Sent before it exists, so that it finds its orders, and an error leaves no process behind.
        boot::send_serve(&control, lifeline.read_end(), keeps_exit_info)?;
        let pidfd = PidFd::of_new_child(spawn::start_self(&servers)?)?;
        Ok(Self { control, pidfd, keeps_exit_info, ahead: VecDeque::new(), asked: 0 })
    }

    /// A child that waits for orders: the one forked ahead, or a new one.
    pub fn take(&mut self) -> Result<Ahead, Unavailable> {
        // An error that is the answer to an earlier request may be out of date: ask once more.
        let mut stale = self.asked;
        let mut older = self.ahead.len() + self.asked;
        loop {
            if let Some(ahead) = self.ahead.pop_front() {
                if older == 0 || ahead.is_fit()? {
                    return Ok(ahead);
                }
                older -= 1;
                continue;
            }
            if self.asked == 0 {
                self.ask()?;
            }
            match self.hear() {
                Err(Unavailable::Os(_)) if stale > 0 => stale -= 1,
                other => other?,
            }
        }
    }

    /// Has children forked ahead for the next starts, without waiting for them.
    pub fn fork_ahead(&mut self) {
        while self.ahead.len() + self.asked < KEEP_AHEAD {
            if self.ask().is_err() {
                return; // the next `take` finds out
            }
        }
    }

    fn ask(&mut self) -> Result<(), Unavailable> {
        self.control.send(ASK, &[])?;
        self.asked += 1;
        Ok(())
    }

    /// Waits for one answer.
    fn hear(&mut self) -> Result<(), Unavailable> {
        let mut buffer = [0; 16];
        let received = self.control.receive(&mut buffer);
        self.asked -= 1;
        let (len, mut fds) = match received? {
            Received::Record(len, fds) => (len, fds),
            _ => return Err(Unavailable::Gone),
        };
        let pid = server::parse_answer(&buffer[..len]).ok_or(Unavailable::Gone)??;
        let (Some(link), Some(pidfd)) = (fds.pop(), fds.pop()) else { return Err(Unavailable::Gone) };
        self.ahead.push_back(Ahead {
            pid,
            pidfd: PidFd::of_descriptor(pidfd),
            link: Link::of_descriptor(link),
        });
        Ok(())
    }

    /// Ends the server and the children that were not needed, and waits (a little) until they are gone.
    pub fn shut_down(mut self) {
        let deadline = Some(clock::now() + PATIENCE);
        while self.asked > 0 && self.hear().is_ok() {}
        let event = if self.keeps_exit_info { Event::Gone } else { Event::Ended };
        let idle: Vec<PidFd> = self.ahead.drain(..).map(|ahead| ahead.pidfd).collect(); // closes their sockets
        for pidfd in idle {
            let _ = pidfd.wait(event, deadline);
        }
        drop(self.control);
        let _ = self.pidfd.wait(Event::Ended, deadline);
        let _ = self.pidfd.reap();
    }
}

/// How long a process that exits waits for helpers that end anyway, so that they are not seen after it.
const PATIENCE: u64 = 1_000_000_000;

/// For tests: do as on a kernel that keeps no exit statuses.
fn relay_wanted() -> bool {
    cfg!(feature = "internals") && std::env::var_os("PROCESSING_TEST_RELAY").is_some()
}
