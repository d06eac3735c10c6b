//! `Lock` and `RLock`: alone, and wanted by several processes.

use super::hands::{Desk, Figures, Hand, finish, serve};
use crate::measure::contest::{turns, turns_for_time};
use crate::measure::{Contest, Crew, Entry, Row};
use crate::speed::raw::mutex;
use processing::{Lock, Process, Queue, RLock};

pub fn rows() -> Vec<Row> {
    vec![
        Row::ours(uncontended()).against(mutex::std_mutex()).against(mutex::robust()),
        Row::ours(recursive()).against(mutex::std_mutex()),
        Row::ours(contended("lock.contended.2p", 2)).against(mutex::robust_contended(2)),
        Row::ours(contended("lock.contended.8p", 8)).against(mutex::robust_contended(8)),
    ]
}

/// Acquire and release by the only process that wants it.
fn uncontended() -> Entry {
    Entry::new("lock.uncontended", |cores| {
        let hand = Hand::start(&cores.one()?, |Desk { cores, orders, reports }| {
            Process::new(take_turns, (cores, orders, reports, Lock::new()?)).start()
        })?;
        Ok(Crew::new([hand]))
    })
}

fn recursive() -> Entry {
    Entry::new("rlock.uncontended", |cores| {
        let hand = Hand::start(&cores.one()?, |Desk { cores, orders, reports }| {
            Process::new(take_turns_again, (cores, orders, reports, RLock::new()?)).start()
        })?;
        Ok(Crew::new([hand]))
    })
}

/// Wanted by so many processes on two cores.
fn contended(name: &str, processes: u64) -> Entry {
    Entry::new(name, move |cores| {
        let lock = Lock::new()?;
        let both = cores.shared_by_all()?;
        let side = |_| {
            Hand::start(&both, |Desk { cores, orders, reports }| {
                Process::new(compete, (cores, orders, reports, lock.clone())).start()
            })
        };
        let sides = (0..processes).map(side).collect::<anyhow::Result<Vec<_>>>()?;
        Ok(Contest::new(Crew::new(sides), processes))
    })
}

fn take_turns(cores: Vec<u32>, orders: Queue<u64>, reports: Queue<Figures>, lock: Lock) {
    let desk = Desk { cores, orders, reports };
    let mut inside = 0u64;
    finish(serve(&desk, |operations| {
        turns(operations, || {
            let _guard = lock.acquire().map_err(processing::Error::from)?;
            inside = std::hint::black_box(inside + 1);
            Ok(false)
        })
    }));
}

fn take_turns_again(cores: Vec<u32>, orders: Queue<u64>, reports: Queue<Figures>, lock: RLock) {
    let desk = Desk { cores, orders, reports };
    let mut inside = 0u64;
    finish(serve(&desk, |operations| {
        turns(operations, || {
            let _guard = lock.acquire().map_err(processing::Error::from)?;
            inside = std::hint::black_box(inside + 1);
            Ok(false)
        })
    }));
}

fn compete(cores: Vec<u32>, orders: Queue<u64>, reports: Queue<Figures>, lock: Lock) {
    let desk = Desk { cores, orders, reports };
    let mut inside = 0u64;
    finish(serve(&desk, |nanos| {
        turns_for_time(nanos, || {
            let _guard = lock.acquire().map_err(processing::Error::from)?;
            inside = std::hint::black_box(inside + 1);
            Ok(false)
        })
    }));
}
