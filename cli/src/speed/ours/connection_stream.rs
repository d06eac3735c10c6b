//! One way through a `Connection`, each message visible at once.

use super::hands::{Desk, Figures, Hand, finish, serve};
use crate::measure::payload::message;
use crate::measure::stream::{Consumer, Producer, Put, Take};
use crate::measure::{Crew, Entry, Report, Row};
use crate::speed::raw::spsc_copy;
use processing::{Connection, Process, Queue};

/// Beside the plainest ring. (The rows beside rings of other projects are in `benches/peers`.)
pub fn rows() -> Vec<Row> {
    vec![
        Row::ours(entry::<1>()).against(spsc_copy::of_8()),
        Row::ours(entry::<32>()).against(spsc_copy::of_256()),
        Row::ours(entry::<512>()).against(spsc_copy::of_4096()),
        Row::ours(batches::<1>()).against(spsc_copy::of_8()),
    ]
}

pub fn entry<const WORDS: usize>() -> Entry {
    Entry::new(format!("connection.stream.{}b", WORDS * 8), |cores| {
        let (a, b) = cores.two()?;
        let (puts, takes) = processing::pipe()?;
        let consumer = Hand::start(&b, |Desk { cores, orders, reports }| {
            Process::new(consume::<WORDS>, (cores, orders, reports, takes)).start()
        })?;
        let producer = Hand::start(&a, |Desk { cores, orders, reports }| {
            Process::new(produce::<WORDS>, (cores, orders, reports, puts)).start()
        })?;
        Ok(Crew::new([consumer, producer]))
    })
}

/// The same in batches of up to [`BATCH`] on both sides: one call, one wake-up, as many messages in a line as fit.
pub fn batches<const WORDS: usize>() -> Entry {
    Entry::new(format!("connection.stream.batch.{}b", WORDS * 8), |cores| {
        let (a, b) = cores.two()?;
        let (puts, takes) = processing::pipe()?;
        let consumer = Hand::start(&b, |Desk { cores, orders, reports }| {
            Process::new(consume_batches::<WORDS>, (cores, orders, reports, takes)).start()
        })?;
        let producer = Hand::start(&a, |Desk { cores, orders, reports }| {
            Process::new(produce_batches::<WORDS>, (cores, orders, reports, puts)).start()
        })?;
        Ok(Crew::new([consumer, producer]))
    })
}

/// Messages of a batch.
pub const BATCH: usize = 64;

fn produce_batches<const WORDS: usize>(
    cores: Vec<u32>,
    orders: Queue<u64>,
    reports: Queue<Figures>,
    connection: Connection,
) {
    let mut number = 1;
    let desk = Desk { cores, orders, reports };
    finish(serve(&desk, |operations| {
        // And the one before the watch starts.
        let end = number + operations + 1;
        while number < end {
            let count = (end - number).min(BATCH as u64);
            let batch: [[u64; WORDS]; BATCH] = std::array::from_fn(|n| message(number + n as u64));
            connection.send_many(&batch[..count as usize])?;
            number += count;
        }
        Ok(Report::default())
    }));
}

fn produce<const WORDS: usize>(
    cores: Vec<u32>,
    orders: Queue<u64>,
    reports: Queue<Figures>,
    connection: Connection,
) {
    let mut producer = Producer::<_, WORDS>::new(connection);
    let desk = Desk { cores, orders, reports };
    finish(serve(&desk, |operations| producer.batch(operations)));
}

fn consume<const WORDS: usize>(
    cores: Vec<u32>,
    orders: Queue<u64>,
    reports: Queue<Figures>,
    connection: Connection,
) {
    let mut consumer = Consumer::<_, WORDS>::new(connection);
    let desk = Desk { cores, orders, reports };
    finish(serve(&desk, |operations| consumer.batch(operations)));
}

fn consume_batches<const WORDS: usize>(
    cores: Vec<u32>,
    orders: Queue<u64>,
    reports: Queue<Figures>,
    connection: Connection,
) {
    let mut consumer = Consumer::<_, WORDS>::new(Batched { connection, batch: Vec::new().into_iter() });
    let desk = Desk { cores, orders, reports };
    finish(serve(&desk, |operations| consumer.batch(operations)));
}

/// An end from which messages come by the batch.
struct Batched<const WORDS: usize> {
    connection: Connection,
    batch: std::vec::IntoIter<[u64; WORDS]>,
}

impl<const WORDS: usize> Take<WORDS> for Batched<WORDS> {
    #[inline(always)]
    fn take(&mut self) -> anyhow::Result<[u64; WORDS]> {
        loop {
            match self.batch.next() {
                Some(message) => return Ok(message),
                None => self.batch = self.connection.recv_many(BATCH)?.into_iter(),
            }
        }
    }
}

impl<const WORDS: usize> Put<WORDS> for Connection {
    #[inline(always)]
    fn put(&mut self, message: &[u64; WORDS]) -> anyhow::Result<()> {
        Ok(self.send(message)?)
    }
}

impl<const WORDS: usize> Take<WORDS> for Connection {
    #[inline(always)]
    fn take(&mut self) -> anyhow::Result<[u64; WORDS]> {
        Ok(self.recv()?)
    }
}
