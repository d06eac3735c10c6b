//! `Event`: a hundred waiters, from `set` to the return of the last one.

use super::hands::{Desk, Figures, Hand, finish, serve};
use crate::measure::gathering::{Gathering, Roll};
use crate::measure::shared::{named, open};
use crate::measure::{Entry, Row, Side};
use crate::speed::raw::eventfd;
use processing::{Event, Process, Queue};

pub fn rows() -> Vec<Row> {
    vec![Row::ours(wake_all()).against(eventfd::wake_all())]
}

fn wake_all() -> Entry {
    Entry::new(format!("event.wake.{}", eventfd::WAITERS), |cores| {
        let (roll, memory) = named::<Roll>()?;
        // In turn: nobody may pass the next round's by what is left of this one's.
        let events = (Event::new()?, Event::new()?);
        let place = cores.shared_by_all()?;
        let mut waiters: Vec<Box<dyn Side>> = Vec::new();
        for _ in 0..eventfd::WAITERS {
            waiters.push(Box::new(Hand::start(&place, |Desk { cores, orders, reports }| {
                Process::new(attend, (cores, orders, reports, memory.clone(), events.clone())).start()
            })?));
        }
        let release = move |round: u64| {
            let (this, other) =
                if round.is_multiple_of(2) { (&events.0, &events.1) } else { (&events.1, &events.0) };
            other.clear()?;
            Ok(this.set()?)
        };
        Ok(Gathering { roll, waiters, release, round: 0 })
    })
}

fn attend(
    cores: Vec<u32>,
    orders: Queue<u64>,
    reports: Queue<Figures>,
    memory: String,
    events: (Event, Event),
) {
    let roll: &'static Roll = match open(&memory) {
        Ok(roll) => roll,
        Err(error) => return finish(Err(error)),
    };
    let mut round = 0u64;
    finish(serve(&Desk { cores, orders, reports }, |rounds| {
        roll.attend(rounds, || {
            let event = if round.is_multiple_of(2) { &events.0 } else { &events.1 };
            round += 1;
            Ok(event.wait()?)
        })
    }));
}
