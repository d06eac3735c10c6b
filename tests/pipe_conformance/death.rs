//! Death of the other one.

use super::*;

/// Says that it runs, and receives nothing.
pub fn sleep_with(conn: Connection) {
    conn.send(&1u8).expect("send");
    loop {
        std::thread::park();
    }
}

pub fn fill_and_sleep(conn: Connection, ready: Queue<u64>) {
    let mut n = 0;
    while conn.try_send(&numbered(n, 50)).is_ok() {
        n += 1;
    }
    ready.put(&n).expect("put");
    let _ = conn.send(&numbered(n, 50));
}

pub fn what_a_killed_sender_leaves(backend: PipeBackend) {
    for asleep in [false, true] {
        let (a, b) = pair(backend);
        let ready = Queue::<u64>::new(2).expect("queue");
        let process = start_process!(fill_and_sleep, b, ready.clone());
        let count = ready.get_timeout(LONG).expect("ready");
        if asleep {
            let_them_sleep();
        }
        process.kill().expect("kill");
        process.join().expect("join");
        for n in 0..count {
            assert_eq!(number(&a.recv::<Numbered>().expect("what was sent")), n);
        }
        let error = a.recv::<Numbered>().expect_err("what was not is not");
        assert_eq!(error.kind(), ErrorKind::PeerDied, "{error}");
        assert_eq!(kind(a.send(&1u8)), ErrorKind::PeerDied);
        assert_eq!(kind(a.try_recv::<u8>()), ErrorKind::PeerDied);
    }
}

pub fn recv_and_sleep(conn: Connection, ready: Queue<u64>) {
    let first = conn.recv::<u64>().expect("recv");
    ready.put(&first).expect("put");
    let _ = conn.recv::<u64>();
}

pub fn what_is_told_of_a_killed_receiver(backend: PipeBackend) {
    for waiting in 0..3u64 {
        let (a, b) = pair(backend);
        let ready = Queue::<u64>::new(2).expect("queue");
        let process = start_process!(recv_and_sleep, b, ready.clone());
        a.send(&1u64).expect("send");
        assert_eq!(ready.get_timeout(LONG).expect("ready"), 1);
        let_them_sleep();
        process.kill().expect("kill");
        // Before anybody has looked: they share its fate, or are refused.
        (0..waiting).for_each(|n| drop(a.try_send(&n)));
        process.join().expect("join");
        for error in [
            a.send(&2u64).expect_err("nobody"),
            a.try_send(&2u64).expect_err("nobody"),
            a.send_bytes(&pattern(1, 100_000)).expect_err("nobody"),
            a.recv::<u64>().expect_err("nobody"),
        ] {
            assert_eq!(error.kind(), ErrorKind::PeerDied, "{error}");
        }
    }
}

/// Its descriptors are closed: the kernel has got so far that it shows no process of this number, or one that has ended.
pub fn wait_for_its_end(pid: u32) {
    let path = format!("/proc/{pid}/stat");
    let state = || {
        std::fs::read_to_string(&path).ok().and_then(|s| Some(s.rsplit_once(") ")?.1.starts_with(['Z', 'X'])))
    };
    while state() == Some(false) {
        std::thread::yield_now();
    }
}

pub fn a_killed_one_is_told_of_at_once(backend: PipeBackend) {
    for way in 0..4 {
        let (a, b) = pair(backend);
        let process = start_process!(sleep_with, b);
        a.recv::<u8>().expect("it runs");
        process.kill().expect("kill");
        wait_for_its_end(process.pid());
        // Others in this process may look for the dead at any time, so that "not at once" is nothing to be held to.
        if a.capabilities().told_at_once {
            let error = match way {
                0 => a.try_send(&1u8).expect_err("nobody will receive it"),
                1 => a.send(&pattern(1, 50_000)).expect_err("nobody will receive it"),
                2 => a.try_recv::<u8>().expect_err("nobody will send any"),
                _ => {
                    assert!(a.poll(Duration::ZERO).expect("poll"));
                    a.recv::<u8>().expect_err("nobody will send any")
                }
            };
            assert_eq!(error.kind(), ErrorKind::PeerDied, "{error}");
        }
        process.join().expect("join");
        assert_eq!(kind(a.send(&1u8)), ErrorKind::PeerDied);
    }
}

pub fn who_sleeps_is_told_of_a_death(backend: PipeBackend) {
    for receives in [false, true] {
        let (a, b) = pair(backend);
        let process = start_process!(sleep_with, b);
        a.recv::<u8>().expect("it runs");
        std::thread::scope(|scope| {
            let process = &process;
            scope.spawn(move || {
                let_them_sleep();
                process.kill().expect("kill");
            });
            let error = if receives {
                a.recv::<u8>().expect_err("the end")
            } else {
                loop {
                    if let Err(error) = a.send_bytes(&[0; 1000]) {
                        break error;
                    }
                }
            };
            assert_eq!(error.kind(), ErrorKind::PeerDied, "{error}");
        });
        process.join().expect("join");
    }
}
