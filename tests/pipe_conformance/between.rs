//! Between two threads or processes.

use super::*;

pub fn send_numbers(conn: Connection, count: u64) {
    for n in 0..count {
        // Now and then a long one.
        let len = if n % 200 == 7 { 40_000 } else { n as usize % 130 };
        match n % 3 {
            0 => conn.send(&numbered(n, len)).expect("send"),
            1 => conn.send_timeout(&numbered(n, len), LONG).expect("send"),
            _ => conn.send_many(&[numbered(n, len)]).expect("send"),
        }
    }
}

pub fn first_in_first_out(backend: PipeBackend, others: Others) {
    let (a, b) = pair(backend);
    let count = 3000u64;
    let other = start!(others, send_numbers, b, count);
    for n in 0..count {
        let message = match n % 3 {
            0 => a.recv::<Numbered>().expect("recv"),
            1 => a.recv_timeout(LONG).expect("recv"),
            _ => {
                assert!(a.poll(LONG).expect("poll"));
                a.recv().expect("recv")
            }
        };
        assert_eq!(number(&message), n);
    }
    other.join();
    assert!(kind(a.recv::<Numbered>()) == ErrorKind::Closed);
}

pub fn answer(conn: Connection) {
    while let Ok(n) = conn.recv::<u64>() {
        conn.send(&(n + 1)).expect("send");
    }
}

pub fn each_strategy_wakes(backend: PipeBackend, others: Others) {
    for strategy in [WaitStrategy::Spin, WaitStrategy::Adaptive, WaitStrategy::Block] {
        let (mut a, b) = pair(backend);
        a.set_wait_strategy(strategy);
        let other = start!(others, answer, b);
        let rounds = if strategy == WaitStrategy::Spin { 30 } else { 300 };
        for n in 0..rounds {
            a.send(&n).expect("send");
            assert_eq!(a.recv::<u64>().expect("recv"), n + 1);
        }
        drop(a);
        other.join();
    }
}

/// Sends back how long each was.
pub fn check_all(conn: Connection) {
    for n in 0.. {
        match conn.recv_bytes() {
            Ok(bytes) => {
                assert!(bytes == pattern(n, bytes.len()), "torn");
                conn.send(&(bytes.len() as u64)).expect("send");
            }
            Err(error) => return assert!(error.is_closed(), "{error}"),
        }
    }
}

pub fn messages_of_all_sizes(backend: PipeBackend, others: Others) {
    let (a, b) = pair(backend);
    let other = start!(others, check_all, b);
    let edge = 16 << 10;
    let mut lens = vec![0usize, 1, 8, 40, 47, 48, 49, 55, 56, 57, 112, 4096, 7160, 7161];
    lens.extend(edge - 17..=edge + 1);
    lens.extend([2 * edge, 2 * edge + 1, 1 << 20]);
    // In pieces it takes long without optimisation.
    lens.push(if a.capabilities().whole || !cfg!(debug_assertions) { 64 << 20 } else { 6 << 20 });
    for (n, len) in lens.into_iter().enumerate() {
        a.send_bytes(&pattern(n as u64, len)).expect("send");
        assert_eq!(a.recv::<u64>().expect("recv"), len as u64);
    }
    drop(a);
    other.join();
}

type Many = (Option<String>, Vec<Vec<u32>>, u8);

pub fn echo_values(conn: Connection) {
    for _ in 0..50 {
        conn.send(&conn.recv::<()>().expect("unit")).expect("send");
        conn.send(&conn.recv::<u8>().expect("byte")).expect("send");
        conn.send(&conn.recv::<[u64; 7]>().expect("line")).expect("send");
        conn.send(&conn.recv::<Many>().expect("many")).expect("send");
        conn.send(&conn.recv::<String>().expect("long")).expect("send");
    }
}

pub fn values_of_many_types(backend: PipeBackend, others: Others) {
    let (a, b) = pair(backend);
    let other = start!(others, echo_values, b);
    for n in 0..50u8 {
        a.send(&()).expect("send");
        a.recv::<()>().expect("unit");
        a.send(&n).expect("send");
        assert_eq!(a.recv::<u8>().expect("byte"), n);
        a.send(&[u64::from(n); 7]).expect("send");
        assert_eq!(a.recv::<[u64; 7]>().expect("line"), [u64::from(n); 7]);
        let many: Many = (Some(format!("text {n}")), vec![vec![n.into(); 3], vec![], vec![9; n.into()]], n);
        a.send(&many).expect("send");
        assert_eq!(a.recv::<Many>().expect("many"), many);
        let long = "x".repeat(usize::from(n) * 1000);
        a.send(&long).expect("send");
        assert_eq!(a.recv::<String>().expect("long"), long);
    }
    other.join();
}

pub fn send_and_receive(conn: Connection, count: u64) {
    let (tx, rx) = conn.split();
    std::thread::scope(|scope| {
        scope.spawn(move || send_half(&tx, count));
        receive_half(&rx, count);
    });
}

pub fn send_half(tx: &Sender, count: u64) {
    let values: Vec<u64> = (0..count).collect();
    for part in values.chunks(37) {
        tx.send_many(part).expect("send");
    }
}

pub fn receive_half(rx: &Receiver, count: u64) {
    let mut next = 0;
    while next < count {
        assert_eq!(rx.recv::<u64>().expect("recv"), next);
        let rest = usize::try_from(count - next - 1).expect("small").min(29);
        let some = rx.recv_many::<u64>(rest).expect("recv_many");
        assert!(
            some.len() <= rest && some.iter().eq((next + 1..).take(some.len()).collect::<Vec<_>>().iter())
        );
        next += 1 + some.len() as u64;
    }
}

pub fn both_ways_at_once(backend: PipeBackend, others: Others) {
    let (a, b) = pair(backend);
    let count = 5000u64;
    let other = start!(others, send_and_receive, b, count);
    send_and_receive(a, count);
    other.join();
}

pub fn many_at_once(backend: PipeBackend) {
    let (a, b) = pair(backend);
    a.send_many::<u64>(&[]).expect("nothing");
    let sent = a.try_send_many(&vec![7u64; 100_000]).expect("some");
    assert!(sent > 10 && sent < 100_000, "{sent}");
    assert_eq!(a.try_send_many(&[7u64]).expect("none"), 0);
    let error = a.send_many_timeout(&[7u64; 3], SHORT).expect_err("late");
    assert_eq!((error.sent(), error.error().kind()), (0, ErrorKind::Timeout));
    (0..sent).for_each(|_| assert_eq!(b.try_recv::<u64>().expect("there"), 7));
    assert_eq!(kind(b.try_recv::<u64>()), ErrorKind::Empty);
    a.send_many(&["one".to_owned(), "two".to_owned()]).expect("send");
    assert_eq!(
        (b.recv::<String>().expect("1"), b.recv::<String>().expect("2")),
        ("one".into(), "two".into())
    );
    drop(b);
    let error = a.send_many(&[1u64, 2]).expect_err("closed");
    assert_eq!((error.sent(), error.error().kind()), (0, ErrorKind::Closed));
}

pub fn polls(backend: PipeBackend) {
    let (a, b) = pair(backend);
    assert!(!b.poll(Duration::ZERO).expect("poll") && !b.poll(SHORT).expect("poll"));
    a.send(&1u8).expect("send");
    assert!(b.poll(Duration::ZERO).expect("poll") && b.poll(LONG).expect("poll"), "it takes nothing");
    assert_eq!(b.recv::<u8>().expect("recv"), 1);
    drop(a);
    assert!(b.poll(Duration::ZERO).expect("poll"), "the end is something, too");
}
