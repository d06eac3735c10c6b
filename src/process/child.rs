//! A started process, as its creator knows it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::Signal;

use super::outcome::Outcome;
use super::seat::Seat;
use super::tree;
use crate::child_failed::ChildFailed;
use crate::exit::Exit;
use crate::prim::limits::{BACKSTOP_MAX, BACKSTOP_MIN, Limits};
use crate::sys::child::{Event, PidFd, Reaped, Status};
use crate::sys::clock;
use crate::sys::fdpass::Link;
use crate::{Error, ErrorKind, Result};

/// A started process.
#[derive(Debug)]
pub(crate) struct Child {
    name: Mutex<String>,
    pid: u32,
    creator: u32,
    daemon: bool,
    state: Mutex<State>,
    /// Until it has ended.
    seat: Mutex<Option<Seat>>,
}

/// RUNNING -> ENDED, once, by whoever first looks after the end. RUNNING -> ELSEWHERE in a forked copy of
/// the creator.
#[derive(Debug)]
enum State {
    Running { pidfd: Arc<PidFd>, link: Link, status: StatusFrom, outcome: Outcome },
    Ended(Arc<End>),
    Elsewhere,
}

/// Where the exit status comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StatusFrom {
    /// It is a child in the kernel's eyes, too.
    Wait,
    /// The kernel keeps it for the pidfd, once the fork server's kernel has reaped it.
    PidFd,
    /// The fork server sends it.
    Relay,
}

/// How it ended, and what it left.
#[derive(Debug)]
pub(crate) struct End {
    /// `None`: somebody else took the status.
    pub exit: Option<Exit>,
    pub text: Option<String>,
    pub value: Option<Vec<u8>>,
    pub unborn: bool,
    /// What it left could not be read.
    pub unread: Option<std::io::Error>,
}

impl Child {
    pub fn new(name: String, pid: u32, daemon: bool, pidfd: PidFd, link: Link, status: StatusFrom) -> Self {
        let state = State::Running { pidfd: Arc::new(pidfd), link, status, outcome: Outcome::default() };
        let creator = std::process::id();
        Self {
            name: Mutex::new(name),
            pid,
            creator,
            daemon,
            state: Mutex::new(state),
            seat: Mutex::default(),
        }
    }

    /// Its places in the arenas.
    pub fn seated(&self, seat: Seat) {
        *self.seat.lock().unwrap_or_else(PoisonError::into_inner) = Some(seat);
    }

    pub fn name(&self) -> String {
        self.name.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn set_name(&self, name: String) {
        *self.name.lock().unwrap_or_else(PoisonError::into_inner) = name;
    }

    pub fn pid(&self) -> u32 {
        self.pid
    }

    pub fn creator(&self) -> u32 {
        self.creator
    }

    pub fn is_daemon(&self) -> bool {
        self.daemon
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// While it is not known to have ended.
    pub fn pidfd(&self) -> Option<Arc<PidFd>> {
        match &*self.state() {
            State::Running { pidfd, .. } => Some(Arc::clone(pidfd)),
            State::Ended(_) | State::Elsewhere => None,
        }
    }

    /// How it ended, if it is known to have.
    pub fn end(&self) -> Option<Arc<End>> {
        match &*self.state() {
            State::Ended(end) => Some(Arc::clone(end)),
            State::Running { .. } | State::Elsewhere => None,
        }
    }

    /// Looks once.
    pub fn is_alive(&self) -> bool {
        self.creator == std::process::id() && !matches!(self.wait(&Limits::TRY), Ok(true))
    }

    /// "process greeter (pid 41)".
    pub fn object(&self) -> String {
        format!("process {} (pid {})", self.name(), self.pid)
    }

    /// Only the creator may wait for it or signal it, and nobody for itself.
    pub fn check_caller(&self) -> Result<()> {
        let caller = std::process::id();
        if caller == self.creator {
            return Ok(());
        }
        let what = if caller == self.pid {
            "a process cannot wait for itself".to_owned()
        } else {
            format!("it was started by process {}, and this is process {caller}", self.creator)
        };
        Err(Error::new(ErrorKind::WrongProcess, self.object(), what)
            .hint("only the process that started it can wait for it or signal it"))
    }

    /// Waits for its end. False: the deadline passed (a deadline of 0 looks only).
    pub fn wait(&self, limits: &Limits<'_>) -> Result<bool> {
        self.check_caller()?;
        let mut backstop = BACKSTOP_MIN;
        loop {
            let (pidfd, status) = match &*self.state() {
                State::Ended(_) => break,
                State::Running { pidfd, status, .. } => (Arc::clone(pidfd), *status),
                State::Elsewhere => return Ok(false),
            };
            if limits.cancelled() {
                return Err(Error::new(
                    ErrorKind::Cancelled,
                    self.object(),
                    "the wait for its end was called off",
                ));
            }
            let event = if status == StatusFrom::PidFd { Event::Gone } else { Event::Ended };
            let until = turn(limits, &mut backstop);
            let ended = pidfd.wait(event, until).map_err(|cause| Error::os(self.object(), "poll", cause))?;
            if ended && self.collect(until)? {
                break;
            }
            if limits.deadline.is_some_and(|at| at == 0 || clock::now() >= at) {
                return Ok(false);
            }
        }
        self.bury();
        Ok(true)
    }

    /// The kernel has said that it is gone: what it left in the arenas is repaired at once. Whoever returns from a wait
    /// finds that done, also if another thread does it: hence the lock, for as long as it takes.
    fn bury(&self) {
        let mut seat = self.seat.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seat) = seat.take() {
            seat.over();
            tree::remove(self);
        }
    }

    /// Takes what an ended child left. False: its status is not there yet.
    fn collect(&self, deadline: Option<u64>) -> Result<bool> {
        let mut state = self.state();
        let State::Running { pidfd, link, status, outcome } = &mut *state else { return Ok(true) };
        let unread = outcome.collect(link).err();
        let reaped = match status {
            StatusFrom::Wait => pidfd.reap(),
            StatusFrom::PidFd => Ok(pidfd.exit_info().map_or(Reaped::Lost, Reaped::Ended)),
            StatusFrom::Relay => Ok(match outcome.status {
                Some(status) => Reaped::Ended(status),
                None if outcome.complete || unread.is_some() => Reaped::Lost,
                None => Reaped::Not,
            }),
        };
        let exit = match reaped.map_err(|cause| Error::os(self.object(), "waitid", cause))? {
            Reaped::Ended(Status::Code(code)) => Some(Exit::Code(code)),
            Reaped::Ended(Status::Signal(signal)) => Some(Exit::Signal(signal)),
            Reaped::Lost => None,
            Reaped::Not => {
                // Only where the fork server relays: it has been woken by the same death.
                link.wait_readable(deadline).map_err(|cause| Error::os(self.object(), "poll", cause))?;
                return Ok(false);
            }
        };
        let outcome = std::mem::take(outcome);
        *state = State::Ended(Arc::new(End {
            exit,
            text: outcome.text,
            value: outcome.value,
            unborn: outcome.unborn,
            unread,
        }));
        Ok(true)
    }

    /// What `join` says of `end`.
    pub fn verdict(&self, end: &End) -> Result<Exit> {
        let Some(exit) = end.exit else {
            return Err(Error::new(
                ErrorKind::InvalidState,
                self.object(),
                "it has ended, but its exit status is lost",
            )
            .hint("something else in this program waits for all children, or ignores SIGCHLD"));
        };
        match (&end.text, exit) {
            (Some(text), _) => Err(self.failed(exit, text.clone())),
            (None, Exit::Code(code)) if end.unborn => {
                Err(self
                    .failed(exit, format!("it ended before it reached its target, with exit code {code}")))
            }
            (None, _) => Ok(exit),
        }
    }

    #[cold]
    pub fn failed(&self, exit: Exit, message: String) -> Error {
        Error::child(ChildFailed { name: self.name(), pid: self.pid, exit, message })
    }

    /// Sends a signal. Nothing happens if it has ended.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.check_caller()?;
        match self.pidfd() {
            Some(pidfd) => {
                pidfd.signal(signal).map_err(|cause| Error::os(self.object(), "pidfd_send_signal", cause))
            }
            None => Ok(()),
        }
    }

    /// In a forked copy of the creator: closes the descriptors, which belong to the creator.
    pub fn disown(&self) {
        let mut state = self.state();
        if matches!(*state, State::Running { .. }) {
            *state = State::Elsewhere;
        }
    }
}

/// Until when one turn of a wait sleeps: the kernel wakes for the end and the deadline, but not for a cancel word.
fn turn(limits: &Limits<'_>, backstop: &mut u64) -> Option<u64> {
    if limits.cancel.is_none() || limits.is_try() {
        return limits.deadline;
    }
    let look = clock::now() + *backstop;
    *backstop = (*backstop * 2).min(BACKSTOP_MAX);
    Some(limits.deadline.map_or(look, |at| at.min(look)))
}
