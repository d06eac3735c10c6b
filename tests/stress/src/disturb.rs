//! Signals to processes of a program's own.

use anyhow::{Context, Result};
use processing::Process;
use rustix::process::{Pid, Signal, kill_process};
use std::time::Duration;

/// Stops it for a while.
pub fn pause(process: &Process, time: Duration) -> Result<()> {
    send(process.pid(), Signal::STOP)?;
    std::thread::sleep(time);
    send(process.pid(), Signal::CONT)
}

fn send(pid: u32, signal: Signal) -> Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).context("a pid")?;
    Ok(kill_process(pid, signal)?)
}

/// A seed that differs from run to run.
pub fn seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    u64::from(std::process::id()) << 20 ^ now.map_or(0, |since| since.as_nanos() as u64)
}
