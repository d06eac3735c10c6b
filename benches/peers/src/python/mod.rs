//! Python's `multiprocessing`.
//!
//! A script is told its two cores as arguments. A line with a count is an order; the answer is a line with nanoseconds.

mod condition;
pub mod manager;
mod queue;

pub use condition::entry as condition;
pub use queue::entry as queue;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use processing_cli::measure::{Batch, Contender, Cores};

struct Python {
    child: Child,
    orders: Option<ChildStdin>,
    reports: BufReader<ChildStdout>,
}

impl Python {
    fn start(script: &str, cores: &Cores) -> anyhow::Result<Self> {
        let (first, second) = cores.two()?;
        let mut command = Command::new("python3");
        command.args(["-c", script]);
        command.args([&first, &second].map(|place| place.cores()[0].to_string()));
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("python3 is not here")?;
        let orders = child.stdin.take();
        let reports = BufReader::new(child.stdout.take().context("python3 has no output")?);
        Ok(Self { child, orders, reports })
    }
}

impl Contender for Python {
    fn batch(&mut self, operations: u64) -> anyhow::Result<Batch> {
        let orders = self.orders.as_mut().context("python3 has no input")?;
        writeln!(orders, "{operations}")?;
        let mut line = String::new();
        ensure!(self.reports.read_line(&mut line)? > 0, "python3 has ended");
        Ok(Duration::from_nanos(line.trim().parse()?).into())
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // At the end of its input it ends by itself, and its other process with it.
        drop(self.orders.take());
        let _ = self.child.wait();
    }
}
