//! Waiting from outside of the blocking calls: `select`, descriptors, futures.

use super::*;

pub fn send_and_put(conn: Connection, q: Queue<u64>) {
    for n in 0..200u64 {
        if n % 3 == 0 {
            q.put(&n).expect("put")
        } else {
            conn.send(&n).expect("send")
        }
        if n % 50 == 49 {
            // Each in its turn, so that all are waited for.
            conn.recv::<u64>().expect("go on");
        }
    }
}

pub fn select_beside_a_queue(backend: PipeBackend, others: Others) {
    let q = Queue::<u64>::new(4).expect("queue");
    let (a, b) = pair(backend);
    assert!(select([&q, &a], SHORT).expect("select").is_empty());
    let other = start!(others, send_and_put, b, q.clone());
    let mut all = Vec::new();
    while all.len() < 200 {
        for place in select([&q, &a], None).expect("select") {
            match place {
                0 => all.extend(q.try_get()),
                _ => all.extend(a.try_recv::<u64>()),
            }
        }
        if all.len() % 50 == 0 && !all.is_empty() {
            // Told twice, it goes on twice as far: no harm.
            let _ = a.try_send(&1u64);
        }
    }
    all.sort_unstable();
    assert!(all.into_iter().eq(0..200));
    other.join();
    assert_eq!(select([&q, &a], None).expect("select").first(), Some(1), "the end of the other");
    assert_eq!(kind(a.try_recv::<u64>()), ErrorKind::Closed);
    // It is the receiving half that is waited for.
    let (tx, rx) = pair(backend).0.split();
    assert_eq!(select([&rx], None).expect("the other end is gone").len(), 1);
    drop(tx);
}

pub fn is_readable(fd: BorrowedFd<'_>) -> bool {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)], Some(&now)).expect("poll") == 1
}

pub fn wait_readable(fd: BorrowedFd<'_>) {
    while poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)], None).unwrap_or(0) == 0 {}
}

pub fn a_descriptor_says_whether_there_is_something(backend: PipeBackend, others: Others) {
    let (a, b) = pair(backend);
    let fd = a.as_fd().expect("fd");
    assert!(!is_readable(fd));
    let other = start!(others, send_in_turns, b);
    for n in 0..200u64 {
        wait_readable(fd);
        match a.try_recv::<u64>() {
            Ok(found) => assert_eq!(found, n),
            // It may be late, and tell of what was taken meanwhile.
            Err(error) => {
                assert!(error.is_empty(), "{error}");
                assert_eq!(a.recv::<u64>().expect("recv"), n);
            }
        }
        while a.try_recv::<u64>().is_ok() || is_readable(fd) {}
        a.send(&n).expect("go on");
    }
    wait_readable(fd);
    assert_eq!(kind(a.try_recv::<u64>()), ErrorKind::Closed);
    assert!(is_readable(fd), "the end is something, too");
    other.join();
}

pub fn send_in_turns(conn: Connection) {
    for n in 0..200u64 {
        conn.send(&n).expect("send");
        assert_eq!(conn.recv::<u64>().expect("recv"), n);
    }
}

#[cfg(feature = "async")]
mod futures {
    use std::future::Future;
    use std::pin::pin;
    use std::task::Poll;

    use tokio::runtime::Builder;

    use super::*;
    use crate::death::sleep_with;

    fn run<F: Future>(future: F) -> F::Output {
        Builder::new_current_thread().enable_time().build().expect("runtime").block_on(future)
    }

    /// Polls it once; it must wait. Then it is dropped.
    async fn begin_and_drop<F: Future>(future: F) {
        let mut future = pin!(future);
        std::future::poll_fn(|context| {
            assert!(future.as_mut().poll(context).is_pending(), "it must wait");
            Poll::Ready(())
        })
        .await;
    }

    async fn exchange(backend: PipeBackend) {
        let (mut a, mut b) = pair(backend);
        for len in [10usize, 57, 20_000, 300_000] {
            let sent = pattern(1, len);
            let (got, done) = tokio::join!(b.recv_async::<Vec<u8>>(), a.send_async(&sent));
            done.expect("send");
            assert!(got.expect("recv") == sent, "{len}");
        }
        // Dropped while they wait, they have taken and sent nothing.
        begin_and_drop(b.recv_async::<u64>()).await;
        let mut count = 0;
        while a.try_send(&pattern(count, 500)).is_ok() {
            count += 1;
        }
        let (more, long) = (pattern(count, 500), pattern(0, 50_000));
        begin_and_drop(a.send_async(&long)).await;
        let receive = async {
            for n in 0..=count {
                assert!(b.recv_async::<Vec<u8>>().await.expect("recv") == pattern(n, 500), "{n}");
            }
        };
        let (sent, ()) = tokio::join!(a.send_async(&more), receive);
        sent.expect("send");
        assert_eq!(kind(b.try_recv::<u8>()), ErrorKind::Empty);
        let (closed, ()) = tokio::join!(b.recv_async::<u8>(), async { drop(a) });
        assert_eq!(kind(closed), ErrorKind::Closed);
    }

    async fn a_death(backend: PipeBackend) {
        let (mut a, b) = pair(backend);
        let process = start_process!(sleep_with, b);
        a.recv_async::<u8>().await.expect("it runs");
        let fill = async { while a.send_async(&pattern(1, 400)).await.is_ok() {} };
        let kill = async {
            tokio::task::yield_now().await;
            process.kill().expect("kill");
        };
        tokio::join!(fill, kill);
        assert_eq!(kind(a.recv_async::<u8>().await), ErrorKind::PeerDied);
        process.join().expect("join");
    }

    #[test]
    fn over_rings() {
        run(exchange(PipeBackend::Ring));
        run(a_death(PipeBackend::Ring));
    }

    #[test]
    fn over_sockets() {
        run(exchange(PipeBackend::Socket));
        run(a_death(PipeBackend::Socket));
    }
}
