//! One copy of a buffer by one process: the least that moving a message can cost.

use crate::measure::{Crew, Entry, Partner, Report};
use std::hint::black_box;
use std::time::Instant;

pub fn entries() -> Vec<Entry> {
    vec![entry("raw.memcpy.4k", 4 << 10), of_64k(), entry("raw.memcpy.64m", 64 << 20)]
}

pub fn of_64k() -> Entry {
    entry("raw.memcpy.64k", 64 << 10)
}

fn entry(name: &str, bytes: usize) -> Entry {
    Entry::new(name, move |cores| {
        let mut from = vec![1u64; bytes / 8];
        let mut to = vec![2u64; bytes / 8];
        let partner = Partner::fork(&cores.one()?, move |copies| Ok(copy(&mut from, &mut to, copies)))?;
        Ok(Crew::from(partner))
    })
}

/// The first and last words change with each copy, and are looked at afterwards.
fn copy(from: &mut [u64], to: &mut [u64], copies: u64) -> Report {
    let last = from.len() - 1;
    let mut wrong = 0;
    let start = Instant::now();
    for number in 0..copies {
        (from[0], from[last]) = (number, !number);
        black_box(&mut *to).copy_from_slice(black_box(from));
        wrong += u64::from((to[0], to[last]) != (number, !number));
    }
    Report { operations: copies, nanos: start.elapsed().as_nanos() as u64, wrong, each: None }
}
