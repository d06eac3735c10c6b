//! A hash map of the standard library under a mutex of the standard library, in one process: one thread reads or writes, and one other
//! writes by the schedule of [`beside`](crate::measure::beside). Its hash function is the one it comes with.

use crate::measure::contest::turns;
use crate::measure::entries::Small;
use crate::measure::{Beside, Entry, Indices, Kind, Pad, Partner};
use anyhow::anyhow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Mutex;

pub fn entries() -> Vec<Entry> {
    vec![get::<Small>("mutex_hashmap", 10_000), set::<Small>("mutex_hashmap.set", 10_000)]
}

type Map<K> = Mutex<HashMap<<K as Kind>::Key, <K as Kind>::Value>>;

/// A random entry of so many.
pub fn get<K: Kind<Key: Hash + Eq + Send, Value: Send>>(name: &str, limit: u64) -> Entry {
    entry::<K>(name, limit, |map, limit, indices, _| {
        let index = indices.below(limit);
        let map = map.lock().map_err(|_| anyhow!("the writer panicked"))?;
        Ok(map.get(&K::key(index)).is_none_or(|value| !K::is_value(value, index)))
    })
}

/// Replaces a random entry of so many.
pub fn set<K: Kind<Key: Hash + Eq + Send, Value: Send>>(name: &str, limit: u64) -> Entry {
    entry::<K>(name, limit, |map, limit, indices, turn| {
        let index = indices.below(limit);
        let mut map = map.lock().map_err(|_| anyhow!("the writer panicked"))?;
        let old = map.insert(K::key(index), K::value(index, turn));
        Ok(old.is_none_or(|old| !K::is_value(&old, index)))
    })
}

/// True if what was there was wrong.
type Turn<K> = fn(&Map<K>, u64, &mut Indices, u64) -> anyhow::Result<bool>;

fn entry<K: Kind<Key: Hash + Eq + Send, Value: Send>>(name: &str, limit: u64, turn: Turn<K>) -> Entry {
    Entry::new(name, move |cores| {
        let (a, b) = cores.two()?;
        let pad = Pad::new()?;
        // Filled by the process itself: otherwise it would copy each page that it changes first.
        let mut filled: Option<Map<K>> = None;
        let (mut reads, mut writes) = (Indices::new(1), Indices::new(2));
        let partner = Partner::fork(&a, move |operations| {
            let map = &*filled.get_or_insert_with(|| {
                Mutex::new((0..limit).map(|index| (K::key(index), K::value(index, 0))).collect())
            });
            let write = |number| turn_of_writer::<K>(map, limit, &mut writes, number);
            pad.watch_beside_thread(&b, write, || {
                let mut number = 0;
                turns(operations, || {
                    number += 1;
                    turn(map, limit, &mut reads, number)
                })
            })
        })?;
        Ok(Beside::thread(pad, partner))
    })
}

fn turn_of_writer<K: Kind<Key: Hash + Eq>>(
    map: &Map<K>,
    limit: u64,
    indices: &mut Indices,
    number: u64,
) -> anyhow::Result<()> {
    let index = indices.below(limit);
    let mut map = map.lock().map_err(|_| anyhow!("the reader panicked"))?;
    map.insert(K::key(index), K::value(index, number));
    Ok(())
}
