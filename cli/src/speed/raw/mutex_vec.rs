//! A vector of the standard library under a mutex of the standard library, in one process, wanted by nobody else.

use crate::measure::contest::turns;
use crate::measure::elements::{ELEMENTS, element, elements, in_parts};
use crate::measure::{Crew, Entry, Indices, Partner};
use anyhow::{Context as _, anyhow};
use std::hint::black_box;
use std::sync::{Mutex, MutexGuard};
use std::time::Instant;

pub fn entries() -> Vec<Entry> {
    vec![push("mutex_vec.push"), get("mutex_vec.get")]
}

/// Grows from nothing, again and again.
pub fn push(name: &str) -> Entry {
    Entry::new(name, |cores| {
        let partner = Partner::fork(&cores.one()?, |operations| {
            in_parts(operations, |part| {
                let vec = Mutex::new(Vec::new());
                let start = Instant::now();
                for index in 0..part {
                    lock(black_box(&vec))?.push(element(index));
                }
                let took = start.elapsed();
                let vec = lock(&vec)?;
                let last = *vec.last().context("nothing was pushed")?;
                Ok((took, vec.len() as u64 == part && last == element(part - 1)))
            })
        })?;
        Ok(Crew::from(partner))
    })
}

/// A random element, its index checked.
pub fn get(name: &str) -> Entry {
    Entry::new(name, |cores| {
        let (vec, mut indices) = (Mutex::new(elements()), Indices::new(1));
        let partner = Partner::fork(&cores.one()?, move |operations| {
            turns(operations, || {
                let index = indices.below(ELEMENTS);
                Ok(lock(black_box(&vec))?.get(index as usize).copied() != Some(element(index)))
            })
        })?;
        Ok(Crew::from(partner))
    })
}

fn lock(vec: &Mutex<Vec<u64>>) -> anyhow::Result<MutexGuard<'_, Vec<u64>>> {
    vec.lock().map_err(|_| anyhow!("nobody else is here"))
}
