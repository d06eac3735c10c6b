//! `SharedDict`: a process gets or replaces random entries while another one replaces entries by a schedule; and what a dictionary of a
//! million entries takes.

use super::hands::{Desk, Figures, Hand, finish, serve};
use crate::measure::contest::turns;
use crate::measure::entries::{Large, Small};
use crate::measure::{Batch, Beside, Contender, Cores, Entry, Indices, Kind, Pad, Row};
use crate::speed::raw::mutex_map;
use anyhow::{Context as _, ensure};
use processing::rkyv::{self, Archive, Deserialize, Serialize};
use processing::{Process, Queue, SharedData, SharedDict};
use std::time::{Duration, Instant};

/// How many entries there are.
pub const SOME: u64 = 10_000;
pub const MANY: u64 = 1_000_000;

pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (name, limit) in [("dict.get.u64", SOME), ("dict.get.u64.1m", MANY)] {
        let peer = mutex_map::get::<Small>("mutex_hashmap", limit);
        rows.push(Row::ours(get::<Small>(name, limit)).against(peer));
    }
    for (name, limit) in [("dict.get.16b_64b", SOME), ("dict.get.16b_64b.1m", MANY)] {
        let peer = mutex_map::get::<Large>("mutex_hashmap", limit);
        rows.push(Row::ours(get::<Large>(name, limit)).against(peer));
    }
    rows.push(Row::ours(set()).against(mutex_map::set::<Small>("mutex_hashmap", SOME)));
    rows.push(Row::ours(fill()));
    rows
}

/// What a process does with the dictionary.
#[derive(Clone, Copy, Archive, Serialize, Deserialize)]
#[rkyv(crate = rkyv)]
pub enum Role {
    Gets,
    Sets,
    /// By the schedule, beside the one that is measured.
    Writes,
}

/// An entry type that there are processes for.
pub trait Shared: Kind<Key: SharedData, Value: SharedData> {
    /// Starts one.
    ///
    /// # Errors
    /// The library's.
    fn start(
        desk: Desk,
        how: (String, u64, Role),
        dict: SharedDict<Self::Key, Self::Value>,
    ) -> processing::Result<Process>;
}

impl Shared for Small {
    fn start(
        Desk { cores, orders, reports }: Desk,
        how: (String, u64, Role),
        dict: SharedDict<u64, u64>,
    ) -> processing::Result<Process> {
        fn work(
            cores: Vec<u32>,
            orders: Queue<u64>,
            reports: Queue<Figures>,
            how: (String, u64, Role),
            dict: SharedDict<u64, u64>,
        ) {
            finish(play::<Small>(&Desk { cores, orders, reports }, how, &dict));
        }
        Process::new(work, (cores, orders, reports, how, dict)).start()
    }
}

impl Shared for Large {
    fn start(
        Desk { cores, orders, reports }: Desk,
        how: (String, u64, Role),
        dict: SharedDict<[u8; 16], [u64; 8]>,
    ) -> processing::Result<Process> {
        fn work(
            cores: Vec<u32>,
            orders: Queue<u64>,
            reports: Queue<Figures>,
            how: (String, u64, Role),
            dict: SharedDict<[u8; 16], [u64; 8]>,
        ) {
            finish(play::<Large>(&Desk { cores, orders, reports }, how, &dict));
        }
        Process::new(work, (cores, orders, reports, how, dict)).start()
    }
}

/// A random entry of so many.
pub fn get<K: Shared>(name: &str, limit: u64) -> Entry {
    Entry::new(name, move |cores| beside::<K>(cores, limit, Role::Gets))
}

/// Replaces a random entry.
pub fn set() -> Entry {
    Entry::new("dict.set.u64", |cores| beside::<Small>(cores, SOME, Role::Sets))
}

fn beside<K: Shared>(cores: &Cores, limit: u64, role: Role) -> anyhow::Result<Beside> {
    let (a, b) = cores.two()?;
    let (pad, name) = Pad::named()?;
    let dict = filled::<K>(limit)?;
    let start =
        |place, role| Hand::start(place, |desk| K::start(desk, (name.clone(), limit, role), dict.clone()));
    Ok(Beside::new(pad, start(&a, role)?, start(&b, Role::Writes)?))
}

fn filled<K: Shared>(limit: u64) -> anyhow::Result<SharedDict<K::Key, K::Value>> {
    let dict = SharedDict::new()?;
    for index in 0..limit {
        dict.insert(&K::key(index), &K::value(index, 0))?;
    }
    Ok(dict)
}

/// The life of a process.
fn play<K: Shared>(
    desk: &Desk,
    (pad, limit, role): (String, u64, Role),
    dict: &SharedDict<K::Key, K::Value>,
) -> anyhow::Result<()> {
    let pad = Pad::open(&pad)?;
    let mut indices = Indices::new(1 + role as u64);
    let mut number = 0;
    // This process has not had their pages yet.
    for index in 0..limit {
        ensure!(dict.get(&K::key(index))?.is_some_and(|value| K::is_value(&value, index)), "entry {index}");
    }
    serve(desk, |operations| match role {
        Role::Gets => pad.watch(|| {
            turns(operations, || {
                let index = indices.below(limit);
                Ok(dict.get(&K::key(index))?.is_none_or(|value| !K::is_value(&value, index)))
            })
        }),
        Role::Sets => pad.watch(|| {
            turns(operations, || {
                let index = indices.below(limit);
                number += 1;
                // True: there was none.
                Ok(dict.insert(&K::key(index), &K::value(index, number))?)
            })
        }),
        Role::Writes => pad.write(|number| {
            let index = indices.below(limit);
            ensure!(!dict.insert(&K::key(index), &K::value(index, number))?, "an entry was not there");
            Ok(())
        }),
    })
}

/// A million insertions into an empty one, and what it takes then.
pub fn fill() -> Entry {
    Entry::new("dict.fill.u64.1m", |cores| {
        cores.one()?;
        Ok(Filling)
    })
}

struct Filling;

impl Contender for Filling {
    /// A whole dictionary, whatever the number: an operation takes as long as an insertion on average.
    fn batch(&mut self, operations: u64) -> anyhow::Result<Batch> {
        let start = Instant::now();
        let dict = filled::<Small>(MANY)?;
        let each = start.elapsed().as_secs_f64() / MANY as f64;
        let stats = dict.stats()?;
        ensure!(stats.entries == MANY && dict.len() as u64 == MANY, "{stats:?}");
        let last = dict.get(&Small::key(MANY - 1))?.context("the last entry is not there")?;
        ensure!(Small::is_value(&last, MANY - 1), "the last entry is another's");
        let elapsed = Duration::from_secs_f64(each * operations as f64);
        Ok(Batch { bytes_each: Some(stats.bytes as f64 / MANY as f64), ..elapsed.into() })
    }
}
