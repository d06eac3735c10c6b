//! Measured processes that are started by the library, as a user's would be.
//!
//! Orders and reports travel through queues that sleep while they wait: a process that has nothing to do must
//! not disturb whatever is measured meanwhile.

use crate::measure::{Place, Report, Side, Tail};
use anyhow::{Context as _, bail};
use processing::{Process, Queue, WaitStrategy};
use std::time::{Duration, Instant};

/// How a report travels: operations, nanoseconds, wrong messages, and the pairs of its tail.
pub type Figures = (u64, u64, u64, Vec<(u64, u64)>);

/// What each measured process gets first: where it sits, and how it hears and speaks.
pub struct Desk {
    pub cores: Vec<u32>,
    pub orders: Queue<u64>,
    pub reports: Queue<Figures>,
}

/// A process that runs one side of a measurement; killed when dropped.
pub struct Hand {
    process: Process,
    orders: Queue<u64>,
    reports: Queue<Figures>,
}

impl Hand {
    /// A process at `place`, started by `start` with the desk that it is to work at.
    ///
    /// # Errors
    /// The library's.
    pub fn start(
        place: &Place,
        start: impl FnOnce(Desk) -> processing::Result<Process>,
    ) -> anyhow::Result<Self> {
        let orders = Queue::<u64>::builder().capacity(1).wait(WaitStrategy::Block).build()?;
        let reports = Queue::<Figures>::builder().capacity(1).wait(WaitStrategy::Block).build()?;
        let desk = Desk { cores: place.cores().to_vec(), orders: orders.clone(), reports: reports.clone() };
        let process = start(desk).context("starting a measured process")?;
        Ok(Self { process, orders, reports })
    }
}

impl Side for Hand {
    fn order(&self, amount: u64) -> anyhow::Result<()> {
        Ok(self.orders.put(&amount)?)
    }

    fn report(&self, patience: Duration) -> anyhow::Result<Report> {
        let deadline = Instant::now() + patience;
        loop {
            match self.reports.get_timeout(Duration::from_millis(500)) {
                Ok((operations, nanos, wrong, pairs)) => {
                    return Ok(Report { operations, nanos, wrong, each: Tail::from_pairs(&pairs)? });
                }
                Err(error) if !error.is_empty() => return Err(error.into()),
                Err(_) if !self.process.is_alive() => bail!("{} ended", self.process),
                Err(_) if Instant::now() > deadline => bail!("{} gave no answer", self.process),
                Err(_) => {}
            }
        }
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        // Either fails only if the process is gone already.
        let _ = self.process.kill();
        let _ = self.process.join();
    }
}

/// The life of such a process: runs `job` for each order, until it is killed.
///
/// # Errors
/// Those of `job`, and of the queues.
pub fn serve(desk: &Desk, mut job: impl FnMut(u64) -> anyhow::Result<Report>) -> anyhow::Result<()> {
    Place::from(desk.cores.clone()).pin()?;
    loop {
        let Report { operations, nanos, wrong, each } = job(desk.orders.get()?)?;
        let pairs = each.as_ref().map(Tail::to_pairs).unwrap_or_default();
        desk.reports.put(&(operations, nanos, wrong, pairs))?;
    }
}

/// Ends a target: prints the error, for the instrument sees only that the process ended.
pub fn finish(end: anyhow::Result<()>) {
    if let Err(error) = end {
        eprintln!("a measured process failed: {error:#}");
        std::process::exit(1);
    }
}
