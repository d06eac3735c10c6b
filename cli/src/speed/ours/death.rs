//! From the death of a lock's owner to the survivor's return.

use super::hands::{Desk, Figures, Hand, finish, serve};
use crate::measure::clock::now;
use crate::measure::{Batch, Contender, Entry, Report, Row, Side};
use anyhow::{Context as _, ensure};
use processing::{AcquireError, Lock, Process, Queue};
use std::time::Duration;

pub fn rows() -> Vec<Row> {
    vec![Row::ours(to_owner_died())]
}

/// A survivor sleeps for a lock; its owner is killed, and its parent waits for that.
fn to_owner_died() -> Entry {
    Entry::new("death.to_owner_died", |cores| {
        let lock = Lock::new()?;
        let held = Queue::new(1)?;
        let survivor = Hand::start(&cores.shared_by_all()?, |Desk { cores, orders, reports }| {
            Process::new(survive, (cores, orders, reports, lock.clone())).start()
        })?;
        Ok(Deaths { lock, held, survivor })
    })
}

struct Deaths {
    lock: Lock,
    held: Queue<u8>,
    survivor: Hand,
}

/// So that the survivor is asleep when the owner dies.
const SETTLE: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_secs(30);

impl Contender for Deaths {
    fn batch(&mut self, operations: u64) -> anyhow::Result<Batch> {
        Batch::measured_each(operations, || {
            let owner = Process::new(die, (self.lock.clone(), self.held.clone())).start()?;
            self.held.get()?;
            self.survivor.order(1)?;
            std::thread::sleep(SETTLE);
            let killed = now();
            owner.kill()?;
            owner.join()?;
            let returned = self.survivor.report(PATIENCE)?.nanos;
            Ok(Duration::from_nanos(returned.saturating_sub(killed)))
        })
    }
}

fn die(lock: Lock, held: Queue<u8>) {
    let _guard = lock.acquire();
    let told = held.put(&1);
    while told.is_ok() {
        std::thread::park();
    }
}

fn survive(cores: Vec<u32>, orders: Queue<u64>, reports: Queue<Figures>, lock: Lock) {
    finish(serve(&Desk { cores, orders, reports }, |_| {
        let died = match lock.acquire() {
            Err(AcquireError::OwnerDied(died)) => died,
            other => return Err(processing::Error::from(other.err().context("nobody died")?).into()),
        };
        let nanos = now();
        ensure!(died.pid() != 0, "the dead one is not known");
        drop(died.recover());
        Ok(Report { operations: 1, nanos, ..Report::default() })
    }));
}
