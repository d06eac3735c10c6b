//! Descriptors: none left, and whether all come back.

use super::*;

pub fn fds() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("fds").count()
}

pub fn set_limit(files: u64) -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: reads and writes one structure.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit), 0);
        let before = limit.rlim_cur;
        limit.rlim_cur = files;
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit), 0);
        before
    }
}

/// In a process of its own: it has no number left when a long message waits.
pub fn receive_without_descriptors(backend: String) {
    watchdog();
    let backend: PipeBackend = backend.parse().expect("a backend");
    let (a, b) = pair(backend);
    let len = if a.capabilities().whole { 100_000 } else { 7_000 };
    a.send_bytes(&pattern(1, len)).expect("send");
    let before = set_limit(0);
    if a.capabilities().descriptors != 0 {
        for error in [
            b.recv_bytes().map(drop).expect_err("no descriptor"),
            b.recv_bytes_into(&mut vec![0; len]).map(drop).expect_err("no descriptor"),
            b.recv_bytes_into(&mut [0; 5]).map(drop).expect_err("no descriptor"),
        ] {
            assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
            for part in ["stays in place", "ulimit -n"] {
                assert!(error.to_string().contains(part), "{part:?}: {error}");
            }
        }
        assert!(b.poll(Duration::ZERO).expect("it is there"));
        let error = a.try_send_bytes(&pattern(2, len)).expect_err("no descriptor");
        assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
        a.send_bytes(&pattern(3, 50)).expect("a short one needs none");
        set_limit(before);
        assert!(b.recv_bytes().expect("nothing is lost") == pattern(1, len));
        assert_eq!(b.recv_bytes().expect("the next"), pattern(3, 50));
    } else {
        assert!(b.recv_bytes().expect("it needs none") == pattern(1, len));
    }
    set_limit(before);
}

pub fn no_descriptor_for_a_long_message(backend: PipeBackend) {
    let process = Process::new(receive_without_descriptors, (backend.to_string(),));
    process.start_method(StartMethod::Spawn).start().expect("start").join().expect("nothing is lost");
}

pub fn hold(conn: Connection) {
    let _ = conn.recv::<u8>();
}

/// In a process of its own, where nobody else opens any: so many for each end, and none afterwards.
pub fn count_descriptors(backend: String) {
    watchdog();
    let backend: PipeBackend = backend.parse().expect("a backend");
    let (a, b) = pair(backend);
    let each = a.capabilities().descriptors;
    // The fork server and what else comes with a first process.
    drop(a);
    start_process!(hold, b).join().expect("join");
    let first = fds();
    for lap in 0..10 {
        let before = fds();
        let pairs: Vec<_> = (0..3).map(|_| pair(backend)).collect();
        assert_eq!(fds(), before + 6 * each, "lap {lap}");
        for (a, b) in &pairs {
            let len = if a.capabilities().whole { 300_000 } else { 5000 };
            a.send_bytes(&pattern(1, len)).expect("send");
            assert!(b.recv_bytes().expect("recv") == pattern(1, len));
            // It goes with its pipe.
            a.send_bytes(&pattern(2, len)).expect("send");
        }
        assert_eq!(fds(), before + 6 * each);
        for (a, b) in pairs {
            let process = start_process!(hold, b);
            drop(a);
            process.kill().expect("kill");
            process.join().expect("join");
        }
    }
    // Give or take those of children that were forked ahead.
    assert!(fds() < first + 10, "{first}, now {}", fds());
}

pub fn descriptors_come_back(backend: PipeBackend) {
    let process = Process::new(count_descriptors, (backend.to_string(),));
    process.start_method(StartMethod::Spawn).start().expect("start").join().expect("all came back");
}
