//! `SharedArray<T>` between threads and processes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use processing::rkyv::rancor::{Fallible, Source};
use processing::rkyv::with::{ArchiveWith, DeserializeWith, SerializeWith};
use processing::rkyv::{Archive, Deserialize, Place, Serialize};
use processing::{Arena, ErrorKind, Event, Process, Queue, SharedArray, Target};

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(30);

/// Three words: too large for single elements.
#[derive(Archive, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq)]
#[rkyv(crate = processing::rkyv)]
#[repr(C)]
struct Triple {
    a: u64,
    b: u64,
    c: u64,
}

impl Triple {
    fn all(n: u64) -> Self {
        Self { a: n, b: n, c: n }
    }
}

/// Each element on lines of its own.
#[derive(Archive, Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
#[rkyv(crate = processing::rkyv, attr(repr(C, align(64))))]
#[repr(C, align(64))]
struct Line([u64; 8]);

#[test]
fn single_elements_of_each_size() {
    fn check<T: processing::SharedData + Copy + Default + PartialEq + std::fmt::Debug>(values: [T; 3]) {
        let a = SharedArray::<T>::new(3).expect("array");
        assert_eq!(a.to_vec().expect("read"), [T::default(); 3]);
        for (index, value) in values.into_iter().enumerate() {
            a.set(index, value).expect("set");
            assert_eq!(a.get(index).expect("get"), value);
        }
        assert_eq!(a.iter().expect("iter").collect::<Vec<_>>(), values);
        assert_eq!(a.iter().expect("iter").next_back(), Some(values[2]));
        assert_eq!(a.to_vec().expect("read"), values);
        assert_eq!(a.iter().expect("iter").len(), 3);
    }
    check([1u8, 255, 7]);
    check([-1i8, 2, 3]);
    check([true, false, true]);
    check([1u16, 2, u16::MAX]);
    check(['a', 'ß', '\u{10ffff}']);
    check([1.5f32, -2.0, 0.25]);
    check([i32::MIN, -1, i32::MAX]);
    check([u64::MAX, 0, 1]);
    check([1.5f64, f64::MIN, f64::MAX]);
    check([[1u8, 2, 3, 4], [5; 4], [6; 4]]);
}

#[test]
fn elements_of_other_sizes_go_by_guards() {
    let a = SharedArray::from_slice(&[Triple::all(1), Triple::all(2)]).expect("array");
    a.write().expect("write")[0].b = 9;
    assert_eq!(a.slice(..1).expect("slice"), [Triple { a: 1, b: 9, c: 1 }]);
    a.set_slice(1, &[Triple::all(5)]).expect("set");
    assert_eq!(a.to_vec().expect("read")[1], Triple::all(5));
    a.fill(Triple::all(3)).expect("fill");
    a.edit().expect("edit").set(1, Triple::all(4)).expect("set");
    assert_eq!(a.to_vec().expect("read"), [Triple::all(3), Triple::all(4)]);
    let odd = SharedArray::from_slice(&[[1u8, 2, 3]; 5]).expect("array");
    odd.write_range(4..).expect("write")[0] = [7; 3];
    assert_eq!(odd.read().expect("read").as_bytes(), [1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 7, 7, 7]);
}

#[test]
fn elements_are_aligned_as_their_type_asks() {
    let a = SharedArray::from_slice(&[Line([1; 8]), Line([2; 8])]).expect("array");
    let guard = a.read().expect("read");
    assert!(guard.as_ptr().is_aligned());
    assert_eq!(guard[1], Line([2; 8]));
    drop(guard);
    let mut guard = a.write().expect("write");
    assert!(guard.as_ptr().is_aligned());
    guard.swap(0, 1);
    drop(guard);
    assert_eq!(a.to_vec().expect("read"), [Line([2; 8]), Line([1; 8])]);
}

#[test]
fn guards_change_all_or_part_of_it() {
    let a = SharedArray::from_slice(&[1u32, 2, 3, 4, 5]).expect("array");
    a.write().expect("write").reverse();
    assert_eq!(a.to_vec().expect("read"), [5, 4, 3, 2, 1]);
    let mut guard = a.write_range(1..=3).expect("write");
    assert_eq!((guard.len(), guard.range()), (3, 1..4));
    guard.fill(0);
    // Not before it is committed.
    assert_eq!(a.get(2).expect("get"), 3);
    guard.commit().expect("commit");
    assert_eq!(a.to_vec().expect("read"), [5, 0, 0, 0, 1]);
    a.set_slice(3, &[8, 9]).expect("set");
    a.fill(7).expect("fill");
    assert_eq!(a.slice(2..).expect("slice"), [7; 3]);
    assert!(a.slice(5..).expect("slice").is_empty());
    // After single stores, too.
    a.set(0, 6).expect("set");
    assert_eq!(a.read().expect("read").as_bytes()[..4], 6u32.to_ne_bytes());
}

#[test]
fn a_panic_leaves_it_as_it_was() {
    let a = SharedArray::from_slice(&[1u64, 2]).expect("array");
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let mut guard = a.write().expect("write");
        guard[0] = 100;
        panic!("on purpose");
    }));
    assert!(caught.is_err());
    assert_eq!(a.to_vec().expect("read"), [1, 2]);
    a.set(1, 3).expect("nobody has it");
}

#[test]
fn a_panic_in_an_edit_closes_it() {
    let a = SharedArray::from_slice(&[1u64, 2]).expect("array");
    assert_eq!(a.recover().expect_err("nobody died").kind(), ErrorKind::InvalidState);
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let mut edit = a.edit().expect("edit");
        edit.set(0, 100).expect("set");
        panic!("on purpose");
    }));
    assert!(caught.is_err());
    let of = |error: processing::Error| error.kind();
    assert_eq!(of(a.read().expect_err("closed")), ErrorKind::OwnerDied);
    assert_eq!(of(a.write().expect_err("closed")), ErrorKind::OwnerDied);
    assert_eq!(of(a.edit().expect_err("closed")), ErrorKind::OwnerDied);
    assert_eq!(of(a.fill(1).expect_err("closed")), ErrorKind::OwnerDied);
    let error = a.set(1, 3).expect_err("closed");
    assert_eq!(error.kind(), ErrorKind::OwnerDied);
    assert!(error.to_string().contains(&format!("pid {}", std::process::id())), "{error}");
    assert_eq!(a.get(0).expect("single loads wait for nobody"), 100);
    let mut edit = a.recover().expect("recover");
    assert_eq!(*edit, [100, 2]);
    edit.set(0, 1).expect("set");
    drop(edit);
    a.set(1, 3).expect("open");
    assert_eq!(a.to_vec().expect("read"), [1, 3]);
}

#[test]
fn what_lies_outside_is_an_error_that_says_so() {
    let a = SharedArray::from_slice(&[1u8, 2, 3]).expect("array");
    let outside = |error: processing::Error, what: &str| {
        assert_eq!(error.kind(), ErrorKind::OutOfRange);
        assert!(error.to_string().contains(what), "{error}");
    };
    outside(a.get(3).expect_err("outside"), "element 3 is asked for, and it has 3");
    outside(a.set(usize::MAX, 1).expect_err("outside"), "element 18446744073709551615");
    outside(a.slice(2..5).expect_err("outside"), "elements 2..5 are asked for, and it has 3");
    #[allow(clippy::reversed_empty_ranges)]
    let reversed = a.slice(2..1);
    outside(reversed.expect_err("reversed"), "2..1");
    outside(a.slice(4..).expect_err("outside"), "4..3");
    outside(a.set_slice(2, &[1, 1]).expect_err("outside"), "2..4");
    outside(a.set_slice(usize::MAX, &[1]).expect_err("outside"), "..18446744073709551615");
    outside(a.write_range(0..=3).expect_err("outside"), "0..4");
    let mut edit = a.edit().expect("edit");
    outside(edit.set(3, 1).expect_err("outside"), "3..4");
    drop(edit);
    assert_eq!(a.to_vec().expect("read"), [1, 2, 3]);
}

#[test]
fn an_array_without_elements() {
    let a = SharedArray::<u64>::new(0).expect("array");
    assert!(a.is_empty() && a.iter().expect("iter").next().is_none());
    assert!(a.to_vec().expect("read").is_empty());
    assert_eq!(a.to_string(), "SharedArray(u64, [])");
    a.fill(1).expect("fill");
    a.set_slice(0, &[]).expect("set");
    assert!(a.write().expect("write").is_empty() && a.read().expect("read").as_bytes().is_empty());
    assert!(a.edit().expect("edit").is_empty());
    assert_eq!(a.get(0).expect_err("there is none").kind(), ErrorKind::OutOfRange);
}

#[test]
fn it_shows_what_is_in_it() {
    let a = SharedArray::from_slice(&[0i32, -1, -2]).expect("array");
    assert_eq!(
        (a.to_string(), format!("{a:?}")),
        (a.to_string(), "SharedArray(i32, [0, -1, -2])".to_owned())
    );
    let long = SharedArray::<u8>::new(5000).expect("array").to_string();
    assert!(long.starts_with("SharedArray(u8, [0, 0, ") && long.ends_with(" 0, .. of 5000])"), "{long}");
    let guard = a.write().expect("write");
    assert_eq!(a.to_string(), "SharedArray(i32, [.. of 3, not to be read now])");
    assert_eq!(format!("{guard:?}"), "[0, -1, -2]");
}

#[test]
fn a_thread_does_not_wait_for_itself() {
    let a = SharedArray::from_slice(&[1u64, 2]).expect("array");
    let deadlock = |error: processing::Error| assert_eq!(error.kind(), ErrorKind::Deadlock, "{error}");
    let guard = a.read().expect("read");
    let again = a.read().expect("readers do not exclude each other");
    deadlock(a.set(0, 5).expect_err("it reads"));
    deadlock(a.write().expect_err("it reads"));
    deadlock(a.edit().expect_err("it reads"));
    assert_eq!((a.get(0).expect("get"), *guard == *again), (1, true));
    drop((guard, again));
    let guard = a.write().expect("write");
    deadlock(a.read().expect_err("it writes"));
    deadlock(a.set(0, 5).expect_err("it writes"));
    deadlock(a.try_write().expect_err("it writes"));
    drop(guard);
    a.set(0, 5).expect("set");
}

#[test]
fn a_thread_that_reads_does_not_wait_for_who_waits_for_it() {
    let a = SharedArray::from_slice(&[1u64, 2]).expect("array");
    let guard = a.read().expect("read");
    thread::scope(|scope| {
        let writer = scope.spawn(|| a.write().expect("in the end").fill(3));
        // Until it waits: readers are not let in then.
        while scope.spawn(|| a.try_read().is_ok()).join().expect("join") {
            thread::yield_now();
        }
        let again = a.read().expect("this thread reads already");
        assert_eq!((&*guard, a.get(0).expect("get")), (&*again, 1));
        assert_eq!(a.set(0, 5).expect_err("it reads").kind(), ErrorKind::Deadlock);
        assert_eq!(a.write().expect_err("it reads").kind(), ErrorKind::Deadlock);
        assert!(!writer.is_finished());
        drop(guard);
        writer.join().expect("join");
        assert_eq!((&*again, a.to_vec().expect("read")), ([1, 2].as_slice(), vec![3, 3]));
    });
}

#[test]
fn more_guards_than_a_thread_has_words_for() {
    let a = SharedArray::from_slice(&[1u64, 2]).expect("array");
    let guards: Vec<_> = (0..9).map(|_| a.read().expect("read")).collect();
    assert!(guards.iter().all(|guard| **guard == [1, 2]));
    drop(guards);
    a.write().expect("nobody reads")[0] = 3;
    // The last two were copies: they keep nobody out.
    let others: Vec<_> = (0..7).map(|_| a.read().expect("read")).collect();
    let copy = a.read().expect("read");
    drop(others);
    a.set(0, 9).expect("a copy does not matter");
    assert_eq!(*copy, [3, 2]);
}

#[test]
fn more_threads_than_there_are_lines() {
    let a = SharedArray::<u64>::new(100).expect("array");
    let barrier = Barrier::new(80);
    thread::scope(|scope| {
        for i in 0..80 {
            let (a, barrier) = (&a, &barrier);
            scope.spawn(move || {
                barrier.wait();
                a.set(i, i as u64 + 1).expect("set");
                barrier.wait();
                let guard = a.read().expect("read");
                assert_eq!(guard[i], i as u64 + 1);
                barrier.wait();
            });
        }
    });
    assert_eq!(a.read().expect("read").iter().sum::<u64>(), 80 * 81 / 2);
}

#[test]
fn a_guard_of_another_keeps_out_as_long_as_the_limit_says() {
    let a = SharedArray::from_slice(&[1u64, 2]).expect("array");
    let barrier = Barrier::new(2);
    thread::scope(|scope| {
        scope.spawn(|| {
            let guard = a.read().expect("read");
            barrier.wait();
            barrier.wait();
            drop(guard);
            let guard = a.write().expect("write");
            barrier.wait();
            barrier.wait();
            drop(guard);
        });
        barrier.wait();
        let timeout = |error: processing::Error| assert!(error.is_timeout(), "{error}");
        assert_eq!(*a.try_read().expect("beside it"), [1, 2]);
        timeout(a.try_write().expect_err("it reads"));
        timeout(a.write_timeout(SHORT).expect_err("it reads"));
        assert_eq!(*a.try_read().expect("still beside it"), [1, 2]);
        barrier.wait();
        barrier.wait();
        timeout(a.try_read().expect_err("it writes"));
        timeout(a.read_timeout(SHORT).expect_err("it writes"));
        barrier.wait();
        assert_eq!(*a.read_timeout(LONG).expect("in time"), [1, 2]);
    });
}

#[test]
fn no_room_changes_nothing() {
    let arena = Arena::builder().limit(1 << 20).build().expect("arena");
    let error = SharedArray::<u64>::builder().arena(&arena).build(usize::MAX / 4).expect_err("too large");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    let a = SharedArray::<u8>::builder().arena(&arena).build(600 << 10).expect("array");
    a.set(0, 7).expect("set");
    for error in [a.write().map(drop), a.fill(9), a.set_slice(0, &vec![9; 600 << 10])] {
        assert_eq!(error.expect_err("no room for the copy").kind(), ErrorKind::OutOfMemory);
    }
    assert_eq!((a.get(0).expect("get"), a.get(1).expect("get")), (7, 0));
    a.write_range(..1000).expect("there is room for this").fill(1);
    let mut edit = a.edit().expect("this takes none");
    edit.fill(2).expect("fill");
    drop(edit);
    assert_eq!(a.read().expect("read").iter().map(|b| u64::from(*b)).sum::<u64>(), 2 * (600 << 10));
    drop(a);
    let report = arena.fsck().expect("fsck");
    assert!(report.is_clean(), "{report}");
}

#[test]
fn a_gigabyte_of_which_little_is_used() {
    const LEN: usize = 1 << 30;
    let arena = Arena::builder().limit((1 << 30) + (64 << 20)).build().expect("arena");
    let a = SharedArray::<u8>::builder().arena(&arena).build(LEN).expect("array");
    for index in (0..LEN).step_by(LEN / 64) {
        a.set(index, 1).expect("set");
    }
    assert_eq!(a.get(LEN - 1).expect("get"), 0);
    a.write_range(LEN - 3..).expect("write").copy_from_slice(&[1, 2, 3]);
    let guard = a.read().expect("read");
    assert_eq!(guard[LEN - 3..], [1, 2, 3]);
    assert_eq!((0..64).map(|i| guard[i * (LEN / 64)]).sum::<u8>(), 64);
    drop(guard);
    // The copy would not fit.
    assert_eq!(a.write().expect_err("no room").kind(), ErrorKind::OutOfMemory);
    a.edit().expect("edit").write(5, &[5; 100]).expect("write");
    assert_eq!(a.slice(4..6).expect("slice"), [0, 5]);
}

fn doubles(a: SharedArray<i64>, done: Queue<usize>) {
    for index in 0..a.len() {
        a.set(index, a.get(index).expect("get") * 2).expect("set");
    }
    done.put(&a.len()).expect("put");
}

#[test]
fn processes_use_it_alike() {
    let (a, done) = (SharedArray::from_slice(&[1i64, 2, 3]).expect("array"), Queue::new(1).expect("queue"));
    let child = Process::new(doubles, (a.clone(), done.clone())).start().expect("start");
    assert_eq!(done.get_timeout(LONG).expect("get"), 3);
    child.join().expect("join");
    assert_eq!(a.to_vec().expect("read"), [2, 4, 6]);
    // A handle in a message.
    let q = Queue::new(1).expect("queue");
    q.put(&a).expect("put");
    drop(a);
    let a: SharedArray<i64> = q.get().expect("get");
    assert_eq!(a.get(2).expect("get"), 6);
}

/// Travels as an array of words, and arrives as one of half words.
struct AsHalf;

type Half = <SharedArray<u32> as Archive>::Archived;

impl ArchiveWith<SharedArray<u64>> for AsHalf {
    type Archived = Half;
    type Resolver = u32;

    fn resolve_with(_: &SharedArray<u64>, index: u32, out: Place<Half>) {
        SharedArray::<u32>::new(0).expect("array").resolve(index, out);
    }
}

impl<S: Fallible<Error: Source> + ?Sized> SerializeWith<SharedArray<u64>, S> for AsHalf {
    fn serialize_with(field: &SharedArray<u64>, serializer: &mut S) -> Result<u32, S::Error> {
        field.serialize(serializer)
    }
}

impl<D: Fallible<Error: Source> + ?Sized> DeserializeWith<Half, SharedArray<u64>, D> for AsHalf {
    fn deserialize_with(half: &Half, deserializer: &mut D) -> Result<SharedArray<u64>, D::Error> {
        let half: SharedArray<u32> = half.deserialize(deserializer)?;
        panic!("it was opened as {half}");
    }
}

#[derive(Archive, Serialize, Deserialize)]
#[rkyv(crate = processing::rkyv)]
struct Confused(#[rkyv(with = AsHalf)] SharedArray<u64>);

#[test]
fn opened_as_another_type_it_is_refused() {
    let q = Queue::new(1).expect("queue");
    q.put(&Confused(SharedArray::new(3).expect("array"))).expect("put");
    let error = q.get().map(|_: Confused| ()).expect_err("another type").to_string();
    assert!(error.contains("elements of this shared array are u64, and not u32"), "{error}");
}

fn writes_pairs(a: SharedArray<u64>, stop: Event) {
    let mut n = 1;
    while !stop.is_set() {
        let mut guard = a.write().expect("write");
        assert!(guard.iter().all(|word| *word == guard[0]), "torn: {guard:?}");
        n += 2;
        guard.fill(n);
    }
}

fn fills(a: SharedArray<u64>, stop: Event) {
    let mut n = 0;
    while !stop.is_set() {
        n += 2;
        a.fill(n).expect("fill");
    }
}

/// Returns how many different contents it saw.
fn reads(a: SharedArray<u64>, stop: Event, seen: Queue<u64>) {
    let (mut last, mut changes) = (0, 0);
    while !stop.is_set() {
        let guard = a.read().expect("read");
        let first = guard[0];
        assert!(guard.iter().all(|word| *word == first), "torn: {guard:?}");
        // And it stays so.
        assert!(guard.iter().all(|word| *word == first), "it changed: {guard:?}");
        changes += u64::from(first != last);
        last = first;
        if changes == 50 {
            changes += 1;
            seen.put(&changes).expect("put");
        }
    }
}

#[test]
fn a_guard_never_sees_half_of_a_change() {
    let (a, stop) = (SharedArray::<u64>::new(200).expect("array"), Event::new().expect("event"));
    let seen = Queue::new(4).expect("queue");
    let mut processes = vec![
        Process::new(writes_pairs, (a.clone(), stop.clone())).start().expect("start"),
        Process::new(fills, (a.clone(), stop.clone())).start().expect("start"),
    ];
    for _ in 0..2 {
        let arguments = (a.clone(), stop.clone(), seen.clone());
        processes.push(Process::new(reads, arguments).start().expect("start"));
    }
    for _ in 0..2 {
        seen.get_timeout(LONG).expect("each reader sees changes");
    }
    stop.set().expect("set");
    for process in processes {
        process.join().expect("no assertion failed");
    }
}

fn counts(a: SharedArray<u64>, index: usize, times: u64) {
    for n in 1..=times {
        a.set(index, n).expect("set");
    }
}

#[test]
fn no_single_store_is_lost_beside_guards() {
    const TIMES: u64 = 3000;
    let a = SharedArray::<u64>::new(8).expect("array");
    let setters: Vec<_> =
        (0..2).map(|index| Process::new(counts, (a.clone(), index, TIMES)).start().expect("start")).collect();
    // What this adds to the last element is not lost, and it does not bring old values of others back.
    let mut rounds = 0;
    loop {
        let mut guard = a.write().expect("write");
        guard[7] += 1;
        let before = [guard[0], guard[1]];
        drop(guard);
        rounds += 1;
        let guard = a.read().expect("read");
        assert!(guard[0] >= before[0] && guard[1] >= before[1] && guard[7] == rounds);
        if guard[..2] == [TIMES, TIMES] {
            break;
        }
    }
    for setter in setters {
        setter.join().expect("join");
    }
    assert_eq!(a.slice(..2).expect("slice"), [TIMES, TIMES]);
}

fn reads_and_stays(a: SharedArray<u64>, ready: Queue<u8>) {
    let _guard = a.read().expect("read");
    ready.put(&1).expect("put");
    loop {
        thread::park();
    }
}

fn edits_and_stays(a: SharedArray<u64>, ready: Queue<u8>) {
    let mut edit = a.edit().expect("edit");
    edit.set(0, 77).expect("set");
    ready.put(&1).expect("put");
    loop {
        thread::park();
    }
}

fn writes_and_stays(a: SharedArray<u64>, ready: Queue<u8>) {
    let mut guard = a.write().expect("write");
    guard.fill(77);
    ready.put(&1).expect("put");
    loop {
        thread::park();
    }
}

/// Starts it, and returns when it says so.
fn meet(what: impl Target<(SharedArray<u64>, Queue<u8>), Output = ()>, a: &SharedArray<u64>) -> Process {
    let ready = Queue::new(1).expect("queue");
    let process = Process::new(what, (a.clone(), ready.clone())).start().expect("start");
    ready.get_timeout(LONG).expect("it is there");
    process
}

#[test]
fn a_stopped_reader_holds_a_writer_up_and_a_dead_one_does_not() {
    let a = SharedArray::from_slice(&[1u64, 2]).expect("array");
    let process = meet(reads_and_stays, &a);
    signal(&process, "STOP");
    assert!(a.write_timeout(SHORT).expect_err("it reads").is_timeout());
    assert_eq!(*a.read_timeout(LONG).expect("readers go on"), [1, 2]);
    signal(&process, "CONT");
    process.kill().expect("kill");
    process.join().expect("join");
    a.write_timeout(LONG).expect("nobody reads").fill(3);
    let process = meet(reads_and_stays, &a);
    process.kill().expect("kill");
    a.set(0, 4).expect("a dead reader keeps nobody out");
    process.join().expect("join");
    assert_eq!(a.to_vec().expect("read"), [4, 3]);
}

fn signal(process: &Process, name: &str) {
    let mut kill = std::process::Command::new("kill");
    let status = kill.arg(format!("-{name}")).arg(process.pid().to_string()).status();
    assert!(status.expect("kill").success());
}

#[test]
fn a_dead_writer_leaves_it_as_it_was() {
    let a = SharedArray::from_slice(&[1u64, 2]).expect("array");
    let process = meet(writes_and_stays, &a);
    assert!(a.try_write().expect_err("held by the living").is_timeout());
    assert_eq!(a.get(0).expect("get"), 1);
    process.kill().expect("kill");
    assert_eq!(*a.read_timeout(LONG).expect("nobody has it"), [1, 2]);
    process.join().expect("join");
    a.set(0, 5).expect("set");
}

#[test]
fn who_comes_after_a_dead_editor_is_told() {
    let a = SharedArray::from_slice(&[1u64, 2]).expect("array");
    let process = meet(edits_and_stays, &a);
    process.kill().expect("kill");
    process.join().expect("join");
    let error = a.read_timeout(LONG).expect_err("half-changed");
    assert_eq!(error.kind(), ErrorKind::OwnerDied);
    assert!(error.to_string().contains(&format!("pid {}", process.pid())), "{error}");
    assert_eq!(a.set(0, 1).expect_err("closed").kind(), ErrorKind::OwnerDied);
    assert_eq!(*a.recover().expect("recover"), [77, 2]);
    a.set(0, 1).expect("open again");
}

fn changes(a: SharedArray<u64>) {
    for n in 0.. {
        a.write().expect("write").fill(n);
        a.fill(n).expect("fill");
    }
}

#[test]
fn a_kill_anywhere_leaves_the_old_elements_or_the_new_ones() {
    let arena = Arena::builder().limit(64 << 20).build().expect("arena");
    let a = SharedArray::<u64>::builder().arena(&arena).build(300).expect("array");
    for round in 0..30 {
        let process = Process::new(changes, (a.clone(),)).start().expect("start");
        let before = a.get(0).expect("get");
        // It is at work.
        while a.get(0).expect("get") == before {
            thread::yield_now();
        }
        for _ in 0..round * 300 {
            std::hint::spin_loop();
        }
        process.kill().expect("kill");
        let guard = a.read_timeout(LONG).expect("read");
        assert!(guard.iter().all(|word| *word == guard[0]), "torn: {guard:?}");
        drop(guard);
        process.join().expect("join");
        a.fill(u64::MAX).expect("fill");
    }
    drop(a);
    let report = arena.fsck().expect("fsck");
    assert!(report.is_clean(), "{report}");
}
