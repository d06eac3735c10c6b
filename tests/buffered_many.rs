//! `get_many` of a `BufferedQueue`: out of several segments, between threads and processes, with what cannot be made.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use processing::rkyv::rancor::{self, Fallible, Source};
use processing::rkyv::{Archive, Deserialize, Serialize};
use processing::{Arena, BufferedQueue, ErrorKind, GetError, Process, Queue, WaitStrategy};

/// Fails if `f` takes longer than anything here should.
fn soon<R: Send + 'static>(what: &str, f: impl FnOnce() -> R + Send + 'static) -> R {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(f()));
    told.recv_timeout(Duration::from_secs(60)).unwrap_or_else(|_| panic!("{what} did not come to an end"))
}

#[test]
fn batches_of_any_size_cross_segments() {
    let arena = Arena::builder().limit(16 << 20).build().unwrap();
    let texts: Vec<String> = (0..100).map(|n| "x".repeat(if n % 3 == 0 { 500 } else { n })).collect();
    for segment in [1, 2, 7, 100] {
        let q = BufferedQueue::builder().arena(&arena).segment(segment).build().unwrap();
        for max in [1, 2, 3, 8, 99, 100, 1000] {
            q.put_many(&texts).unwrap();
            let mut got: Vec<String> = Vec::new();
            while got.len() < texts.len() {
                let batch = q.get_many(max).unwrap();
                // All that there is, and no more than was asked for.
                assert_eq!(batch.len(), max.min(texts.len() - got.len()), "{segment} {max}");
                got.extend(batch);
            }
            assert_eq!(got, texts);
            assert!(matches!(q.try_get_many(max), Err(GetError::Empty)));
            assert_eq!(q.stats().unwrap().segments, 1, "what is drained is given back");
        }
        // Nothing asked, nothing waited for.
        assert!(q.get_many(0).unwrap().is_empty());
        drop(q);
        let report = arena.fsck().unwrap();
        assert!(report.is_clean() && report.objects == 0, "{report}");
    }
}

#[test]
fn the_three_forms_agree_on_the_end() {
    let q = BufferedQueue::<u64>::builder().segment(2).wait(WaitStrategy::Block).build().unwrap();
    assert!(matches!(q.try_get_many(4), Err(GetError::Empty)));
    assert!(matches!(q.get_many_timeout(4, Duration::from_millis(1)), Err(GetError::Empty)));
    q.put_many(&[1, 2, 3, 4, 5]).unwrap();
    q.close().unwrap();
    // The last messages come without the news of the end.
    assert_eq!(q.get_many(8).unwrap(), [1, 2, 3, 4, 5]);
    assert!(matches!(q.try_get_many(4), Err(GetError::Closed)));
    assert!(matches!(q.get_many_timeout(4, Duration::from_millis(1)), Err(GetError::Closed)));
    assert!(matches!(q.get_many(4), Err(GetError::Closed)));
    assert!(q.get_many(0).unwrap().is_empty(), "nothing was asked");
}

/// It waits for the first message only; a redelivered one is a message like any.
#[test]
fn it_waits_for_one_message() {
    let q = BufferedQueue::<u64>::builder().segment(2).wait(WaitStrategy::Block).build().unwrap();
    let theirs = q.clone();
    let getter = thread::spawn(move || theirs.get_many(64).unwrap());
    q.put(&1).unwrap();
    assert_eq!(soon("the batch", move || getter.join().unwrap()), [1]);
    q.put_many(&[2, 3, 4, 5, 6]).unwrap();
    let first = q.get_ref().unwrap();
    assert_eq!(q.get_many(2).unwrap(), [3, 4]);
    first.put_back();
    let mut rest = q.get_many(64).unwrap();
    rest.sort_unstable();
    assert_eq!(rest, [2, 5, 6]);
}

/// A message whose value is refused, or whose making panics.
#[derive(Archive, Serialize, Clone, Debug, PartialEq)]
#[rkyv(crate = processing::rkyv, archived = ArchivedPicky)]
struct Picky(u64, String);

static PANICS: AtomicBool = AtomicBool::new(false);

#[derive(Debug)]
struct Refused;

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("3 is refused")
    }
}

impl std::error::Error for Refused {}

impl<D: Fallible<Error: Source> + ?Sized> Deserialize<Picky, D> for ArchivedPicky {
    fn deserialize(&self, _: &mut D) -> Result<Picky, D::Error> {
        match (self.0.to_native(), PANICS.load(Ordering::Relaxed)) {
            (3, true) => panic!("3"),
            (3, false) => Err(<D::Error as rancor::Source>::new(Refused)),
            (n, _) => Ok(Picky(n, self.1.as_str().to_owned())),
        }
    }
}

#[test]
fn what_cannot_be_made_ends_the_batch_before_it_and_is_reported_next() {
    // In slots and in blocks; in the same segment as the one before, and in the next.
    for (len, segment) in [(1, 8), (1, 2), (500, 8), (500, 2)] {
        let q = BufferedQueue::builder().segment(segment).build().unwrap();
        for panics in [false, true] {
            PANICS.store(panics, Ordering::Relaxed);
            q.put_many(&[1, 2, 3, 4].map(|n| Picky(n, "x".repeat(len)))).unwrap();
            let ids = |batch: Vec<Picky>| batch.iter().map(|message| message.0).collect::<Vec<_>>();
            assert_eq!(ids(q.get_many(8).unwrap()), [1, 2]);
            assert_eq!(q.len().unwrap(), 2);
            if panics {
                let lease = q.try_get_ref().unwrap();
                assert_eq!((lease.0.to_native(), lease.redelivered()), (3, true));
            } else {
                // Consumed with its error, as `get` does.
                assert!(matches!(q.get_many(8), Err(GetError::Other(e)) if e.kind() == ErrorKind::Corrupt));
            }
            assert_eq!(ids(q.get_many(8).unwrap()), [4]);
            assert!(q.is_empty().unwrap());
        }
    }
}

#[test]
fn threads_put_and_get_batches() {
    let q = BufferedQueue::<(u32, u32)>::builder().segment(16).build().unwrap();
    let found = thread::scope(|scope| {
        let putters: Vec<_> = (0..3u32)
            .map(|id| {
                let q = &q;
                scope.spawn(move || {
                    let all: Vec<_> = (0..3_000).map(|n| (id, n)).collect();
                    all.chunks(100).for_each(|batch| q.put_many(batch).unwrap());
                })
            })
            .collect();
        let getters: Vec<_> = (0..3)
            .map(|_| {
                let q = q.clone();
                scope.spawn(move || std::iter::from_fn(|| q.get_many(7).ok()).flatten().collect::<Vec<_>>())
            })
            .collect();
        putters.into_iter().for_each(|putter| putter.join().unwrap());
        q.close().unwrap();
        getters.into_iter().map(|getter| getter.join().unwrap()).collect::<Vec<_>>()
    });
    for one in &found {
        for id in 0..3 {
            assert!(one.iter().filter(|m| m.0 == id).is_sorted(), "a producer's messages out of order");
        }
    }
    let mut all: Vec<_> = found.into_iter().flatten().collect();
    all.sort_unstable();
    let want: Vec<_> = (0..3).flat_map(|id| (0..3_000).map(move |n| (id, n))).collect();
    assert_eq!(all, want);
}

/// Takes batches until the end, and says what it got.
fn take_batches(q: BufferedQueue<u64>, got: Queue<Vec<u64>>) {
    while let Ok(batch) = q.get_many(5) {
        got.put(&batch).expect("put");
    }
    got.put(&Vec::new()).expect("put");
}

#[test]
fn processes_get_batches() {
    const MESSAGES: u64 = 5_000;
    let q = BufferedQueue::<u64>::builder().segment(8).build().unwrap();
    let got = Queue::<Vec<u64>>::new(64).unwrap();
    let takers: Vec<Process> =
        (0..2).map(|_| Process::new(take_batches, (q.clone(), got.clone())).start().unwrap()).collect();
    let theirs = q.clone();
    let putter = thread::spawn(move || {
        (0..MESSAGES).for_each(|n| theirs.put(&n).unwrap());
        theirs.close().unwrap();
    });
    let (mut all, mut ended) = (Vec::new(), 0);
    while ended < takers.len() {
        let batch = got.get_timeout(Duration::from_secs(60)).unwrap();
        assert!(batch.len() <= 5 && batch.is_sorted(), "{batch:?}");
        ended += usize::from(batch.is_empty());
        all.extend(batch);
    }
    all.sort_unstable();
    assert_eq!(all, (0..MESSAGES).collect::<Vec<_>>());
    putter.join().unwrap();
    for taker in takers {
        assert!(taker.join().unwrap().success());
    }
}
