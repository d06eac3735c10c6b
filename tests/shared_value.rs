//! `SharedValue<T>`: read without a lock, changed in one step, whoever is killed.

use std::collections::HashMap;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use processing::rkyv::rancor::{Fallible, Source};
use processing::rkyv::with::{ArchiveWith, DeserializeWith, SerializeWith};
use processing::rkyv::{Archive, Deserialize, Place, Serialize};
use processing::{Arena, ErrorKind, Process, Queue, SharedData, SharedValue, WaitStrategy};

/// Two words, without padding.
#[derive(Archive, Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
#[rkyv(crate = processing::rkyv)]
struct Point {
    x: f64,
    y: f32,
    z: f32,
}

fn keeps<T: SharedData + Copy + PartialEq + Debug>(values: &[T]) {
    let shared = SharedValue::new(values[0]).expect("shared value");
    for value in values {
        assert_eq!(shared.get(), values[0]);
        shared.set(*value).expect("set");
        assert_eq!(shared.get(), *value);
        assert_eq!(shared.clone().get(), *value);
        let old = shared.update(|now| std::mem::replace(now, values[0])).expect("update");
        assert_eq!((old, shared.get()), (*value, values[0]));
    }
}

#[test]
fn values_of_any_length_come_back() {
    keeps(&[0u8, 1, u8::MAX]);
    keeps(&[i32::MIN, -1, i32::MAX]);
    keeps(&[0.0f64, -1.5, f64::MAX]);
    keeps(&[false, true]);
    keeps(&['a', 'ß', '\u{10ffff}']);
    keeps(&[u128::MAX, 1 << 64]);
    keeps(&[[1u8; 1], [2; 1]]);
    keeps(&[[1u8; 7], [2; 7]]);
    keeps(&[[1u8; 9], [2; 9]]);
    keeps(&[[1u16; 5], [u16::MAX; 5]]);
    keeps(&[[1u8; 63], [2; 63]]);
    keeps(&[[1u64; 8], [u64::MAX; 8]]);
    keeps(&[(), ()]);
    keeps(&[Point { x: 1.0, y: 2.0, z: 3.0 }, Point { x: -1.0, y: 0.0, z: f32::MIN }]);
}

#[test]
fn it_shows_its_value() {
    let mut shared = SharedValue::builder().wait(WaitStrategy::Block).build(5i32).expect("shared value");
    shared.set_wait_strategy(WaitStrategy::Adaptive);
    assert_eq!(format!("{shared} {shared:?}"), "SharedValue(i32, 5) SharedValue(i32, 5)");
    let point = SharedValue::new(Point { x: 1.0, y: 2.0, z: 3.0 }).expect("shared value");
    assert_eq!(point.to_string(), "SharedValue(Point, Point { x: 1.0, y: 2.0, z: 3.0 })");
}

#[test]
fn a_panic_leaves_the_value_as_it_was() {
    fn panics<T: SharedData + PartialEq + Debug + Copy>(old: T, new: T) {
        let shared = SharedValue::new(old).expect("shared value");
        let change = || {
            shared.update(|value| {
                *value = new;
                panic!("on purpose")
            })
        };
        let caught: Result<processing::Result<()>, _> = catch_unwind(AssertUnwindSafe(change));
        assert!(caught.is_err());
        assert_eq!(shared.get(), old);
        shared.set(new).expect("not held any more");
        assert_eq!(shared.get(), new);
    }
    panics(1u32, 2);
    panics([1u32; 9], [2; 9]);
}

#[test]
fn a_change_inside_of_a_change_is_refused_where_that_has_a_lock() {
    let shared = SharedValue::new([0u64; 2]).expect("shared value");
    let inner = shared.update(|value| {
        value[0] = 1;
        assert_eq!(shared.get(), [0, 0], "not yet");
        shared.set([7, 7])
    });
    let error = inner.expect("the outer one").expect_err("the inner one");
    assert_eq!(error.kind(), ErrorKind::Deadlock);
    assert!(error.to_string().contains("the calling thread is changing it already"), "{error}");
    assert_eq!(shared.get(), [1, 0]);
    // A word has no lock: the inner change makes the outer one run again.
    let word = SharedValue::new(0u64).expect("shared value");
    let mut runs = 0;
    let changed = word.update(|value| {
        runs += 1;
        if runs == 1 {
            word.set(10).expect("set");
        }
        *value += 1;
    });
    changed.expect("update");
    assert_eq!((word.get(), runs), (11, 2));
}

const TIMES: u64 = 2_000;

#[test]
fn no_change_is_lost_between_processes_and_threads() {
    fn add(word: SharedValue<u64>, long: SharedValue<[u64; 5]>) -> processing::Result<()> {
        for _ in 0..TIMES {
            word.update(|n| *n += 1)?;
            long.update(|all| all.iter_mut().for_each(|n| *n += 1))?;
        }
        Ok(())
    }
    let word = SharedValue::new(0u64).expect("shared value");
    let long = SharedValue::new([0u64; 5]).expect("shared value");
    let start = |_| Process::new(add, (word.clone(), long.clone())).start().expect("start");
    let processes: Vec<Process> = (0..3).map(start).collect();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| add(word.clone(), long.clone()).expect("add"));
        }
    });
    for process in processes {
        assert!(process.join().expect("join").success());
    }
    assert_eq!(word.get(), 5 * TIMES);
    assert_eq!(long.get(), [5 * TIMES; 5]);
}

/// What a process saw and did, one after the other: the value that it read, or that it replaced and the one that it put there.
type History = Vec<(u64, Option<u64>)>;

const STEPS: u64 = 400;

/// Exchanges the value for others that nobody else uses, and reads in between.
fn exchange(long: SharedValue<[u64; 5]>, histories: Queue<History>, who: u64) -> processing::Result<()> {
    let mut history = Vec::new();
    for step in 0..STEPS {
        let mine = who << 32 | step;
        let old = long.update(|value| std::mem::replace(value, [mine; 5]))?;
        history.push((old[0], Some(mine)));
        let now = long.get();
        assert_eq!((old, now), ([old[0]; 5], [now[0]; 5]), "torn");
        history.push((now[0], None));
    }
    histories.put(&history)?;
    Ok(())
}

#[test]
fn histories_of_four_processes_are_one_after_the_other() {
    let long = SharedValue::new([0u64; 5]).expect("shared value");
    let histories = Queue::builder().capacity(4).max_message(1 << 20).build().expect("queue");
    let start = |who| Process::new(exchange, (long.clone(), histories.clone(), who)).start().expect("start");
    let processes: Vec<Process> = (1..=4).map(start).collect();
    for process in processes {
        assert!(process.join().expect("join").success());
    }
    let histories: Vec<History> = (0..4).map(|_| histories.get().expect("history")).collect();
    // Each value was replaced once, by the next one: the order of all exchanges.
    let mut next = HashMap::new();
    for (old, new) in histories.iter().flatten().filter_map(|(old, new)| Some((*old, (*new)?))) {
        assert_eq!(next.insert(old, new), None, "{old:#x} was replaced twice");
    }
    let mut places = HashMap::from([(0, 0)]);
    let mut at = 0;
    while let Some(value) = next.get(&at) {
        at = *value;
        places.insert(at, places.len());
    }
    assert_eq!((places.len() as u64, at), (4 * STEPS + 1, long.get()[0]), "the order is not one");
    // And each process saw it in that order, what it did itself included.
    for history in &histories {
        let mut last = 0;
        for (seen, new) in history {
            assert!(places[seen] >= last, "{seen:#x} was seen after a later value");
            last = places[&new.unwrap_or(*seen)];
        }
    }
}

fn count_up(long: SharedValue<[u64; 8]>) -> processing::Result<()> {
    loop {
        let n = long.get()[0] + 1;
        long.set([n; 8])?;
    }
}

#[test]
fn readers_see_whole_values_in_order_beside_a_writer() {
    let long = SharedValue::new([0u64; 8]).expect("shared value");
    let writer = Process::new(count_up, (long.clone(),)).start().expect("start");
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut last = 0;
                while last < 20_000 {
                    let value = long.get();
                    assert_eq!(value, [value[0]; 8], "torn");
                    assert!(value[0] >= last, "{} after {last}", value[0]);
                    last = value[0];
                }
            });
        }
    });
    writer.kill().expect("kill");
    writer.join().expect("join");
}

#[test]
fn a_kill_anywhere_leaves_the_old_value_or_the_new_one() {
    let long = SharedValue::new([0u64; 8]).expect("shared value");
    for _ in 0..30 {
        let before = long.get()[0];
        let writer = Process::new(count_up, (long.clone(),)).start().expect("start");
        while long.get()[0] == before {
            thread::yield_now();
        }
        writer.kill().expect("kill");
        writer.join().expect("join");
        let value = long.get();
        assert_eq!(value, [value[0]; 8], "torn");
        long.set([value[0] + 1; 8]).expect("nobody is told");
        assert_eq!(long.update(|value| value[7]).expect("update"), value[0] + 1);
    }
}

#[test]
fn a_reader_waits_for_no_writer() {
    let long = SharedValue::new([1u64; 8]).expect("shared value");
    let (inside, read) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            let change = |value: &mut [u64; 8]| {
                *value = [2; 8];
                inside.store(true, Ordering::Release);
                while !read.load(Ordering::Acquire) {
                    thread::yield_now();
                }
            };
            long.update(change).expect("update");
        });
        while !inside.load(Ordering::Acquire) {
            thread::yield_now();
        }
        assert_eq!(long.get(), [1; 8]);
        read.store(true, Ordering::Release);
    });
    assert_eq!(long.get(), [2; 8]);
}

#[test]
fn handles_travel_and_the_memory_goes_with_the_last() {
    fn answer(requests: Queue<(SharedValue<u32>, SharedValue<Point>)>) -> processing::Result<()> {
        let (word, point) = requests.get()?;
        word.set(7)?;
        point.update(|point| point.z += 1.0)?;
        Ok(())
    }
    let arena = Arena::builder().limit(16 << 20).build().expect("arena");
    let requests = Queue::builder().capacity(2).arena(&arena).build().expect("queue");
    {
        let word = SharedValue::builder().arena(&arena).build(0u32).expect("shared value");
        let point = SharedValue::builder().arena(&arena).build(Point { x: 1.0, y: 2.0, z: 3.0 });
        let point = point.expect("shared value");
        let process = Process::new(answer, (requests.clone(),)).start().expect("start");
        requests.put(&(word.clone(), point.clone())).expect("put");
        assert!(process.join().expect("join").success());
        assert_eq!((word.get(), point.get()), (7, Point { x: 1.0, y: 2.0, z: 4.0 }));
    }
    drop(requests);
    let report = arena.fsck().expect("fsck");
    assert!(report.is_clean() && report.objects == 0, "{report}");
}

/// A message with a handle of a value of 4 bytes, which is received as one of 8.
#[derive(Archive, Serialize, Deserialize)]
#[rkyv(crate = processing::rkyv)]
struct Smuggled(#[rkyv(with = AsLong)] SharedValue<u32>);

struct AsLong;

impl ArchiveWith<SharedValue<u32>> for AsLong {
    type Archived = <SharedValue<u64> as Archive>::Archived;
    type Resolver = u32;

    fn resolve_with(_: &SharedValue<u32>, index: u32, out: Place<Self::Archived>) {
        SharedValue::new(0u64).expect("shared value").resolve(index, out);
    }
}

impl<S: Fallible<Error: Source> + ?Sized> SerializeWith<SharedValue<u32>, S> for AsLong {
    fn serialize_with(value: &SharedValue<u32>, serializer: &mut S) -> Result<u32, S::Error> {
        value.serialize(serializer)
    }
}

type ArchivedLong = <SharedValue<u64> as Archive>::Archived;

impl<D: Fallible<Error: Source> + ?Sized> DeserializeWith<ArchivedLong, SharedValue<u32>, D> for AsLong {
    fn deserialize_with(value: &ArchivedLong, deserializer: &mut D) -> Result<SharedValue<u32>, D::Error> {
        let _long: SharedValue<u64> = value.deserialize(deserializer)?;
        panic!("8 bytes were read of 4");
    }
}

#[test]
fn another_type_is_refused_by_name() {
    let queue = Queue::<Smuggled>::new(1).expect("queue");
    let small = SharedValue::new(5u32).expect("shared value");
    queue.put(&Smuggled(small.clone())).expect("put");
    let Err(error) = queue.try_get() else { panic!("it was not refused") };
    let text = error.to_string();
    assert!(text.contains("a shared value of `u32`") && text.contains("a shared value of `u64`"), "{text}");
    assert_eq!(small.get(), 5);
}

#[test]
fn without_room_there_is_none() {
    let arena = Arena::builder().limit(1 << 20).build().expect("arena");
    let mut all = Vec::new();
    let error = loop {
        match SharedValue::builder().arena(&arena).build([all.len() as u64; 8]) {
            Ok(value) => all.push(value),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{error}");
    assert!(all.len() > 1000);
    for (n, value) in all.iter().enumerate() {
        assert_eq!(value.get(), [n as u64; 8]);
        value.set([1; 8]).expect("it needs no memory");
    }
    drop(all);
    let report = arena.fsck().expect("fsck");
    assert!(report.is_clean() && report.objects == 0, "{report}");
}
