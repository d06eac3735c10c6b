//! A process that has not been started.

use std::fmt;
use std::os::fd::AsFd;
use std::sync::Arc;

use super::boot::Boot;
use super::cargo::BootPayload;
use super::child::{Child, StatusFrom};
use super::handle::Process;
use super::me::{self, Me};
use super::run::{self, Ending};
use super::seat::Seat;
use super::start_method::StartMethod;
use super::{catch, tree};
use crate::sys::child::PidFd;
use crate::sys::fdpass::Link;
use crate::sys::fork::{self, Forked, Refused};
use crate::sys::trampoline::Address;
use crate::sys::{hook, spawn};
use crate::{Error, ErrorKind, Result};

type Pack = Box<dyn FnOnce(&Seat) -> Result<BootPayload> + Send>;

/// A process that has not been started; made by [`Process::new`] and [`Process::task`].
///
/// [`start`](Self::start) consumes it, so that nothing is started twice, and what is not started cannot be
/// joined or killed.
#[must_use = "a process does nothing until it is started"]
pub struct ProcessBuilder {
    name: String,
    path: Vec<u32>,
    daemon: bool,
    method: Option<StartMethod>,
    address: Address,
    pack: Pack,
}

impl ProcessBuilder {
    pub(super) fn new(
        address: Address,
        pack: impl FnOnce(&Seat) -> Result<BootPayload> + Send + 'static,
    ) -> Self {
        let me = me::me();
        let path = me.next_path();
        let name = me::default_name(&path);
        Self { name, path, daemon: me.is_daemon(), method: None, address, pack: Box::new(pack) }
    }

    /// Names it. The name appears in errors, in the text of its panics, and in its `Display`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// A daemonic process is ended (SIGTERM) when its creator exits; the others are waited for. Inherited
    /// from the creator.
    pub fn daemon(mut self, daemon: bool) -> Self {
        self.daemon = daemon;
        self
    }

    /// How it comes into being. Default: `PROCESSING_START`, or the fork server.
    pub fn start_method(mut self, method: StartMethod) -> Self {
        self.method = Some(method);
        self
    }

    /// Starts it. Reaps children that have ended before.
    ///
    /// Returns as soon as the process exists and its arguments are on their way. If the calling process is killed in
    /// here, there is no new process, or it ends at once.
    ///
    /// # Errors
    /// `InvalidState` for `Fork` in a process with several threads, and where a child could not be caught
    /// before `main` (see [`freeze_support`](crate::freeze_support)); `Limit` when descriptors or processes are
    /// exhausted; `InvalidInput` for an unknown `PROCESSING_START`; what packing the arguments says.
    pub fn start(self) -> Result<Process> {
        self.begin().map(Process::of_child)
    }

    pub(super) fn begin(self) -> Result<Arc<Child>> {
        catch::keep();
        let method = match self.method {
            Some(method) => method,
            None => StartMethod::of_environment()?,
        };
        check_hook(&self.name, method)?;
        tree::enter()?;
        tree::reap();
        let seat = Seat::new(&self.name);
        let payload = (self.pack)(&seat)?;
        let plan =
            Plan { name: self.name, path: self.path, daemon: self.daemon, address: self.address, payload };
        let child = Arc::new(match method {
            StartMethod::ForkServer => plan.by_fork_server()?,
            StartMethod::Spawn => plan.by_spawn()?,
            StartMethod::Fork => plan.by_fork()?,
        });
        child.seated(seat);
        tree::add(&child);
        Ok(child)
    }
}

/// A child of this program would run `main` instead of its target.
fn check_hook(name: &str, method: StartMethod) -> Result<()> {
    if hook::slipped_through() {
        return Err(Error::new(
            ErrorKind::InvalidState,
            format!("process {name}"),
            "this process is itself a child that was not caught before main",
        )
        .hint("call processing::freeze_support() in the first line of main"));
    }
    if method != StartMethod::Fork && !hook::would_catch() {
        return Err(Error::new(
            ErrorKind::InvalidState,
            format!("process {name}"),
            "this program was built so that nothing of it runs before main, and a child would run main, too",
        )
        .hint("call processing::freeze_support() in the first line of main"));
    }
    Ok(())
}

/// Everything that a start needs.
struct Plan {
    name: String,
    path: Vec<u32>,
    daemon: bool,
    address: Address,
    payload: BootPayload,
}

impl Plan {
    fn object(&self) -> String {
        format!("process {}", self.name)
    }

    fn boot(self) -> Result<Boot> {
        let place = self.address.place().ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, self.object(), "its target is not code of a loaded file")
        })?;
        Ok(Boot { place, path: self.path, name: self.name, daemon: self.daemon, payload: self.payload })
    }

    fn by_fork_server(self) -> Result<Child> {
        let (name, daemon) = (self.name.clone(), self.daemon);
        let packed =
            self.boot()?.pack(None).map_err(|cause| tree::out_of("process", "memfd_create", cause))?;
        let (ahead, kept) = tree::take_ahead(|ahead| packed.send(&ahead.link))?;
        let status = if kept { StatusFrom::PidFd } else { StatusFrom::Relay };
        Ok(Child::new(name, ahead.pid, daemon, ahead.pidfd, ahead.link, status))
    }

    fn by_spawn(self) -> Result<Child> {
        let (name, daemon) = (self.name.clone(), self.daemon);
        let lifeline = tree::lifeline()?;
        let (ours, childs) = pair()?;
        // Sent before the child exists, so that it finds its orders, and an error leaves no process behind.
        let packed = self.boot()?.pack(Some(lifeline.read_end()));
        packed
            .and_then(|packed| packed.send(&ours))
            .map_err(|cause| tree::out_of("process", "sendmsg", cause))?;
        let pid =
            spawn::start_self(&childs).map_err(|cause| tree::out_of("process", "posix_spawn", cause))?;
        let pidfd = PidFd::of_new_child(pid).map_err(|cause| tree::out_of("process", "pidfd_open", cause))?;
        Ok(Child::new(name, pid, daemon, pidfd, ours, StatusFrom::Wait))
    }

    fn by_fork(self) -> Result<Child> {
        let lifeline = tree::lifeline()?;
        let (ours, childs) = pair()?;
        // What is buffered would be written by both.
        let _ = std::io::Write::flush(&mut std::io::stdout());
        match fork::fork() {
            Ok(Forked::Parent { child: pid }) => {
                let pidfd =
                    PidFd::of_new_child(pid).map_err(|cause| tree::out_of("process", "pidfd_open", cause))?;
                Ok(Child::new(self.name, pid, self.daemon, pidfd, ours, StatusFrom::Wait))
            }
            Ok(Forked::Child) => {
                drop(ours);
                crate::sys::signal::drop_handlers();
                let held = run::hold_lifeline(lifeline.read_end().as_fd(), &childs);
                drop(lifeline);
                // Not before: until here this process knew itself as its parent.
                tree::become_copy();
                let me = Me::new(self.name, self.path, self.daemon);
                run::run(me, Some(self.address), self.payload, childs, held, Ending::Copy)
            }
            Err(Refused::Threads(threads)) => Err(Error::new(
                ErrorKind::InvalidState,
                self.object(),
                format!("a process with {threads} threads cannot fork: the copy would have only one of them"),
            )
            .hint("use StartMethod::ForkServer or StartMethod::Spawn, or start processes before threads")),
            Err(Refused::Os(cause)) => Err(tree::out_of("process", "fork", cause)),
        }
    }
}

fn pair() -> Result<(Link, Link)> {
    Link::pair().map_err(|cause| tree::out_of("process", "socketpair", cause))
}

/// `<Process(Process-1, initial)>`.
impl fmt::Display for ProcessBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let daemon = if self.daemon { " daemon" } else { "" };
        write!(f, "<Process({}, initial{daemon})>", self.name)
    }
}

impl fmt::Debug for ProcessBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
