//! Forked processes, waited for in bounded time.
//!
//! # Safety
//!
//! The test programs have one thread, so that a forked copy is whole; system calls get their own locals.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::{BOUND, Outcome};

/// A forked process. Killed and waited for if it is forgotten.
#[derive(Debug)]
pub struct Child {
    pid: libc::pid_t,
    ended: Option<End>,
}

/// How a process ended, or stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Code(i32),
    Signal(i32),
    Stopped,
}

impl End {
    /// As a kill point ends a process.
    pub fn is_killed(self) -> bool {
        self == Self::Signal(libc::SIGKILL)
    }
}

/// What the kernel says that a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    Running,
    Asleep,
    Stopped,
    Ended,
}

impl Child {
    /// Runs `f` in a forked process, which ends afterwards without any clearing up, as a program that calls `_exit` does.
    pub fn fork(f: impl FnOnce()) -> Self {
        // SAFETY: see the module.
        match unsafe { libc::fork() } {
            0 => {
                let code = if catch_unwind(AssertUnwindSafe(f)).is_ok() { 0 } else { 101 };
                // SAFETY: ends the process.
                unsafe { libc::_exit(code) }
            }
            pid if pid > 0 => Self { pid, ended: None },
            _ => panic!("fork: {}", std::io::Error::last_os_error()),
        }
    }

    pub fn pid(&self) -> i32 {
        self.pid
    }

    fn poll(&mut self, flags: i32) -> Option<End> {
        if self.ended.is_some() {
            return self.ended;
        }
        let mut status = 0;
        // SAFETY: a child of this process that was not waited for.
        let pid = unsafe { libc::waitpid(self.pid, &raw mut status, flags) };
        if pid != self.pid {
            return None;
        }
        if libc::WIFSTOPPED(status) {
            return Some(End::Stopped);
        }
        self.ended = Some(if libc::WIFEXITED(status) {
            End::Code(libc::WEXITSTATUS(status))
        } else {
            End::Signal(libc::WTERMSIG(status))
        });
        self.ended
    }

    /// Waits until it ends.
    pub fn wait(&mut self) -> Outcome<End> {
        self.wait_for("end", 0)
    }

    /// Waits until it ends or stops.
    pub fn wait_or_stop(&mut self) -> Outcome<End> {
        self.wait_for("end or stop", libc::WUNTRACED)
    }

    fn wait_for(&mut self, what: &str, flags: i32) -> Outcome<End> {
        let start = Instant::now();
        loop {
            if let Some(end) = self.poll(libc::WNOHANG | flags) {
                return Ok(end);
            }
            if start.elapsed() > BOUND {
                return Err(format!(
                    "process {} did not {what} within {BOUND:?}; it {:?}",
                    self.pid,
                    self.doing()
                ));
            }
            pause(start);
        }
    }

    /// What it does at this moment.
    pub fn doing(&self) -> Doing {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        match stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next()) {
            Some('S' | 'D') => Doing::Asleep,
            Some('T' | 't') => Doing::Stopped,
            Some('Z' | 'X') | None => Doing::Ended,
            _ => Doing::Running,
        }
    }

    /// Waits until it sleeps or has ended, and says which. Asleep means seen so twice.
    pub fn settle(&self) -> Outcome<Doing> {
        let start = Instant::now();
        let mut seen = 0;
        while start.elapsed() < BOUND {
            match self.doing() {
                Doing::Ended => return Ok(Doing::Ended),
                Doing::Asleep if seen > 0 => return Ok(Doing::Asleep),
                Doing::Asleep => seen += 1,
                Doing::Stopped => return Ok(Doing::Stopped),
                Doing::Running => seen = 0,
            }
            std::thread::sleep(Duration::from_micros(300));
        }
        Err(format!("process {} neither sleeps nor ends", self.pid))
    }

    /// Waits until it is stopped, a little longer, and makes it go on; or until it has ended.
    pub fn wake_when_stopped(&self) {
        let start = Instant::now();
        while start.elapsed() < BOUND {
            match self.doing() {
                Doing::Ended => return,
                Doing::Stopped => {
                    std::thread::sleep(Duration::from_millis(50));
                    // SAFETY: the caller's parent has not waited for it: the number is its own.
                    unsafe { libc::kill(self.pid, libc::SIGCONT) };
                    return;
                }
                _ => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }

    pub fn signal(&self, signal: i32) {
        if self.ended.is_none() {
            // SAFETY: a child that was not waited for: the number is its own.
            unsafe { libc::kill(self.pid, signal) };
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.ended.is_none() {
            self.signal(libc::SIGKILL);
            let _ = self.poll(0);
        }
    }
}

/// Short at first.
pub fn pause(since: Instant) {
    let long = since.elapsed() > Duration::from_millis(20);
    std::thread::sleep(Duration::from_micros(if long { 1000 } else { 50 }));
}

/// Makes this process the parent of its children's orphans, so that it sees whether any stays behind.
pub fn adopt_orphans() {
    // SAFETY: a flag of this process.
    unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1) };
}

/// Waits until no process is left below this one.
pub fn until_alone() -> Outcome<()> {
    let start = Instant::now();
    loop {
        // SAFETY: waits for any child.
        match unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) } {
            -1 => return Ok(()),
            0 if start.elapsed() > BOUND => return Err(format!("processes stay behind: {}", below())),
            0 => pause(start),
            _ => {}
        }
    }
}

fn below() -> String {
    let me = std::process::id();
    std::fs::read_to_string(format!("/proc/self/task/{me}/children")).unwrap_or_default()
}
