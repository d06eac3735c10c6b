//! `SharedStruct<T>`: read in place, replaced whole, whoever is killed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::thread;

use processing::rkyv::munge::munge;
use processing::rkyv::rancor::{Fallible, Source};
use processing::rkyv::rend::u64_le;
use processing::rkyv::vec::ArchivedVec;
use processing::rkyv::with::{ArchiveWith, DeserializeWith, SerializeWith};
use processing::rkyv::{Archive, Deserialize, Place, Serialize};
use processing::{
    Arena, Connection, ErrorKind, Process, Queue, SharedStruct, SharedValue, StructReadGuard, pipe,
};

#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[rkyv(crate = processing::rkyv, derive(Debug))]
struct Quote {
    bid: f64,
    ask: f64,
    venue: String,
    depth: Vec<u64>,
}

/// A quote whose parts all say the same.
fn quote(n: u64) -> Quote {
    Quote {
        bid: n as f64,
        ask: n as f64 + 0.5,
        venue: format!("venue {n}"),
        depth: vec![n; (n % 50) as usize],
    }
}

/// Its number, if it is whole.
fn number(quote: &ArchivedQuote) -> u64 {
    let n = quote.bid.to_native() as u64;
    let whole = quote.ask.to_native() == n as f64 + 0.5
        && quote.venue.as_str() == format!("venue {n}")
        && quote.depth.len() as u64 == n % 50
        && quote.depth.iter().all(|level| level.to_native() == n);
    assert!(whole, "torn: {quote:?}");
    n
}

fn arena() -> Arena {
    Arena::builder().limit(64 << 20).build().expect("arena")
}

fn is_empty(arena: &Arena) {
    let report = arena.fsck().expect("fsck");
    assert!(report.is_clean() && report.objects == 0 && report.value == 0, "{report}");
}

#[test]
fn it_is_read_in_place_and_replaced() {
    let shared = SharedStruct::new(&quote(7)).expect("shared struct");
    assert_eq!(shared.read().expect("read").venue, "venue 7");
    let before = shared.read().expect("read");
    shared.set(&quote(80)).expect("set");
    assert_eq!((number(&before), number(&shared.read().expect("read"))), (7, 80));
    assert_eq!(shared.get().expect("get"), quote(80));
    assert_eq!(number(&shared.clone().read().expect("read")), 80);
    assert_eq!(format!("{before:?}"), format!("{:?}", *before));
    let small = SharedStruct::new(&(1u8, "x".to_owned())).expect("shared struct");
    assert_eq!(
        format!("{small} {small:?}"),
        r#"SharedStruct((u8, String), (1, "x")) SharedStruct((u8, String), (1, "x"))"#
    );
}

#[test]
fn values_of_any_length_come_back() {
    let arena = arena();
    let empty = SharedStruct::builder().arena(&arena).build(&String::new()).expect("shared struct");
    assert_eq!((empty.read().expect("read").as_str(), empty.get().expect("get")), ("", String::new()));
    let nothing = SharedStruct::builder().arena(&arena).build(&()).expect("shared struct");
    nothing.set(&()).expect("set");
    nothing.get().expect("get");
    let bytes = SharedStruct::builder().arena(&arena).build(&Vec::<u8>::new()).expect("shared struct");
    // From nothing to many chunks of 64 KiB, and back.
    for len in [1usize, 8, 63, 64, 65, 4096, 65_000, 65_536, 300_000, 5 << 20, 0, 100] {
        let value: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
        bytes.set(&value).expect("set");
        assert_eq!(bytes.read().expect("read").as_slice(), value);
        assert_eq!(bytes.get().expect("get"), value);
    }
    drop((empty, nothing, bytes));
    is_empty(&arena);
}

#[test]
fn a_guard_keeps_what_it_reads_however_many_there_are() {
    let arena = arena();
    let shared = SharedStruct::builder().arena(&arena).build(&quote(0)).expect("shared struct");
    // More than a thread can announce: the others are copies.
    let mut guards = Vec::new();
    for n in 0..25 {
        shared.set(&quote(n)).expect("set");
        guards.push((n, shared.read().expect("read")));
    }
    for n in 25..200 {
        shared.set(&quote(n)).expect("set");
    }
    assert!(guards.iter().all(|(n, guard)| number(guard) == *n));
    assert!(arena.fsck().expect("fsck").value < 50, "what nobody reads goes");
    guards.retain(|(n, _)| n % 2 == 0);
    assert_eq!(number(&shared.read().expect("read")), 199);
    assert!(guards.iter().all(|(n, guard)| number(guard) == *n));
    drop(guards);
    for n in 0..70 {
        shared.set(&quote(n)).expect("set");
    }
    let report = arena.fsck().expect("fsck");
    assert!(report.is_clean() && report.value <= 33, "{report}");
    drop(shared);
    is_empty(&arena);
}

#[test]
fn guards_of_several_structs_share_a_thread() {
    let all: Vec<_> = (0..12).map(|n| SharedStruct::new(&quote(n)).expect("shared struct")).collect();
    let guards: Vec<StructReadGuard<'_, Quote>> = all.iter().map(|one| one.read().expect("read")).collect();
    for (n, one) in (100..).zip(&all) {
        for _ in 0..20 {
            one.set(&quote(n)).expect("set");
        }
    }
    for (n, guard) in guards.iter().enumerate() {
        assert_eq!(number(guard), n as u64);
    }
}

#[test]
fn more_threads_than_can_announce_read_whole_values() {
    const THREADS: usize = 80;
    let shared = SharedStruct::new(&quote(1)).expect("shared struct");
    let barrier = Barrier::new(THREADS + 1);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let first = shared.read().expect("read");
                barrier.wait();
                let mut last = 0;
                for _ in 0..50 {
                    let now = number(&shared.read().expect("read"));
                    assert!(now >= last, "{now} after {last}");
                    last = now;
                }
                barrier.wait();
                assert_eq!(number(&first), 1);
            });
        }
        barrier.wait();
        for n in 2..300 {
            shared.set(&quote(n)).expect("set");
        }
        barrier.wait();
    });
}

#[test]
fn a_change_in_place_is_there_when_the_guard_goes() {
    let shared = SharedStruct::new(&quote(20)).expect("shared struct");
    let before = shared.read().expect("read");
    let mut guard = shared.write().expect("write");
    munge!(let ArchivedQuote { mut bid, venue, .. } = guard.seal());
    *bid = 3.0.into();
    processing::rkyv::string::ArchivedString::as_str_seal(venue).unseal().make_ascii_uppercase();
    assert_eq!((guard.bid.to_native(), guard.venue.as_str()), (3.0, "VENUE 20"));
    assert_eq!(number(&shared.read().expect("read")), 20, "not yet");
    let error = shared.write().map(drop).expect_err("this thread has it");
    assert_eq!(error.kind(), ErrorKind::Deadlock);
    assert_eq!(shared.set(&quote(1)).expect_err("this thread has it").kind(), ErrorKind::Deadlock);
    drop(guard);
    let now = shared.get().expect("get");
    assert_eq!((now.bid, now.venue.as_str(), &now.depth), (3.0, "VENUE 20", &quote(20).depth));
    assert_eq!(number(&before), 20);
    // Committed at once; given up; not touched.
    let mut guard = shared.write().expect("write");
    munge!(let ArchivedQuote { depth, .. } = guard.seal());
    ArchivedVec::as_slice_seal(depth).unseal()[0] = 9.into();
    guard.commit().expect("commit");
    assert_eq!(shared.read().expect("read").depth[0].to_native(), 9);
    let mut guard = shared.write().expect("write");
    munge!(let ArchivedQuote { mut ask, .. } = guard.seal());
    *ask = 77.0.into();
    guard.discard();
    drop(shared.write().expect("write"));
    assert_eq!(shared.read().expect("read").ask.to_native(), 20.5);
}

#[test]
fn a_panic_leaves_the_value_as_it_was() {
    let arena = arena();
    let shared = SharedStruct::builder().arena(&arena).build(&quote(5)).expect("shared struct");
    let change = || {
        let mut guard = shared.write().expect("write");
        munge!(let ArchivedQuote { mut bid, .. } = guard.seal());
        *bid = 1.0.into();
        panic!("on purpose");
    };
    assert!(catch_unwind(AssertUnwindSafe(change)).is_err());
    assert_eq!(number(&shared.read().expect("read")), 5);
    shared.set(&quote(6)).expect("not held any more");
    drop(shared);
    is_empty(&arena);
}

fn replace(shared: SharedStruct<Quote>, from: u64) -> processing::Result<()> {
    for n in from.. {
        shared.set(&quote(n))?;
    }
    Ok(())
}

#[test]
fn readers_see_whole_values_in_order_beside_a_writer() {
    let shared = SharedStruct::new(&quote(0)).expect("shared struct");
    let writer = Process::new(replace, (shared.clone(), 1)).start().expect("start");
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut last = 0;
                while last < 5_000 {
                    let guard = shared.read().expect("read");
                    let now = number(&guard);
                    assert!(now >= last, "{now} after {last}");
                    last = shared.get().expect("get").bid as u64;
                    assert!(last >= now, "{last} after {now}");
                    assert_eq!(number(&guard), now, "it has changed");
                }
            });
        }
    });
    writer.kill().expect("kill");
    writer.join().expect("join");
}

#[test]
fn a_kill_anywhere_leaves_the_old_value_or_the_new_one() {
    let arena = arena();
    let shared = SharedStruct::builder().arena(&arena).build(&quote(0)).expect("shared struct");
    for _ in 0..30 {
        let before = number(&shared.read().expect("read"));
        let writer = Process::new(replace, (shared.clone(), before + 1)).start().expect("start");
        while number(&shared.read().expect("read")) == before {
            thread::yield_now();
        }
        writer.kill().expect("kill");
        writer.join().expect("join");
        let now = number(&shared.read().expect("read"));
        assert!(now > before);
        assert!(arena.fsck().expect("fsck").is_clean());
        shared.set(&quote(now + 1)).expect("nobody is told");
        assert_eq!(number(&shared.read().expect("read")), now + 1);
    }
    drop(shared);
    is_empty(&arena);
}

#[test]
fn all_changes_of_several_processes_are_made() {
    fn count(shared: SharedStruct<(u64, Vec<u64>)>, times: u64) -> processing::Result<()> {
        for _ in 0..times {
            let mut guard = shared.write()?;
            munge!(let processing::rkyv::tuple::ArchivedTuple2(mut first, list) = guard.seal());
            *first = (first.to_native() + 1).into();
            let list = ArchivedVec::as_slice_seal(list).unseal();
            list.iter_mut().for_each(|n: &mut u64_le| *n = (n.to_native() + 1).into());
        }
        Ok(())
    }
    let shared = SharedStruct::new(&(0u64, vec![0u64; 20])).expect("shared struct");
    let start = |_| Process::new(count, (shared.clone(), 500u64)).start().expect("start");
    let processes: Vec<Process> = (0..3).map(start).collect();
    count(shared.clone(), 500).expect("count");
    for process in processes {
        assert!(process.join().expect("join").success());
    }
    assert_eq!(shared.get().expect("get"), (2_000, vec![2_000; 20]));
}

fn read_and_stay(shared: SharedStruct<Vec<u8>>, ready: Queue<u64>) -> processing::Result<()> {
    let guard = shared.read()?;
    ready.put(&u64::from(guard[0]))?;
    loop {
        thread::park();
    }
}

#[test]
fn what_a_killed_reader_had_is_freed() {
    let arena = arena();
    let ready = Queue::builder().capacity(1).arena(&arena).build().expect("queue");
    let shared = SharedStruct::builder().arena(&arena).build(&vec![1u8; 300_000]).expect("shared struct");
    let reader = Process::new(read_and_stay, (shared.clone(), ready.clone())).start().expect("start");
    assert_eq!(ready.get().expect("it reads"), 1);
    for n in 2..6 {
        shared.set(&vec![n; 300_000]).expect("set");
    }
    assert_eq!(arena.fsck().expect("fsck").value, 2, "its value and the last");
    reader.kill().expect("kill");
    reader.join().expect("join");
    // As often as it takes until what is kept has doubled.
    for n in 6..12 {
        shared.set(&vec![n; 300_000]).expect("set");
    }
    let report = arena.fsck().expect("fsck");
    assert!(report.is_clean() && report.value == 1, "{report}");
    drop((shared, ready));
    is_empty(&arena);
}

/// Values of the library inside of a shared one.
#[derive(Archive, Serialize, Deserialize)]
#[rkyv(crate = processing::rkyv)]
struct Market {
    name: String,
    orders: Queue<u64>,
    last: SharedValue<f64>,
    quotes: Vec<SharedStruct<Quote>>,
}

#[test]
fn handles_in_it_are_the_readers_own_after_get() {
    fn trade(market: SharedStruct<Market>) -> processing::Result<()> {
        let market = market.get()?;
        market.orders.put(&41)?;
        market.last.set(1.5)?;
        market.quotes[1].set(&quote(9))
    }
    let arena = arena();
    let build = |n| SharedStruct::builder().arena(&arena).build(&quote(n)).expect("shared struct");
    let (orders, last, shared) = {
        let orders = Queue::builder().capacity(4).arena(&arena).build().expect("queue");
        let last = SharedValue::builder().arena(&arena).build(0.0).expect("shared value");
        let quotes = vec![build(1), build(2)];
        let market = Market { name: "here".into(), orders: orders.clone(), last: last.clone(), quotes };
        (orders, last, SharedStruct::builder().arena(&arena).build(&market).expect("shared struct"))
    };
    assert_eq!(shared.read().expect("read").name.as_str(), "here");
    let trader = Process::new(trade, (shared.clone(),)).start().expect("start");
    assert!(trader.join().expect("join").success());
    assert_eq!((orders.get().expect("get"), last.get()), (41, 1.5));
    let market = shared.get().expect("get");
    assert_eq!(number(&market.quotes[1].read().expect("read")), 9);
    // A change in place keeps them; without room for announcements, too.
    let mut guard = shared.write().expect("write");
    munge!(let ArchivedMarket { name, .. } = guard.seal());
    processing::rkyv::string::ArchivedString::as_str_seal(name).unseal().make_ascii_uppercase();
    guard.commit().expect("commit");
    let busy: Vec<_> = (0..7).map(|_| market.quotes[0].read().expect("read")).collect();
    let again = shared.get().expect("get");
    assert_eq!((again.name.as_str(), number(&again.quotes[1].read().expect("read"))), ("HERE", 9));
    assert_eq!(arena.fsck().expect("fsck").objects, 5);
    drop(busy);
    drop((again, market));
    // What is replaced lets go of them, when it is freed.
    let empty = Market { name: String::new(), orders: orders.clone(), last: last.clone(), quotes: vec![] };
    for _ in 0..40 {
        shared.set(&empty).expect("set");
    }
    let report = arena.fsck().expect("fsck");
    assert!(report.is_clean() && report.objects == 3, "{report}");
    drop((shared, empty, orders, last));
    is_empty(&arena);
}

#[test]
fn what_cannot_be_shared_is_refused_and_changes_nothing() {
    let arena = arena();
    let other = Queue::<u64>::new(1).expect("queue");
    let own = Queue::<u64>::builder().capacity(1).arena(&arena).build().expect("queue");
    let shared = SharedStruct::builder().arena(&arena).build(&Some(own)).expect("shared struct");
    let error = shared.set(&Some(other)).expect_err("of another arena");
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    assert!(shared.get().expect("get").is_some());
    shared.set(&None).expect("set");
    let (end, _other) = pipe().expect("pipe");
    let error = SharedStruct::<Option<Connection>>::new(&Some(end)).map(drop).expect_err("one owner");
    assert!(error.to_string().contains("one owner"), "{error}");
    drop(shared);
    is_empty(&arena);
}

#[test]
fn a_full_arena_changes_nothing() {
    let arena = Arena::builder().limit(4 << 20).build().expect("arena");
    let shared = SharedStruct::builder().arena(&arena).build(&vec![1u8; 1000]).expect("shared struct");
    let error = shared.set(&vec![2; 8 << 20]).expect_err("it never fits");
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    let filler = SharedStruct::builder().arena(&arena).build(&vec![3u8; 3 << 20]).expect("shared struct");
    let error = shared.set(&vec![2; 2 << 20]).expect_err("no room at present");
    assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{error}");
    let error = filler.write().map(drop).expect_err("no room for a copy");
    assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{error}");
    let built = SharedStruct::builder().arena(&arena).build(&vec![0u8; 2 << 20]).map(drop);
    assert_eq!(built.expect_err("no room").kind(), ErrorKind::OutOfMemory);
    assert_eq!(shared.get().expect("get"), vec![1; 1000]);
    assert_eq!(filler.read().expect("read").len(), 3 << 20);
    assert_eq!(arena.fsck().expect("fsck").objects, 2);
    drop(filler);
    shared.set(&vec![2; 2 << 20]).expect("there is room");
    drop(shared);
    is_empty(&arena);
}

#[test]
fn what_was_replaced_is_room_when_it_is_needed() {
    // Room for two at a time, and a retired one is kept for a while where there is more.
    let arena = Arena::builder().limit(1 << 20).build().expect("arena");
    let shared = SharedStruct::builder().arena(&arena).build(&vec![0u8; 200_000]).expect("shared struct");
    for n in 1..50 {
        shared.set(&vec![n; 200_000]).expect("set");
        drop(shared.write().expect("write"));
        assert_eq!(shared.read().expect("read").as_slice(), [n; 200_000]);
    }
    drop(shared);
    is_empty(&arena);
}

/// A message with a handle of a struct with numbers, which is received as one with text.
#[derive(Archive, Serialize, Deserialize)]
#[rkyv(crate = processing::rkyv)]
struct Smuggled(#[rkyv(with = AsText)] SharedStruct<Vec<u64>>);

struct AsText;

type ArchivedText = <SharedStruct<String> as Archive>::Archived;

impl ArchiveWith<SharedStruct<Vec<u64>>> for AsText {
    type Archived = ArchivedText;
    type Resolver = u32;

    fn resolve_with(_: &SharedStruct<Vec<u64>>, index: u32, out: Place<Self::Archived>) {
        SharedStruct::new(&String::new()).expect("shared struct").resolve(index, out);
    }
}

impl<S: Fallible<Error: Source> + ?Sized> SerializeWith<SharedStruct<Vec<u64>>, S> for AsText {
    fn serialize_with(value: &SharedStruct<Vec<u64>>, serializer: &mut S) -> Result<u32, S::Error> {
        value.serialize(serializer)
    }
}

impl<D: Fallible<Error: Source> + ?Sized> DeserializeWith<ArchivedText, SharedStruct<Vec<u64>>, D>
    for AsText
{
    fn deserialize_with(
        value: &ArchivedText,
        deserializer: &mut D,
    ) -> Result<SharedStruct<Vec<u64>>, D::Error> {
        let _text: SharedStruct<String> = value.deserialize(deserializer)?;
        panic!("numbers were read as text");
    }
}

#[test]
fn another_type_is_refused_by_name() {
    let queue = Queue::<Smuggled>::new(1).expect("queue");
    let numbers = SharedStruct::new(&vec![5u64]).expect("shared struct");
    queue.put(&Smuggled(numbers.clone())).expect("put");
    let Err(error) = queue.try_get() else { panic!("it was not refused") };
    let text = error.to_string();
    assert!(text.contains("a shared struct of `Vec<u64>`"), "{text}");
    assert!(text.contains("a shared struct of `String`"), "{text}");
    assert_eq!(numbers.get().expect("get"), [5]);
}
