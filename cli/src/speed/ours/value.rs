//! `SharedValue` of 64 bytes: read while another process writes by a schedule, and written while nobody reads. The comparisons are in
//! `benches/peers`.

use super::hands::{Desk, Figures, Hand, finish, serve};
use crate::measure::contest::{short_turns, turns};
use crate::measure::payload::{is_message, message, sums_up};
use crate::measure::{Beside, Crew, Entry, Pad};
use processing::{Process, Queue, SharedValue};
use std::hint::black_box;

type Value = SharedValue<[u64; 8]>;

/// A copy of the value, each word of which is looked at.
pub fn read() -> Entry {
    Entry::new("value.read.64b", |cores| {
        let (a, b) = cores.two()?;
        let (pad, name) = Pad::named()?;
        let value = Value::new(message(0))?;
        let start = |place, writes: bool| {
            Hand::start(place, |Desk { cores, orders, reports }| {
                let how = (name.clone(), writes);
                Process::new(beside, (cores, orders, reports, how, value.clone())).start()
            })
        };
        Ok(Beside::new(pad, start(&a, false)?, start(&b, true)?))
    })
}

fn beside(
    cores: Vec<u32>,
    orders: Queue<u64>,
    reports: Queue<Figures>,
    (pad, writes): (String, bool),
    value: Value,
) {
    let pad = match Pad::open(&pad) {
        Ok(pad) => pad,
        Err(error) => return finish(Err(error)),
    };
    finish(serve(&Desk { cores, orders, reports }, |operations| {
        if writes {
            return pad.write(|number| Ok(value.set(message(number))?));
        }
        pad.watch(|| {
            short_turns(operations, || {
                let value = value.get();
                Ok(!sums_up(&value, value[0]))
            })
        })
    }));
}

pub fn write() -> Entry {
    Entry::new("value.write.64b", |cores| {
        let value = Value::new(message(0))?;
        let hand = Hand::start(&cores.one()?, |Desk { cores, orders, reports }| {
            Process::new(alone, (cores, orders, reports, value)).start()
        })?;
        Ok(Crew::new([hand]))
    })
}

fn alone(cores: Vec<u32>, orders: Queue<u64>, reports: Queue<Figures>, value: Value) {
    let mut number = 0;
    finish(serve(&Desk { cores, orders, reports }, |operations| {
        let mut report = turns(operations, || {
            number += 1;
            black_box(&value).set(message(number))?;
            Ok(false)
        })?;
        report.wrong += u64::from(!is_message(&value.get(), number));
        Ok(report)
    }));
}
