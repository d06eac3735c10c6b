//! Catching a process at work: it is stopped, so that it stays as it is while the parent makes sure.

use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::time::{Duration, Instant};

/// How long a process may take to stop: it may be in a long read.
const PATIENCE: Duration = Duration::from_millis(200);

/// A process that was told to stop; it goes on when this is dropped.
pub struct Stopped(Pid);

impl Stopped {
    /// Stops a child, and waits until it stands still. None if it cannot be stopped, because it is gone or
    /// busy within the kernel.
    pub fn stop(pid: u32) -> Option<Self> {
        let pid = Pid::from_raw(i32::try_from(pid).ok()?)?;
        kill_process(pid, Signal::STOP).ok()?;
        let stopped = Self(pid);
        let deadline = Instant::now() + PATIENCE;
        while !is_stopped(pid) {
            if Instant::now() > deadline {
                return None;
            }
            std::thread::yield_now();
        }
        Some(stopped)
    }

    /// It will be killed, and its pid may be another's soon: it is not told to go on.
    pub fn stays(self) {
        std::mem::forget(self);
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        // Fails only if it is gone.
        let _ = kill_process(self.0, Signal::CONT);
    }
}

/// Whether the kernel says so: the field after the name in parentheses, which may hold anything.
fn is_stopped(pid: Pid) -> bool {
    let stat = fs::read(format!("/proc/{}/stat", pid.as_raw_pid())).unwrap_or_default();
    let after_name = stat.iter().rposition(|&byte| byte == b')').map_or(0, |at| at + 1);
    stat.get(after_name..after_name + 2) == Some(b" T")
}
