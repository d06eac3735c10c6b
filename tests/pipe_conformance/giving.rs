//! Giving an end away.

use super::death::sleep_with;
use super::*;

pub fn recv_what_waits(conn: Connection, back: Queue<u64>) {
    while let Ok(message) = conn.recv::<Numbered>() {
        back.put(&number(&message)).expect("put");
    }
}

pub fn an_end_takes_along_what_waits_in_it(backend: PipeBackend) {
    let (a, b) = pair(backend);
    for n in 0..3 {
        let long = if a.capabilities().whole { 70_000 } else { 700 };
        a.send(&numbered(n, if n == 1 { long } else { 20 })).expect("send");
    }
    assert_eq!(number(&b.recv::<Numbered>().expect("the first")), 0);
    let back = Queue::<u64>::new(8).expect("queue");
    let process = start_process!(recv_what_waits, b, back.clone());
    assert_eq!(back.get_timeout(LONG).expect("there"), 1);
    a.send(&numbered(3, 10)).expect("send");
    assert_eq!((back.get_timeout(LONG).expect("2"), back.get_timeout(LONG).expect("3")), (2, 3));
    drop(a);
    assert!(process.join().expect("join").success());
}

pub fn give_on(conn: Connection, back: Queue<u64>) {
    assert_eq!(number(&conn.recv::<Numbered>().expect("one")), 0);
    let process = start_process!(recv_what_waits, conn, back);
    assert!(process.join().expect("join").success());
}

pub fn given_away_twice(backend: PipeBackend) {
    let (a, b) = pair(backend);
    (0..3).for_each(|n| a.send(&numbered(n, 30)).expect("send"));
    let back = Queue::<u64>::new(8).expect("queue");
    let process = start_process!(give_on, b, back.clone());
    for n in 1..6 {
        assert_eq!(back.get_timeout(LONG).expect("there"), n);
        a.send(&numbered(n + 2, 30)).expect("send");
    }
    drop(a);
    assert!(process.join().expect("join").success());
}

pub fn an_end_that_cannot_be_given_is_closed(backend: PipeBackend) {
    let (a, b) = pair(backend);
    b.send(&7u8).expect("send");
    // This process has several threads: refused, when the end is on its way already.
    let refused = Process::new(sleep_with, (b,)).start_method(StartMethod::Fork).start();
    assert_eq!(refused.map(drop).expect_err("refused").kind(), ErrorKind::InvalidState);
    assert_eq!(a.recv::<u8>().expect("what was sent"), 7);
    assert_eq!(kind(a.recv::<u8>()), ErrorKind::PeerDied);
    assert_eq!(kind(a.send(&1u8)), ErrorKind::PeerDied);
}

pub fn an_end_whose_process_ends_before_it_runs_is_closed(backend: PipeBackend) {
    for _ in 0..10 {
        let (a, b) = pair(backend);
        let process = start_process!(sleep_with, b);
        process.kill().expect("kill");
        process.join().expect("join");
        let error = match a.recv::<u8>() {
            Ok(_) => a.recv::<u8>().expect_err("the end"),
            Err(error) => error,
        };
        assert_eq!(error.kind(), ErrorKind::PeerDied, "{error}");
    }
}

/// In a process of its own, with one thread.
pub fn start_with_each(backend: String) {
    watchdog();
    let backend: PipeBackend = backend.parse().expect("a backend");
    for method in [StartMethod::Fork, StartMethod::Spawn, StartMethod::ForkServer] {
        let ((a, b), (c, d)) = (pair(backend), pair(backend));
        let two = Process::new(answer_both, (b, d)).start_method(method).start().expect("start");
        for n in 0..20u64 {
            a.send(&n).expect("send");
            c.send(&(n + 100)).expect("send");
            assert_eq!(
                (a.recv::<u64>().expect("a"), c.recv::<u64>().expect("c")),
                (n + 1, n + 101),
                "{method}"
            );
        }
        drop((a, c));
        assert!(two.join().expect("join").success(), "{method}");
    }
}

pub fn answer_both(first: Connection, second: Connection) {
    while let (Ok(n), Ok(m)) = (first.recv::<u64>(), second.recv::<u64>()) {
        first.send(&(n + 1)).expect("send");
        second.send(&(m + 1)).expect("send");
    }
}

pub fn every_start_method_carries_it(backend: PipeBackend) {
    let process = Process::new(start_with_each, (backend.to_string(),)).start_method(StartMethod::Spawn);
    process.start().expect("start").join().expect("with each");
}

/// In a process of its own, with one thread: a copy that the library knows nothing of.
pub fn copy_and_try(backend: String) {
    watchdog();
    let backend: PipeBackend = backend.parse().expect("a backend");
    let (a, b) = pair(backend);
    b.send(&7u8).expect("send");
    // SAFETY: this process has one thread.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let kinds = [kind(a.recv::<u8>()), kind(a.send(&1u8)), kind(a.poll(SHORT)), kind(b.close())];
        drop((a, b));
        // SAFETY: ends the copy.
        unsafe { libc::_exit(i32::from(kinds != [ErrorKind::WrongProcess; 4])) };
    }
    let mut status = 0;
    // SAFETY: the place of the answer is good.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    assert_eq!(status, 0);
    assert_eq!(a.recv::<u8>().expect("it took and closed nothing"), 7);
    b.send(&8u8).expect("send");
    assert_eq!(a.recv::<u8>().expect("recv"), 8);
}

pub fn a_copy_of_the_process_may_not_use_it(backend: PipeBackend) {
    let process = Process::new(copy_and_try, (backend.to_string(),)).start_method(StartMethod::Spawn);
    process.start().expect("start").join().expect("refused");
}
