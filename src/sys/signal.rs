//! Signals.
//!
//! # Safety
//!
//! Dispositions are only ever set to "default" or "ignore", so that no handler of this library runs at all;
//! sets are locals, initialised by the C library before use.
#![allow(unsafe_code)]

use libc::c_int;

/// Ends the calling process as SIGKILL from outside would, between two instructions.
#[cfg_attr(not(feature = "kill-points"), allow(dead_code, reason = "for the kill tests"))]
pub fn kill_self() -> ! {
    loop {
        // SAFETY: kill(2) on the own pid.
        unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
    }
}

/// Stops the calling process until it is sent SIGCONT.
#[cfg_attr(not(feature = "kill-points"), allow(dead_code, reason = "for the kill tests"))]
pub fn stop_self() {
    // SAFETY: kill(2) on the own pid.
    unsafe { libc::kill(libc::getpid(), libc::SIGSTOP) };
}

/// A write to a pipe or socket without a reader becomes an error, as in every Rust program.
pub fn ignore_broken_pipes() {
    dispose(libc::SIGPIPE, libc::SIG_IGN);
}

/// Children of this process leave no zombie and need no `wait`.
pub fn ignore_children() {
    dispose(libc::SIGCHLD, libc::SIG_IGN);
}

/// Children of this process are waited for.
pub fn heed_children() {
    dispose(libc::SIGCHLD, libc::SIG_DFL);
}

/// What `exec` would do to a forked child's SIGINT and SIGTERM: handlers of the parent do not apply here.
/// An ignored SIGTERM is heeded again, since it is how a process is told that its creator is gone.
pub fn drop_handlers() {
    dispose(libc::SIGTERM, libc::SIG_DFL);
    // SAFETY: a struct of integers, filled by the call that only reads the disposition.
    let current = unsafe {
        let mut current: libc::sigaction = core::mem::zeroed();
        libc::sigaction(libc::SIGINT, core::ptr::null(), &raw mut current);
        current.sa_sigaction
    };
    if current != libc::SIG_IGN {
        dispose(libc::SIGINT, libc::SIG_DFL);
    }
}

fn dispose(signal: c_int, what: libc::sighandler_t) {
    // SAFETY: see the module.
    unsafe { libc::signal(signal, what) };
}

/// The signals that a terminal or a service manager sends to all of a program at once.
const GROUP: [c_int; 4] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT];

/// Holds back the signals of the whole program. A forked child does not inherit what was held back.
pub fn hold_group_signals() {
    mask(libc::SIG_BLOCK, &set_of(&GROUP));
}

/// Lets every signal through.
pub fn hold_nothing() {
    mask(libc::SIG_SETMASK, &set_of(&[]));
}

fn mask(how: c_int, set: &libc::sigset_t) {
    // SAFETY: see the module.
    unsafe { libc::pthread_sigmask(how, set, core::ptr::null_mut()) };
}

/// A set of signals.
pub fn set_of(signals: &[c_int]) -> libc::sigset_t {
    // SAFETY: see the module; the numbers are constants of the C library.
    unsafe {
        let mut set = core::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for &signal in signals {
            libc::sigaddset(&raw mut set, signal);
        }
        set
    }
}

/// "SIGKILL" and the like; real-time signals by number.
pub fn name(signal: i32) -> String {
    const NAMES: [(c_int, &str); 30] = [
        (libc::SIGHUP, "SIGHUP"),
        (libc::SIGINT, "SIGINT"),
        (libc::SIGQUIT, "SIGQUIT"),
        (libc::SIGILL, "SIGILL"),
        (libc::SIGTRAP, "SIGTRAP"),
        (libc::SIGABRT, "SIGABRT"),
        (libc::SIGBUS, "SIGBUS"),
        (libc::SIGFPE, "SIGFPE"),
        (libc::SIGKILL, "SIGKILL"),
        (libc::SIGUSR1, "SIGUSR1"),
        (libc::SIGSEGV, "SIGSEGV"),
        (libc::SIGUSR2, "SIGUSR2"),
        (libc::SIGPIPE, "SIGPIPE"),
        (libc::SIGALRM, "SIGALRM"),
        (libc::SIGTERM, "SIGTERM"),
        (libc::SIGCHLD, "SIGCHLD"),
        (libc::SIGCONT, "SIGCONT"),
        (libc::SIGSTOP, "SIGSTOP"),
        (libc::SIGTSTP, "SIGTSTP"),
        (libc::SIGTTIN, "SIGTTIN"),
        (libc::SIGTTOU, "SIGTTOU"),
        (libc::SIGURG, "SIGURG"),
        (libc::SIGXCPU, "SIGXCPU"),
        (libc::SIGXFSZ, "SIGXFSZ"),
        (libc::SIGVTALRM, "SIGVTALRM"),
        (libc::SIGPROF, "SIGPROF"),
        (libc::SIGWINCH, "SIGWINCH"),
        (libc::SIGIO, "SIGIO"),
        (libc::SIGPWR, "SIGPWR"),
        (libc::SIGSYS, "SIGSYS"),
    ];
    NAMES
        .iter()
        .find(|(number, _)| *number == signal)
        .map_or_else(|| format!("SIG{signal}"), |(_, name)| (*name).to_owned())
}
