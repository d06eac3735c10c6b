//! `SharedArray`: elements at random indices, each index checked.

use super::hands::{Desk, Figures, Hand, finish, serve};
use crate::measure::contest::turns;
use crate::measure::elements::{ELEMENTS, element, elements};
use crate::measure::{Crew, Entry, Indices, Row};
use crate::speed::raw::std_vec;
use processing::{Process, Queue, SharedArray};
use std::hint::black_box;

pub fn rows() -> Vec<Row> {
    vec![Row::ours(get()).against(std_vec::get())]
}

fn get() -> Entry {
    Entry::new("array.get", |cores| {
        let array = SharedArray::from_slice(&elements())?;
        let hand = Hand::start(&cores.one()?, |Desk { cores, orders, reports }| {
            Process::new(gets, (cores, orders, reports, array)).start()
        })?;
        Ok(Crew::new([hand]))
    })
}

fn gets(cores: Vec<u32>, orders: Queue<u64>, reports: Queue<Figures>, array: SharedArray<u64>) {
    let mut indices = Indices::new(1);
    finish(serve(&Desk { cores, orders, reports }, |operations| {
        turns(operations, || {
            let index = indices.below(ELEMENTS);
            Ok(black_box(&array).get(index as usize)? != element(index))
        })
    }));
}
