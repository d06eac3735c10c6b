//! Descriptors for event loops of others. Counts threads and descriptors, and forks: with a main of its own.

use std::collections::BTreeSet;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use processing::{Connection, Error, ErrorKind, Event, Process, Queue, StartMethod, pipe, select};
use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};

fn main() {
    // SAFETY: no pointers. A test that hangs has failed.
    unsafe { libc::alarm(300) };
    let tests: &[(&str, fn())] = &[
        ("nothing_is_started_or_opened_unless_asked_for", nothing_is_started_or_opened_unless_asked_for),
        ("a_copy_may_not_have_it", a_copy_may_not_have_it),
        ("it_says_whether_there_is_something", it_says_whether_there_is_something),
        ("an_end_says_whether_there_is_something", an_end_says_whether_there_is_something),
        ("several_in_one_epoll", || several_in_one_epoll(epoll::EventFlags::IN)),
        ("several_in_one_epoll, edge-triggered", || {
            several_in_one_epoll(epoll::EventFlags::IN | epoll::EventFlags::ET)
        }),
        ("the_end_of_a_peer_makes_it_readable", the_end_of_a_peer_makes_it_readable),
        ("beside_blocking_calls", beside_blocking_calls),
        ("a_long_message_comes_in_parts", a_long_message_comes_in_parts),
        ("threads_share_it", threads_share_it),
        ("closed_with_the_last_handle", closed_with_the_last_handle),
        ("forks_again_when_nobody_waits", forks_again_when_nobody_waits),
    ];
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    for (name, test) in tests.iter().filter(|(name, _)| name.contains(&filter)) {
        println!("{name}");
        test();
    }
    println!("ok");
}

fn entries(folder: &str) -> usize {
    std::fs::read_dir(folder).expect("proc").count()
}

fn threads() -> usize {
    entries("/proc/self/task")
}

fn descriptors() -> usize {
    entries("/proc/self/fd")
}

/// The library's thread, and what it still has, go a moment later.
fn until(mut done: impl FnMut() -> bool) {
    while !done() {
        std::thread::yield_now();
    }
}

fn is_readable(fd: BorrowedFd<'_>) -> bool {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)], Some(&now)).expect("poll") == 1
}

fn wait_readable(fd: BorrowedFd<'_>) {
    while poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)], None).unwrap_or(0) == 0 {}
}

fn nothing_is_started_or_opened_unless_asked_for() {
    let q = Queue::<u64>::new(4).expect("queue");
    let (a, b) = pipe().expect("pipe");
    let before = descriptors();
    q.put(&1).expect("put");
    a.send(&1u8).expect("send");
    assert_eq!(select([&q, &b], None).expect("select").len(), 2);
    assert_eq!((q.get().expect("get"), b.recv::<u8>().expect("recv")), (1, 1));
    assert!(q.try_get().is_err() && b.try_recv::<u8>().is_err());
    assert!(select([&q, &b], Duration::from_millis(30)).expect("select").is_empty());
    assert_eq!((threads(), descriptors()), (1, before));
}

/// Runs `f` in a copy of this process that the library knows nothing of; whether it ended well.
fn in_a_copy(f: impl FnOnce()) -> bool {
    // SAFETY: this process has one thread, so the copy may do anything.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "fork");
    if pid == 0 {
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f));
        // SAFETY: ends the copy without what was registered for its parent's exit.
        unsafe { libc::_exit(i32::from(ended.is_err())) };
    }
    let mut status = 0;
    // SAFETY: the place of the answer is good.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    status == 0
}

fn a_copy_may_not_have_it() {
    let q = Queue::<u64>::new(4).expect("queue");
    let (a, b) = pipe().expect("pipe");
    let event = Event::new().expect("event");
    q.put(&1).expect("put");
    assert_eq!(threads(), 1);
    assert!(in_a_copy(|| {
        for error in [
            q.as_fd().map(drop),
            b.as_fd().map(drop),
            select([&q], None).map(drop),
            select([&b], None).map(drop),
            select([&event], None).map(drop),
        ] {
            assert_eq!(error.expect_err("refused").kind(), ErrorKind::WrongProcess);
        }
        assert_eq!(threads(), 1);
    }));
    drop(a);
}

fn it_says_whether_there_is_something() {
    let q = Queue::<u64>::new(4).expect("queue");
    let fd = q.as_fd().expect("fd");
    assert!(!is_readable(fd));
    for n in 0..200 {
        q.put(&n).expect("put");
        q.put(&n).expect("put");
        wait_readable(fd);
        assert_eq!(q.try_get().expect("get"), n);
        assert!(is_readable(fd), "there is one more");
        assert_eq!(q.get().expect("get"), n);
        // Until a get finds nothing. (The library's thread may be late, and tell of what was taken meanwhile.)
        until(|| q.clone().try_get().is_err() && !is_readable(fd));
        assert!(q.get_timeout(Duration::from_nanos(1)).is_err());
        assert!(!is_readable(fd));
    }
    // It is there before anybody asks.
    let other = Queue::<u64>::new(4).expect("queue");
    other.put(&1).expect("put");
    wait_readable(other.as_fd().expect("fd"));
    // Closed and drained.
    other.close().expect("close");
    assert_eq!(other.get().expect("get"), 1);
    assert!(other.try_get().is_err_and(|error| error.is_closed()));
    assert!(is_readable(other.as_fd().expect("fd")));
    q.close().expect("close");
    wait_readable(fd);
    // A closed queue whose lease may come back is not ready.
    let leased = Queue::<u64>::new(4).expect("queue");
    leased.put(&1).expect("put");
    let fd = leased.as_fd().expect("fd");
    wait_readable(fd);
    let lease = leased.get_ref().expect("lease");
    leased.close().expect("close");
    until(|| leased.try_get().is_err_and(|error| error.is_empty()) && !is_readable(fd));
    lease.put_back();
    wait_readable(fd);
    assert_eq!(leased.try_get().expect("back"), 1);
}

fn an_end_says_whether_there_is_something() {
    let (a, b) = pipe().expect("pipe");
    let fd = b.as_fd().expect("fd");
    assert!(!is_readable(fd));
    for n in 0..200u64 {
        a.send(&n).expect("send");
        a.send_bytes(b"x").expect("send");
        wait_readable(fd);
        assert_eq!(b.try_recv::<u64>().expect("recv"), n);
        assert!(is_readable(fd), "there is one more");
        assert_eq!(b.recv_bytes().expect("recv"), b"x");
        until(|| {
            b.try_recv::<u64>().is_err_and(|error| error.kind() == ErrorKind::Empty) && !is_readable(fd)
        });
        assert!(!b.poll(Duration::from_nanos(1)).expect("poll"));
        assert!(!is_readable(fd));
    }
    drop(a);
    wait_readable(fd);
    assert_eq!(b.try_recv::<u64>().expect_err("closed").kind(), ErrorKind::Closed);
    assert!(is_readable(fd));
}

/// Puts and sends so many messages to each.
fn feed(queues: Vec<Queue<u64>>, conns: Vec<Connection>, messages: u64) {
    for n in 0..messages {
        for (place, queue) in queues.iter().enumerate() {
            queue.put(&(n << 8 | place as u64)).expect("put");
            if (n + place as u64).is_multiple_of(7) {
                std::thread::yield_now();
            }
        }
        for (place, conn) in conns.iter().enumerate() {
            conn.send(&(n << 8 | (queues.len() + place) as u64)).expect("send");
        }
    }
}

fn several_in_one_epoll(flags: epoll::EventFlags) {
    const MESSAGES: u64 = 500;
    let queues: Vec<Queue<u64>> = (0..6).map(|_| Queue::new(3).expect("queue")).collect();
    let (mine, theirs): (Vec<_>, Vec<_>) = (0..4).map(|_| pipe().expect("pipe")).unzip();
    // Before there is a second thread.
    let child = Process::new(feed, (queues.clone(), theirs, MESSAGES)).start().expect("start");
    let set = epoll::create(epoll::CreateFlags::CLOEXEC).expect("epoll");
    let fds = queues.iter().map(Queue::as_fd).chain(mine.iter().map(Connection::as_fd));
    for (place, fd) in fds.enumerate() {
        let data = epoll::EventData::new_u64(place as u64);
        epoll::add(&set, fd.expect("fd"), data, flags).expect("add");
    }
    let mut seen = BTreeSet::new();
    let mut events = Vec::with_capacity(16);
    while seen.len() < (MESSAGES * 10) as usize {
        events.clear();
        epoll::wait(&set, rustix::buffer::spare_capacity(&mut events), None).expect("wait");
        for event in &events {
            let place = event.data.u64() as usize;
            let next = || -> Result<u64, Error> {
                match queues.get(place) {
                    Some(queue) => Ok(queue.try_get()?),
                    None => mine[place - queues.len()].try_recv(),
                }
            };
            while let Ok(n) = next() {
                assert_eq!((n & 0xff) as usize, place);
                assert!(seen.insert(n), "{n} came twice");
            }
        }
    }
    child.join().expect("join");
    assert_eq!(threads(), 2);
}

fn park_with(conn: Connection, q: Queue<u64>, ready: Queue<u64>) {
    let _lease = q.get_ref().expect("lease");
    ready.put(&1).expect("put");
    let _conn = conn;
    loop {
        std::thread::park();
    }
}

fn the_end_of_a_peer_makes_it_readable() {
    let (mine, theirs) = pipe().expect("pipe");
    let (q, ready) = (Queue::<u64>::new(1).expect("queue"), Queue::new(1).expect("queue"));
    q.put(&7).expect("put");
    let peer = Process::new(park_with, (theirs, q.clone(), ready.clone())).start().expect("start");
    ready.get().expect("it runs");
    let (end, messages) = (mine.as_fd().expect("fd"), q.as_fd().expect("fd"));
    assert!(!is_readable(end) && !is_readable(messages));
    peer.kill().expect("kill");
    wait_readable(end);
    assert_eq!(mine.try_recv::<u8>().expect_err("died").kind(), ErrorKind::PeerDied);
    wait_readable(messages);
    assert!(q.try_get_ref().expect("redelivered").redelivered());
    peer.join().expect("join");
}

/// An end with a descriptor that is waited for in other ways, too: each wakes, and the descriptor misses nothing.
fn beside_blocking_calls() {
    let (a, b) = pipe().expect("pipe");
    let q = Queue::<u64>::new(1).expect("queue");
    let (end, messages) = (b.as_fd().expect("fd"), q.as_fd().expect("fd"));
    let (answer, answers) = pipe().expect("pipe");
    std::thread::scope(|scope| {
        let theirs = q.clone();
        scope.spawn(move || {
            for n in 0..300u64 {
                a.send(&n).expect("send");
                theirs.put(&n).expect("put");
                answers.recv::<u64>().expect("answer");
            }
        });
        for n in 0..300u64 {
            match n % 4 {
                // Asleep, most of the time, in a call of its own.
                0 => assert_eq!(b.recv::<u64>().expect("recv"), n),
                1 => assert!(b.poll(Duration::from_secs(60)).expect("poll")),
                2 => assert!(!select([&b], None).expect("select").is_empty()),
                _ => wait_readable(end),
            }
            if n % 4 != 0 {
                assert_eq!(b.recv::<u64>().expect("recv"), n);
            }
            match n % 3 {
                0 => assert_eq!(q.get().expect("get"), n),
                1 => {
                    assert!(!select([&q], None).expect("select").is_empty());
                    assert_eq!(q.get().expect("get"), n);
                }
                _ => {
                    wait_readable(messages);
                    until(|| q.try_get().is_ok_and(|got| got == n));
                }
            }
            if n % 5 == 0 {
                assert!(b.try_recv::<u64>().is_err() && q.try_get().is_err());
            }
            answer.send(&n).expect("answer");
        }
    });
}

fn a_long_message_comes_in_parts() {
    let (a, b) = pipe().expect("pipe");
    let fd = b.as_fd().expect("fd");
    std::thread::scope(|scope| {
        scope.spawn(move || a.send(&vec![7u8; 3 << 20]).expect("send"));
        let got = loop {
            wait_readable(fd);
            match b.try_recv::<Vec<u8>>() {
                Ok(got) => break got,
                Err(error) => assert_eq!(error.kind(), ErrorKind::Empty, "{error}"),
            }
        };
        assert_eq!(got, vec![7u8; 3 << 20]);
    });
}

/// Several threads get by one descriptor: each message once, and none waits under a descriptor that is not readable.
fn threads_share_it() {
    const MESSAGES: usize = 3000;
    let q = Queue::<u64>::new(2).expect("queue");
    let child = Process::new(feed, (vec![q.clone()], Vec::new(), MESSAGES as u64)).start().expect("start");
    let (got, done) = (std::sync::Mutex::new(BTreeSet::new()), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let fd = q.as_fd().expect("fd");
                while !done.load(Ordering::Relaxed) {
                    wait_readable(fd);
                    while let Ok(n) = q.try_get() {
                        let mut got = got.lock().expect("no panic");
                        assert!(got.insert(n), "{n} came twice");
                        if got.len() == MESSAGES {
                            done.store(true, Ordering::Relaxed);
                            // Readable for good, for the others.
                            q.close().expect("close");
                        }
                    }
                }
            });
        }
    });
    child.join().expect("join");
}

fn closed_with_the_last_handle() {
    until(|| threads() == 1);
    let before = descriptors();
    for _ in 0..20 {
        let queues: Vec<Queue<u64>> = (0..5).map(|_| Queue::new(1).expect("queue")).collect();
        let (a, b) = pipe().expect("pipe");
        let all: Vec<_> = queues.iter().map(|q| q.as_fd().expect("fd")).collect();
        b.as_fd().expect("fd");
        assert!(descriptors() >= before + 6);
        queues[0].put(&1).expect("put");
        wait_readable(all[0]);
        // Also one that is waited for, one that is readable, and one that a clone keeps.
        let clone = queues[1].clone();
        drop((queues, a, b));
        assert!(!is_readable(clone.as_fd().expect("fd")));
        drop(clone);
        until(|| descriptors() == before);
    }
    let arena = processing::Arena::builder().limit(16 << 20).build().expect("arena");
    let q = Queue::<u64>::builder().arena(&arena).build().expect("queue");
    q.as_fd().expect("fd");
    drop(q);
    let report = arena.fsck().expect("fsck");
    assert!(report.is_clean() && report.objects == 0, "{report:?}");
}

fn nothing(_q: Queue<u64>) {}

fn forks_again_when_nobody_waits() {
    let q = Queue::<u64>::new(1).expect("queue");
    q.as_fd().expect("fd");
    let fork = || Process::new(nothing, (q.clone(),)).start_method(StartMethod::Fork).start();
    let refused = fork().map(drop).expect_err("a second thread waits for the queue");
    assert!(refused.to_string().contains("thread"), "{refused}");
    // Readable: then nobody waits, and the thread ends.
    q.put(&1).expect("put");
    wait_readable(q.as_fd().expect("fd"));
    until(|| threads() == 1);
    assert!(fork().expect("fork").join().expect("join").success());
    // It starts anew.
    assert_eq!(q.get().expect("get"), 1);
    assert!(q.try_get().is_err());
    assert_eq!(threads(), 2);
}
