//! A `BufferedQueue` in `select` and by a descriptor, across segments and processes.

use std::collections::BTreeSet;
use std::os::fd::BorrowedFd;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use processing::{
    Arena, BufferedQueue, GetError, Process, Queue, Ready, Selectable, WaitStrategy, select, select_slice,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

const LONG: Duration = Duration::from_secs(60);

/// Fails if `f` takes longer than anything here should.
fn soon<R: Send + 'static>(what: &'static str, f: impl FnOnce() -> R + Send + 'static) -> R {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(f()));
    told.recv_timeout(LONG).unwrap_or_else(|_| panic!("{what} did not come to an end"))
}

fn places(ready: Ready) -> Vec<usize> {
    ready.into_iter().collect()
}

fn small<T: processing::Message>(segment: usize) -> BufferedQueue<T> {
    BufferedQueue::builder().segment(segment).wait(WaitStrategy::Block).build().expect("queue")
}

fn is_readable(fd: BorrowedFd<'_>) -> bool {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)], Some(&now)).expect("poll") == 1
}

fn wait_readable(fd: BorrowedFd<'_>) {
    let long = Timespec { tv_sec: 60, tv_nsec: 0 };
    assert_eq!(poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)], Some(&long)).expect("poll"), 1);
}

/// Bounded by the time that the tests may take.
fn until(mut done: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !done() {
        assert!(start.elapsed() < LONG, "it never came true");
        thread::yield_now();
    }
}

#[test]
fn it_is_ready_while_there_is_something_in_any_segment() {
    let (q, other) = (small::<u64>(2), Queue::<u64>::new(4).expect("queue"));
    let look = || places(select([&q as &dyn Selectable, &other], Duration::ZERO).expect("select"));
    assert!(look().is_empty());
    q.put_many(&[1, 2, 3, 4, 5]).expect("put");
    // Others take what is in front; this handle goes past it with its next look.
    let beside = q.clone();
    for n in 1..=5 {
        assert_eq!(look(), [0]);
        assert_eq!(beside.try_get().expect("get"), n);
    }
    assert!(look().is_empty());
    assert!(matches!(q.try_get(), Err(GetError::Empty)), "a look takes nothing, and makes nothing up");
    other.put(&1).expect("put");
    q.put(&6).expect("put");
    assert_eq!(look(), [0, 1]);
    assert_eq!(q.try_get().expect("get"), 6);
    assert_eq!(q.stats().expect("stats").segments, 1);
}

#[test]
fn the_time_is_kept() {
    for strategy in [WaitStrategy::Block, WaitStrategy::Adaptive, WaitStrategy::Spin] {
        let q = BufferedQueue::<u64>::builder().segment(1).wait(strategy).build().expect("queue");
        assert!(select([&q], Duration::from_millis(30)).expect("select").is_empty());
        assert!(select([&q], Some(Duration::ZERO)).expect("select").is_empty());
    }
}

/// Closed is not drained while a lease may come back; then it is, also out of a segment that others have left behind.
#[test]
fn the_end_and_what_comes_back_are_ready() {
    let q = small::<u64>(1);
    q.put_many(&[1, 2]).expect("put");
    let (first, second) = (q.get_ref().expect("lease"), q.get_ref().expect("lease"));
    q.close().expect("close");
    assert!(select([&q], Duration::ZERO).expect("select").is_empty());
    thread::scope(|scope| {
        let waits = scope.spawn(|| places(select([&q], LONG).expect("select")));
        first.put_back();
        assert_eq!(waits.join().expect("waits"), [0]);
    });
    let again = q.try_get_ref().expect("redelivered");
    assert!(again.redelivered());
    assert!(select([&q], Duration::ZERO).expect("select").is_empty());
    thread::scope(|scope| {
        let waits = scope.spawn(|| places(select([&q], LONG).expect("select")));
        drop(again);
        drop(second);
        assert_eq!(waits.join().expect("waits"), [0]);
    });
    assert!(matches!(q.try_get(), Err(GetError::Closed)));
}

#[test]
fn a_close_wakes_who_selects() {
    let q = small::<u64>(2);
    let mine = q.clone();
    let ended = soon("the wait for the end", move || {
        let waits = thread::spawn(move || places(select([&mine], None).expect("select")));
        q.close().expect("close");
        waits.join().expect("waits")
    });
    assert_eq!(ended, [0]);
}

/// Puts so many messages, in turns that look random.
fn spread(queues: Vec<BufferedQueue<u64>>, ring: Queue<u64>, messages: u64) {
    let places = queues.len() as u64 + 1;
    for n in 0..messages {
        let place = (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) % places;
        match queues.get(place as usize) {
            Some(queue) => queue.put(&n).expect("put"),
            None => ring.put(&n).expect("put"),
        }
        if n % 3 == 0 {
            thread::yield_now();
        }
    }
}

/// What another process puts into several queues that grow all the time is taken by who selects.
#[test]
fn over_queues_that_grow() {
    const MESSAGES: u64 = 3_000;
    let queues: Vec<BufferedQueue<u64>> = (0..4).map(|_| small(1)).collect();
    let ring = Queue::<u64>::new(2).expect("queue");
    let child = Process::new(spread, (queues.clone(), ring.clone(), MESSAGES)).start().expect("start");
    let objects: Vec<&dyn Selectable> =
        queues.iter().map(|q| q as &dyn Selectable).chain([&ring as &dyn Selectable]).collect();
    let mut seen = BTreeSet::new();
    while seen.len() < MESSAGES as usize {
        let ready = select_slice(&objects, LONG).expect("select");
        assert!(!ready.is_empty(), "of {MESSAGES} {} came", seen.len());
        for place in ready.iter() {
            // One of each that is named, so that most looks find some segments drained and some not.
            let got = queues.get(place).map_or_else(|| ring.try_get(), |queue| queue.try_get());
            match got {
                Ok(n) => assert!(seen.insert(n), "{n} came twice"),
                Err(error) => assert!(error.is_empty(), "{error}"),
            }
        }
    }
    child.join().expect("join");
}

fn select_and_take(q: BufferedQueue<u64>, stop: Queue<u64>, got: Queue<u64>) {
    loop {
        let ready = select([&stop as &dyn Selectable, &q], None).expect("select");
        if ready.contains(1)
            && let Ok(n) = q.try_get()
        {
            got.put(&n).expect("put");
        }
        if ready.contains(0) {
            return;
        }
    }
}

/// One message at a time for many who `select`, in other processes, and one who only looks.
#[test]
fn many_select_on_one_queue() {
    let (q, stop, got) =
        (small::<u64>(1), Queue::<u64>::new(1).expect("queue"), Queue::<u64>::new(8).expect("queue"));
    let takers: Vec<Process> = (0..3)
        .map(|_| {
            Process::new(select_and_take, (q.clone(), stop.clone(), got.clone())).start().expect("start")
        })
        .collect();
    let idle = thread::spawn({
        let (q, stop) = (q.clone(), stop.clone());
        move || while !select([&stop as &dyn Selectable, &q], None).expect("select").contains(0) {}
    });
    for n in 0..100 {
        // The second comes in another segment than the first, mostly.
        q.put_many(&[2 * n, 2 * n + 1]).expect("put");
        let mut both = [(); 2].map(|()| got.get_timeout(LONG).expect("somebody takes it"));
        both.sort_unstable();
        assert_eq!(both, [2 * n, 2 * n + 1]);
    }
    stop.put(&1).expect("put");
    for taker in takers {
        assert!(taker.join().expect("join").success());
    }
    soon("the idle one", move || idle.join().expect("idle"));
}

fn hold_a_lease(q: BufferedQueue<u64>, ready: Queue<u64>) {
    let _lease = q.get_ref().expect("lease");
    ready.put(&1).expect("put");
    loop {
        thread::park();
    }
}

/// A message that its dead holder had in a segment that is left behind is seen by who selects, and by who polls.
#[test]
fn what_comes_back_from_the_dead_is_ready() {
    for by_descriptor in [false, true] {
        let (q, ready) = (small::<u64>(1), Queue::new(1).expect("queue"));
        q.put_many(&[7, 8]).expect("put");
        let holder = Process::new(hold_a_lease, (q.clone(), ready.clone())).start().expect("start");
        ready.get_timeout(LONG).expect("it has it");
        assert_eq!(q.try_get().expect("the other"), 8);
        assert!(select([&q], Duration::ZERO).expect("select").is_empty());
        let waits = q.clone();
        let told = thread::spawn(move || {
            if by_descriptor {
                wait_readable(waits.as_fd().expect("fd"));
            } else {
                assert_eq!(places(select([&waits], None).expect("select")), [0]);
            }
        });
        holder.kill().expect("kill");
        soon("redelivery", move || told.join().expect("told"));
        assert!(q.try_get_ref().expect("redelivered").redelivered());
        holder.join().expect("join");
    }
}

#[test]
fn the_descriptor_says_whether_there_is_something() {
    let q = small::<u64>(1);
    let fd = q.as_fd().expect("fd");
    assert!(!is_readable(fd));
    for n in 0..200 {
        q.put_many(&[n, n]).expect("put");
        wait_readable(fd);
        assert_eq!(q.try_get().expect("get"), n);
        assert!(is_readable(fd), "there is one more");
        assert_eq!(q.get_many(8).expect("get"), [n]);
        // Until a get finds nothing, of whatever form. (The library's thread may be late, and tell of what was taken meanwhile.)
        until(|| match n % 3 {
            0 => q.clone().try_get().is_err() && !is_readable(fd),
            1 => q.try_get_many(8).is_err() && !is_readable(fd),
            _ => q.try_get_ref().is_err() && !is_readable(fd),
        });
    }
    // It is there before anybody asks.
    let other = small::<u64>(1);
    other.put_many(&[1, 2, 3]).expect("put");
    wait_readable(other.as_fd().expect("fd"));
    // Closed and drained.
    assert_eq!(other.get_many(8).expect("get"), [1, 2, 3]);
    until(|| other.try_get().is_err() && !is_readable(other.as_fd().expect("fd")));
    other.close().expect("close");
    wait_readable(other.as_fd().expect("fd"));
    assert!(other.try_get().is_err_and(|error| error.is_closed()));
    assert!(is_readable(other.as_fd().expect("fd")), "it stays at its end");
}

fn put_all(q: BufferedQueue<u64>, messages: u64) {
    (0..messages).for_each(|n| q.put(&n).expect("put"));
}

/// Whatever another process puts, who polls and then gets until there is nothing comes to the end of it.
#[test]
fn no_message_is_missed_by_who_polls() {
    const MESSAGES: u64 = 3_000;
    let q = small::<u64>(3);
    let child = Process::new(put_all, (q.clone(), MESSAGES)).start().expect("start");
    let mut next = 0;
    while next < MESSAGES {
        wait_readable(q.as_fd().expect("fd"));
        loop {
            match q.try_get() {
                Ok(n) => assert_eq!(n, next),
                Err(error) if error.is_empty() => break,
                Err(error) => panic!("{error}"),
            }
            next += 1;
        }
    }
    child.join().expect("join");
}

/// What is waited for, readable, or kept by a lease that was forgotten goes with the last handle.
#[test]
fn it_goes_with_its_handles() {
    let arena = Arena::builder().limit(16 << 20).build().expect("arena");
    for round in 0..30 {
        let builder = BufferedQueue::<u64>::builder().arena(&arena).segment(1);
        let (q, clone) = {
            let q = builder.build().expect("queue");
            (q.clone(), q)
        };
        let fd = q.as_fd().expect("fd");
        q.put_many(&[1, 2, 3]).expect("put");
        wait_readable(fd);
        if round % 3 == 0 {
            q.get_many(8).expect("get");
            assert!(q.try_get().is_err());
        }
        if round % 3 == 1 {
            std::mem::forget(q.get_ref().expect("lease"));
            assert_eq!(q.get().expect("get"), 2);
        }
        drop(q);
        drop(clone);
        let report = arena.fsck().expect("fsck");
        assert!(report.is_clean() && report.objects == 0, "{round}: {report:?}");
    }
}
