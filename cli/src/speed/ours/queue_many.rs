//! Two producers and two consumers of a `Queue`: four processes on two cores.

use super::hands::{Desk, Figures, Hand, finish, serve};
use crate::measure::many::{Consumer, Producer, SIDES};
use crate::measure::{Crew, Entry, Row};
use crate::speed::raw::spsc_copy::slots;
use processing::{Process, Queue};

/// By itself. (Beside a queue of another project it is in `benches/peers`.)
pub fn rows() -> Vec<Row> {
    vec![Row::ours(entry())]
}

pub fn entry() -> Entry {
    Entry::new(format!("queue.stream.8b.{SIDES}x{SIDES}"), |cores| {
        let both = cores.shared_by_all()?;
        let queue = Queue::<[u64; 1]>::new(slots(1))?;
        let mut hands = Vec::new();
        for index in 0..SIDES {
            hands.push(Hand::start(&both, |Desk { cores, orders, reports }| {
                Process::new(consume, (cores, orders, reports, queue.clone())).start()
            })?);
            hands.push(Hand::start(&both, |Desk { cores, orders, reports }| {
                Process::new(produce, (cores, orders, reports, queue.clone(), index)).start()
            })?);
        }
        Ok(Crew::new(hands))
    })
}

fn produce(cores: Vec<u32>, orders: Queue<u64>, reports: Queue<Figures>, queue: Queue<[u64; 1]>, index: u64) {
    let mut producer = Producer::new(queue, index);
    let desk = Desk { cores, orders, reports };
    finish(serve(&desk, |operations| producer.batch(operations)));
}

fn consume(cores: Vec<u32>, orders: Queue<u64>, reports: Queue<Figures>, queue: Queue<[u64; 1]>) {
    let mut consumer = Consumer::new(queue);
    let desk = Desk { cores, orders, reports };
    finish(serve(&desk, |operations| consumer.batch(operations)));
}
