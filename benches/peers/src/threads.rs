//! Queues between the two threads of one process.

use anyhow::anyhow;
use processing_cli::measure::stream::{Consumer, Producer, Put, Take};
use processing_cli::measure::{Cores, Crew, Partner, Place, Report};
use std::thread;

/// A process with two pinned threads, which use a queue that lives as long as the process.
pub fn crew<const WORDS: usize>(
    cores: &Cores,
    (put, take): (impl Put<WORDS> + Send, impl Take<WORDS> + Send),
) -> anyhow::Result<Crew> {
    let (a, b) = cores.two()?;
    let home = a.clone();
    let mut producer = Producer::new(put);
    let mut consumer = Consumer::new(take);
    let partner =
        Partner::fork(&home, move |operations| batch((&mut producer, &a), (&mut consumer, &b), operations))?;
    Ok(Crew::from(partner))
}

/// The threads last for one batch: nothing of the queue's runs between batches.
fn batch<const WORDS: usize>(
    (producer, a): (&mut Producer<impl Put<WORDS> + Send, WORDS>, &Place),
    (consumer, b): (&mut Consumer<impl Take<WORDS> + Send, WORDS>, &Place),
    operations: u64,
) -> anyhow::Result<Report> {
    thread::scope(|scope| {
        let producing = scope.spawn(move || a.pin().and_then(|()| producer.batch(operations)));
        let consuming = scope.spawn(move || b.pin().and_then(|()| consumer.batch(operations)));
        producing.join().map_err(|_| anyhow!("the producer panicked"))??;
        consuming.join().map_err(|_| anyhow!("the consumer panicked"))?
    })
}
