//! Killed while it changes a `SharedDict`: each change is there wholly or not at all, nothing else has changed, and the next one goes on.

use std::collections::BTreeMap;
use std::process::ExitCode;

use processing::{DictStats, Message, Queue, SharedData, SharedDict};
use processing_kill_tests::case::{Case, Seen, case};
use processing_kill_tests::suite::Suite;
use processing_kill_tests::world::World;
use processing_kill_tests::{Outcome, words};

fn main() -> ExitCode {
    let mut suite = Suite::new().at_rest();
    words_in_place(&mut suite);
    blocks(&mut suite);
    plain(&mut suite);
    growth(&mut suite);
    suite.run(handles());
    suite.run(created());
    suite.run(let_go());
    suite.finish()
}

fn words_in_place(suite: &mut Suite) {
    suite.run(change("insert", few, |d| d.insert(&50, &51), |map| map.insert(50, 51)));
    suite.run(change("overwrite", few, |d| d.insert(&3, &51), |map| map.insert(3, 51)));
    suite.run(change("remove", few, |d| d.remove(&3), |map| map.remove(&3)));
    suite.run(change("clear", few, SharedDict::clear, BTreeMap::clear));
    suite.run(change("update", few, |d| d.update(&3, |v| v + 100), |map| map.insert(3, 130)));
}

fn blocks(suite: &mut Suite) {
    let key = || "a key of some length".to_owned();
    let long = || vec![7u8; 5000];
    let insert = move |d: &Texts| d.insert(&key(), &long());
    suite.run(change("insert/block", texts, insert, move |map| map.insert(key(), long())));
    let replace = move |d: &Texts| d.insert(&"3".to_owned(), &long());
    suite.run(change("replace/block", texts, replace, move |map| map.insert("3".to_owned(), long())));
    suite.run(change("remove/block", texts, |d| d.remove("3"), |map| map.remove("3")));
    suite.run(change("pop/block", texts, |d| d.pop("3"), |map| map.remove("3")));
    let update = |d: &Texts| d.update("3", |v| [v, vec![1]].concat());
    suite.run(change("update/block", texts, update, |map| map.insert("3".to_owned(), one_more())));
    let anew = |d: &Texts| d.set_default("new", vec![4]);
    suite.run(change("set_default/block", texts, anew, |map| map.insert("new".to_owned(), vec![4])));
    suite.run(change("clear/block", texts, SharedDict::clear, BTreeMap::clear));
}

/// Plain, and lengths and key in front of the block.
fn plain(suite: &mut Suite) {
    let value = [77; 8];
    let insert = move |d: &Plain| d.insert(&plain_key(50), &value);
    suite.run(change("insert/plain", plains, insert, move |map| map.insert(plain_key(50), value)));
    let replace = move |d: &Plain| d.insert(&plain_key(3), &value);
    suite.run(change("replace/plain", plains, replace, move |map| map.insert(plain_key(3), value)));
    suite.run(change("remove/plain", plains, |d| d.remove(&plain_key(3)), |map| map.remove(&plain_key(3))));
}

fn plain_key(n: u8) -> [u8; 16] {
    [n; 16]
}

fn plains(world: &World) -> Outcome<Plain> {
    let d = SharedDict::builder().arena(&world.arena).stripes(4).build().map_err(words("dict"))?;
    d.extend((0..6).map(|n| (plain_key(n), [u64::from(n); 8]))).map_err(words("extend"))?;
    Ok(d)
}

/// What `update` makes of the fourth text.
fn one_more() -> Vec<u8> {
    [vec![3; 90], vec![1]].concat()
}

fn growth(suite: &mut Suite) {
    // A larger segment; two instead of one, and a larger directory; two with the directory as it is.
    suite.run(grows("grow", |stats| stats.bytes > 1000));
    suite.run(grows("split", |stats| stats.segments == 2));
    suite.run(grows("split_again", |stats| stats.segments == 4));
}

/// Any: so that a round has the hashes of the one before, and as many operations.
const SEED: u64 = 0x243f_6a88_85a3_08d3;

type Words = SharedDict<u64, u64>;
type Texts = SharedDict<String, Vec<u8>>;
type Plain = SharedDict<[u8; 16], [u64; 8]>;
type Queues = SharedDict<u64, Queue<u64>>;
/// The victim makes one change, of which the survivor knows what there was before.
type Change<K, V> = Case<(SharedDict<K, V>, BTreeMap<K, V>), (SharedDict<K, V>,)>;

/// Six entries, as in those below: no bucket is full, so that each round takes the same steps.
fn few(world: &World) -> Outcome<SharedDict<u64, u64>> {
    let d = SharedDict::builder().arena(&world.arena).stripes(4).seed(SEED).build().map_err(words("dict"))?;
    d.extend((0..6).map(|n| (n, n * 10))).map_err(words("extend"))?;
    Ok(d)
}

fn texts(world: &World) -> Outcome<Texts> {
    let d = SharedDict::builder().arena(&world.arena).stripes(2).seed(SEED).build().map_err(words("dict"))?;
    d.extend((0..6).map(|n: u8| (n.to_string(), vec![n; usize::from(n) * 30]))).map_err(words("extend"))?;
    Ok(d)
}

/// What is there, by every way of looking.
fn content<K, V>(d: &SharedDict<K, V>) -> Outcome<BTreeMap<K, V>>
where
    K: SharedData + Ord,
    V: SharedData + PartialEq,
{
    let items = d.items().map_err(words("items"))?;
    let count = items.len();
    let map: BTreeMap<K, V> = items.into_iter().collect();
    if map.len() != count {
        return Err(format!("{count} entries, of which {} differ", map.len()));
    }
    for (key, value) in &map {
        if d.get(key).map_err(words("get"))?.as_ref() != Some(value) {
            return Err("an entry is not found by its key".into());
        }
    }
    Ok(map)
}

/// Each entry is taken out and put back: so every lock is taken, and every repair made.
fn use_all<K, V>(d: &SharedDict<K, V>, map: &BTreeMap<K, V>) -> Outcome<()>
where
    K: SharedData + Ord,
    V: SharedData + PartialEq,
{
    for (key, value) in map {
        let there = d.pop(key).map_err(words("pop"))?;
        let anew = d.insert(key, value).map_err(words("insert"))?;
        if there.as_ref() != Some(value) || !anew {
            return Err("an entry is not what it was a moment ago".into());
        }
    }
    d.stats().map_err(words("stats"))?;
    if content(d)? != *map {
        return Err("something has changed that nobody has changed".into());
    }
    if d.len() != map.len() {
        return Err(format!("it counts {} of {}", d.len(), map.len()));
    }
    Ok(())
}

/// The victim makes one call, and `on` says what it does to a map.
fn change<K, V, R, Q>(
    name: &str,
    setup: impl Fn(&World) -> Outcome<SharedDict<K, V>> + 'static,
    act: impl Fn(&SharedDict<K, V>) -> processing::Result<R> + 'static,
    on: impl Fn(&mut BTreeMap<K, V>) -> Q + 'static,
) -> Change<K, V>
where
    K: SharedData + Ord + Clone + std::fmt::Debug,
    V: SharedData + PartialEq + Clone + std::fmt::Debug,
    (SharedDict<K, V>,): Message,
{
    case(
        name,
        move |world| {
            let d = setup(world)?;
            let before = content(&d)?;
            Ok(((d.clone(), before), (d,)))
        },
        move |(d,), trigger, _| {
            trigger.pull();
            let _answer = act(&d).expect("the call");
            trigger.release();
        },
        move |(d, before), seen: Seen| {
            let mut after = before.clone();
            let _before = on(&mut after);
            let now = content(&d)?;
            if now != before && now != after {
                return Err(format!("{before:?} became {now:?}"));
            }
            use_all(&d, &now)?;
            // The same call once more, by one that lives.
            if seen.completed && now != after {
                return Err("it completed without effect".into());
            }
            Ok(Some(now == after))
        },
    )
    .meanwhile(|(d, before)| {
        // A stopped writer is in no reader's way.
        let now = content(d)?;
        if now.len().abs_diff(before.len()) > 1 && !now.is_empty() {
            return Err("the stopped one is half through".into());
        }
        Ok(())
    })
}

/// The victim inserts the key at which a dictionary first is as `grown` says.
fn grows(name: &str, grown: impl Fn(DictStats) -> bool + Copy + 'static) -> Case<(Words, u64), (Words, u64)> {
    case(
        name,
        move |world| {
            let d = SharedDict::builder()
                .arena(&world.arena)
                .stripes(4)
                .seed(SEED)
                .build()
                .map_err(words("dict"))?;
            let mut last = 0;
            while !grown(d.stats().map_err(words("stats"))?) {
                last += 1;
                d.insert(&last, &(last * 3)).map_err(words("insert"))?;
            }
            // The same once more, up to the key before.
            d.clear().map_err(words("clear"))?;
            d.extend((1..last).map(|n| (n, n * 3))).map_err(words("extend"))?;
            if grown(d.stats().map_err(words("stats"))?) {
                return Err("it grew earlier this time".into());
            }
            Ok(((d.clone(), last), (d, last)))
        },
        |(d, last), trigger, _| {
            trigger.pull();
            d.insert(&last, &(last * 3)).expect("insert");
            trigger.release();
        },
        |(d, last), _| {
            let now = content(&d)?;
            let expected: BTreeMap<u64, u64> = (1..last).map(|n| (n, n * 3)).collect();
            let effect = now.contains_key(&last);
            if now.len() as u64 != last - 1 + u64::from(effect)
                || !expected.iter().all(|(k, v)| now.get(k) == Some(v))
            {
                return Err(format!("{} of {last} entries", now.len()));
            }
            use_all(&d, &now)?;
            d.extend((last..last + 40).map(|n| (n, n * 3))).map_err(words("extend"))?;
            if content(&d)?.len() as u64 != last + 39 {
                return Err("what was inserted afterwards is not there".into());
            }
            Ok(Some(effect))
        },
    )
}

/// A value with a handle comes and goes; the object goes with the last of its handles.
fn handles() -> Case<Queues, (Queues, Queue<u64>)> {
    case(
        "handles",
        |world| {
            let d = SharedDict::builder()
                .arena(&world.arena)
                .stripes(2)
                .seed(SEED)
                .build()
                .map_err(words("dict"))?;
            let q = Queue::builder().arena(&world.arena).capacity(2).build().map_err(words("queue"))?;
            d.insert(&1, &q).map_err(words("insert"))?;
            Ok((d.clone(), (d, q)))
        },
        |(d, q), trigger, _| {
            trigger.pull();
            d.insert(&2, &q).expect("insert");
            d.insert(&1, &q).expect("replace");
            drop(q);
            d.remove(&1).expect("remove");
            trigger.release();
        },
        |d, _| {
            let (first, second) = (d.get(&1).map_err(words("get"))?, d.get(&2).map_err(words("get"))?);
            for q in [&first, &second].into_iter().flatten() {
                q.put(&5).map_err(words("put"))?;
                q.get().map_err(words("get"))?;
            }
            if first.is_none() && second.is_none() {
                return Err("both are gone".into());
            }
            if d.len() != usize::from(first.is_some()) + usize::from(second.is_some()) {
                d.remove(&1).map_err(words("remove"))?;
                d.remove(&2).map_err(words("remove"))?;
                if !d.is_empty() {
                    return Err(format!("it counts {} of none", d.len()));
                }
            }
            Ok(Some(first.is_none()))
        },
    )
}

/// The victim makes one; nobody else has it.
fn created() -> Case<(), (Queue<u64>,)> {
    case(
        "new",
        |world| Ok(((), (world.anchor.clone(),))),
        |(_anchor,), trigger, world| {
            let here = processing::testing::arena_here(&world.arena).expect("attached");
            trigger.pull();
            let d = SharedDict::<u64, u64>::builder().arena(&here).stripes(2).build().expect("dict");
            d.insert(&1, &2).expect("insert");
            trigger.release();
        },
        |(), _| Ok(None),
    )
}

/// The victim has the last handle.
fn let_go() -> Case<(), (Texts,)> {
    case(
        "drop",
        |world| Ok(((), (texts(world)?,))),
        |(d,), trigger, _| {
            trigger.pull();
            drop(d);
            trigger.release();
        },
        |(), _| Ok(None),
    )
    .never_stops()
}
