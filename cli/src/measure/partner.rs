//! A forked and pinned process that runs one side of a measurement.
//!
//! # Safety
//!
//! `fork` in a process with one thread (checked): the child is then a whole copy and may run any code. It
//! leaves through `_exit` and never returns into its caller's frames, not by a panic either.
#![allow(unsafe_code)]

use super::{Place, Side, Tail};
use anyhow::{Context as _, bail, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// What one side of a measurement found out in one batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// How many operations this side has timed.
    pub operations: u64,
    /// How long the batch took; zero for the side that holds no watch.
    pub nanos: u64,
    /// How many messages did not arrive as they were sent.
    pub wrong: u64,
    /// Single operations, where this side has timed some of them alone.
    pub each: Option<Tail>,
}

impl Report {
    /// The words of a report on its way; the last one says how many pairs of [`Tail::to_pairs`] follow.
    fn to_words(&self) -> Vec<u64> {
        let pairs = self.each.as_ref().map(Tail::to_pairs).unwrap_or_default();
        let head = [self.operations, self.nanos, self.wrong, pairs.len() as u64];
        head.into_iter().chain(pairs.into_iter().flat_map(|(nanos, count)| [nanos, count])).collect()
    }

    /// From these words; `more` fetches the next ones.
    fn from_words(mut more: impl FnMut() -> anyhow::Result<u64>) -> anyhow::Result<Self> {
        let [operations, nanos, wrong, pairs] = [more()?, more()?, more()?, more()?];
        let pairs = (0..pairs).map(|_| Ok((more()?, more()?))).collect::<anyhow::Result<Vec<_>>>()?;
        Ok(Self { operations, nanos, wrong, each: Tail::from_pairs(&pairs)? })
    }
}

/// A forked process that runs its job once for each order; killed when dropped.
pub struct Partner {
    pid: Pid,
    orders: OwnedFd,
    reports: OwnedFd,
}

impl Partner {
    /// Forks a process that sits at `place` and runs `job(amount)` for each order.
    ///
    /// # Errors
    /// This process has more than one thread, or the kernel refuses a process or a pipe.
    pub fn fork(place: &Place, job: impl FnMut(u64) -> anyhow::Result<Report>) -> anyhow::Result<Self> {
        ensure!(threads() == Some(1), "the instrument has several threads, and must not fork");
        let (order_in, orders) = rustix::pipe::pipe().context("pipe")?;
        let (reports, report_out) = rustix::pipe::pipe().context("pipe")?;
        // SAFETY: one thread (above); the child ends inside of `run`.
        match unsafe { libc::fork() } {
            -1 => Err(std::io::Error::last_os_error()).context("fork"),
            0 => {
                drop((orders, reports));
                run(place, &order_in, &report_out, job)
            }
            pid => {
                let pid = Pid::from_raw(pid).context("fork answered no pid")?;
                Ok(Self { pid, orders, reports })
            }
        }
    }
}

impl Side for Partner {
    fn order(&self, amount: u64) -> anyhow::Result<()> {
        write_all(&self.orders, &amount.to_ne_bytes()).context("a measured process is gone")
    }

    fn report(&self, patience: Duration) -> anyhow::Result<Report> {
        let mut ready = [PollFd::new(&self.reports, PollFlags::IN)];
        let patience = Timespec::try_from(patience).context("patience")?;
        if retry_on_intr(|| poll(&mut ready, Some(&patience)))? == 0 {
            bail!("a measured process gave no answer in {} s", patience.tv_sec);
        }
        Report::from_words(|| read_word(&self.reports)).context("a measured process ended")
    }
}

impl Drop for Partner {
    fn drop(&mut self) {
        // Either fails only if the process is gone already.
        let _ = kill_process(self.pid, Signal::KILL);
        let _ = retry_on_intr(|| waitpid(Some(self.pid), WaitOptions::empty()));
    }
}

/// The life of the child.
fn run(
    place: &Place,
    orders: &OwnedFd,
    reports: &OwnedFd,
    mut job: impl FnMut(u64) -> anyhow::Result<Report>,
) -> ! {
    let life = || -> anyhow::Result<()> {
        // So that nobody spins on when the instrument is killed.
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        place.pin()?;
        while let Ok(order) = read_word(orders) {
            let words = job(order)?.to_words();
            write_all(reports, &words.into_iter().flat_map(u64::to_ne_bytes).collect::<Vec<u8>>())?;
        }
        Ok(())
    };
    let code = match catch_unwind(AssertUnwindSafe(life)) {
        Ok(Ok(())) => 0,
        Ok(Err(error)) => {
            eprintln!("a measured process failed: {error:#}");
            1
        }
        Err(_) => 101, // the panic hook has printed it
    };
    // SAFETY: takes an integer, does not return.
    unsafe { libc::_exit(code) }
}

/// How many threads this process has.
fn threads() -> Option<usize> {
    Some(std::fs::read_dir("/proc/self/task").ok()?.count())
}

fn write_all(to: &OwnedFd, mut bytes: &[u8]) -> rustix::io::Result<()> {
    while !bytes.is_empty() {
        let written = retry_on_intr(|| rustix::io::write(to, bytes))?;
        bytes = &bytes[written..];
    }
    Ok(())
}

fn read_word(from: &OwnedFd) -> anyhow::Result<u64> {
    let mut word = [0; 8];
    read_exact(from, &mut word)?;
    Ok(u64::from_ne_bytes(word))
}

fn read_exact(from: &OwnedFd, mut bytes: &mut [u8]) -> rustix::io::Result<()> {
    while !bytes.is_empty() {
        match retry_on_intr(|| rustix::io::read(from, &mut *bytes))? {
            0 => return Err(Errno::PIPE),
            got => bytes = &mut bytes[got..],
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_travel_as_words() {
        let mut tail = Tail::new().unwrap();
        [5, 70, 70, 900_000].into_iter().for_each(|nanos| tail.record_nanos(nanos));
        for each in [None, Some(tail)] {
            let report = Report { operations: 5, nanos: 77, wrong: u64::MAX, each };
            let mut words = report.to_words().into_iter();
            assert_eq!(Report::from_words(|| words.next().context("no more")).unwrap(), report);
            assert_eq!(words.next(), None);
        }
    }

    #[test]
    fn a_process_with_several_threads_does_not_fork() {
        // The test harness runs each test on a thread of its own.
        let place = super::super::Cores::find().unwrap().one().unwrap();
        assert!(Partner::fork(&place, |_| Ok(Report::default())).is_err());
    }
}
