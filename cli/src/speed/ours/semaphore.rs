//! `Semaphore`: acquire and release by the only process that uses it.

use super::hands::{Desk, Figures, Hand, finish, serve};
use crate::measure::contest::turns;
use crate::measure::{Crew, Entry, Row};
use crate::speed::raw::semaphore;
use processing::{Process, Queue, Semaphore};

pub fn rows() -> Vec<Row> {
    vec![Row::ours(uncontended()).against(semaphore::uncontended())]
}

fn uncontended() -> Entry {
    Entry::new("semaphore.uncontended", |cores| {
        let hand = Hand::start(&cores.one()?, |Desk { cores, orders, reports }| {
            Process::new(take_turns, (cores, orders, reports, Semaphore::new(1)?)).start()
        })?;
        Ok(Crew::new([hand]))
    })
}

fn take_turns(cores: Vec<u32>, orders: Queue<u64>, reports: Queue<Figures>, semaphore: Semaphore) {
    let desk = Desk { cores, orders, reports };
    finish(serve(&desk, |operations| {
        turns(operations, || {
            let _permit = semaphore.acquire()?;
            Ok(false)
        })
    }));
}
