//! A process that does nothing: start and join, for each start method. Whatever a method keeps running is
//! running already.

use crate::measure::{Batch, Contender, Entry, Row};
use crate::speed::raw::fork;
use anyhow::ensure;
use processing::{Exit, Process, StartMethod};

pub fn rows() -> Vec<Row> {
    let methods = [
        ("fork_server", StartMethod::ForkServer),
        ("fork", StartMethod::Fork),
        ("spawn", StartMethod::Spawn),
    ];
    methods.into_iter().map(|(name, method)| Row::ours(entry(name, method)).against(fork::entry())).collect()
}

fn entry(name: &str, method: StartMethod) -> Entry {
    Entry::new(format!("process.{name}.start_join"), move |_| {
        let mut starting = Starting(method);
        // The fork server, if the method has one, starts with the first process.
        starting.start_and_join()?;
        Ok(starting)
    })
}

struct Starting(StartMethod);

impl Starting {
    fn start_and_join(&mut self) -> anyhow::Result<()> {
        let process = Process::new(nothing, ()).start_method(self.0).start()?;
        let exit = process.join()?;
        ensure!(exit == Exit::Code(0), "{process} ended with {exit:?}");
        Ok(())
    }
}

impl Contender for Starting {
    fn batch(&mut self, operations: u64) -> anyhow::Result<Batch> {
        Batch::timing_each(operations, || self.start_and_join())
    }
}

fn nothing() {}
