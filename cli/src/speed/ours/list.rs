//! `SharedList`: a process pushes numbers, or gets random ones; nobody else uses it.

use super::hands::{Desk, Figures, Hand, finish, serve};
use crate::measure::contest::turns;
use crate::measure::elements::{ELEMENTS, element, elements, in_parts};
use crate::measure::{Crew, Entry, Indices, Row};
use crate::speed::raw::mutex_vec;
use processing::{Process, Queue, SharedList};
use std::hint::black_box;
use std::time::Instant;

pub fn rows() -> Vec<Row> {
    vec![
        Row::ours(push()).against(mutex_vec::push("mutex_vec")),
        Row::ours(get()).against(mutex_vec::get("mutex_vec")),
    ]
}

/// Grows from nothing, again and again.
pub fn push() -> Entry {
    Entry::new("list.push", |cores| {
        let hand = Hand::start(&cores.one()?, |Desk { cores, orders, reports }| {
            Process::new(pushes, (cores, orders, reports)).start()
        })?;
        Ok(Crew::new([hand]))
    })
}

/// A random element.
pub fn get() -> Entry {
    Entry::new("list.get", |cores| {
        let list = SharedList::from_slice(&elements())?;
        let hand = Hand::start(&cores.one()?, |Desk { cores, orders, reports }| {
            Process::new(gets, (cores, orders, reports, list)).start()
        })?;
        Ok(Crew::new([hand]))
    })
}

fn pushes(cores: Vec<u32>, orders: Queue<u64>, reports: Queue<Figures>) {
    finish(serve(&Desk { cores, orders, reports }, |operations| {
        in_parts(operations, |part| {
            let list = SharedList::new()?;
            let start = Instant::now();
            for index in 0..part {
                black_box(&list).push(&element(index))?;
            }
            let took = start.elapsed();
            Ok((took, list.len() as u64 == part && list.last()? == Some(element(part - 1))))
        })
    }));
}

fn gets(cores: Vec<u32>, orders: Queue<u64>, reports: Queue<Figures>, list: SharedList<u64>) {
    let mut indices = Indices::new(1);
    finish(serve(&Desk { cores, orders, reports }, |operations| {
        turns(operations, || {
            let index = indices.below(ELEMENTS);
            Ok(black_box(&list).get(index as usize)? != element(index))
        })
    }));
}
