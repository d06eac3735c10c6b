//! From put to get in a `Queue`, at half of the rate that it can bear.

use super::hands::{Desk, Figures, Hand, finish, serve};
use crate::measure::open_loop::{Consumer, OpenLoop, Producer};
use crate::measure::{Crew, Entry, Row};
use crate::speed::raw::spsc_copy::slots;
use processing::{Process, Queue};

pub fn rows() -> Vec<Row> {
    vec![Row::ours(entry::<1>()), Row::ours(entry::<32>())]
}

fn entry<const WORDS: usize>() -> Entry {
    Entry::new(format!("queue.open_loop.{}b", WORDS * 8), |cores| {
        let (a, b) = cores.two()?;
        let queue = Queue::<[u64; WORDS]>::new(slots(WORDS))?;
        let consumer = Hand::start(&b, |Desk { cores, orders, reports }| {
            Process::new(consume::<WORDS>, (cores, orders, reports, queue.clone())).start()
        })?;
        let producer = Hand::start(&a, |Desk { cores, orders, reports }| {
            Process::new(produce::<WORDS>, (cores, orders, reports, queue.clone())).start()
        })?;
        OpenLoop::new(Crew::new([consumer, producer]))
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
    finish(serve(&desk, |order| producer.batch(order)));
}

fn consume<const WORDS: usize>(
    cores: Vec<u32>,
    orders: Queue<u64>,
    reports: Queue<Figures>,
    queue: Queue<[u64; WORDS]>,
) {
    let mut consumer = Consumer::<_, WORDS>::new(queue);
    let desk = Desk { cores, orders, reports };
    finish(serve(&desk, |order| consumer.batch(order)));
}
