//! `Process`: a handle to a started process, or to the calling one.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;

use super::builder::ProcessBuilder;
use super::cargo::Cargo;
use super::child::Child;
use super::me::{self, Me};
use super::report::Report;
use super::target::Target;
use super::task::Task;
use super::{body, tree};
use crate::exit::Exit;
use crate::prim::limits::Limits;
use crate::sys::clock;
use crate::sys::trampoline::Address;
use crate::{Error, ErrorKind, Result};

/// A process: one that this process has started, or this process itself.
///
/// `Clone` gives another handle to the same process. Dropping handles does nothing: a process that nobody
/// joins is reaped by a later start, by [`active_children`], or at exit, where
/// daemonic children are ended and the others are waited for. If its creator dies, by SIGKILL or any other
/// way, a process gets SIGTERM from the kernel.
///
/// ```
/// use processing::{Exit, Process};
///
/// fn work(n: u64, name: String) {
///     assert_eq!((n, name.as_str()), (7, "seven"));
/// }
///
/// fn main() -> processing::Result<()> {
///     let p = Process::new(work, (7, "seven".to_string())).name("worker").start()?;
///     assert_eq!(p.to_string(), "<Process(worker, started)>");
///     assert_eq!(p.join()?, Exit::Code(0));
///     assert_eq!(p.to_string(), "<Process(worker, stopped)>");
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct Process(Who);

#[derive(Clone)]
enum Who {
    Child(Arc<Child>),
    Me(Arc<Me>),
}

impl Process {
    /// A process to be: `target` will run in it with the members of the tuple `arguments`.
    ///
    /// The target is a `fn` item or a closure that captures nothing (checked when the program is built); the
    /// arguments are values that derive rkyv's traits. For a target whose value is wanted, see
    /// [`spawn`](crate::spawn).
    #[allow(clippy::new_ret_no_self, reason = "what is not started has no pid, no exit code, and no join")]
    pub fn new<F, A>(target: F, arguments: A) -> ProcessBuilder
    where
        F: Target<A>,
        F::Output: Report,
        A: Cargo + Send,
    {
        ProcessBuilder::new(Address::of::<F, body::Run<A>>(target), move |seat| arguments.pack(seat))
    }

    /// A process that will run `task`.
    pub fn task<T: Task + Send>(task: T) -> ProcessBuilder {
        ProcessBuilder::new(Address::of::<_, body::Perform<T>>(|| ()), move |seat| task.pack(seat))
    }

    pub(super) fn of_child(child: Arc<Child>) -> Self {
        Self(Who::Child(child))
    }

    pub(super) fn of_me(me: Arc<Me>) -> Self {
        Self(Who::Me(me))
    }

    /// Its name: `Process-1`, `Process-1:2` for the second child of the first, unless it was named.
    #[doc(alias = "getName")]
    pub fn name(&self) -> String {
        match &self.0 {
            Who::Child(child) => child.name(),
            Who::Me(me) => me.name(),
        }
    }

    /// Names it, in this process's eyes: a running child keeps the name that it was started with.
    #[doc(alias = "setName")]
    pub fn set_name(&self, name: impl Into<String>) {
        match &self.0 {
            Who::Child(child) => child.set_name(name.into()),
            Who::Me(me) => me.set_name(name.into()),
        }
    }

    /// Its process id. After its end the number may come to mean another process; the methods here never
    /// confuse the two.
    #[doc(alias = "getPid")]
    pub fn pid(&self) -> u32 {
        match &self.0 {
            Who::Child(child) => child.pid(),
            Who::Me(_) => std::process::id(),
        }
    }

    /// Whether it is ended when its creator exits. Children inherit it.
    #[doc(alias = "isDaemon")]
    pub fn is_daemon(&self) -> bool {
        match &self.0 {
            Who::Child(child) => child.is_daemon(),
            Who::Me(me) => me.is_daemon(),
        }
    }

    /// Whether it has not ended yet. False, too, in a process that did not start it.
    #[doc(alias = "isAlive")]
    pub fn is_alive(&self) -> bool {
        match &self.0 {
            Who::Child(child) => child.is_alive(),
            Who::Me(_) => true,
        }
    }

    /// `None` until it has ended; then its exit code, or `-N` for signal N. Also `None` in a process that did
    /// not start it.
    #[doc(alias = "getExitCode")]
    pub fn exit_code(&self) -> Option<i32> {
        match &self.0 {
            Who::Child(child) => {
                child.is_alive();
                child.end().and_then(|end| end.exit).map(Exit::code)
            }
            Who::Me(_) => None,
        }
    }

    /// Waits until it has ended. Any number of times, from any thread of its creator.
    ///
    /// # Errors
    /// `ChildFailed` if its target panicked or returned an error, with the text
    /// ([`Error::child_failed`]), or if it ended before it reached its target. Every other end is
    /// `Ok`, a death by a signal included. `WrongProcess` in any process but its creator; `InvalidState`
    /// for the calling process itself.
    pub fn join(&self) -> Result<Exit> {
        let child = self.child("join")?;
        child.wait(&Limits::NONE)?;
        ended(child)
    }

    /// As [`join`](Self::join), for at most `timeout`.
    ///
    /// # Errors
    /// Also `Timeout`.
    pub fn join_timeout(&self, timeout: Duration) -> Result<Exit> {
        let child = self.child("join")?;
        if child.wait(&within(timeout))? {
            return ended(child);
        }
        Err(Error::new(ErrorKind::Timeout, child.object(), format!("it has not ended within {timeout:?}")))
    }

    /// As [`join`](Self::join), without waiting: `None` if it has not ended.
    ///
    /// # Errors
    /// As `join`.
    pub fn try_join(&self) -> Result<Option<Exit>> {
        let child = self.child("join")?;
        if child.wait(&Limits::TRY)? { ended(child).map(Some) } else { Ok(None) }
    }

    /// Sends SIGTERM. Nothing happens if it has ended.
    ///
    /// # Errors
    /// `WrongProcess` in any process but its creator; `InvalidState` for the calling process itself.
    pub fn terminate(&self) -> Result<()> {
        self.child("terminate")?.signal(Signal::TERM)
    }

    /// Sends SIGKILL. Nothing happens if it has ended.
    ///
    /// # Errors
    /// As [`terminate`](Self::terminate).
    pub fn kill(&self) -> Result<()> {
        self.child("kill")?.signal(Signal::KILL)
    }

    /// The started child that this is a handle to.
    pub(super) fn child(&self, call: &str) -> Result<&Arc<Child>> {
        match &self.0 {
            Who::Child(child) => Ok(child),
            Who::Me(me) => Err(Error::new(
                ErrorKind::InvalidState,
                format!("process {} (pid {})", me.name(), std::process::id()),
                format!("a process cannot {call} itself"),
            )
            .hint("use std::process::exit to end it")),
        }
    }
}

fn ended(child: &Child) -> Result<Exit> {
    match child.end() {
        Some(end) => child.verdict(&end),
        // A forked copy of the creator, after the check of the caller: cannot happen, and is no reason to panic.
        None => Err(Error::new(ErrorKind::WrongProcess, child.object(), "it belongs to another process")),
    }
}

/// At most `timeout` from now, on the monotonic clock.
pub(super) fn within(timeout: Duration) -> Limits<'static> {
    let span = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
    Limits { deadline: Some(clock::now().saturating_add(span)), cancel: None }
}

/// `<Process(greeter, started)>`; then `stopped`, `stopped[1]`, `stopped[SIGKILL]`.
impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let daemon = if self.is_daemon() { " daemon" } else { "" };
        write!(f, "<Process({}, ", self.name())?;
        let child = match &self.0 {
            Who::Me(_) => return write!(f, "started{daemon})>"),
            Who::Child(child) => child,
        };
        child.is_alive();
        match child.end() {
            None => write!(f, "started{daemon})>"),
            Some(end) => match end.exit {
                Some(Exit::Code(0)) => write!(f, "stopped{daemon})>"),
                Some(Exit::Code(code)) => write!(f, "stopped[{code}]{daemon})>"),
                Some(exit) => write!(f, "stopped[{exit}]{daemon})>"),
                None => write!(f, "stopped[?]{daemon})>"),
            },
        }
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} pid {}", self.pid())
    }
}

/// The calling process: `MainProcess`, or the child that its creator made it.
#[doc(alias = "currentProcess")]
pub fn current_process() -> Process {
    Process::of_me(me::me())
}

/// The processes that this process has started and that have not ended. Collects what those left that have.
#[doc(alias = "activeChildren")]
pub fn active_children() -> Vec<Process> {
    tree::reap().into_iter().map(Process::of_child).collect()
}

/// How many processors this process may use: those it is bound to, and no more than the quota of its control
/// groups (version 1 or 2), rounded down, at least 1.
///
/// # Errors
/// `Os` if the kernel does not say.
#[doc(alias = "cpuCount")]
pub fn cpu_count() -> Result<usize> {
    match std::thread::available_parallelism() {
        Ok(count) => Ok(count.get()),
        Err(cause) => Err(Error::os("system", "sched_getaffinity", cause)),
    }
}
