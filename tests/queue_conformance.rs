//! One suite for everything that can carry the messages of a `Queue`, between threads and between processes: what all of it promises,
//! and what each says of itself in its `QueueCapabilities`.

use std::time::{Duration, Instant};

use processing::rkyv::{Archive, Deserialize, Serialize};
use processing::{
    Backend, ErrorKind, GetError, Message, Process, PutError, Queue, QueueBuilder, StartMethod, WaitStrategy,
};

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(3);

/// What carries the messages: a backend, and of the pipe both that it may be.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Route {
    Ring,
    Packets,
    Sockets,
    Mq,
}

impl Route {
    fn backend(self) -> Backend {
        match self {
            Self::Ring => Backend::Ring,
            Self::Packets | Self::Sockets => Backend::Pipe,
            Self::Mq => Backend::PosixMq,
        }
    }

    /// Of messages of any length. All message queues of a user share a small limit, so they are small here.
    fn builder<T: Message>(self, capacity: usize) -> QueueBuilder<T> {
        let builder = Queue::<T>::builder().capacity(capacity).backend(self.backend());
        match self {
            Self::Ring | Self::Sockets => builder,
            Self::Packets => builder.max_message(4096),
            Self::Mq => builder.max_message(256),
        }
    }

    fn queue<T: Message>(self, capacity: usize) -> Queue<T> {
        self.builder(capacity).build().expect("queue")
    }
}

/// Whom the others are.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Others {
    Threads,
    Processes,
}

/// One of them.
enum Other {
    Thread(std::thread::JoinHandle<()>),
    Process(Process),
}

impl Other {
    fn join(self) {
        match self {
            Self::Thread(thread) => thread.join().expect("the other thread"),
            Self::Process(process) => {
                let exit = process.join().expect("join");
                assert!(exit.success(), "{exit:?}");
            }
        }
    }
}

/// Calls a function with clones of these in another thread or process, called `other`.
macro_rules! start {
    ($others:expr, $function:path, $($argument:ident),+) => {{
        $(let $argument = Clone::clone(&$argument);)+
        match $others {
            Others::Threads => {
                let thread = std::thread::Builder::new().name("other".into());
                Other::Thread(thread.spawn(move || $function($($argument),+)).expect("thread"))
            }
            Others::Processes => {
                let process = Process::new($function, ($($argument,)+)).name("other");
                Other::Process(process.start_method(StartMethod::ForkServer).start().expect("start"))
            }
        }
    }};
}

/// The suite, for every route: those that ask who the others are, and those that do not.
macro_rules! suite {
    (both: $($both:ident)+; once: $($once:ident)+) => {
        suite!(@ ring Ring, [$($both)+], [$($once)+]);
        suite!(@ packets Packets, [$($both)+], [$($once)+]);
        suite!(@ sockets Sockets, [$($both)+], [$($once)+]);
        suite!(@ mq Mq, [$($both)+], [$($once)+]);
    };
    (@ $name:ident $route:ident, [$($both:ident)+], [$($once:ident)+]) => {
        mod $name {
            const ROUTE: crate::Route = crate::Route::$route;
            mod threads {
                $(#[test] fn $both() { crate::$both(super::ROUTE, crate::Others::Threads); })+
            }
            mod processes {
                $(#[test] fn $both() { crate::$both(super::ROUTE, crate::Others::Processes); })+
            }
            $(#[test] fn $once() { crate::$once(ROUTE); })+
        }
    };
}

suite! {
    both:
        first_in_first_out
        each_strategy_wakes
        many_to_many
        a_close_ends_every_wait
        a_close_among_puts_loses_nothing
        a_queue_in_a_message_is_the_same_queue;
    once:
        it_is_what_it_says
        the_bounds
        limits_of_time
        messages_of_all_sizes
        a_close_drains_first
        leases
        handles_in_messages
        what_a_killed_producer_leaves
        what_a_killed_consumer_takes
        what_a_killed_holder_of_a_lease_takes
        a_queue_outlives_its_maker
}

/// A number and so many bytes that depend on it.
type Numbered = (u64, Vec<u8>);

fn numbered(n: u64, len: usize) -> Numbered {
    (n, (0..len as u64).map(|i| (n.wrapping_mul(31) ^ i) as u8).collect())
}

fn number(message: &Numbered) -> u64 {
    assert_eq!(*message, numbered(message.0, message.1.len()), "torn");
    message.0
}

/// Others have every chance to go to sleep; nothing depends on it.
fn let_them_sleep() {
    (0..1000).for_each(|_| std::thread::yield_now());
}

// ---- what it is ----

fn it_is_what_it_says(route: Route) {
    let q = route.queue::<Numbered>(4);
    let can = q.capabilities();
    assert_eq!(q.backend(), route.backend());
    assert_eq!((can.capacity, can.max_message), (q.capacity(), q.max_message()));
    let is_ring = route == Route::Ring;
    assert_eq!(
        [can.redelivers, can.leases, can.handles, can.in_memory],
        [is_ring; 4],
        "what the suite below holds it to: {can:?}"
    );
    assert_eq!(can.exact_capacity, route != Route::Sockets);
    assert_eq!(can.buffer.is_some(), route == Route::Sockets);
    assert_eq!(can.exact_len, matches!(route, Route::Ring | Route::Mq));
    assert!(route.queue::<u64>(4).capabilities().exact_len, "of messages that are all alike");
    assert!(q.capacity() >= 4 && q.is_empty() && !q.is_full() && !q.is_closed());
    let longest = match route {
        Route::Ring | Route::Sockets => u64::MAX,
        Route::Packets => 4096,
        Route::Mq => 256,
    };
    assert_eq!(q.max_message(), longest);
}

fn the_bounds(route: Route) {
    for capacity in [1, 2, 3, 8] {
        fill(&route.queue::<u64>(capacity), capacity, |n| n, |n| *n);
        fill(&route.queue::<Numbered>(capacity), capacity, |n| numbered(n, 100), number);
    }
    // However long they are.
    if matches!(route, Route::Ring | Route::Sockets) {
        fill(&route.queue::<Numbered>(8), 8, |n| numbered(n, 5_000), number);
        fill(&route.queue::<Numbered>(3), 3, |n| numbered(n, 200_000), number);
        let q = route.builder(4).max_message(60_000).build().expect("queue");
        fill(&q, 4, |n| numbered(n, 50_000), number);
    }
    // As many as are usual, where nobody says.
    let usual = route.queue::<u64>(0);
    assert!(usual.capacity() >= 1 && usual.capacity() <= 1024, "{}", usual.capacity());
}

fn fill<T: Message + Clone>(q: &Queue<T>, asked: usize, make: impl Fn(u64) -> T, read: impl Fn(&T) -> u64) {
    let can = q.capabilities();
    assert!(q.capacity() >= asked);
    for lap in 0..2 {
        let mut count = 0;
        loop {
            match q.try_put(&make(count)) {
                Ok(()) => count += 1,
                Err(PutError::Full) => break,
                Err(other) => panic!("{other}"),
            }
            let len = if can.exact_len { count as usize } else { 1 };
            assert_eq!(q.len(), len);
        }
        let fits =
            if can.exact_capacity { count as usize == q.capacity() } else { count as usize >= q.capacity() };
        assert!(fits && q.is_full() && !q.is_empty(), "{count} messages in {q:?}");
        assert!(q.put_timeout(&make(0), SHORT).is_err_and(|e| e.is_full()));
        assert_eq!(read(&q.get().expect("there")), 0);
        if can.exact_capacity {
            q.try_put(&make(count)).expect("room for one");
            count += 1;
            assert!(q.try_put(&make(0)).is_err_and(|e| e.is_full()));
        }
        for n in 1..count {
            let message = if lap == 0 { q.try_get() } else { q.get_timeout(LONG) };
            assert_eq!(read(&message.expect("there")), n);
        }
        assert!(q.is_empty() && !q.is_full() && q.try_get().is_err_and(|e| e.is_empty()));
    }
}

fn limits_of_time(route: Route) {
    for strategy in [WaitStrategy::Spin, WaitStrategy::Adaptive, WaitStrategy::Block] {
        let q = route.builder::<u64>(1).wait(strategy).build().expect("queue");
        for limit in [Duration::ZERO, Duration::from_nanos(1), Duration::from_micros(50), SHORT, 15 * SHORT] {
            let start = Instant::now();
            assert!(q.get_timeout(limit).is_err_and(|e| e.is_empty()));
            assert!(q.get_ref_timeout(limit).is_err_and(|e| e.is_empty()));
            assert!(start.elapsed() >= 2 * limit, "early");
        }
        while q.try_put(&1).is_ok() {}
        for limit in [Duration::ZERO, Duration::from_nanos(1), Duration::from_micros(50), SHORT, 15 * SHORT] {
            let start = Instant::now();
            assert!(q.put_timeout(&2, limit).is_err_and(|e| e.is_full()));
            assert!(start.elapsed() >= limit, "early");
        }
    }
}

/// Of nothing.
#[derive(Archive, Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
#[rkyv(crate = processing::rkyv)]
struct Nothing;

fn messages_of_all_sizes(route: Route) {
    let q = route.queue::<Nothing>(2);
    q.put(&Nothing).expect("put");
    assert_eq!(q.len(), 1);
    q.put(&Nothing).expect("put");
    assert_eq!((q.get().expect("get"), q.get().expect("get")), (Nothing, Nothing));
    assert!(q.is_empty());
    fixed::<1>(route);
    fixed::<256>(route);
    if route == Route::Mq {
        let q = Queue::<[u8; 8192]>::builder().capacity(1).backend(Backend::PosixMq).build().expect("queue");
        q.put(&[7; 8192]).expect("put");
        assert_eq!(q.get().expect("get"), [7; 8192]);
    } else {
        fixed::<4096>(route);
        fixed::<4097>(route);
    }
    let q = route.queue::<Vec<u8>>(2);
    for len in [0usize, 1, 8, 48, 64, 200, 4000, 4088, 4089, 4096, 4097, 65_000, 64 << 10, 1 << 20] {
        let message = numbered(len as u64, len).1;
        let max = q.max_message();
        match q.try_put(&message) {
            Ok(()) => assert!(len as u64 <= max && q.get().expect("get") == message, "{len}"),
            Err(PutError::TooLarge { len: bytes, max: said }) => {
                assert!(
                    (len as u64..len as u64 + 16).contains(&bytes) && bytes > max && said == max,
                    "{len}"
                );
            }
            Err(other) => panic!("{len}: {other}"),
        }
    }
    // A limit of one's own holds everywhere.
    let q = Queue::<Vec<u8>>::builder().capacity(2).max_message(100).backend(route.backend());
    let q = q.build().expect("queue");
    q.put(&vec![1; 80]).expect("below");
    let error = q.try_put(&vec![1; 101]).expect_err("above");
    assert!(matches!(error, PutError::TooLarge { max: 100, .. }), "{error}");
    assert_eq!(q.get().expect("get"), vec![1; 80]);
}

fn fixed<const N: usize>(route: Route) {
    let q = Queue::<[u8; N]>::builder().capacity(2).backend(route.backend()).build().expect("queue");
    for n in 0..5u8 {
        q.put(&[n; N]).expect("put");
        q.put(&[!n; N]).expect("put");
        assert_eq!(q.len(), 2, "{N}");
        assert_eq!(q.get_ref().expect("lease")[..], [n; N]);
        assert_eq!(q.get().expect("get"), [!n; N]);
    }
}

// ---- between several ----

fn put_numbers(q: Queue<Numbered>, from: u64, to: u64) {
    for n in from..to {
        q.put(&numbered(n, n as usize % 130)).expect("put");
    }
}

fn first_in_first_out(route: Route, others: Others) {
    let q = route.queue::<Numbered>(4);
    let (from, to) = (0u64, 3000u64);
    let other = start!(others, put_numbers, q, from, to);
    for n in from..to {
        let message = match n % 3 {
            0 => q.get().expect("get"),
            1 => q.get_timeout(LONG).expect("get"),
            _ => q.get_ref().expect("lease").to_owned().expect("value"),
        };
        assert_eq!(number(&message), n);
    }
    other.join();
    assert!(q.is_empty());
}

fn answer(questions: Queue<u64>, answers: Queue<u64>) {
    while let Ok(n) = questions.get() {
        answers.put(&(n + 1)).expect("put");
    }
}

fn each_strategy_wakes(route: Route, others: Others) {
    for strategy in [WaitStrategy::Spin, WaitStrategy::Adaptive, WaitStrategy::Block] {
        let builder = || route.builder::<u64>(1).wait(strategy);
        let (questions, answers) = (builder().build().expect("queue"), builder().build().expect("queue"));
        let other = start!(others, answer, questions, answers);
        let rounds = if strategy == WaitStrategy::Spin { 20 } else { 100 };
        for n in 0..rounds {
            questions.put(&n).expect("put");
            assert_eq!(answers.get().expect("get"), n + 1);
        }
        questions.close().expect("close");
        other.join();
    }
}

/// Takes until the queue is closed; what was taken, in order.
fn take_all(q: Queue<Numbered>, taken: Queue<Vec<u64>>) {
    let mut mine = Vec::new();
    loop {
        match q.get() {
            Ok(message) => mine.push(number(&message)),
            Err(GetError::Closed) => break,
            Err(other) => panic!("{other}"),
        }
    }
    taken.put(&mine).expect("put");
}

fn many_to_many(route: Route, others: Others) {
    const EACH: u64 = 600;
    let (q, taken) = (route.queue::<Numbered>(8), Queue::<Vec<u64>>::builder().backend(Backend::Ring));
    let taken = taken.build().expect("queue");
    let takers: Vec<_> = (0..3).map(|_| start!(others, take_all, q, taken)).collect();
    let putters: Vec<_> = (0..3u64)
        .map(|who| {
            let (from, to) = (who << 32, (who << 32) + EACH);
            start!(others, put_numbers, q, from, to)
        })
        .collect();
    putters.into_iter().for_each(Other::join);
    q.close().expect("close");
    let mut all = Vec::new();
    for _ in 0..3 {
        let mine = taken.get_timeout(LONG).expect("taken");
        for who in 0..3 {
            let of: Vec<_> = mine.iter().filter(|n| **n >> 32 == who).collect();
            assert!(of.is_sorted(), "what one put is taken in order");
        }
        all.extend(mine);
    }
    takers.into_iter().for_each(Other::join);
    all.sort_unstable();
    let put: Vec<u64> = (0..3).flat_map(|who| (who << 32)..(who << 32) + EACH).collect();
    assert!(all == put, "{} put, {} taken", put.len(), all.len());
}

fn get_closed(q: Queue<u64>, ready: Queue<u64>) {
    ready.put(&0).expect("put");
    assert!(q.get().is_err_and(|e| e.is_closed()));
}

fn put_closed(q: Queue<u64>, ready: Queue<u64>) {
    ready.put(&0).expect("put");
    assert!(q.put(&9).is_err_and(|e| e.is_closed()));
}

fn a_close_ends_every_wait(route: Route, others: Others) {
    let ready = Queue::<u64>::new(8).expect("queue");
    let (empty, full) = (route.queue::<u64>(2), route.queue::<u64>(2));
    let mut put = 0;
    while full.try_put(&put).is_ok() {
        put += 1;
    }
    let mut sleepers =
        vec![start!(others, get_closed, empty, ready), start!(others, put_closed, full, ready)];
    sleepers.push(start!(others, get_closed, empty, ready));
    for _ in 0..3 {
        ready.get_timeout(LONG).expect("ready");
    }
    let_them_sleep();
    for q in [&empty, &full] {
        q.close().expect("close");
        q.close().expect("twice");
        assert!(q.is_closed());
    }
    sleepers.into_iter().for_each(Other::join);
    for n in 0..put {
        assert_eq!(full.get().expect("what was there"), n);
    }
    assert!(full.get().is_err_and(|e| e.is_closed()));
}

fn a_close_drains_first(route: Route) {
    let q = route.queue::<u64>(2);
    q.put(&1).expect("put");
    q.put(&2).expect("put");
    q.close().expect("close");
    for put in [q.try_put(&3), q.put(&3), q.put_timeout(&3, SHORT)] {
        assert!(put.is_err_and(|e| e.is_closed()));
    }
    assert_eq!((q.try_get().expect("1"), q.get().expect("2")), (1, 2));
    assert!(q.try_get().is_err_and(|e| e.is_closed()));
    assert!(q.get_ref().is_err_and(|e| e.is_closed()));
    assert!(q.get_timeout(SHORT).is_err_and(|e| e.is_closed()));
}

/// Puts until it is told that the queue is closed; how many.
fn put_until_closed(q: Queue<u64>, counts: Queue<u64>) {
    let mut count = 0;
    while q.put(&count).is_ok() {
        count += 1;
    }
    assert!(q.try_put(&0).is_err_and(|e| e.is_closed()));
    counts.put(&count).expect("put");
}

fn count_until_closed(q: Queue<u64>, counts: Queue<u64>) {
    let mut count = 0;
    loop {
        match q.get() {
            Ok(_) => count += 1,
            Err(GetError::Closed) => break,
            Err(other) => panic!("{other}"),
        }
    }
    counts.put(&count).expect("put");
}

/// A put that succeeded is taken by somebody before anybody is told that the queue is closed.
fn a_close_among_puts_loses_nothing(route: Route, others: Others) {
    let rounds = if others == Others::Threads { 60 } else { 6 };
    for round in 0..rounds {
        let q = route.queue::<u64>(4);
        let (put, taken) = (Queue::new(4).expect("queue"), Queue::new(4).expect("queue"));
        let mut all = Vec::new();
        for _ in 0..2 {
            all.push(start!(others, put_until_closed, q, put));
            all.push(start!(others, count_until_closed, q, taken));
        }
        if others == Others::Processes {
            let_them_sleep();
        }
        (0..round * 20).for_each(|_| std::hint::spin_loop());
        q.close().expect("close");
        all.into_iter().for_each(Other::join);
        let sum = |q: &Queue<u64>| q.get().expect("one") + q.get().expect("two");
        assert_eq!(sum(&put), sum(&taken));
    }
}

// ---- handles ----

fn take_from_carried(carrier: Queue<Queue<Numbered>>, ready: Queue<u64>) {
    ready.put(&0).expect("put");
    for n in 0..3 {
        // Each time the handle comes anew.
        let q = carrier.get().expect("a queue");
        assert_eq!(number(&q.get().expect("a message")), n);
        q.put(&numbered(n + 100, 3)).expect("put");
        ready.put(&n).expect("put");
    }
}

fn a_queue_in_a_message_is_the_same_queue(route: Route, others: Others) {
    let carrier = Queue::<Queue<Numbered>>::builder().backend(Backend::Ring).build().expect("queue");
    let ready = Queue::new(4).expect("queue");
    // Started before there is such a queue.
    let other = start!(others, take_from_carried, carrier, ready);
    ready.get_timeout(LONG).expect("ready");
    let q = route.queue::<Numbered>(4);
    for n in 0..3 {
        q.put(&numbered(n, 5)).expect("put");
        carrier.put(&q).expect("put");
        assert_eq!(ready.get_timeout(LONG).expect("ready"), n);
        assert_eq!(number(&q.get().expect("back")), n + 100);
    }
    other.join();
}

fn handles_in_messages(route: Route) {
    let carrier = route.queue::<(u64, Queue<u64>)>(2);
    let inner = Queue::<u64>::new(2).expect("queue");
    inner.put(&7).expect("put");
    match carrier.try_put(&(1, inner.clone())) {
        Ok(()) => {
            assert!(carrier.capabilities().handles);
            assert_eq!(carrier.get().expect("get").1.get().expect("the same"), 7);
        }
        Err(PutError::Other(error)) => {
            assert!(!carrier.capabilities().handles);
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            let text = error.to_string();
            for part in ["handle", &format!("backend {}", route.backend()), "Backend::Ring"] {
                assert!(text.contains(part), "{part:?}: {text}");
            }
            assert!(carrier.is_empty());
            assert_eq!(inner.get().expect("it is the caller's still"), 7);
        }
        Err(other) => panic!("{other}"),
    }
}

fn make_and_die(route: u8, carrier: Queue<Queue<u64>>) {
    let routes = [Route::Ring, Route::Packets, Route::Sockets, Route::Mq];
    let q = routes[usize::from(route)].queue::<u64>(4);
    q.put(&42).expect("put");
    carrier.put(&q).expect("put");
    // SAFETY: ends this process, which expects it.
    unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
}

fn a_queue_outlives_its_maker(route: Route) {
    let carrier = Queue::<Queue<u64>>::builder().backend(Backend::Ring).build().expect("queue");
    let process = Process::new(make_and_die, (route as u8, carrier.clone())).start().expect("start");
    assert_eq!(process.join().expect("join").to_string(), "SIGKILL");
    let q = carrier.try_get().expect("the message was put");
    assert_eq!(q.backend(), route.backend());
    assert_eq!(q.try_get().expect("and this one"), 42);
    q.put(&1).expect("put");
    assert_eq!(q.get().expect("get"), 1);
}

// ---- leases ----

fn leases(route: Route) {
    let q = route.queue::<Numbered>(4);
    for n in 0..3 {
        q.put(&numbered(n, 40)).expect("put");
    }
    let lease = q.get_ref().expect("lease");
    assert_eq!((lease.0.to_native(), lease.1.len(), lease.redelivered()), (0, 40, false));
    assert_eq!(number(&lease.to_owned().expect("value")), 0);
    assert_eq!(number(&q.get().expect("others go on around it")), 1);
    lease.put_back();
    let marked = q.capabilities().leases;
    let (first, second) = if marked { (0, 2) } else { (2, 0) };
    let lease = q.try_get_ref().expect("lease");
    assert_eq!((lease.0.to_native(), lease.redelivered()), (first, marked));
    drop(lease);
    let lease = q.get_ref_timeout(LONG).expect("lease");
    assert_eq!((lease.0.to_native(), lease.redelivered()), (second, false));
    drop(lease);
    assert!(q.is_empty());
    // Where nobody else could have it any more, it is lost: as said.
    q.put(&numbered(5, 5)).expect("put");
    let lease = q.get_ref().expect("lease");
    q.close().expect("close");
    lease.put_back();
    match q.try_get() {
        Ok(message) => assert!(marked && number(&message) == 5),
        Err(error) => assert!(!marked && error.is_closed(), "{error}"),
    }
    // A panic gives it back, too.
    let q = route.queue::<u64>(4);
    q.put(&1).expect("put");
    let theirs = q.clone();
    let thread = std::thread::spawn(move || {
        let lease = theirs.get_ref().expect("lease");
        assert_eq!(lease.to_native(), 2, "on purpose");
    });
    assert!(thread.join().is_err());
    assert_eq!(q.try_get().expect("it is back"), 1);
}

// ---- death ----

fn put_three_and_sleep(q: Queue<Numbered>, ready: Queue<u64>) {
    let mut n = 0;
    while q.try_put(&numbered(n, 50)).is_ok() {
        n += 1;
    }
    ready.put(&n).expect("put");
    let _ = q.put(&numbered(n, 50));
}

fn what_a_killed_producer_leaves(route: Route) {
    let (q, ready) = (route.queue::<Numbered>(2), Queue::<u64>::new(2).expect("queue"));
    let process = Process::new(put_three_and_sleep, (q.clone(), ready.clone())).start().expect("start");
    let count = ready.get_timeout(LONG).expect("ready");
    let_them_sleep();
    process.kill().expect("kill");
    process.join().expect("join");
    for n in 0..count {
        assert_eq!(number(&q.try_get().expect("what was put is there")), n);
    }
    assert!(q.is_empty() && q.try_get().is_err_and(|e| e.is_empty()), "what was not is not");
    for n in 0..1000 {
        q.put(&numbered(n, 9)).expect("nobody waits for the dead");
        assert_eq!(number(&q.get().expect("get")), n);
    }
    q.close().expect("close");
    assert!(q.get().is_err_and(|e| e.is_closed()));
}

fn get_and_sleep(q: Queue<u64>, ready: Queue<u64>) {
    let first = q.get().expect("get");
    ready.put(&first).expect("put");
    let _ = q.get();
}

fn what_a_killed_consumer_takes(route: Route) {
    for _ in 0..5 {
        let (q, ready) = (route.queue::<u64>(2), Queue::<u64>::new(2).expect("queue"));
        let process = Process::new(get_and_sleep, (q.clone(), ready.clone())).start().expect("start");
        q.put(&1).expect("put");
        assert_eq!(ready.get_timeout(LONG).expect("ready"), 1);
        let_them_sleep();
        process.kill().expect("kill");
        // Before anybody has looked: a sleeper inside the kernel's own queue would take it with it.
        q.put(&2).expect("put");
        process.join().expect("join");
        assert_eq!(q.try_get().expect("what was sent after its death is there"), 2);
        assert!(q.is_empty(), "what it had taken before is its own");
    }
}

fn lease_and_sleep(q: Queue<Numbered>, ready: Queue<u64>) {
    let lease = q.get_ref().expect("lease");
    ready.put(&lease.0.to_native()).expect("put");
    loop {
        std::thread::park();
    }
}

fn what_a_killed_holder_of_a_lease_takes(route: Route) {
    let (q, ready) = (route.queue::<Numbered>(2), Queue::<u64>::new(2).expect("queue"));
    q.put(&numbered(1, 20)).expect("put");
    let process = Process::new(lease_and_sleep, (q.clone(), ready.clone())).start().expect("start");
    assert_eq!(ready.get_timeout(LONG).expect("ready"), 1);
    process.kill().expect("kill");
    process.join().expect("join");
    match q.try_get_ref() {
        Ok(lease) => assert!(q.capabilities().leases && lease.redelivered() && lease.0 == 1),
        Err(error) => assert!(!q.capabilities().leases && error.is_empty(), "{error}"),
    }
}
