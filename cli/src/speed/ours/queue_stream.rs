//! One producer and one consumer of a `Queue`.

use super::hands::{Desk, Figures, Hand, finish, serve};
use crate::measure::stream::{Consumer, Producer, Put, Take};
use crate::measure::{Crew, Entry, Row};
use crate::speed::raw::{mq_stream, pipe_stream, spsc_copy};
use processing::{Backend, Process, Queue};

/// Beside the plainest ring. (The rows beside queues of other projects are in `benches/peers`.)
pub fn rows() -> Vec<Row> {
    vec![
        Row::ours(entry::<1>()).against(spsc_copy::of_8()),
        Row::ours(entry::<32>()).against(spsc_copy::of_256()),
        Row::ours(entry::<512>()).against(spsc_copy::of_4096()),
        Row::ours(over::<32>("queue.pipe.256b", Backend::Pipe, PIPE)).against(pipe_stream::of_256()),
        Row::ours(over::<32>("queue.mq.256b", Backend::PosixMq, MQ)).against(mq_stream::of_256()),
    ]
}

/// Messages that a pipe holds unless somebody asks for another number, as in the raw row.
const PIPE: usize = 16;
/// The same of a message queue.
const MQ: usize = 10;

pub fn entry<const WORDS: usize>() -> Entry {
    let name = format!("queue.stream.{}b.1x1", WORDS * 8);
    over::<WORDS>(&name, Backend::Ring, spsc_copy::slots(WORDS))
}

/// Over a backend, with so many slots.
fn over<const WORDS: usize>(name: &str, backend: Backend, slots: usize) -> Entry {
    Entry::new(name, move |cores| {
        let (a, b) = cores.two()?;
        let queue = Queue::<[u64; WORDS]>::builder().capacity(slots).backend(backend).build()?;
        let consumer = Hand::start(&b, |Desk { cores, orders, reports }| {
            Process::new(consume::<WORDS>, (cores, orders, reports, queue.clone())).start()
        })?;
        let producer = Hand::start(&a, |Desk { cores, orders, reports }| {
            Process::new(produce::<WORDS>, (cores, orders, reports, queue.clone())).start()
        })?;
        Ok(Crew::new([consumer, producer]))
    })
}

fn produce<const WORDS: usize>(
    cores: Vec<u32>,
    orders: Queue<u64>,
    reports: Queue<Figures>,
    queue: Queue<[u64; WORDS]>,
) {
    let mut producer = Producer::<_, WORDS>::new(queue);
    let desk = Desk { cores, orders, reports };
    finish(serve(&desk, |operations| producer.batch(operations)));
}

fn consume<const WORDS: usize>(
    cores: Vec<u32>,
    orders: Queue<u64>,
    reports: Queue<Figures>,
    queue: Queue<[u64; WORDS]>,
) {
    let mut consumer = Consumer::<_, WORDS>::new(queue);
    let desk = Desk { cores, orders, reports };
    finish(serve(&desk, |operations| consumer.batch(operations)));
}

impl<const WORDS: usize> Put<WORDS> for Queue<[u64; WORDS]> {
    #[inline(always)]
    fn put(&mut self, message: &[u64; WORDS]) -> anyhow::Result<()> {
        Ok(Queue::put(self, message)?)
    }
}

impl<const WORDS: usize> Take<WORDS> for Queue<[u64; WORDS]> {
    #[inline(always)]
    fn take(&mut self) -> anyhow::Result<[u64; WORDS]> {
        Ok(self.get()?)
    }
}
