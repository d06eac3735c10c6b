//! Queues and connections without a thread for each wait, under tokio.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::{Pin, pin};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use processing::{Backend, Connection, Error, ErrorKind, GetError, Process, PutError, Queue, pipe};
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

fn put_numbers(q: Queue<u64>, from: u64, to: u64) {
    for n in from..to {
        q.put(&n).expect("put");
    }
}

fn count(q: Queue<u64>, numbers: u64, sum: Queue<u64>) {
    let all = (0..numbers).map(|_| q.get().expect("get")).sum();
    sum.put(&all).expect("put");
}

/// Tasks get what other processes put, in a queue that is empty most of the time; each message once.
#[test]
fn tasks_get_from_processes() {
    for runtime in [one_thread(), threads()] {
        let q = Queue::<u64>::new(2).expect("queue");
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
                            got.push(match task % 2 {
                                0 => q.get_async().await.expect("get"),
                                _ => q.get_ref_async().await.expect("get").to_native(),
                            });
                        }
                        got
                    })
                })
                .collect();
            let mut got = Vec::new();
            for task in tasks {
                got.extend(soon(task).await.expect("task"));
            }
            got
        });
        assert_eq!(got.len(), 1000);
        assert_eq!(got.into_iter().collect::<BTreeSet<_>>(), (0..1000).collect());
        producers.into_iter().for_each(|producer| assert!(producer.join().expect("join").success()));
    }
}

#[test]
fn tasks_put_for_a_process() {
    for runtime in [one_thread(), threads()] {
        let (q, sum) = (Queue::<u64>::new(2).expect("queue"), Queue::<u64>::new(1).expect("queue"));
        let consumer = Process::new(count, (q.clone(), 1000, sum.clone())).start().expect("start");
        runtime.block_on(async {
            let tasks: Vec<_> = (0..20)
                .map(|task| {
                    let q = q.clone();
                    tokio::spawn(async move {
                        for n in 0..50 {
                            q.put_async(&(task * 50 + n)).await.expect("put");
                        }
                    })
                })
                .collect();
            for task in tasks {
                soon(task).await.expect("task");
            }
            assert_eq!(soon(sum.get_async()).await.expect("sum"), 999 * 1000 / 2);
        });
        assert!(consumer.join().expect("join").success());
    }
}

/// Gets and puts that give up at any moment lose no message and strand nobody.
#[test]
fn futures_that_are_dropped_lose_nothing() {
    const MESSAGES: u64 = 600;
    let q = Queue::<u64>::new(1).expect("queue");
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
    // Putting: what was given up is not there, what was not is there once.
    let q = Queue::<u64>::new(1).expect("queue");
    one_thread().block_on(async {
        q.put_async(&1).await.expect("room");
        let mut second = Box::pin(q.put_async(&2));
        starts_to_wait(second.as_mut()).await;
        drop(second);
        let mut third = Box::pin(q.put_async(&3));
        starts_to_wait(third.as_mut()).await;
        assert_eq!(q.get_async().await.expect("get"), 1);
        soon(third).await.expect("room");
        assert_eq!(q.get_async().await.expect("get"), 3);
        assert!(q.is_empty());
    });
}

#[test]
fn a_closed_queue_ends_all_waits() {
    let (q, full) = (Queue::<u64>::new(1).expect("queue"), Queue::<String>::new(1).expect("queue"));
    full.put(&"x".into()).expect("put");
    one_thread().block_on(async {
        let text = "y".to_owned();
        let (mut get, mut lease) = (pin!(q.get_async()), pin!(q.get_ref_async()));
        let mut put = pin!(full.put_async(&text));
        starts_to_wait(get.as_mut()).await;
        starts_to_wait(lease.as_mut()).await;
        starts_to_wait(put.as_mut()).await;
        q.close().expect("close");
        full.close().expect("close");
        assert!(matches!(soon(get).await, Err(GetError::Closed)));
        assert!(matches!(soon(lease).await.map(drop), Err(GetError::Closed)));
        assert!(matches!(soon(put).await, Err(PutError::Closed)));
    });
}

fn hold_a_lease(q: Queue<u64>, ready: Queue<u64>) {
    let _lease = q.get_ref().expect("lease");
    ready.put(&1).expect("put");
    loop {
        std::thread::park();
    }
}

fn hold_an_end(conn: Connection, ready: Queue<u64>) {
    ready.put(&1).expect("put");
    let _conn = conn;
    loop {
        std::thread::park();
    }
}

#[test]
fn the_dead_are_noticed() {
    let (q, ready) = (Queue::<u64>::new(1).expect("queue"), Queue::<u64>::new(1).expect("queue"));
    q.put(&7).expect("put");
    let holder = Process::new(hold_a_lease, (q.clone(), ready.clone())).start().expect("start");
    let (mine, theirs) = pipe().expect("pipe");
    let peer = Process::new(hold_an_end, (theirs, ready.clone())).start().expect("start");
    let (mut sender, mut receiver) = mine.split();
    one_thread().block_on(async {
        for _ in 0..2 {
            soon(ready.get_async()).await.expect("they run");
        }
        let big = vec![1u8; 1 << 20];
        let (mut lease, mut recv) = (pin!(q.get_ref_async()), pin!(receiver.recv_async::<u8>()));
        let mut send = pin!(sender.send_async(&big));
        starts_to_wait(lease.as_mut()).await;
        starts_to_wait(recv.as_mut()).await;
        starts_to_wait(send.as_mut()).await;
        holder.kill().expect("kill");
        peer.kill().expect("kill");
        assert!(soon(lease).await.expect("redelivered").redelivered());
        assert_eq!(soon(recv).await.expect_err("died").kind(), ErrorKind::PeerDied);
        assert_eq!(soon(send).await.expect_err("died").kind(), ErrorKind::PeerDied);
    });
    holder.join().expect("join");
    peer.join().expect("join");
}

fn echo(conn: Connection) {
    while let Ok(value) = conn.recv::<(u64, Vec<u8>)>() {
        conn.send(&value).expect("send");
    }
}

/// A task that owns its end and moves between threads; messages of all lengths, longer than the pipe, too.
#[test]
fn tasks_talk_to_a_process() {
    let lens = [0, 1, 40, 57, 1000, 20_000, 300_000, 2_000_000];
    for runtime in [one_thread(), threads()] {
        let (mut mine, theirs) = pipe().expect("pipe");
        let peer = Process::new(echo, (theirs,)).start().expect("start");
        runtime.block_on(async {
            let task = tokio::spawn(async move {
                for n in 0..80u64 {
                    let len = lens[n as usize % lens.len()];
                    let value = (n, vec![n as u8; len]);
                    mine.send_async(&value).await?;
                    assert_eq!(mine.recv_async::<(u64, Vec<u8>)>().await?, value);
                }
                Ok::<(), Error>(())
            });
            soon(task).await.expect("task").expect("no error");
        });
        assert!(peer.join().expect("join").success());
    }
}

/// Both directions at once, full most of the time.
#[test]
fn the_two_halves_in_two_tasks() {
    let (a, b) = pipe().expect("pipe");
    let ((mut a_tx, mut a_rx), (mut b_tx, mut b_rx)) = (a.split(), b.split());
    threads().block_on(async {
        let tasks = [
            tokio::spawn(async move {
                for n in 0..20_000u64 {
                    a_tx.send_async(&n).await.expect("send");
                }
            }),
            tokio::spawn(async move {
                for n in 0..20_000u64 {
                    b_tx.send_async(&n.to_string()).await.expect("send");
                }
            }),
            tokio::spawn(async move {
                for n in 0..20_000u64 {
                    assert_eq!(b_rx.recv_async::<u64>().await.expect("recv"), n);
                }
            }),
            tokio::spawn(async move {
                for n in 0..20_000u64 {
                    assert_eq!(a_rx.recv_async::<String>().await.expect("recv"), n.to_string());
                }
            }),
        ];
        for task in tasks {
            soon(task).await.expect("task");
        }
    });
}

#[test]
fn a_long_message_that_is_given_up_is_forgotten() {
    let (mut a, mut b) = pipe().expect("pipe");
    one_thread().block_on(async {
        let big = vec![1u8; 1 << 20];
        for round in 0..5u64 {
            let mut send = Box::pin(a.send_async(&big));
            starts_to_wait(send.as_mut()).await;
            drop(send);
            // A receive that is given up half-way keeps what it has; it comes to nothing here.
            let mut recv = Box::pin(b.recv_async::<Vec<u8>>());
            starts_to_wait(recv.as_mut()).await;
            drop(recv);
            let (sent, got) = tokio::join!(soon(a.send_async(&round)), soon(b.recv_async::<u64>()));
            sent.expect("send");
            assert_eq!(got.expect("recv"), round);
            // In parts, with receives that give up in between.
            let whole = vec![round as u8; 1 << 19];
            let sending = async { soon(a.send_async(&whole)).await.expect("send") };
            let receiving = async {
                loop {
                    match timeout(Duration::from_micros(50), b.recv_async::<Vec<u8>>()).await {
                        Ok(got) => return got.expect("recv"),
                        Err(_) => tokio::task::yield_now().await,
                    }
                }
            };
            assert_eq!(tokio::join!(sending, receiving).1, whole);
        }
    });
}

#[test]
fn errors_are_those_of_the_blocking_calls() {
    let (mut a, mut b) = pipe().expect("pipe");
    one_thread().block_on(async {
        a.send_async(&1u8).await.expect("send");
        assert_eq!(b.recv_async::<String>().await.expect_err("another").kind(), ErrorKind::TypeMismatch);
        assert_eq!(b.recv_async::<u8>().await.expect("it stayed"), 1);
        drop(a);
        assert_eq!(b.recv_async::<u8>().await.expect_err("closed").kind(), ErrorKind::Closed);
        assert_eq!(b.send_async(&1u8).await.expect_err("closed").kind(), ErrorKind::Closed);
        let small = Queue::<Vec<u8>>::builder().max_message(100).build().expect("queue");
        let error = small.put_async(&vec![0; 200]).await.expect_err("too large");
        assert!(error.is_too_large());
    });
}

#[test]
fn streams_and_sinks() {
    let (q, echoed) = (Queue::<u64>::new(2).expect("queue"), Queue::<u64>::new(1000).expect("queue"));
    let producer = Process::new(put_numbers, (q.clone(), 0, 300)).start().expect("start");
    threads().block_on(async {
        // Two streams of one queue share its messages.
        let start = || {
            let (stream, mut sink) = (q.stream(), echoed.sink());
            tokio::spawn(async move {
                let mut stream = pin!(stream);
                while let Some(n) = stream.next().await {
                    sink.send(n?).await?;
                }
                assert!(stream.next().await.is_none(), "it stays at its end");
                Ok::<(), Error>(())
            })
        };
        let tasks = [start(), start()];
        producer.join().expect("join");
        q.close().expect("close");
        for task in tasks {
            soon(task).await.expect("task").expect("no error");
        }
        let mut all: Vec<u64> = (0..300).map(|_| echoed.try_get().expect("echoed")).collect();
        all.sort_unstable();
        assert_eq!(all, (0..300).collect::<Vec<_>>());
        assert!(echoed.is_empty());
        // What was fed and not put is the sink's, and can be had back.
        let full = Queue::<u64>::new(1).expect("queue");
        let mut sink = full.sink();
        sink.feed(1).await.expect("held");
        assert!(full.is_empty());
        sink.feed(2).await.expect("the first is put");
        assert_eq!(full.len(), 1);
        assert!(timeout(Duration::from_millis(1), sink.flush()).await.is_err(), "it is full");
        assert_eq!((sink.take(), sink.take()), (Some(2), None));
        sink.close().await.expect("nothing is left");
        assert!(!full.is_closed());
        full.close().expect("close");
        sink.feed(3).await.expect("held");
        assert!(matches!(sink.flush().await, Err(PutError::Closed)));
        assert_eq!(sink.take(), Some(3));
    });
}

#[test]
fn objects_go_with_their_handles() {
    let arena = processing::Arena::builder().limit(16 << 20).build().expect("arena");
    for _ in 0..30 {
        let q = Queue::<u64>::builder().capacity(1).arena(&arena).build().expect("queue");
        let (mut a, mut b) = processing::pipe_in(&arena).expect("pipe");
        let mut stream = q.stream();
        one_thread().block_on(async {
            let (mut get, mut recv) = (pin!(q.get_async()), pin!(b.recv_async::<u64>()));
            starts_to_wait(get.as_mut()).await;
            starts_to_wait(recv.as_mut()).await;
            starts_to_wait(pin!(stream.next())).await;
            a.send_async(&1u64).await.expect("send");
            assert_eq!(soon(recv).await.expect("recv"), 1);
        });
        drop((q, a, b, stream));
        let report = arena.fsck().expect("fsck");
        assert!(report.is_clean() && report.objects == 0, "{report:?}");
    }
}

/// A queue of each mechanism of the kernel: packets, sockets, a message queue.
fn of_the_kernel<T: processing::Message>(capacity: usize) -> Vec<Queue<T>> {
    let build = |backend, longest| {
        let builder = Queue::builder().capacity(capacity).backend(backend).max_message(longest);
        builder.build().expect("queue")
    };
    vec![build(Backend::Pipe, 1000), build(Backend::Pipe, 10_000), build(Backend::PosixMq, 1000)]
}

fn put_texts(q: Queue<String>, messages: u64) {
    for n in 0..messages {
        q.put(&n.to_string()).expect("put");
        if n % 7 == 0 {
            std::thread::yield_now();
        }
    }
}

fn get_texts(q: Queue<String>, messages: u64, sum: Queue<u64>) {
    let all = (0..messages).map(|_| q.get().expect("get").parse::<u64>().expect("a number")).sum();
    sum.put(&all).expect("put");
}

/// Tasks get what another process puts into a queue of the kernel, and put what another one gets; each message once.
#[test]
fn tasks_use_queues_of_the_kernel() {
    const MESSAGES: u64 = 300;
    for (from, to) in of_the_kernel::<String>(2).into_iter().zip(of_the_kernel::<String>(2)) {
        let sum = Queue::<u64>::new(1).expect("queue");
        let producer = Process::new(put_texts, (from.clone(), MESSAGES)).start().expect("start");
        let consumer = Process::new(get_texts, (to.clone(), MESSAGES, sum.clone())).start().expect("start");
        threads().block_on(async {
            let tasks: Vec<_> = (0..5)
                .map(|task| {
                    let (from, to) = (from.clone(), to.clone());
                    tokio::spawn(async move {
                        let mut got = Vec::new();
                        for n in 0..MESSAGES / 5 {
                            let text = if (task + n) % 3 == 0 {
                                from.get_ref_async().await.expect("lease").as_str().to_owned()
                            } else {
                                from.get_async().await.expect("get")
                            };
                            to.put_async(&text).await.expect("put");
                            got.push(text.parse::<u64>().expect("a number"));
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
            assert_eq!(all, (0..MESSAGES).collect());
            assert_eq!(soon(sum.get_async()).await.expect("sum"), (0..MESSAGES).sum::<u64>());
        });
        assert!(producer.join().expect("join").success());
        assert!(consumer.join().expect("join").success());
    }
}

/// Waits at a queue of the kernel end with it; what gives up has neither put nor taken anything.
#[test]
fn waits_at_queues_of_the_kernel_end() {
    for (empty, full) in of_the_kernel::<u64>(1).into_iter().zip(of_the_kernel::<u64>(1)) {
        one_thread().block_on(async {
            // As many as it takes: sockets count bytes.
            let mut last = 0;
            while full.try_put(&last).is_ok() {
                last += 1;
            }
            let mut given_up = Box::pin(full.put_async(&u64::MAX));
            starts_to_wait(given_up.as_mut()).await;
            drop(given_up);
            let mut late = Box::pin(full.put_async(&last));
            starts_to_wait(late.as_mut()).await;
            for n in 0..last {
                assert_eq!(soon(full.get_async()).await.expect("get"), n);
            }
            soon(late).await.expect("there is room");
            assert_eq!(soon(full.get_async()).await.expect("get"), last);
            assert!(full.try_get().is_err_and(|error| error.is_empty()), "nothing that was given up");
            let mut get = Box::pin(empty.get_async());
            starts_to_wait(get.as_mut()).await;
            drop(get);
            let (mut get, mut lease) = (pin!(empty.get_async()), pin!(empty.get_ref_async()));
            starts_to_wait(get.as_mut()).await;
            starts_to_wait(lease.as_mut()).await;
            empty.close().expect("close");
            assert!(matches!(soon(get).await, Err(GetError::Closed)));
            assert!(matches!(soon(lease).await.map(drop), Err(GetError::Closed)));
            assert!(matches!(soon(empty.put_async(&1)).await, Err(PutError::Closed)));
        });
    }
}

/// A stream and a sink of each mechanism of the kernel, between processes.
#[test]
fn streams_and_sinks_of_the_kernel() {
    const MESSAGES: u64 = 200;
    for (from, to) in of_the_kernel::<String>(2).into_iter().zip(of_the_kernel::<String>(2)) {
        let sum = Queue::<u64>::new(1).expect("queue");
        let producer = Process::new(put_texts, (from.clone(), MESSAGES)).start().expect("start");
        let consumer = Process::new(get_texts, (to.clone(), MESSAGES, sum.clone())).start().expect("start");
        one_thread().block_on(async {
            let (mut stream, mut sink) = (from.stream(), to.sink());
            for n in 0..MESSAGES {
                let text = soon(stream.next()).await.expect("not the end").expect("message");
                assert_eq!(text, n.to_string(), "one producer's messages in order");
                soon(sink.send(text)).await.expect("sent");
            }
            from.close().expect("close");
            assert!(soon(stream.next()).await.is_none());
            assert_eq!(soon(sum.get_async()).await.expect("sum"), (0..MESSAGES).sum::<u64>());
            to.close().expect("close");
            sink.feed("x".into()).await.expect("held");
            assert!(matches!(sink.flush().await, Err(PutError::Closed)));
            assert_eq!(sink.take().as_deref(), Some("x"));
        });
        assert!(producer.join().expect("join").success());
        assert!(consumer.join().expect("join").success());
    }
}
