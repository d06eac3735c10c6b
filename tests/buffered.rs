//! `BufferedQueue`, between threads and between processes: order, growth and shrinking, limits, errors, leases, deaths, handles.

use std::collections::BTreeMap;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use processing::rkyv::rancor::{self, Fallible, Source};
use processing::rkyv::{Archive, Deserialize, Serialize};
use processing::{
    Arena, BufferedQueue, Connection, ErrorKind, GetError, Process, PutError, Queue, WaitStrategy, pipe,
};

/// Fails if `f` takes longer than anything here should.
fn soon<R: Send + 'static>(what: &str, f: impl FnOnce() -> R + Send + 'static) -> R {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(f()));
    told.recv_timeout(Duration::from_secs(60)).unwrap_or_else(|_| panic!("{what} did not come to an end"))
}

fn arena(megabytes: u64) -> Arena {
    Arena::builder().limit(megabytes << 20).build().unwrap()
}

fn small<T: processing::Message>(arena: &Arena, segment: usize) -> BufferedQueue<T> {
    BufferedQueue::builder().arena(arena).segment(segment).build().unwrap()
}

/// Nothing wrong, nothing left.
fn clean(arena: &Arena) {
    let report = arena.fsck().unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!((report.objects, report.private, report.sent, report.body), (0, 0, 0, 0), "{report}");
}

#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[rkyv(crate = processing::rkyv)]
enum Event {
    Nothing,
    Text(String),
    Tree { left: Vec<u64>, right: BTreeMap<String, Option<i32>> },
}

#[test]
fn values_of_any_type_come_back_in_order() {
    let arena = arena(16);
    let q = small::<Event>(&arena, 2);
    let events = [
        Event::Nothing,
        Event::Text("x".repeat(10_000)),
        Event::Tree {
            left: vec![1, 2, 3],
            right: [("a".to_owned(), Some(-1)), ("b".to_owned(), None)].into(),
        },
        Event::Text(String::new()),
        Event::Text("y".repeat(300_000)),
    ];
    for event in &events {
        q.put(event).unwrap();
    }
    assert_eq!(q.len().unwrap(), 5);
    for event in &events {
        assert_eq!(&q.get().unwrap(), event);
    }
    assert!(q.is_empty().unwrap());
    drop(q);
    clean(&arena);
}

#[test]
fn a_million_messages_that_nobody_takes_and_then_one_who_does() {
    let arena = arena(256);
    let q = BufferedQueue::<u64>::builder().arena(&arena).build().unwrap();
    let before = q.stats().unwrap();
    for n in 0..1_000_000 {
        q.put(&n).unwrap();
    }
    let full = q.stats().unwrap();
    assert_eq!((full.messages, full.peak_messages), (1_000_000, 1_000_000));
    assert!(full.bytes >= 16_000_000, "{full:?}");
    for n in 0..1_000_000 {
        assert_eq!(q.get().unwrap(), n);
    }
    assert!(q.try_get().is_err_and(|error| error.is_empty()));
    let after = q.stats().unwrap();
    assert_eq!((after.messages, after.segments, after.bytes), (0, 1, before.bytes), "memory came back");
    assert_eq!(arena.fsck().unwrap().objects, 2, "the queue and its last segment");
    assert!(after.peak_bytes >= full.bytes);
    drop(q);
    clean(&arena);
}

#[test]
fn the_forms_of_get_agree_on_empty() {
    let q = BufferedQueue::<u32>::new().unwrap();
    let short = Duration::from_millis(3);
    for _ in 0..2 {
        assert!(matches!(q.try_get(), Err(GetError::Empty)));
        assert!(matches!(q.get_timeout(short), Err(GetError::Empty)));
        assert!(matches!(q.get_timeout(Duration::ZERO), Err(GetError::Empty)));
        assert!(matches!(q.try_get_ref(), Err(GetError::Empty)));
        assert!(matches!(q.get_ref_timeout(short), Err(GetError::Empty)));
        q.put(&1).unwrap();
        assert_eq!(q.get_timeout(short).unwrap(), 1);
    }
}

#[test]
fn a_blocked_get_is_woken_across_segments() {
    for strategy in [WaitStrategy::Spin, WaitStrategy::Adaptive, WaitStrategy::Block] {
        let arena = arena(16);
        let q = BufferedQueue::<u64>::builder().arena(&arena).segment(2).wait(strategy).build().unwrap();
        let sum = thread::scope(|scope| {
            let getter = q.clone();
            let getter = scope.spawn(move || (0..10_000).map(|_| getter.get().unwrap()).sum::<u64>());
            for n in 0..10_000u64 {
                q.put(&n).unwrap();
            }
            getter.join().unwrap()
        });
        assert_eq!(sum, (0..10_000).sum::<u64>());
        drop(q);
        clean(&arena);
    }
}

#[test]
fn many_to_many_loses_and_repeats_nothing() {
    let arena = arena(64);
    for segment in [1, 3, 64] {
        let q = small::<(u32, u32)>(&arena, segment);
        let taken = thread::scope(|scope| {
            let putters: Vec<_> = (0..3u32)
                .map(|id| {
                    let q = q.clone();
                    scope.spawn(move || (0..3_000).for_each(|n| q.put(&(id, n)).unwrap()))
                })
                .collect();
            let getters: Vec<_> = (0..3)
                .map(|_| {
                    let q = q.clone();
                    scope.spawn(move || std::iter::from_fn(|| q.get().ok()).collect::<Vec<_>>())
                })
                .collect();
            putters.into_iter().for_each(|t| t.join().unwrap());
            q.close().unwrap();
            getters.into_iter().map(|t| t.join().unwrap()).collect::<Vec<_>>()
        });
        for one in &taken {
            for id in 0..3 {
                let order: Vec<u32> = one.iter().filter(|m| m.0 == id).map(|m| m.1).collect();
                assert!(order.is_sorted(), "a getter saw a producer's messages out of order");
            }
        }
        let mut all: Vec<_> = taken.into_iter().flatten().collect();
        all.sort_unstable();
        let want: Vec<_> = (0..3).flat_map(|id| (0..3_000).map(move |n| (id, n))).collect();
        assert_eq!(all, want);
        drop(q);
        clean(&arena);
    }
}

#[test]
fn one_handle_used_by_several_threads() {
    let arena = arena(16);
    let q = small::<u64>(&arena, 8);
    let total: u64 = thread::scope(|scope| {
        let q = &q;
        let getters: Vec<_> =
            (0..2).map(|_| scope.spawn(move || std::iter::from_fn(|| q.get().ok()).sum::<u64>())).collect();
        let putters: Vec<_> =
            (0..2).map(|_| scope.spawn(move || (1..=2_000).for_each(|n| q.put(&n).unwrap()))).collect();
        putters.into_iter().for_each(|t| t.join().unwrap());
        q.close().unwrap();
        getters.into_iter().map(|t| t.join().unwrap()).sum()
    });
    assert_eq!(total, 2 * 2_000 * 2_001 / 2);
    drop(q);
    clean(&arena);
}

#[test]
fn closing_drains_all_segments_and_then_says_closed() {
    let arena = arena(16);
    let q = small::<String>(&arena, 2);
    let other = q.clone();
    for n in 0..5 {
        q.put(&n.to_string()).unwrap();
    }
    q.close().unwrap();
    q.close().unwrap();
    assert!(q.is_closed() && other.is_closed());
    assert!(matches!(q.put(&"late".to_owned()), Err(PutError::Closed)));
    assert!(matches!(other.put(&"x".repeat(5000)), Err(PutError::Closed)));
    for n in 0..5 {
        assert_eq!(other.get().unwrap(), n.to_string());
    }
    assert!(matches!(q.get(), Err(GetError::Closed)));
    assert!(matches!(other.get_ref(), Err(GetError::Closed)));
    assert!(processing::Error::from(q.get().unwrap_err()).is_closed());
    drop((q, other));
    clean(&arena);
}

#[test]
fn closing_wakes_who_sleeps_and_waits_for_leases() {
    let arena = arena(16);
    let q = small::<u64>(&arena, 1);
    for n in 0..3 {
        q.put(&n).unwrap();
    }
    let leases: Vec<_> = (0..3).map(|_| q.get_ref().unwrap()).collect();
    let sleeper = q.clone();
    let (tell, told) = mpsc::channel();
    let sleeper = thread::spawn(move || {
        tell.send(()).unwrap();
        sleeper.get()
    });
    told.recv().unwrap();
    q.close().unwrap();
    assert!(matches!(q.try_get(), Err(GetError::Empty)), "the leases may come back");
    let mut leases = leases.into_iter();
    leases.next().unwrap().put_back();
    let got = soon("a message that came back", move || sleeper.join().unwrap());
    assert_eq!(got.unwrap(), 0);
    let waiter = q.clone();
    let waiter = thread::spawn(move || waiter.get());
    drop(leases);
    assert!(matches!(soon("the end", move || waiter.join().unwrap()), Err(GetError::Closed)));
    assert!(matches!(q.try_get(), Err(GetError::Closed)));
    drop(q);
    clean(&arena);
}

#[test]
fn a_lease_keeps_its_segment_and_no_other() {
    let arena = arena(16);
    let q = small::<(u64, String)>(&arena, 2);
    for n in 0..40u64 {
        q.put(&(n, "x".repeat(if n == 1 { 5_000 } else { 5 }))).unwrap();
    }
    let (first, second) = (q.get_ref().unwrap(), q.get_ref().unwrap());
    for n in 2..40 {
        assert_eq!(q.get().unwrap().0, n);
    }
    assert!(q.try_get().is_err_and(|error| error.is_empty()));
    // The leased one, and the last.
    assert_eq!(q.stats().unwrap().segments, 2);
    assert_eq!((first.0.to_native(), second.1.len()), (0, 5_000));
    assert!(!first.redelivered());
    assert_eq!(second.to_owned().unwrap().0, 1);
    first.put_back();
    // From behind everything that was put since.
    q.put(&(99, String::new())).unwrap();
    let again = q.get_ref().unwrap();
    assert_eq!((again.0.to_native(), again.redeliveries()), (0, 1));
    drop((again, second));
    assert_eq!(q.get().unwrap().0, 99);
    assert!(q.try_get().is_err_and(|error| error.is_empty()));
    assert_eq!(q.stats().unwrap().segments, 1);
    drop(q);
    clean(&arena);
}

#[test]
fn a_panic_gives_the_lease_back() {
    let q = BufferedQueue::<u64>::builder().segment(1).build().unwrap();
    q.put(&7).unwrap();
    q.put(&8).unwrap();
    let worker = q.clone();
    let end = thread::spawn(move || {
        let lease = worker.get_ref().unwrap();
        assert_eq!(lease.to_native(), 8, "on purpose");
    })
    .join();
    assert!(end.is_err());
    let mut marks = BTreeMap::new();
    while let Ok(lease) = q.try_get_ref() {
        marks.insert(lease.to_native(), lease.redelivered());
    }
    assert_eq!(marks, [(7, true), (8, false)].into());
}

#[test]
fn forgotten_leases_end_with_the_last_handle() {
    fn forget_it(q: BufferedQueue<String>, told: Connection) -> processing::Result<()> {
        mem::forget(q.get_ref()?);
        mem::forget(q.get_ref()?);
        drop(q);
        told.send(&())?;
        std::process::abort()
    }
    let arena = arena(16);
    for len in [1, 5_000] {
        let q = small::<String>(&arena, 1);
        let text = "x".repeat(len);
        q.put_many(&[text.clone(), text.clone(), text.clone()]).unwrap();
        let (told, tell) = pipe().unwrap();
        let p = Process::new(forget_it, (q.clone(), tell)).start().unwrap();
        told.recv::<()>().unwrap();
        let mut marks = Vec::new();
        for _ in 0..3 {
            let lease = q.get_ref_timeout(Duration::from_secs(10)).expect("given back with the last handle");
            assert!(lease.as_str() == text);
            marks.push(lease.redelivered());
        }
        marks.sort_unstable();
        assert_eq!(marks, [false, true, true]);
        p.join().unwrap();
        // In this very process.
        q.put(&text).unwrap();
        mem::forget(q.get_ref().unwrap());
        drop(q);
        clean(&arena);
    }
}

#[test]
fn who_dies_leaves_what_it_leased_to_others() {
    fn die_with_them(q: BufferedQueue<u64>, taken: Queue<u64>) -> processing::Result<()> {
        let leases: Vec<_> = (0..3).map(|_| q.get_ref()).collect::<Result<_, _>>()?;
        taken.put(&(leases.len() as u64))?;
        std::process::abort()
    }
    let arena = arena(16);
    for short in [Duration::ZERO, Duration::from_millis(2), Duration::from_secs(10)] {
        let q = small::<u64>(&arena, 2);
        let taken = Queue::<u64>::builder().capacity(1).arena(&arena).build().unwrap();
        q.put_many(&[1, 2, 3, 4, 5]).unwrap();
        // Nobody joins it, and nobody asks after it.
        let p = Process::new(die_with_them, (q.clone(), taken.clone())).start().unwrap();
        assert_eq!(taken.get().unwrap(), 3);
        let theirs = q.clone();
        let mut got = soon("the messages of the dead", move || {
            let mut got = Vec::new();
            while got.len() < 5 {
                match theirs.get_ref_timeout(short) {
                    Ok(lease) => got.push((lease.to_native(), lease.redelivered())),
                    Err(error) => assert!(error.is_empty(), "{error}"),
                }
            }
            got
        });
        got.sort_unstable();
        assert_eq!(got, [(1, true), (2, true), (3, true), (4, false), (5, false)]);
        p.join().unwrap();
        drop((q, taken));
        clean(&arena);
    }
}

/// Puts its numbers, kills itself somewhere in between, and says before each put what it is about to do.
fn put_and_die(q: BufferedQueue<(u32, u32)>, id: u32, count: u32) -> processing::Result<()> {
    for n in 0..count {
        q.put(&(id, n))?;
    }
    std::process::abort()
}

fn get_all(
    q: BufferedQueue<(u32, u32)>,
    out: BufferedQueue<Vec<(u32, u32)>>,
    most: usize,
) -> processing::Result<()> {
    let mut got = Vec::new();
    while got.len() < most
        && let Ok(one) = q.get()
    {
        got.push(one);
    }
    out.put(&got)?;
    Ok(())
}

#[test]
fn processes_put_and_get_and_die() {
    let arena = arena(128);
    let q = small::<(u32, u32)>(&arena, 16);
    let out = BufferedQueue::<Vec<(u32, u32)>>::builder().arena(&arena).build().unwrap();
    let putters: Vec<_> =
        (0..3).map(|id| Process::new(put_and_die, (q.clone(), id, 2_000u32)).start().unwrap()).collect();
    // One stops early, and the others get the rest.
    let getters: Vec<_> = [100, usize::MAX, usize::MAX]
        .into_iter()
        .map(|most| Process::new(get_all, (q.clone(), out.clone(), most)).start().unwrap())
        .collect();
    for p in putters {
        assert!(matches!(p.join(), Ok(processing::Exit::Signal(_))));
    }
    q.close().unwrap();
    let mut all = Vec::new();
    for p in getters {
        soon("a getter", move || p.join()).unwrap();
        let one = out.get_timeout(Duration::from_secs(10)).unwrap();
        for id in 0..3 {
            assert!(one.iter().filter(|m| m.0 == id).is_sorted(), "out of order");
        }
        all.extend(one);
    }
    all.sort_unstable();
    let want: Vec<_> = (0..3).flat_map(|id| (0..2_000).map(move |n| (id, n))).collect();
    assert_eq!(all, want);
    drop((q, out));
    clean(&arena);
}

#[test]
fn handles_travel_in_its_messages_and_it_travels_in_others() {
    let arena = arena(64);
    let outer = small::<(u32, BufferedQueue<String>)>(&arena, 1);
    let carrier = Queue::builder().capacity(1).arena(&arena).build().unwrap();
    let inner = small::<String>(&arena, 1);
    inner.put(&"from inside".to_owned()).unwrap();
    inner.put(&"x".repeat(9_000)).unwrap();
    outer.put(&(7, inner.clone())).unwrap();
    outer.put(&(8, small(&arena, 4))).unwrap();
    drop(inner); // the message keeps it alive
    carrier.put(&outer).unwrap();
    drop(outer);
    let outer = carrier.get().unwrap();
    let (n, inner) = outer.get().unwrap();
    assert_eq!((n, inner.get().unwrap().as_str(), inner.get().unwrap().len()), (7, "from inside", 9_000));
    inner.put(&"again".to_owned()).unwrap();
    let lease = outer.get_ref().unwrap();
    let (_, other) = lease.to_owned().unwrap();
    drop(lease);
    other.put(&"y".to_owned()).unwrap();
    assert_eq!(other.get().unwrap(), "y");
    outer.put(&(9, inner)).unwrap();
    drop((outer, other, carrier)); // takes the message and its queue with it
    clean(&arena);
}

#[test]
fn a_limit_is_an_error_and_ends_when_messages_are_consumed() {
    let arena = arena(64);
    let q = BufferedQueue::<u64>::builder().arena(&arena).segment(100).limit(64 << 10).build().unwrap();
    let mut put = 0u64;
    let (used, limit) = loop {
        match q.put(&put) {
            Ok(()) => put += 1,
            Err(PutError::Limit { used, limit }) => break (used, limit),
            Err(error) => panic!("{error}"),
        }
    };
    assert!(used <= limit && limit == 64 << 10 && put >= 1_000, "{put} messages, {used} of {limit} bytes");
    assert!(q.put(&0).is_err_and(|error| error.is_limit() && !error.is_full()));
    let text = processing::Error::from(q.put(&0).unwrap_err());
    assert_eq!(text.kind(), ErrorKind::Limit);
    assert!(text.to_string().contains("65536"), "{text}");
    let stats = q.stats().unwrap();
    assert!(stats.bytes <= limit && stats.messages == put, "{stats:?}");
    for n in 0..put {
        assert_eq!(q.get().unwrap(), n);
        if n > 200 {
            // Whatever was consumed makes room, by the segment.
            q.put(&n).unwrap();
            assert!(q.stats().unwrap().bytes <= limit);
        }
        if n == 300 {
            break;
        }
    }
    while q.try_get().is_ok() {}
    for n in 0..put {
        q.put(&n).unwrap();
    }
    assert!(q.put(&0).is_err_and(|error| error.is_limit()));
    drop(q);
    clean(&arena);
}

#[test]
fn a_limit_counts_messages_in_blocks() {
    let arena = arena(64);
    let q = BufferedQueue::<Vec<u8>>::builder().arena(&arena).segment(1_000).limit(4 << 20).build().unwrap();
    for len in [20_000usize, 1 << 20] {
        let mut put = 0;
        let error = loop {
            match q.put(&vec![put as u8; len]) {
                Ok(()) => put += 1,
                Err(error) => break error,
            }
        };
        assert!(error.is_limit(), "{error}");
        let bytes = q.stats().unwrap().bytes;
        assert!(bytes <= (4 << 20) * 17 / 16 && bytes > 2 << 20, "{len}: {put} messages, {bytes} bytes");
        assert_eq!(q.get().unwrap(), vec![0; len]);
        q.put(&vec![1; len]).unwrap();
        while q.try_get().is_ok() {}
    }
    assert!(q.put(&vec![0; 8 << 20]).is_err_and(|error| error.is_limit()));
    drop(q);
    clean(&arena);
}

#[test]
fn a_limit_of_one_segment_is_a_bounded_queue() {
    let arena = arena(16);
    let one = BufferedQueue::<u64>::builder().arena(&arena).segment(8).build().unwrap();
    let limit = one.stats().unwrap().bytes;
    drop(one);
    let q = BufferedQueue::<u64>::builder().arena(&arena).segment(8).limit(limit).build().unwrap();
    for lap in 0..100 {
        for n in 0..8 {
            q.put(&(lap + n)).unwrap();
        }
        assert!(q.put(&0).is_err_and(|error| error.is_limit()));
        for n in 0..8 {
            assert_eq!(q.get().unwrap(), lap + n);
        }
    }
    drop(q);
    clean(&arena);
}

#[test]
fn impossible_settings_are_refused() {
    let refused = |builder: processing::BufferedQueueBuilder<u64>| {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        error.to_string()
    };
    assert!(refused(BufferedQueue::builder().limit(100)).contains("100"));
    assert!(refused(BufferedQueue::builder().limit(1)).contains("segment"));
    assert!(refused(BufferedQueue::builder().segment(usize::MAX)).contains("segment"));
    let arena = arena(1);
    let error = BufferedQueue::<u64>::builder().arena(&arena).segment(1 << 20).build().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::OutOfMemory | ErrorKind::TooLarge), "{error}");
    clean(&arena);
}

#[test]
fn sizes_from_nothing_to_more_than_there_is() {
    let arena = arena(16);
    let unit = small::<()>(&arena, 1);
    for _ in 0..10 {
        unit.put(&()).unwrap();
    }
    assert_eq!(unit.len().unwrap(), 10);
    for _ in 0..10 {
        unit.get().unwrap();
    }
    let q = BufferedQueue::<Vec<u8>>::builder().arena(&arena).segment(1).inline(0).build().unwrap();
    for len in [0, 1, 7, 8, 9, 47, 48, 49, 4_095, 4_096, 4_097, 65_535, 65_536, 65_537, 1 << 20] {
        q.put(&vec![len as u8; len]).unwrap();
        assert_eq!(q.get().unwrap(), vec![len as u8; len]);
    }
    assert!(matches!(q.put(&vec![0; 256 << 20]), Err(PutError::TooLarge { .. })));
    let short = BufferedQueue::<Vec<u8>>::builder().arena(&arena).max_message(100).build().unwrap();
    assert!(matches!(short.put(&vec![0; 200]), Err(PutError::TooLarge { max: 100, .. })));
    short.put(&vec![0; 50]).unwrap();
    let fixed = BufferedQueue::<[u64; 4]>::builder().arena(&arena).max_message(31).build().unwrap();
    assert!(matches!(fixed.put(&[7; 4]), Err(PutError::TooLarge { len: 32, max: 31 })));
    drop((unit, q, short, fixed));
    clean(&arena);
}

#[test]
fn a_full_arena_is_an_error_and_loses_nothing() {
    let arena = arena(8);
    for len in [0usize, 3_000] {
        let q = BufferedQueue::<(u64, Vec<u8>)>::builder().arena(&arena).build().unwrap();
        let mut put = 0u64;
        let error = loop {
            match q.put(&(put, vec![7; len])) {
                Ok(()) => put += 1,
                Err(error) => break processing::Error::from(error),
            }
        };
        assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{error}");
        for n in 0..put {
            assert_eq!(q.get().unwrap().0, n);
        }
        q.put(&(9, vec![1; len])).unwrap();
        assert_eq!(q.get().unwrap().0, 9);
        drop(q);
        clean(&arena);
    }
}

/// A message that was put as one handle, and of which another one is made: what two programs would do that disagree.
macro_rules! liar {
    ($name:ident, $archived:ident, $put:ty, $got:ty) => {
        #[derive(Archive, Serialize)]
        #[rkyv(crate = processing::rkyv)]
        struct $name($put);

        impl<D: Fallible<Error: Source> + ?Sized> Deserialize<$name, D> for $archived {
            fn deserialize(&self, deserializer: &mut D) -> Result<$name, D::Error> {
                // SAFETY: the archive of a handle is its number in the message, whatever it is a handle of.
                let other = unsafe { &*std::ptr::from_ref(&self.0).cast::<<$got as Archive>::Archived>() };
                let got: Result<$got, D::Error> = other.deserialize(deserializer);
                Err(got.err().expect("it was opened as something else"))
            }
        }
    };
}

liar!(AnotherType, ArchivedAnotherType, BufferedQueue<u64>, BufferedQueue<u32>);
liar!(NotBuffered, ArchivedNotBuffered, Queue<u64>, BufferedQueue<u64>);
liar!(NotAQueue, ArchivedNotAQueue, BufferedQueue<u64>, Queue<u64>);

#[test]
fn it_is_not_opened_as_something_else() {
    fn refused<T: processing::Message>(arena: &Arena, lie: T) -> String {
        let carrier = Queue::<T>::builder().capacity(1).arena(arena).build().unwrap();
        carrier.put(&lie).unwrap();
        drop(lie);
        carrier.get().err().expect("refused").to_string()
    }
    let arena = arena(16);
    let plain = Queue::<u64>::builder().capacity(1).arena(&arena).build().unwrap();
    for error in [
        refused(&arena, AnotherType(small(&arena, 1))),
        refused(&arena, NotBuffered(plain)),
        refused(&arena, NotAQueue(small(&arena, 1))),
    ] {
        assert!(error.contains("it does not carry"), "{error}");
    }
    clean(&arena);
}

/// Moves messages from one queue to the other, and is killed at it.
fn pass_on(from: BufferedQueue<u64>, to: BufferedQueue<(u64, bool)>) -> processing::Result<()> {
    while let Ok(lease) = from.get_ref() {
        to.put(&(lease.to_native(), lease.redelivered()))?;
    }
    Ok(())
}

#[test]
fn workers_killed_at_random_lose_nothing() {
    const ALL: u64 = 20_000;
    let arena = arena(64);
    let from = small::<u64>(&arena, 5);
    let to = small::<(u64, bool)>(&arena, 3);
    let start = || Process::new(pass_on, (from.clone(), to.clone())).start().unwrap();
    let mut workers: Vec<_> = (0..3).map(|_| start()).collect();
    let mut seen = vec![0u32; ALL as usize];
    let (mut put, mut distinct, mut killed) = (0, 0, 0);
    let mut random = 0x9e37_79b9_7f4a_7c15u64;
    while distinct < ALL {
        for _ in 0..50.min(ALL - put) {
            from.put(&put).unwrap();
            put += 1;
        }
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        for _ in 0..random >> 57 {
            let Ok((id, marked)) = to.get_timeout(Duration::from_secs(30)) else {
                panic!("{distinct} of {ALL} came")
            };
            let times = &mut seen[id as usize];
            assert!(*times == 0 || marked, "message {id} came again without a mark");
            distinct += u64::from(*times == 0);
            *times += 1;
            if distinct == ALL {
                break;
            }
            if to.is_empty().unwrap() && from.is_empty().unwrap() && put < ALL {
                break;
            }
        }
        if killed < 60 {
            let at = (random >> 40) as usize % workers.len();
            let dead = std::mem::replace(&mut workers[at], start());
            dead.kill().unwrap();
            killed += 1;
            // Half of them are cleared away by whoever comes across them.
            if random >> 39 & 1 == 0 {
                dead.join().unwrap();
            }
        }
    }
    from.close().unwrap();
    for worker in workers {
        soon("a worker", move || worker.join()).unwrap();
    }
    while to.try_get().is_ok() {}
    assert!(from.is_empty().unwrap());
    assert_eq!((from.stats().unwrap().messages, to.stats().unwrap().segments), (0, 1));
    drop((from, to));
    clean(&arena);
}

/// A value that some processes cannot make: 0 is refused, 1 panics.
#[derive(Archive, Serialize)]
#[rkyv(crate = processing::rkyv)]
struct Shy(u8, String);

#[derive(Debug)]
struct Refused;

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("refused")
    }
}

impl std::error::Error for Refused {}

impl<D: Fallible<Error: Source> + ?Sized> Deserialize<Shy, D> for ArchivedShy {
    fn deserialize(&self, _: &mut D) -> Result<Shy, D::Error> {
        match self.0 {
            0 => Err(<D::Error as rancor::Source>::new(Refused)),
            1 => panic!("shy"),
            n => Ok(Shy(n, self.1.as_str().to_owned())),
        }
    }
}

#[test]
fn a_message_that_nobody_can_make_is_in_nobodys_way() {
    let arena = arena(16);
    for (len, segment) in [(1, 4), (5_000, 4), (1, 1), (5_000, 1)] {
        let q = small::<Shy>(&arena, segment);
        let put = |n| q.put(&Shy(n, "x".repeat(len))).unwrap();
        put(0);
        put(7);
        let error = processing::Error::from(q.get().err().unwrap());
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert_eq!(q.get().unwrap().0, 7);
        assert!(q.is_empty().unwrap());
        // A panic gives it back, and it is counted; a lease passes it.
        put(1);
        for _ in 0..2 {
            assert!(catch_unwind(AssertUnwindSafe(|| q.get())).is_err());
        }
        let lease = q.get_ref().unwrap();
        assert_eq!((lease.redeliveries(), lease.0), (2, 1));
        drop(lease);
        assert!(q.is_empty().unwrap());
        drop(q);
        clean(&arena);
    }
}

#[test]
fn a_batch_is_put_in_order_up_to_the_first_error() {
    let arena = arena(16);
    let q = BufferedQueue::<String>::builder().arena(&arena).segment(3).max_message(100).build().unwrap();
    q.put_many(&[]).unwrap();
    let texts = |n: usize| (0..n).map(|i| i.to_string()).collect::<Vec<_>>();
    q.put_many(&texts(200)).unwrap();
    assert_eq!(q.len().unwrap(), 200);
    let error = q.put_many(&["a".to_owned(), "b".to_owned(), "c".repeat(500), "d".to_owned()]).unwrap_err();
    assert_eq!(error.put(), 2);
    assert!(error.error().is_too_large(), "{error}");
    for text in texts(200).into_iter().chain(["a".to_owned(), "b".to_owned()]) {
        assert_eq!(q.get().unwrap(), text);
    }
    assert!(q.try_get().is_err());
    q.close().unwrap();
    let error = q.put_many(&texts(2)).unwrap_err();
    assert!(error.put() == 0 && error.into_error().is_closed());
    drop(q);
    clean(&arena);
}

#[test]
fn a_batch_wakes_all_who_sleep() {
    let q = BufferedQueue::<u64>::builder().segment(4).wait(WaitStrategy::Block).build().unwrap();
    let getters: Vec<_> = (0..4)
        .map(|_| {
            let q = q.clone();
            thread::spawn(move || q.get().unwrap())
        })
        .collect();
    q.put_many(&[1, 2, 3, 4]).unwrap();
    let sum: u64 = soon("four getters", move || getters.into_iter().map(|t| t.join().unwrap()).sum());
    assert_eq!(sum, 10);
}

#[test]
fn who_lets_go_gives_its_segments_back() {
    let arena = arena(16);
    let q = small::<u64>(&arena, 2);
    let idle = q.clone();
    idle.put(&0).unwrap();
    assert_eq!(idle.get().unwrap(), 0);
    for n in 1..100 {
        q.put(&n).unwrap();
    }
    while q.try_get().is_ok() {}
    assert_eq!(q.stats().unwrap().segments, 1);
    // The queue, its last segment, and the one that the idle handle saw last.
    assert_eq!(arena.fsck().unwrap().objects, 3);
    drop(idle);
    assert_eq!(arena.fsck().unwrap().objects, 2);
    drop(q);
    clean(&arena);
}
