//! What this process has started: its children, its fork server, and the lifeline that all of them hold.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::child::Child;
use super::fork_server::{Ahead, ForkServer, Unavailable};
use super::run;
use super::server::THREADS;
use crate::channel::domain;
use crate::prim::limits::Limits;
use crate::sync::atomic::{AtomicU32, Ordering};
use crate::sync::mutant;
use crate::sys::child::{Event, PidFd, wait_any};
use crate::sys::lifeline::Lifeline;
use crate::sys::{clock, exit};
use crate::{Error, ErrorKind, Result};

/// Started and not known to have ended.
static CHILDREN: Mutex<Vec<Arc<Child>>> = Mutex::new(Vec::new());
static SERVER: Mutex<Option<ForkServer>> = Mutex::new(None);
static LIFELINE: Mutex<Option<Arc<Lifeline>>> = Mutex::new(None);

/// The process that all of the above belongs to; 0 before the first start. Another one in here means that
/// this process is a copy that the program forked by itself.
static OWNER: AtomicU32 = AtomicU32::new(0);

/// How long daemonic children may take to end when they are asked to.
const GRACE: u64 = 1_000_000_000;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Before anything is started: takes possession, once a process.
pub(crate) fn enter() -> Result<()> {
    let pid = std::process::id();
    match OWNER.load(Ordering::Relaxed) {
        owner if owner == pid => return Ok(()),
        0 => {}
        _ => forget(),
    }
    // Registered for the whole line of copies: `finish` in a copy finds only what the copy has started.
    if OWNER.swap(pid, Ordering::Relaxed) == 0 && !exit::at_exit(at_exit) {
        return Err(Error::new(ErrorKind::OutOfMemory, "process", "no room for the handler of its exit"));
    }
    Ok(())
}

/// In a forked copy: lets go of all that belongs to the parent, so that none of it is kept open from here.
pub(crate) fn forget() {
    for child in lock(&CHILDREN).drain(..) {
        child.disown();
    }
    *lock(&SERVER) = None;
    if mutant::on("process.copy_keeps_lifeline") {
        std::mem::forget(lock(&LIFELINE).take());
    }
    *lock(&LIFELINE) = None;
    run::cut_ties();
}

/// In a copy that [`enter`]ed as another process and is a child of it now.
pub(crate) fn become_copy() {
    forget();
    OWNER.store(std::process::id(), Ordering::Relaxed);
}

/// The lifeline of this process's children.
pub(crate) fn lifeline() -> Result<Arc<Lifeline>> {
    let mut lifeline = lock(&LIFELINE);
    if let Some(lifeline) = &*lifeline {
        return Ok(Arc::clone(lifeline));
    }
    let new = Lifeline::new().map_err(|cause| out_of("lifeline", "pipe2", cause))?;
    Ok(Arc::clone(lifeline.insert(Arc::new(new))))
}

/// A child that waits for its orders; and whether the kernel keeps its exit status for this process.
///
/// `order` sends them. It is called again, with another child, where the one forked ahead has died.
pub(crate) fn take_ahead(order: impl Fn(&Ahead) -> std::io::Result<()>) -> Result<(Ahead, bool)> {
    let mut slot = lock(&SERVER);
    let mut restarts = 0;
    let mut deaths = 0;
    loop {
        let server = match &mut *slot {
            Some(server) => server,
            None => {
                let new = ForkServer::start(&*lifeline()?);
                slot.insert(new.map_err(|cause| out_of("fork server", "start", cause))?)
            }
        };
        match server.take() {
            Ok(ahead) => match order(&ahead) {
                Ok(()) => {
                    server.fork_ahead();
                    return Ok((ahead, server.keeps_exit_info));
                }
                Err(cause) if is_gone(&cause) && deaths < 8 => {
                    deaths += 1;
                    why_gone(&ahead)?;
                }
                Err(cause) => return Err(out_of("process", "sendmsg", cause)),
            },
            Err(Unavailable::Gone) if restarts < 2 => {
                restarts += 1;
                *slot = None;
            }
            Err(Unavailable::Gone) => {
                return Err(Error::new(
                    ErrorKind::PeerDied,
                    "fork server",
                    "it ends as soon as it is started",
                )
                .hint("use StartMethod::Spawn"));
            }
            Err(Unavailable::Os(cause)) if cause.raw_os_error() == Some(THREADS) => {
                return Err(Error::new(
                    ErrorKind::InvalidState,
                    "fork server",
                    "it has more than one thread: something in this program starts threads before main",
                )
                .hint("use StartMethod::Spawn"));
            }
            Err(Unavailable::Os(cause)) => return Err(out_of("fork server", "fork", cause)),
        }
    }
}

fn is_gone(cause: &std::io::Error) -> bool {
    matches!(cause.kind(), std::io::ErrorKind::BrokenPipe | std::io::ErrorKind::ConnectionReset)
}

/// A child that died before it got its orders may have said why.
fn why_gone(ahead: &Ahead) -> Result<()> {
    let mut outcome = super::outcome::Outcome::default();
    let _ = outcome.collect(&ahead.link);
    match outcome.text {
        Some(text) => Err(Error::new(ErrorKind::Os, format!("process (pid {})", ahead.pid), text)),
        None => Ok(()),
    }
}

/// The kernel refused `call`; with what to do, where that is known.
#[cold]
pub(crate) fn out_of(object: &'static str, call: &str, cause: std::io::Error) -> Error {
    let errno = cause.raw_os_error();
    let error = Error::os(object, call, cause);
    match errno {
        Some(libc::EMFILE) => error
            .of_kind(ErrorKind::Limit)
            .hint("raise the limit of open files (ulimit -n), or join what has ended"),
        Some(libc::ENFILE) => error.of_kind(ErrorKind::Limit).hint("raise fs.file-max"),
        Some(libc::EAGAIN) => error
            .of_kind(ErrorKind::Limit)
            .hint("raise the limit of processes (ulimit -u, pids.max of the cgroup, kernel.pid_max)"),
        Some(libc::ETOOMANYREFS) => error
            .of_kind(ErrorKind::Limit)
            .hint("too many descriptors are on their way; raise the limit of open files (ulimit -n)"),
        Some(libc::ENOMEM) => error.of_kind(ErrorKind::OutOfMemory),
        _ => error,
    }
}

/// A child has started.
pub(crate) fn add(child: &Arc<Child>) {
    lock(&CHILDREN).push(Arc::clone(child));
    if !mutant::on("process.no_look_after_children") {
        domain::look_also(look_after_children);
    }
}

/// A child has ended.
pub(crate) fn remove(child: &Child) {
    lock(&CHILDREN).retain(|other| !std::ptr::eq(Arc::as_ptr(other), child));
}

/// Collects what children that have ended left behind; those that have not.
pub(crate) fn reap() -> Vec<Arc<Child>> {
    let children = mine();
    let pidfds: Vec<Option<Arc<PidFd>>> = children.iter().map(|child| child.pidfd()).collect();
    let running: Vec<&PidFd> = pidfds.iter().flatten().map(Arc::as_ref).collect();
    if running.is_empty() {
        return Vec::new();
    }
    // One call for all; which have more to say is the child's own business.
    let ended = wait_any(&running, Event::Ended, Some(0)).unwrap_or_default();
    let mut ended = ended.into_iter();
    let mut alive = Vec::new();
    for (child, pidfd) in children.iter().zip(&pidfds) {
        let has_ended = pidfd.is_some() && ended.next() == Some(true);
        if pidfd.is_some() && (!has_ended || child.is_alive()) {
            alive.push(Arc::clone(child));
        }
    }
    alive
}

/// Called by who waits for a message and nothing comes: perhaps the child that should send it has ended before it
/// took its seat.
fn look_after_children() {
    // In a copy that the program forked, none is its own, and the locks may be as another thread had left them.
    if OWNER.load(Ordering::Relaxed) == std::process::id() {
        reap();
    }
}

/// The children of this very process.
fn mine() -> Vec<Arc<Child>> {
    let pid = std::process::id();
    lock(&CHILDREN).iter().filter(|child| child.creator() == pid).cloned().collect()
}

extern "C" fn at_exit() {
    // Nothing may unwind into the C library.
    let _ = std::panic::catch_unwind(finish);
}

/// The end of this process: daemonic children are told to end, the others are waited for, and the fork
/// server goes. Does nothing the second time, or in a copy that has started nothing.
pub(crate) fn finish() {
    let children = mine();
    for child in children.iter().filter(|child| child.is_daemon()) {
        let _ = child.signal(rustix::process::Signal::TERM);
    }
    for child in children.iter().filter(|child| !child.is_daemon()) {
        let _ = child.wait(&Limits::NONE);
    }
    let grace = Limits { deadline: Some(clock::now() + GRACE), cancel: None };
    for child in children.iter().filter(|child| child.is_daemon()) {
        if !matches!(child.wait(&grace), Ok(true)) {
            let _ = child.signal(rustix::process::Signal::KILL);
            let _ = child.wait(&Limits::NONE);
        }
    }
    if OWNER.load(Ordering::Relaxed) != std::process::id() {
        return;
    }
    // Held by a thread that is starting a process just now: it will not get far.
    let server = SERVER.try_lock().ok().and_then(|mut slot| slot.take());
    if let Some(server) = server {
        server.shut_down();
    }
}
