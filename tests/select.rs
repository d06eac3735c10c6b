//! One wait for several objects.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::time::Duration;

use processing::{
    Connection, ErrorKind, Event, GetError, Process, Queue, Ready, Selectable, StartMethod, WaitStrategy,
    pipe, select, select_slice,
};

const LONG: Duration = Duration::from_secs(60);

/// Fails if `f` takes longer than anything here should.
fn soon<R: Send + 'static>(what: &'static str, f: impl FnOnce() -> R + Send + 'static) -> R {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || tell.send(f()));
    told.recv_timeout(LONG).unwrap_or_else(|_| panic!("{what} did not come to an end"))
}

fn places(ready: Ready) -> Vec<usize> {
    ready.into_iter().collect()
}

fn sleepy<T: processing::Message>(capacity: usize) -> Queue<T> {
    Queue::builder().capacity(capacity).wait(WaitStrategy::Block).build().expect("queue")
}

#[test]
fn all_that_are_ready_are_named() {
    let (words, texts) = (Queue::<u64>::new(4).expect("queue"), Queue::<String>::new(4).expect("queue"));
    let (a, b) = pipe().expect("pipe");
    let (sender, receiver) = a.split();
    let event = Event::new().expect("event");
    let look = || places(select([&words, &texts, &b, &receiver, &event], Duration::ZERO).expect("select"));
    assert!(look().is_empty());
    words.put(&1).expect("put");
    event.set().expect("set");
    assert_eq!(look(), [0, 4]);
    texts.put(&"x".into()).expect("put");
    sender.send(&7u8).expect("send");
    b.send(&8u8).expect("send");
    assert_eq!(look(), [0, 1, 2, 3, 4]);
    let ready = select([&words, &texts], None).expect("select");
    assert_eq!((ready.len(), ready.first(), ready.contains(1), ready.contains(2)), (2, Some(0), true, false));
    // It has taken nothing.
    assert_eq!(words.try_get().expect("get"), 1);
    assert_eq!(texts.try_get().expect("get"), "x");
    assert_eq!(b.try_recv::<u8>().expect("recv"), 7);
    assert_eq!(receiver.try_recv::<u8>().expect("recv"), 8);
    event.clear().expect("clear");
    assert!(look().is_empty());
}

#[test]
fn what_is_closed_is_ready() {
    let q = Queue::<u64>::new(4).expect("queue");
    let (a, b) = pipe().expect("pipe");
    q.put(&1).expect("put");
    let lease = q.get_ref().expect("lease");
    q.close().expect("close");
    // The lease may still come back.
    assert!(select([&q, &b], Duration::ZERO).expect("select").is_empty());
    lease.put_back();
    assert_eq!(places(select([&q, &b], None).expect("select")), [0]);
    assert_eq!(q.get().expect("redelivered"), 1);
    drop(a);
    assert_eq!(places(select([&q, &b], None).expect("select")), [0, 1]);
    assert!(matches!(q.try_get(), Err(GetError::Closed)));
    assert_eq!(b.try_recv::<u8>().expect_err("closed").kind(), ErrorKind::Closed);
    b.close().expect("close");
    assert_eq!(places(select([&b], None).expect("its own close is an end, too")), [0]);
}

#[test]
fn the_time_is_kept_and_nothing_is_an_error() {
    for strategy in [WaitStrategy::Block, WaitStrategy::Adaptive, WaitStrategy::Spin] {
        let q = Queue::<u64>::builder().wait(strategy).build().expect("queue");
        let (a, _b) = pipe().expect("pipe");
        assert!(select([&q, &a], Duration::from_millis(30)).expect("select").is_empty());
        assert!(select([&q, &a], Some(Duration::ZERO)).expect("select").is_empty());
    }
    let error = select_slice(&[], None).expect_err("nothing to wait for");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("name at least one"), "{error}");
}

/// Puts or sends so many messages in all, in turns that look random.
fn spread(queues: Vec<Queue<u64>>, conns: Vec<Connection>, messages: u64) {
    let places = (queues.len() + conns.len()) as u64;
    for n in 0..messages {
        let place = (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) % places;
        match queues.get(place as usize) {
            Some(queue) => queue.put(&n).expect("put"),
            None => conns[place as usize - queues.len()].send(&n).expect("send"),
        }
        if n % 3 == 0 {
            std::thread::yield_now();
        }
    }
}

fn takes_all_from(queues: usize, conns: usize, messages: u64) {
    let queues: Vec<Queue<u64>> = (0..queues).map(|_| sleepy(2)).collect();
    let (mine, theirs): (Vec<_>, Vec<_>) = (0..conns).map(|_| pipe().expect("pipe")).unzip();
    let child = Process::new(spread, (queues.clone(), theirs, messages)).start().expect("start");
    let objects: Vec<&dyn Selectable> = queues
        .iter()
        .map(|q| q as &dyn Selectable)
        .chain(mine.iter().map(|c| c as &dyn Selectable))
        .collect();
    let (mut seen, mut ended) = (BTreeSet::new(), 0);
    while seen.len() < messages as usize || ended < mine.len() {
        ended = 0;
        let ready = select_slice(&objects, LONG).expect("select");
        assert!(!ready.is_empty(), "of {messages} {} came", seen.len());
        for place in ready.iter() {
            match queues.get(place) {
                Some(queue) => {
                    while let Ok(n) = queue.try_get() {
                        assert!(seen.insert(n), "{n} came twice");
                    }
                }
                None => loop {
                    match mine[place - queues.len()].try_recv::<u64>() {
                        Ok(n) => assert!(seen.insert(n), "{n} came twice"),
                        Err(error) if error.kind() == ErrorKind::Empty => break,
                        Err(_) => {
                            ended += 1;
                            break;
                        }
                    }
                },
            }
        }
    }
    child.join().expect("join");
}

#[test]
fn over_two_objects() {
    soon("two", || takes_all_from(1, 1, 3000));
}

#[test]
fn over_eight_objects() {
    soon("eight", || takes_all_from(5, 3, 3000));
}

/// More than one system call sleeps by.
#[test]
fn over_two_hundred_objects() {
    soon("two hundred", || takes_all_from(170, 30, 2000));
}

fn park_with(_conn: Connection, _queue: Queue<u64>, ready: Queue<u64>) {
    ready.put(&1).expect("put");
    loop {
        std::thread::park();
    }
}

#[test]
fn a_peer_is_killed_while_it_sleeps() {
    for _ in 0..3 {
        let (mine, theirs) = pipe().expect("pipe");
        let (q, ready) = (sleepy::<u64>(1), Queue::new(1).expect("queue"));
        let peer = Process::new(park_with, (theirs, q.clone(), ready.clone())).start().expect("start");
        ready.get_timeout(LONG).expect("it runs");
        soon("death", move || {
            let (tell, told) = mpsc::channel();
            std::thread::scope(|scope| {
                scope.spawn(move || {
                    // The queue is nobody's end: it stays as it is.
                    let ready = select([&q, &mine], None).expect("select");
                    tell.send(places(ready)).expect("told");
                    assert_eq!(mine.try_recv::<u8>().expect_err("died").kind(), ErrorKind::PeerDied);
                });
                peer.kill().expect("kill");
                assert_eq!(told.recv().expect("told"), [1]);
            });
            peer.join().expect("join");
        });
    }
}

fn hold_a_lease(q: Queue<u64>, ready: Queue<u64>) {
    let _lease = q.get_ref().expect("lease");
    ready.put(&1).expect("put");
    loop {
        std::thread::park();
    }
}

#[test]
fn what_comes_back_from_the_dead_is_ready() {
    let (q, ready) = (sleepy::<u64>(2), Queue::new(1).expect("queue"));
    q.put(&7).expect("put");
    let holder = Process::new(hold_a_lease, (q.clone(), ready.clone())).start().expect("start");
    ready.get_timeout(LONG).expect("it has it");
    assert!(select([&q], Duration::ZERO).expect("select").is_empty());
    holder.kill().expect("kill");
    soon("redelivery", move || {
        assert_eq!(places(select([&q], None).expect("select")), [0]);
        assert!(q.try_get_ref().expect("redelivered").redelivered());
    });
    holder.join().expect("join");
}

fn select_and_take(q: Queue<u64>, beside: Queue<u64>, got: Queue<u64>) {
    loop {
        let ready = select([&beside, &q], None).expect("select");
        if ready.contains(1)
            && let Ok(n) = q.try_get()
        {
            got.put(&n).expect("put");
        }
        // Whoever comes late to the last word finds it gone.
        if ready.contains(0) {
            return;
        }
    }
}

/// One message at a time for many who `select`, and one who only looks: each must be got before the next is put. (That it does not take a
/// backstop each time is what `select_states` shows, and `ready::tests`.)
#[test]
fn many_select_on_one_queue() {
    let (q, stop, got) = (sleepy::<u64>(1), sleepy::<u64>(1), Queue::<u64>::new(8).expect("queue"));
    let takers: Vec<Process> = (0..3)
        .map(|_| {
            Process::new(select_and_take, (q.clone(), stop.clone(), got.clone())).start().expect("start")
        })
        .collect();
    let looks = Arc::new(AtomicU64::new(0));
    let idle = std::thread::spawn({
        let (q, stop, looks) = (q.clone(), stop.clone(), looks.clone());
        move || {
            // Takes nothing, ever.
            while !select([&stop, &q], None).expect("select").contains(0) {
                looks.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    for n in 0..200 {
        q.put(&n).expect("put");
        assert_eq!(got.get_timeout(LONG).expect("somebody takes it"), n);
    }
    // Stays: all hear of it.
    stop.put(&1).expect("put");
    for taker in takers {
        assert!(taker.join().expect("join").success());
    }
    soon("the idle one", move || idle.join().expect("idle"));
}

#[test]
fn threads_select_on_one_connection_end_each() {
    let pairs: Vec<_> = (0..4).map(|_| pipe().expect("pipe")).collect();
    let barrier = Arc::new(Barrier::new(4));
    let threads: Vec<_> = pairs
        .into_iter()
        .map(|(a, b)| {
            let barrier = barrier.clone();
            std::thread::spawn(move || {
                barrier.wait();
                let echo = std::thread::spawn(move || {
                    while select([&b], None).is_ok() {
                        match b.try_recv::<u64>() {
                            Ok(n) => b.send(&(n + 1)).expect("send"),
                            Err(error) if error.kind() == ErrorKind::Empty => {}
                            Err(_) => return,
                        }
                    }
                });
                for n in 0..500u64 {
                    a.send(&n).expect("send");
                    assert_eq!(places(select([&a], LONG).expect("select")), [0]);
                    assert_eq!(a.try_recv::<u64>().expect("answer"), n + 1);
                }
                drop(a);
                echo.join().expect("echo");
            })
        })
        .collect();
    soon("echoes", move || threads.into_iter().for_each(|thread| thread.join().expect("thread")));
}

#[test]
fn a_long_message_is_ready_when_it_begins() {
    let (a, b) = pipe().expect("pipe");
    let sender = std::thread::spawn(move || a.send_bytes(&[7; 1 << 20]).expect("send"));
    assert_eq!(places(select([&b], LONG).expect("select")), [0]);
    assert_eq!(b.recv_bytes().expect("recv").len(), 1 << 20);
    sender.join().expect("sender");
}

/// From here on this thread is told that the kernel has no `futex_waitv`.
fn forbid_futex_waitv() {
    const LOAD_NUMBER: u16 = 0x20;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let mut steps = [
        step(LOAD_NUMBER, 0, 0, 0),
        step(JUMP_IF_EQUAL, 0, 1, libc::SYS_futex_waitv as u32),
        step(RETURN, 0, 0, libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32),
        step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let filter = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
    // SAFETY: a live program of as many steps as it says, which the kernel copies.
    let done = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter) == 0
    };
    assert!(done, "{}", std::io::Error::last_os_error());
}

fn echo_without_futex_waitv(q: Queue<u64>, conn: Connection, answers: Queue<u64>) {
    forbid_futex_waitv();
    loop {
        let ready = select([&q, &conn], None).expect("select");
        while let Ok(n) = q.try_get() {
            answers.put(&n).expect("put");
        }
        if ready.contains(1) {
            match conn.try_recv::<u64>() {
                Ok(n) => answers.put(&n).expect("put"),
                Err(error) if error.kind() == ErrorKind::Empty => {}
                Err(_) => return,
            }
        }
    }
}

#[test]
fn where_the_kernel_cannot_sleep_by_several_words() {
    let (q, answers) = (sleepy::<u64>(1), Queue::<u64>::new(1).expect("queue"));
    let (mine, theirs) = pipe().expect("pipe");
    let arguments = (q.clone(), theirs, answers.clone());
    let child = Process::new(echo_without_futex_waitv, arguments).start_method(StartMethod::Spawn);
    let child = child.start().expect("start");
    for n in 0..50 {
        if n % 2 == 0 {
            q.put(&n).expect("put")
        } else {
            mine.send(&n).expect("send")
        }
        assert_eq!(answers.get_timeout(LONG).expect("answer"), n);
    }
    drop(mine);
    assert!(child.join().expect("join").success());
}

/// A dead letter is not delivered, so that nobody is to wake up for it, again and again.
#[test]
fn a_dead_letter_makes_nothing_ready() {
    let q = Queue::<u64>::builder().capacity(4).dead_letters_after(1).build().expect("queue");
    q.put(&1).expect("put");
    q.get_ref().expect("lease").put_back();
    // Whoever looks first finds a message that is due, and buries it.
    assert!(matches!(q.try_get(), Err(GetError::Empty)));
    assert_eq!(q.dead_letters().expect("letters").len(), 1);
    let other = q.clone();
    assert!(select([&q, &other], Duration::ZERO).expect("select").is_empty());
    q.put(&2).expect("put");
    assert_eq!(places(select([&q, &other], None).expect("select")), [0, 1]);
    assert_eq!(q.try_get().expect("get"), 2);
    assert!(select([&q, &other], Duration::ZERO).expect("select").is_empty());
}

/// A consumer's half is ready for messages, and when the last producer is gone.
#[test]
fn the_end_of_the_producers_is_ready() {
    let (producer, consumer) = Queue::<u64>::builder().capacity(4).build_halves().expect("halves");
    let q = sleepy::<u64>(4);
    assert!(select([&q as &dyn Selectable, &consumer], Duration::ZERO).expect("select").is_empty());
    producer.put(&1).expect("put");
    assert_eq!(places(select([&q as &dyn Selectable, &consumer], None).expect("select")), [1]);
    assert_eq!(consumer.try_get().expect("get"), 1);
    let dropper = std::thread::spawn(move || drop(producer));
    let ready = soon("the wait for the end", move || {
        let ready = places(select([&q as &dyn Selectable, &consumer], None).expect("select"));
        (ready, consumer.try_get().expect_err("the end"))
    });
    dropper.join().expect("dropped");
    assert_eq!(ready.0, [1]);
    assert!(ready.1.is_closed());
}

/// Queues whose messages the kernel carries are waited for as all others.
#[test]
fn a_queue_of_the_kernel_is_ready_like_any() {
    use processing::Backend;
    for backend in [Backend::Pipe, Backend::PosixMq] {
        let build = || Queue::<u64>::builder().capacity(2).backend(backend).wait(WaitStrategy::Block).build();
        let (q, ring) = (build().expect("queue"), sleepy::<u64>(2));
        let look = |q: &Queue<u64>| places(select([q, &ring], Duration::ZERO).expect("select"));
        assert!(look(&q).is_empty(), "{backend}");
        q.put(&1).expect("put");
        assert_eq!(look(&q), [0], "{backend}");
        let fd = q.as_fd().expect("fd");
        let mut polled = [rustix::event::PollFd::new(&fd, rustix::event::PollFlags::IN)];
        assert_eq!(rustix::event::poll(&mut polled, None).expect("poll"), 1, "{backend}");
        assert_eq!(q.try_get().expect("get"), 1);
        assert!(q.try_get().is_err_and(|end| end.is_empty()));
        assert!(look(&q).is_empty(), "{backend}");
        let (theirs, mine) = (q.clone(), q.clone());
        let sleeper = soon("the wait for a kernel's queue", move || {
            let put = std::thread::spawn(move || theirs.put(&2).expect("put"));
            let ready = places(select([&mine], None).expect("select"));
            put.join().expect("put");
            (ready, mine.try_get().expect("get"))
        });
        assert_eq!(sleeper, (vec![0], 2), "{backend}");
        q.close().expect("close");
        assert_eq!(look(&q), [0], "closed and drained: {backend}");
    }
}

/// How often this thread gave its core up to sleep.
fn sleeps() -> i64 {
    // SAFETY: a plain structure of integers, which the call writes.
    unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        assert_eq!(libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage), 0);
        usage.ru_nvcsw
    }
}

#[test]
fn an_object_that_is_named_twice_is_slept_for() {
    let q = Queue::<u64>::builder().capacity(2).wait(WaitStrategy::Block).build().unwrap();
    let again = q.clone();
    let before = sleeps();
    assert!(select([&q, &again, &q], Duration::from_millis(500)).unwrap().is_empty());
    let slept = sleeps() - before;
    assert!(slept < 100, "{slept} sleeps: it looked all the time");
    q.put(&1).unwrap();
    assert_eq!(select([&q, &again, &q], None).unwrap().into_iter().collect::<Vec<_>>(), [0, 1, 2]);
}
