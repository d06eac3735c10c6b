//! Killed in changes of a dictionary: of values in place and in blocks, and where a segment must grow.

use std::collections::BTreeMap;
use std::fmt::Debug;

use processing::data::dict::hash::Seeds;
use processing::layout::block::HEADER;
use processing::layout::dict::BUCKET;
use processing::{Arena, Message, SharedData, SharedDict};
use processing_kill_tests::world::World;
use processing_kill_tests::{Outcome, words};

use crate::case::{Case, case};
use crate::round::Scenario;

pub fn all() -> Vec<Box<dyn Scenario>> {
    vec![
        // No slot in any segment for so many hashes that are alike: two segments. The directory has had an entry for each of the two before.
        Box::new(change("split-8b", splits, |d, key| d.insert(&key, &51), |map, key| map.insert(key, 51))),
        // There is no slot in the segment: a larger one.
        Box::new(change("grow-8b", grows, |d, key| d.insert(&key, &51), |map, key| map.insert(key, 51))),
        Box::new(change("grow-text", texts_grow, put, |map, key| map.insert(key, text(51)))),
        Box::new(change("insert-text", texts, put, |map, key| map.insert(key, text(51)))),
        Box::new(change("replace-text", old_text, put, |map, key| map.insert(key, text(51)))),
        Box::new(change("remove-text", old_text, |d, key| d.remove(&key), |map, key| map.remove(&key))),
        Box::new(change("pop-text", old_text, |d, key| d.pop(&key), |map, key| map.remove(&key))),
        Box::new(change("insert-8b", few, |d, key| d.insert(&key, &51), |map, key| map.insert(key, 51))),
        Box::new(change("replace-8b", old, |d, key| d.insert(&key, &51), |map, key| map.insert(key, 51))),
        Box::new(change("clear-8b", old, |d, _| d.clear(), |map, _| map.clear())),
        Box::new(change("clear-text", old_text, |d, _| d.clear(), |map, _| map.clear())),
        Box::new(change("remove-8b", old, |d, key| d.remove(&key), |map, key| map.remove(&key))),
    ]
}

/// Any: so that a round has the hashes of the one before.
const SEED: u64 = 0x243f_6a88_85a3_08d3;
const FEW: u64 = 4;

/// A dictionary, and the key that the victim changes.
type Made<V> = Outcome<(SharedDict<u64, V>, u64)>;

/// The survivor's side.
struct Side<V> {
    dict: SharedDict<u64, V>,
    arena: Arena,
    before: BTreeMap<u64, V>,
    after: BTreeMap<u64, V>,
}

/// The first so many keys.
fn dict<V: SharedData>(world: &World, count: u64, value: fn(u64) -> V) -> Outcome<SharedDict<u64, V>> {
    let builder = SharedDict::builder().arena(&world.arena).stripes(2).seed(SEED);
    let d = builder.build().map_err(words("dict"))?;
    d.extend((0..count).map(|n| (n, value(n)))).map_err(words("extend"))?;
    Ok(d)
}

fn text(n: u64) -> String {
    format!("{n:08x}").repeat(3)
}

fn put(d: &SharedDict<u64, String>, key: u64) -> processing::Result<bool> {
    d.insert(&key, &text(51))
}

fn few(world: &World) -> Made<u64> {
    Ok((dict(world, FEW, |n| n * 10)?, FEW))
}

fn old(world: &World) -> Made<u64> {
    Ok((dict(world, FEW, |n| n * 10)?, 2))
}

fn texts(world: &World) -> Made<String> {
    Ok((dict(world, FEW, text)?, FEW))
}

fn old_text(world: &World) -> Made<String> {
    Ok((dict(world, FEW, text)?, 2))
}

fn grows(world: &World) -> Made<u64> {
    until_full(world, |n| n * 10)
}

fn texts_grow(world: &World) -> Made<String> {
    until_full(world, text)
}

/// So full that it grows with the next key: which that is says another one, with the same hashes.
fn until_full<V: SharedData>(world: &World, value: fn(u64) -> V) -> Made<V> {
    let another = dict(world, 0, value)?;
    let now = || another.stats().map(|stats| stats.bytes).map_err(words("stats"));
    let before = now()?;
    for key in 0.. {
        another.insert(&key, &value(key)).map_err(words("insert"))?;
        if now()? != before {
            return Ok((dict(world, key, value)?, key));
        }
    }
    Err("it never grows".into())
}

/// So many keys are no more in one bucket, whatever is a segment's size.
const ALIKE: usize = 21;

/// A directory of four entries, of which two lead to one segment: that has as many keys as one bucket takes, and nothing else. With one more of these
/// it is split, and the directory stays.
fn splits(world: &World) -> Made<u64> {
    let keys = |half| alike(half).take(ALIKE + 1);
    let make = || {
        let d = dict(world, 0, |n| n * 10)?;
        // The first of these make a segment two, and one of those two, and so the directory four.
        d.extend(keys(0).chain(keys(1).take(ALIKE)).map(|key| (key, key))).map_err(words("extend"))?;
        Ok::<_, String>(d)
    };
    let last = keys(1).last().ok_or("no such key")?;
    let another = make()?;
    let stats = || another.stats().map_err(words("stats"));
    let before = stats()?;
    another.insert(&last, &1).map_err(words("insert"))?;
    let after = stats()?;
    // A directory of twice the size has some words more; segments are multiples of a bucket.
    let same_directory = (after.bytes - before.bytes - HEADER).is_multiple_of(BUCKET);
    if (before.segments, after.segments) != (3, 4) || !same_directory {
        return Err(format!("it should be split, and was: {before:?}, then {after:?}"));
    }
    Ok((make()?, last))
}

/// Keys whose hashes begin with this bit, all in the first bucket of a segment for these, of whatever size; in one for half of these they would be in two.
fn alike(half: u64) -> impl Iterator<Item = u64> {
    const HOMES: u64 = 78;
    let seeds = Seeds::new([0, 1, 2, 3].map(|i| SEED.rotate_left(16 * i)));
    (1..).filter(move |key| {
        let hash = seeds.of_word(*key);
        hash >> 63 == half && ((hash << 1 >> 32) * HOMES) >> 32 == 0
    })
}

/// What is there, by every way of looking.
fn content<V: SharedData + PartialEq>(d: &SharedDict<u64, V>) -> Outcome<BTreeMap<u64, V>> {
    let items = d.items().map_err(words("items"))?;
    let count = items.len();
    let map: BTreeMap<u64, V> = items.into_iter().collect();
    if map.len() != count {
        return Err(format!("{count} entries, of which {} differ", map.len()));
    }
    for (key, value) in &map {
        if d.get(key).map_err(words("get"))?.as_ref() != Some(value) {
            return Err(format!("{key} is not found"));
        }
    }
    Ok(map)
}

/// An heir takes each entry out and puts it back: so every lock is taken, and every repair made.
fn use_all<V>(d: &SharedDict<u64, V>, map: &BTreeMap<u64, V>) -> Outcome<()>
where
    V: SharedData + PartialEq,
{
    for (key, value) in map {
        let there = d.pop(key).map_err(words("pop"))?;
        let anew = d.insert(key, value).map_err(words("insert"))?;
        if there.as_ref() != Some(value) || !anew {
            return Err(format!("{key} is not what it was a moment ago"));
        }
    }
    d.stats().map_err(words("stats"))?;
    if content(d)? != *map || d.len() != map.len() {
        return Err(format!("it counts {} of {}, or something has changed", d.len(), map.len()));
    }
    Ok(())
}

/// The victim makes one call, and `on` says what it does to a map.
fn change<V, R, Q>(
    name: &str,
    setup: fn(&World) -> Made<V>,
    act: fn(&SharedDict<u64, V>, u64) -> processing::Result<R>,
    on: fn(&mut BTreeMap<u64, V>, u64) -> Q,
) -> Case<Side<V>, (SharedDict<u64, V>, u64)>
where
    V: SharedData + PartialEq + Clone + Debug,
    (SharedDict<u64, V>, u64): Message,
    R: 'static,
    Q: 'static,
{
    case(
        format!("dict.{name}"),
        move |world| {
            let (dict, key) = setup(world)?;
            let before = content(&dict)?;
            let mut after = before.clone();
            let _old = on(&mut after, key);
            Ok((Side { dict: dict.clone(), arena: world.arena.clone(), before, after }, (dict, key)))
        },
        move |(dict, key), stage, _| {
            stage.begin();
            let answer = act(&dict, key);
            stage.end();
            answer.expect("changed");
        },
        |Side { dict, arena, before, after }, seen| {
            let found = content(&dict)?;
            if found != before && found != after {
                return Err(format!("{found:?}, and not {before:?} or {after:?}"));
            }
            if seen.completed && found != after {
                return Err(format!("the call returned, and it is {found:?}"));
            }
            // Also the lock of a key that has gone: what is under way there is finished by who takes it.
            for key in before.keys().chain(after.keys()) {
                dict.update(key, |value| value).map_err(words("update"))?;
            }
            use_all(&dict, &found)?;
            let fsck = arena.fsck().map_err(words("fsck"))?;
            if !fsck.is_clean() {
                return Err(format!("fsck with the dictionary: {fsck}"));
            }
            // What it leads to is there: the directory, segments, and a block for each text.
            let texts = if std::mem::needs_drop::<V>() { found.len() as u64 } else { 0 };
            let blocks = 1 + dict.stats().map_err(words("stats"))?.segments + texts;
            if fsck.value != blocks {
                return Err(format!("{blocks} blocks, of which {} are", fsck.value));
            }
            Ok(Some(found == after))
        },
    )
    .beside(|side| {
        // It may stand still with the lock: readers do not ask for it.
        let found = content(&side.dict)?;
        let known = found == side.before || found == side.after;
        if known { Ok(()) } else { Err(format!("{found:?} beside a stopped one")) }
    })
}
