//! The standard library's vector, in one process: elements at random indices, each index checked.

use crate::measure::contest::turns;
use crate::measure::elements::{ELEMENTS, element, elements};
use crate::measure::{Crew, Entry, Indices, Partner};
use std::hint::black_box;

pub fn entries() -> Vec<Entry> {
    vec![get()]
}

/// `Vec::get`.
pub fn get() -> Entry {
    Entry::new("std.vec", |cores| {
        let (vec, mut indices) = (elements(), Indices::new(1));
        let partner = Partner::fork(&cores.one()?, move |operations| {
            turns(operations, || {
                let index = indices.below(ELEMENTS);
                Ok(black_box(&vec).get(index as usize).copied() != Some(element(index)))
            })
        })?;
        Ok(Crew::from(partner))
    })
}
