//! Queues between the threads of one process.

use anyhow::anyhow;
use processing_cli::measure::stream::{Consumer, Producer, Put, Take};
use processing_cli::measure::{Cores, Crew, Partner, Place, Report, Tail};
use std::thread;

/// What one thread does in a batch.
pub type Job = Box<dyn FnMut(u64) -> anyhow::Result<Report> + Send>;

/// A process with two pinned threads, which use a queue that lives as long as the process.
pub fn crew<const WORDS: usize>(
    cores: &Cores,
    (put, take): (impl Put<WORDS> + Send + 'static, impl Take<WORDS> + Send + 'static),
) -> anyhow::Result<Crew> {
    let (a, b) = cores.two()?;
    let mut producer = Producer::new(put);
    let mut consumer = Consumer::new(take);
    crew_of(vec![
        (a, Box::new(move |operations| producer.batch(operations))),
        (b, Box::new(move |operations| consumer.batch(operations))),
    ])
}

/// A process with these threads, each at its place.
pub fn crew_of(mut threads: Vec<(Place, Job)>) -> anyhow::Result<Crew> {
    let home = threads.first().map(|(place, _)| place.clone()).ok_or_else(|| anyhow!("no threads"))?;
    Ok(Crew::from(Partner::fork(&home, move |operations| batch(&mut threads, operations))?))
}

/// The threads last for one batch: nothing of the queue's runs between batches.
fn batch(threads: &mut [(Place, Job)], operations: u64) -> anyhow::Result<Report> {
    let reports = thread::scope(|scope| {
        let start = |(place, job): &'_ mut (Place, Job)| place.pin().and_then(|()| job(operations));
        let running: Vec<_> = threads.iter_mut().map(|thread| scope.spawn(move || start(thread))).collect();
        let ended =
            running.into_iter().map(|thread| thread.join().map_err(|_| anyhow!("a thread panicked"))?);
        ended.collect::<anyhow::Result<Vec<Report>>>()
    })?;
    Ok(Report {
        operations: reports.iter().map(|report| report.operations).sum(),
        nanos: reports.iter().map(|report| report.nanos).max().unwrap_or(0),
        wrong: reports.iter().map(|report| report.wrong).sum(),
        each: Tail::all(reports.iter().filter_map(|report| report.each.as_ref()))?,
    })
}
