//! A `BufferedQueue` without a thread for each wait, under tokio.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::{Pin, pin};
use std::time::Duration;

use futures_util::StreamExt;
use processing::{Arena, BufferedQueue, GetError, Process, Queue};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

const LONG: Duration = Duration::from_secs(60);

fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_time().build().expect("runtime")
}

fn threads() -> Runtime {
    Builder::new_multi_thread().worker_threads(3).enable_time().build().expect("runtime")
}

/// Polls it once; it must wait.
async fn starts_to_wait<F: Future>(mut future: Pin<&mut F>) {
    std::future::poll_fn(|context| {
        assert!(future.as_mut().poll(context).is_pending(), "it must wait");
        std::task::Poll::Ready(())
    })
    .await;
}

async fn soon<F: Future>(future: F) -> F::Output {
    timeout(LONG, future).await.expect("in time")
}

fn small(segment: usize) -> BufferedQueue<u64> {
    BufferedQueue::builder().segment(segment).build().expect("queue")
}

fn put_numbers(q: BufferedQueue<u64>, from: u64, to: u64) {
    for n in from..to {
        q.put(&n).expect("put");
        if n % 5 == 0 {
            std::thread::yield_now();
        }
    }
}

/// Tasks get what other processes put, by value and by lease, out of segments that come and go; each message once.
#[test]
fn tasks_get_from_processes() {
    for runtime in [one_thread(), threads()] {
        let q = small(2);
        let start =
            |n: u64| Process::new(put_numbers, (q.clone(), n * 500, n * 500 + 500)).start().expect("start");
        let producers: Vec<Process> = (0..2).map(start).collect();
        let got = runtime.block_on(async {
            let tasks: Vec<_> = (0..20)
                .map(|task| {
                    let q = q.clone();
                    tokio::spawn(async move {
                        let mut got = Vec::new();
                        for _ in 0..50 {
                            got.push(if task % 2 == 0 {
                                q.get_async().await.expect("get")
                            } else {
                                u64::from(*q.get_ref_async().await.expect("lease"))
                            });
                        }
                        got
                    })
                })
                .collect();
            let mut all = BTreeSet::new();
            for task in tasks {
                for n in soon(task).await.expect("task") {
                    assert!(all.insert(n), "{n} came twice");
                }
            }
            all
        });
        assert_eq!(got, (0..1000).collect());
        for producer in producers {
            producer.join().expect("join");
        }
    }
}

/// Gets that give up at any moment lose no message and strand nobody.
#[test]
fn futures_that_are_dropped_lose_nothing() {
    const MESSAGES: u64 = 600;
    let q = small(1);
    let producer = Process::new(put_numbers, (q.clone(), 0, MESSAGES)).start().expect("start");
    let got = threads().block_on(async {
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let tasks: Vec<_> = (0..8u64)
            .map(|task| {
                let (q, tell) = (q.clone(), tell.clone());
                tokio::spawn(async move {
                    for round in 0u64.. {
                        let patience = Duration::from_micros((task * 7 + round * 13) % 200);
                        match timeout(patience, q.get_async()).await {
                            Ok(Ok(n)) => tell.send(n).expect("told"),
                            Ok(Err(GetError::Closed)) => return,
                            Ok(Err(error)) => panic!("{error}"),
                            Err(_) => {}
                        }
                    }
                })
            })
            .collect();
        let mut got = BTreeSet::new();
        while got.len() < MESSAGES as usize {
            assert!(got.insert(soon(told.recv()).await.expect("a message")), "one came twice");
        }
        // The others still wait, and hear of it.
        q.close().expect("close");
        for task in tasks {
            soon(task).await.expect("task");
        }
        got
    });
    assert_eq!(got, (0..MESSAGES).collect());
    producer.join().expect("join");
}

/// One that is dropped after it was woken hands the wake-up on: another, that waits, has the message.
#[test]
fn a_dropped_future_takes_no_wake_up_with_it() {
    let q = small(1);
    one_thread().block_on(async {
        for n in 0..100 {
            let mut first = Box::pin(q.get_async());
            starts_to_wait(first.as_mut()).await;
            let theirs = q.clone();
            let second = std::thread::spawn(move || theirs.get_timeout(LONG));
            tokio::task::yield_now().await;
            q.put(&n).expect("put");
            drop(first);
            let got = soon(tokio::task::spawn_blocking(|| second.join().expect("second")));
            assert_eq!(got.await.expect("joined").expect("the message"), n);
        }
    });
}

#[test]
fn a_closed_queue_ends_all_waits() {
    let q = small(2);
    one_thread().block_on(async {
        let (mut get, mut lease) = (pin!(q.get_async()), pin!(q.get_ref_async()));
        let mut stream = q.stream();
        starts_to_wait(get.as_mut()).await;
        starts_to_wait(lease.as_mut()).await;
        starts_to_wait(pin!(stream.next())).await;
        q.close().expect("close");
        assert!(matches!(soon(get).await, Err(GetError::Closed)));
        assert!(matches!(soon(lease).await.map(drop), Err(GetError::Closed)));
        assert!(soon(stream.next()).await.is_none());
    });
}

fn hold_a_lease(q: BufferedQueue<u64>, ready: Queue<u64>) {
    let _lease = q.get_ref().expect("lease");
    ready.put(&1).expect("put");
    loop {
        std::thread::park();
    }
}

#[test]
fn the_dead_are_noticed() {
    let (q, ready) = (small(1), Queue::<u64>::new(1).expect("queue"));
    q.put_many(&[7, 8]).expect("put");
    let holder = Process::new(hold_a_lease, (q.clone(), ready.clone())).start().expect("start");
    one_thread().block_on(async {
        soon(ready.get_async()).await.expect("it runs");
        assert_eq!(soon(q.get_async()).await.expect("the other"), 8);
        let mut lease = pin!(q.get_ref_async());
        starts_to_wait(lease.as_mut()).await;
        holder.kill().expect("kill");
        assert!(soon(lease).await.expect("redelivered").redelivered());
    });
    holder.join().expect("join");
}

/// Two streams share the messages of a queue, which another process feeds, and end with it.
#[test]
fn streams() {
    let q = small(4);
    let producer = Process::new(put_numbers, (q.clone(), 0, 300)).start().expect("start");
    threads().block_on(async {
        let start = || {
            let mut stream = q.stream();
            tokio::spawn(async move {
                let mut got = Vec::new();
                while let Some(n) = stream.next().await {
                    got.push(n.expect("message"));
                }
                assert!(stream.next().await.is_none(), "it stays at its end");
                got
            })
        };
        let tasks = [start(), start()];
        producer.join().expect("join");
        q.close().expect("close");
        let mut all = Vec::new();
        for task in tasks {
            let got = soon(task).await.expect("task");
            assert!(got.is_sorted(), "one producer's messages in order");
            all.extend(got);
        }
        all.sort_unstable();
        assert_eq!(all, (0..300).collect::<Vec<_>>());
    });
}

#[test]
fn it_goes_with_its_handles() {
    let arena = Arena::builder().limit(16 << 20).build().expect("arena");
    for _ in 0..30 {
        let q = BufferedQueue::<u64>::builder().arena(&arena).segment(1).build().expect("queue");
        let mut stream = q.stream();
        one_thread().block_on(async {
            let mut get = pin!(q.get_async());
            starts_to_wait(get.as_mut()).await;
            starts_to_wait(pin!(stream.next())).await;
            q.put_many(&[1, 2, 3]).expect("put");
            assert_eq!(soon(get).await.expect("get"), 1);
        });
        drop((q, stream));
        let report = arena.fsck().expect("fsck");
        assert!(report.is_clean() && report.objects == 0, "{report:?}");
    }
}
