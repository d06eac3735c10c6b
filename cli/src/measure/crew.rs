//! The processes of one contender.

use super::{Batch, Contender, Partner, Report, Tail};
use anyhow::ensure;
use std::time::Duration;

/// How long a batch may take before its processes are given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that runs one side of a measurement, once for each order.
pub trait Side {
    /// Starts one batch; [`report`](Self::report) waits for its end.
    ///
    /// # Errors
    /// The process is gone.
    fn order(&self, amount: u64) -> anyhow::Result<()>;

    /// Waits for the end of the batch.
    ///
    /// # Errors
    /// The process ended, or did not answer within `patience`.
    fn report(&self, patience: Duration) -> anyhow::Result<Report>;
}

/// Processes that run a batch together: all get the same order.
pub struct Crew {
    sides: Vec<Box<dyn Side>>,
}

impl Crew {
    pub fn new<S: Side + 'static>(sides: impl IntoIterator<Item = S>) -> Self {
        Self { sides: sides.into_iter().map(|side| Box::new(side) as Box<dyn Side>).collect() }
    }

    /// Gives an order and collects the reports.
    ///
    /// # Errors
    /// Those of the sides, or a message that arrived wrong.
    pub(super) fn run(&self, amount: u64) -> anyhow::Result<Vec<Report>> {
        self.sides.iter().try_for_each(|side| side.order(amount))?;
        let reports = self.sides.iter().map(|side| side.report(PATIENCE));
        let reports = reports.collect::<anyhow::Result<Vec<_>>>()?;
        let wrong: u64 = reports.iter().map(|report| report.wrong).sum();
        ensure!(wrong == 0, "{wrong} messages arrived wrong");
        Ok(reports)
    }
}

impl From<Partner> for Crew {
    fn from(partner: Partner) -> Self {
        Self::new([partner])
    }
}

impl Contender for Crew {
    /// Takes as long as the slowest of those who hold a watch.
    fn batch(&mut self, operations: u64) -> anyhow::Result<Batch> {
        let reports = self.run(operations)?;
        let slowest = reports.iter().map(|report| report.nanos).max().unwrap_or(0);
        let each = Tail::all(reports.iter().filter_map(|report| report.each.as_ref()))?;
        Ok(Batch { each, ..Duration::from_nanos(slowest).into() })
    }
}
