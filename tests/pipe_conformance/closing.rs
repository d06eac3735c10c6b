//! Closing.

use super::*;

pub fn each_way_to_close(backend: PipeBackend) {
    let ways: [fn(Connection); 5] = [
        drop,
        |conn| {
            conn.close().expect("close");
            conn.close().expect("twice");
            assert_eq!(kind(conn.send(&1u8)), ErrorKind::Closed);
            assert_eq!(kind(conn.recv::<u8>()), ErrorKind::Closed);
        },
        |conn| {
            let (tx, rx) = conn.split();
            tx.close().expect("close");
            let error = rx.recv::<u8>().expect_err("for both halves");
            assert!(error.to_string().contains("by its own process"), "{error}");
        },
        |conn| {
            let (tx, rx) = conn.split();
            rx.close().expect("close");
            assert_eq!(kind(tx.send(&1u8)), ErrorKind::Closed);
        },
        |conn| {
            let (tx, rx) = conn.split();
            drop(tx);
            assert_eq!(kind(rx.try_recv::<u8>()), ErrorKind::Empty);
            drop(rx);
        },
    ];
    for way in ways {
        let (a, b) = pair(backend);
        a.send(&1u8).expect("send");
        a.send(&pattern(1, 3000)).expect("send");
        way(a);
        assert_eq!(b.recv::<u8>().expect("what was sent before"), 1);
        assert!(b.recv::<Vec<u8>>().expect("and this") == pattern(1, 3000));
        for error in [
            b.recv::<u8>().expect_err("the end"),
            b.try_recv::<u8>().expect_err("the end"),
            b.recv_timeout::<u8>(SHORT).expect_err("the end"),
            b.recv_bytes().map(drop).expect_err("the end"),
            b.send(&1u8).expect_err("nobody"),
            b.try_send(&1u8).expect_err("nobody"),
            b.send_bytes_timeout(&pattern(1, 100_000), SHORT).expect_err("nobody"),
        ] {
            assert!(error.is_closed() && error.kind() == ErrorKind::Closed, "{error}");
            assert!(error.to_string().contains("the other end is closed"), "{error}");
        }
    }
    // With messages in it that nobody received.
    let (a, b) = pair(backend);
    a.send(&1u8).expect("send");
    b.send(&2u8).expect("send");
    drop(b);
    assert_eq!(a.recv::<u8>().expect("it hides nothing"), 2);
    assert_eq!(kind(a.recv::<u8>()), ErrorKind::Closed);
}

pub fn recv_closed(conn: Connection, ready: Queue<u64>) {
    ready.put(&0).expect("put");
    assert_eq!(kind(conn.recv::<u64>()), ErrorKind::Closed);
}

pub fn send_closed(conn: Connection, ready: Queue<u64>) {
    while conn.try_send_bytes(&[1; 1000]).is_ok() {}
    ready.put(&0).expect("put");
    assert_eq!(kind(conn.send_bytes(&[1; 1000])), ErrorKind::Closed);
}

pub fn a_close_ends_every_wait(backend: PipeBackend, others: Others) {
    for round in 0..6 {
        let ready = Queue::<u64>::new(8).expect("queue");
        let ((a, b), (c, d)) = (pair(backend), pair(backend));
        let sleepers =
            [start!(others, recv_closed, b, ready.clone()), start!(others, send_closed, d, ready.clone())];
        for _ in 0..2 {
            ready.get_timeout(LONG).expect("ready");
        }
        if round % 2 == 0 {
            let_them_sleep();
        }
        a.close().expect("close");
        drop(c);
        sleepers.into_iter().for_each(Other::join);
    }
    // The other half of the same end.
    let (a, _b) = pair(backend);
    let (tx, rx) = a.split();
    std::thread::scope(|scope| {
        scope.spawn(move || assert_eq!(kind(rx.recv::<u64>()), ErrorKind::Closed));
        let_them_sleep();
        tx.close().expect("close");
    });
}

pub fn send_some_and_close(conn: Connection, count: u64) {
    (0..count).for_each(|n| conn.send(&n).expect("send"));
}

/// What was sent before a close comes before the end, however soon the receiver looks.
pub fn a_close_after_sends_loses_nothing(backend: PipeBackend, others: Others) {
    let rounds = if others == Others::Threads { 400 } else { 12 };
    for round in 0..rounds {
        let (a, b) = pair(backend);
        let count = round % 4;
        let other = start!(others, send_some_and_close, b, count);
        for n in 0..count {
            assert_eq!(a.recv::<u64>().expect("before the end"), n);
        }
        assert_eq!(kind(a.recv::<u64>()), ErrorKind::Closed);
        other.join();
    }
}
