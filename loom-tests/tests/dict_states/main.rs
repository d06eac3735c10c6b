//! Dictionaries (`data/dict`), operation by operation, under sequential consistency. What runs is the source itself, over the model's memory.
//!
//! *Deaths*: a call is made in a world; the process is killed before each of its shared operations (stores, CAS, allocations, locks). Each
//! time, all readers see the content before the call or after it, and what the dictionary names is what there is. Then another call is made, whose process
//! inherits the locks, and is killed at each of its operations in turn; then a last one, which gets through: nothing was lost, the count is right, nothing
//! leaks. The reaper of the dead frees their blocks before or after the next call. So is the teardown killed and repeated.
//!
//! *Readers*: a reader is interrupted at each of its loads, for any number of a writer's stores, twice where there is time; what it answers was true at a moment of its call.
//! Memory is reused at once, so that a look at what is gone shows.
#![cfg(not(loom))]

mod memory;

use std::collections::{BTreeMap, BTreeSet};

use memory::{Change, Gone, Own, Process, STRIPES, Shared};
use processing::data::dict::{Batch, Bytes, Dict, Key, Memory, Next, Put, Seen, Words, Writers};
use processing::layout::dict::{Lengths, Settings, at};
use processing::sync::atomic::Ordering::{Relaxed, Release};
use processing_loom_tests::deep;

type Map = BTreeMap<u64, u64>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Put(u64, u64),
    Remove(u64),
    Clear,
}

impl Op {
    fn on(self, map: &Map) -> Map {
        let mut map = map.clone();
        match self {
            Self::Put(key, value) => {
                map.insert(key, value);
            }
            Self::Remove(key) => {
                map.remove(&key);
            }
            Self::Clear => map.clear(),
        }
        map
    }
}

/// Keys whose hashes begin with three bits that are `group`.
const fn key(group: u64, number: u64) -> u64 {
    group << 61 | number
}

const INLINE: Settings =
    Settings { inline_keys: true, inline_values: true, stripes: STRIPES, in_front: false };
const BLOCKS: Settings = Settings { inline_values: false, ..INLINE };
const HASHED: Settings = Settings { inline_keys: false, ..BLOCKS };

fn with_key<R>(key: u64, f: impl FnOnce(&Key<'_>) -> R) -> R {
    f(&Key { hash: key, word: key, bytes: &key.to_ne_bytes() })
}

fn prepare(dict: &Dict<Process>, key: u64, value: u64) -> Result<Put<memory::Block<'_>>, Gone> {
    let settings = dict.settings();
    if settings.inline_values {
        return Ok(Put::Inline(value));
    }
    let lengths = Lengths { value: 8, key: if settings.inline_keys { 0 } else { 8 } };
    let block = dict.memory.alloc(lengths.payload(false))?;
    let words = dict.memory.words(dict.memory.name(&block).offset, lengths.words(false)).expect("a block");
    words.store(0, lengths.pack(), Relaxed);
    words.store(1, value, Relaxed);
    if !settings.inline_keys {
        words.store(2, key, Relaxed);
    }
    Ok(Put::Block(block))
}

fn act(dict: &Dict<Process>, op: Op) -> Result<(), Gone> {
    match op {
        Op::Put(key, value) => with_key(key, |key| {
            let mut put = prepare(dict, key.word, value)?;
            loop {
                let entered = dict.enter(key.hash)?;
                match entered.slot(key) {
                    Some(slot) => {
                        entered.replace(slot, put);
                        return Ok(());
                    }
                    None => match entered.insert(key, put) {
                        Ok(()) => return Ok(()),
                        Err(back) => put = back,
                    },
                }
                let full = entered.segment();
                drop(entered);
                dict.grow(key.hash, full)?;
            }
        }),
        Op::Remove(key) => with_key(key, |key| {
            let entered = dict.enter(key.hash)?;
            entered.slot(key).into_iter().for_each(|slot| entered.remove(slot));
            Ok(())
        }),
        Op::Clear => dict.clear(),
    }
}

/// One lookup, if nobody comes in between.
fn look(dict: &Dict<Process>, key: u64) -> Option<Option<u64>> {
    let mut out = Bytes::new();
    let seen = with_key(key, |key| dict.try_get(key, &mut out))?;
    Some(match seen {
        Seen::Absent => None,
        Seen::Inline(value) => Some(value),
        Seen::Copied(8) => Some(u64::from_ne_bytes((&*out).try_into().expect("eight bytes"))),
        other => panic!("{other:?}"),
    })
}

/// What readers see at this moment.
fn content(shared: &Shared) -> Result<Map, String> {
    let dict = Dict::new(Process::new(shared.clone(), 0, 0));
    let (mut map, mut batch, mut next) = (Map::new(), Batch::new(), Next::At(0));
    while let Next::At(cursor) = next {
        next = dict.try_scan(cursor, &mut batch).ok_or("a scan is disturbed by nobody")?;
        for item in batch.items() {
            let value = match dict.settings().inline_values {
                true => item.value,
                false => u64::from_ne_bytes(batch.value(item).try_into().map_err(|_| "a value's length")?),
            };
            if map.insert(item.key, value).is_some() {
                return Err(format!("key {:x} comes twice", item.key));
            }
        }
    }
    // Who counts sees what readers see.
    if dict.len() != map.len() as u64 {
        return Err(format!("it counts {} of {}", dict.len(), map.len()));
    }
    for (key, value) in &map {
        if look(&dict, *key) != Some(Some(*value)) {
            return Err(format!("key {key:x} is not what the scan says"));
        }
    }
    Ok(map)
}

fn values(shared: &Shared) -> BTreeSet<u64> {
    let all = (0u64..).zip(&shared.own);
    all.filter(|(_, (own, _))| *own == Own::Value).map(|(index, _)| (index + 1) * 256).collect()
}

/// At rest: what the dictionary names is what there is.
fn check_rest(shared: &Shared) -> Result<(), String> {
    let mut shared = shared.clone();
    for who in shared.dead.clone() {
        shared.reap(who);
    }
    let there = values(&shared);
    let dict = Dict::new(Process::new(shared, 0, 0));
    let mut named = BTreeSet::new();
    let mut twice = None;
    dict.blocks(&mut |block| {
        if !named.insert(block.offset) {
            twice = Some(block);
        }
    });
    let mut astray = None;
    dict.astray(&mut |block| astray = Some(block));
    if let Some(block) = astray {
        return Err(format!("it leads to {block:?}, which is not there"));
    }
    if let Some(block) = twice {
        return Err(format!("{block:?} is named twice"));
    }
    if named != there {
        return Err(format!("it names {named:?}, and there are {there:?}"));
    }
    Ok(())
}

/// Nobody uses it any more: all is freed, also if the one who does so is killed at any moment.
fn check_teardown(shared: &Shared) -> Result<(), String> {
    for left in 0.. {
        let first = Dict::new(Process::new(shared.clone(), 8, left));
        first.blocks(&mut |block| first.memory.free(block));
        let through = !first.memory.is_dead();
        let mut shared = first.memory.shared.into_inner();
        for who in shared.dead.clone().into_iter().chain([8]) {
            shared.reap(who);
        }
        let second = Dict::new(Process::new(shared, 9, u64::MAX));
        second.blocks(&mut |block| second.memory.free(block));
        let rest = second.memory.shared.into_inner();
        if rest.own.iter().any(|(own, _)| *own != Own::Free) {
            return Err(format!("killed after {left} operations, a teardown leaves {:?}", rest.own));
        }
        if through {
            return Ok(());
        }
    }
    unreachable!()
}

/// Runs a call until it is through, or dead after so many operations.
fn run(shared: &Shared, who: u8, left: u64, op: Op) -> Result<(Shared, bool, Vec<Change>), String> {
    let dict = Dict::new(Process::new(shared.clone(), who, left));
    let answer = act(&dict, op);
    let through = !dict.memory.is_dead();
    if let (true, Err(error)) = (through, &answer) {
        return Err(format!("{op:?} fails: {error:?}"));
    }
    let trace = dict.memory.trace.take();
    let mut shared = dict.memory.shared.into_inner();
    if let Some(what) = shared.broken.take() {
        return Err(what);
    }
    if !through {
        shared.dead.push(who);
    }
    Ok((shared, through, trace))
}

/// Takes every lock once, so that all repairs are made; then nothing is left of the dead.
fn check_end(shared: &Shared, expected: &Map) -> Result<(), String> {
    let mut shared = shared.clone();
    let dict = Dict::new(Process::new(shared, 7, u64::MAX));
    let settled = || -> Result<(), Gone> {
        dict.measure()?;
        for group in 0..8 {
            dict.enter(key(group, 0))?;
        }
        Ok(())
    };
    settled().map_err(|error| format!("a lock is not to be had: {error:?}"))?;
    let len = dict.len();
    shared = dict.memory.shared.into_inner();
    let seen = content(&shared)?;
    if seen != *expected {
        return Err(format!("in the end there is {seen:x?} instead of {expected:x?}"));
    }
    if len != expected.len() as u64 {
        return Err(format!("it counts {len} of {}", expected.len()));
    }
    check_rest(&shared)
}

struct World {
    name: &'static str,
    shared: Shared,
    content: Map,
}

fn world(name: &'static str, settings: Settings, entries: &[(u64, u64)]) -> World {
    let dict = Dict::new(Process::new(Shared::new(), 1, u64::MAX));
    dict.memory.body().store(at::SETTINGS, settings.pack(), Release);
    let dict = Dict::new(dict.memory);
    dict.begin(0).expect("room");
    let mut map = Map::new();
    for (group, count) in entries {
        for number in 1..=*count {
            let op = Op::Put(key(*group, number), number);
            act(&dict, op).expect("room");
            map = op.on(&map);
        }
    }
    let shared = dict.memory.shared.into_inner();
    assert_eq!(content(&shared).as_ref(), Ok(&map), "{name}");
    World { name, shared, content: map }
}

/// Worlds in which a next key fills a slot, makes a segment larger, splits one with the directory, and without.
fn worlds(settings: Settings) -> Vec<World> {
    vec![
        world("empty", settings, &[]),
        world("a bucket", settings, &[(0, 5), (4, 1)]),
        world("a full bucket", settings, &[(0, 4), (5, 3)]),
        world("a full segment", settings, &[(0, 6), (3, 2), (6, 6)]),
        // Its two entries are four afterwards, two of which lead to the other segment.
        world("a directory", settings, &[(0, 7), (2, 7), (6, 3)]),
        // Two entries lead to the full segment.
        world("a segment of two entries", settings, &[(0, 8), (2, 8), (5, 4), (6, 3)]),
    ]
}

/// Calls that concern these worlds.
fn calls(world: &World) -> Vec<Op> {
    let mut calls = vec![Op::Put(key(1, 40), 41), Op::Put(key(5, 42), 43), Op::Clear];
    if let Some(first) = world.content.keys().next() {
        calls.extend([Op::Put(*first, 77), Op::Remove(*first)]);
    }
    calls
}

/// All ways in which a chain of calls may go, each killed at each operation, but for the last.
fn kill(
    shared: &Shared,
    before: &Map,
    ops: &[Op],
    who: u8,
    early: bool,
    counted: &mut u64,
) -> Result<(), String> {
    let (op, rest) = ops.split_first().expect("a call");
    let after = op.on(before);
    if rest.is_empty() {
        let (end, ..) = run(shared, who, u64::MAX, *op)?;
        *counted += 1;
        return check_end(&end, &after);
    }
    for left in 0.. {
        let told = |what| format!("{op:?} killed after {left}: {what}");
        let (mut next, through, _) = run(shared, who, left, *op).map_err(told)?;
        *counted += 1;
        let now = content(&next).map_err(told)?;
        if now != *before && now != after {
            return Err(told(format!("readers see {now:x?}, neither {before:x?} nor {after:x?}")));
        }
        check_rest(&next).map_err(told)?;
        if who == 2 {
            check_teardown(&next).map_err(told)?;
        }
        if early && !through {
            next.reap(who);
        }
        if through && now != after {
            return Err(told("it has no effect".into()));
        }
        kill(&next, &now, rest, who + 1, early, counted).map_err(told)?;
        if through {
            return Ok(());
        }
    }
    unreachable!()
}

fn kill_in(settings: Settings) {
    let mut counted = 0;
    for world in worlds(settings) {
        let calls = calls(&world);
        for first in &calls {
            for second in &calls {
                let mut chain = vec![*first, *second, Op::Put(key(2, 60), 61)];
                if deep() && *second != Op::Clear && *first != Op::Clear {
                    chain.insert(2, Op::Put(key(1, 50), 51));
                }
                for early in [true, false] {
                    let end = kill(&world.shared, &world.content, &chain, 2, early, &mut counted);
                    end.unwrap_or_else(|what| panic!("{}, {chain:?}: {what}", world.name));
                }
            }
        }
    }
    println!("{settings:?}: {counted} runs");
}

#[test]
fn killed_anywhere_with_inline_values() {
    kill_in(INLINE);
}

#[test]
fn killed_anywhere_with_values_in_blocks() {
    kill_in(BLOCKS);
}

#[test]
fn killed_anywhere_with_keys_in_blocks() {
    kill_in(HASHED);
}

/// A reader of `key` against the changes of `trace`, interrupted in all ways with so many switches.
fn interrupted(shared: &Shared, trace: &[Change], key: u64, switches: u32) -> Result<u64, String> {
    // What it is at each moment.
    let mut moments = Vec::new();
    let mut at = shared.clone();
    for t in 0..=trace.len() {
        let dict = Dict::new(Process::new(at, 0, 0));
        moments.push(look(&dict, key).ok_or("a look that nobody disturbs")?);
        at = dict.memory.shared.into_inner();
        if let Some(change) = trace.get(t) {
            change.apply(&mut at);
        }
    }
    let mut runs = 0;
    let mut at = shared.clone();
    for start in 0..trace.len() {
        let mut at_load = 0;
        loop {
            let mut any = false;
            for until in start + 1..=trace.len() {
                let again: Vec<Option<(u64, usize)>> = match switches {
                    1 => vec![None],
                    _ => (1..8).flat_map(|l| (1..12).map(move |t| Some((at_load + l, until + t)))).collect(),
                };
                for second in again {
                    let second = second.filter(|(_, t)| *t <= trace.len());
                    if switches > 1 && second.is_none() {
                        continue;
                    }
                    let process = Process::new(at.clone(), 0, 0);
                    process.others.replace(trace.to_vec());
                    process.done.set(start);
                    let last = second.map_or(until, |(_, t)| t);
                    process
                        .switches
                        .replace([Some((at_load, until)), second].into_iter().flatten().collect());
                    let dict = Dict::new(process);
                    let seen = look(&dict, key);
                    any |= dict.memory.switches.borrow().is_empty();
                    runs += 1;
                    if let Some(seen) = seen
                        && !moments[start..=last].contains(&seen)
                    {
                        let when = format!("{start}, at load {at_load} {until}, {second:?}");
                        return Err(format!("{key:x} is {seen:?}, which it never was ({when})"));
                    }
                }
            }
            at_load += 1;
            if !any {
                break;
            }
        }
        trace[start].apply(&mut at);
    }
    Ok(runs)
}

/// Calls that reuse at once what the ones before have freed.
fn stories(world: &World) -> Vec<(u64, Vec<Op>)> {
    let Some(first) = world.content.keys().next().copied() else { return Vec::new() };
    let new = key(1, 40);
    vec![
        (first, vec![Op::Put(first, 70), Op::Put(key(1, 41), 71), Op::Put(first, 72)]),
        (first, vec![Op::Remove(first), Op::Put(new, 73), Op::Put(first, 74)]),
        (new, vec![Op::Put(new, 75), Op::Remove(first), Op::Put(key(4, 44), 76)]),
        (first, vec![Op::Put(new, 75), Op::Put(key(0, 45), 77), Op::Put(first, 78), Op::Put(key(2, 46), 79)]),
        (first, vec![Op::Clear, Op::Put(key(3, 40), 80), Op::Put(first, 81)]),
    ]
}

fn interrupt_in(settings: Settings, switches: u32) {
    let mut runs = 0;
    for world in worlds(settings) {
        for (key, ops) in stories(&world) {
            let (mut at, mut trace) = (world.shared.clone(), Vec::new());
            for op in &ops {
                let (next, _, changes) = run(&at, 2, u64::MAX, *op).expect("room");
                at = next;
                trace.extend(changes);
            }
            if switches > 1 && trace.len() > if deep() { 400 } else { 32 } {
                continue;
            }
            let end = interrupted(&world.shared, &trace, key, switches);
            runs += end.unwrap_or_else(|what| panic!("{}, {ops:x?}: {what}", world.name));
        }
    }
    println!("{settings:?}: {runs} runs with {switches} switches");
}

#[test]
fn read_in_between_with_inline_values() {
    interrupt_in(INLINE, 1);
    interrupt_in(INLINE, 2);
}

#[test]
fn read_in_between_with_values_in_blocks() {
    interrupt_in(BLOCKS, 1);
    interrupt_in(BLOCKS, 2);
}

#[test]
fn read_in_between_with_keys_in_blocks() {
    interrupt_in(HASHED, 1);
    interrupt_in(HASHED, 2);
}
