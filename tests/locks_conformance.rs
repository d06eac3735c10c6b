//! One suite for every backend of `Lock` and `RLock`, between threads and between processes: what all of them promise, and
//! what each says of itself in its `Capabilities`.

use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use processing::{
    AcquireError, Condition, ErrorKind, Lock, LockBackend, Locked, Process, Queue, RLock, StartMethod,
    WaitStrategy,
};

const LONG: Duration = Duration::from_secs(60);
/// All the time limits that are over before the first look for the dead, and one that is not.
const LIMITS: [Duration; 6] = [
    Duration::ZERO,
    Duration::from_nanos(1),
    Duration::from_nanos(999),
    Duration::from_micros(50),
    Duration::from_millis(3),
    Duration::from_millis(45),
];
const STRATEGIES: [WaitStrategy; 3] = [WaitStrategy::Spin, WaitStrategy::Adaptive, WaitStrategy::Block];

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

/// The suite, for every backend: those that ask who the others are, and those that do not.
macro_rules! suite {
    (both: $($both:ident)+; once: $($once:ident)+) => {
        suite!(@ futex Futex, [$($both)+], [$($once)+]);
        suite!(@ semaphore Semaphore, [$($both)+], [$($once)+]);
        suite!(@ pthread Pthread, [$($both)+], [$($once)+]);
    };
    (@ $name:ident $backend:ident, [$($both:ident)+], [$($once:ident)+]) => {
        mod $name {
            const BACKEND: processing::LockBackend = processing::LockBackend::$backend;
            mod threads {
                $(#[test] fn $both() { crate::$both(super::BACKEND, crate::Others::Threads); })+
            }
            mod processes {
                $(#[test] fn $both() { crate::$both(super::BACKEND, crate::Others::Processes); })+
            }
            $(#[test] fn $once() { crate::$once(BACKEND); })+
        }
    };
}

suite! {
    both:
        one_at_a_time
        who_comes_later_is_told_and_never_early
        a_wait_of_any_length_ends_with_the_release
        the_owner_is_told_and_others_are_refused
        a_recursive_lock_counts
        a_lock_in_a_message_is_the_same_lock
        a_condition_over_it
        signals_in_the_middle_change_nothing
        who_sleeps_while_its_owner_is_killed;
    once:
        it_is_what_it_says
        what_a_killed_owner_leaves
        what_a_killed_owner_of_a_recursive_lock_leaves
        what_a_forgotten_guard_leaves
        what_a_condition_says_whose_lock_comes_from_the_dead
}

fn lock_of(backend: LockBackend) -> Lock {
    Lock::builder().backend(backend).build().expect("lock")
}

fn rlock_of(backend: LockBackend) -> RLock {
    RLock::builder().backend(backend).build().expect("lock")
}

/// Others have every chance to go to sleep; nothing depends on it.
fn let_them_sleep() {
    (0..1000).for_each(|_| std::thread::yield_now());
}

fn it_is_what_it_says(backend: LockBackend) {
    let (lock, recursive) = (lock_of(backend), rlock_of(backend));
    assert_eq!((lock.backend(), recursive.backend()), (backend, backend));
    assert_eq!(lock.capabilities(), backend.capabilities());
    assert_eq!(recursive.capabilities(), backend.capabilities());
    assert!(backend.capabilities().timeouts, "the suite holds it to that");
    assert_eq!(lock.to_string(), "<Lock(owner=None)>");
    assert!(!lock.is_poisoned());
    assert_eq!(lock.recover_poisoned().expect_err("never poisoned").kind(), ErrorKind::InvalidState);
}

/// Adds to a number in a queue of one message, which two at once would not find there.
fn add(lock: Lock, number: Queue<u64>, times: u64) {
    for _ in 0..times {
        let _guard = lock.acquire().expect("acquire");
        let seen = number.try_get().expect("the number is there while the lock is held");
        number.try_put(&(seen + 1)).expect("room");
    }
}

fn one_at_a_time(backend: LockBackend, others: Others) {
    let (lock, number) = (lock_of(backend), Queue::new(1).expect("queue"));
    number.put(&0).expect("put");
    let times = 500u64;
    let all: Vec<Other> = (0..4).map(|_| start!(others, add, lock, number, times)).collect();
    all.into_iter().for_each(Other::join);
    assert_eq!(number.get().expect("get"), 2_000);
    assert_eq!(lock.to_string(), "<Lock(owner=None)>");
}

/// Has both locks until it is told.
fn hold(lock: Lock, recursive: RLock, ready: Queue<u8>, go: Queue<u8>) {
    let guards = (lock.acquire().expect("free"), recursive.acquire().expect("free"));
    ready.put(&0).expect("put");
    go.get().expect("get");
    drop(guards);
}

fn who_comes_later_is_told_and_never_early(backend: LockBackend, others: Others) {
    for strategy in STRATEGIES {
        let lock = Lock::builder().backend(backend).wait(strategy).build().expect("lock");
        let recursive = RLock::builder().backend(backend).wait(strategy).build().expect("lock");
        let (ready, go) = (Queue::new(1).expect("queue"), Queue::new(1).expect("queue"));
        let other = start!(others, hold, lock, recursive, ready, go);
        ready.get().expect("get");
        assert!(lock.try_acquire().expect_err("held").is_busy());
        assert!(recursive.try_acquire().expect_err("held").is_busy());
        for limit in LIMITS {
            let start = Instant::now();
            assert!(lock.acquire_timeout(limit).expect_err("held").is_busy());
            assert!(start.elapsed() >= limit, "{strategy:?}, {limit:?}: early");
            let start = Instant::now();
            assert!(recursive.acquire_timeout(limit).expect_err("held").is_busy());
            assert!(start.elapsed() >= limit, "{strategy:?}, {limit:?}: early");
        }
        go.put(&0).expect("put");
        other.join();
        for limit in LIMITS.into_iter().chain([Duration::MAX]) {
            drop(lock.acquire_timeout(limit).expect("free, and no time is needed"));
            drop(recursive.acquire_timeout(limit).expect("free, and no time is needed"));
        }
        drop(lock.try_acquire().expect("free"));
    }
}

/// Waits so long, or for ever if no time can be.
fn wait(lock: Lock, seconds: u64, ready: Queue<u8>) {
    ready.put(&0).expect("put");
    match seconds {
        0 => drop(lock.acquire().expect("its turn comes")),
        _ => drop(lock.acquire_timeout(Duration::from_secs(seconds)).expect("its turn comes")),
    }
}

fn a_wait_of_any_length_ends_with_the_release(backend: LockBackend, others: Others) {
    let (lock, ready) = (lock_of(backend), Queue::new(3).expect("queue"));
    let guard = lock.acquire().expect("free");
    let waits = [0, 3600, u64::MAX];
    let all = waits.map(|seconds| start!(others, wait, lock, seconds, ready));
    waits.iter().for_each(|_| assert_eq!(ready.get().expect("get"), 0));
    let_them_sleep();
    drop(guard);
    all.into_iter().for_each(Other::join);
}

fn is_told(lock: Lock, ready: Queue<u8>, go: Queue<u8>) {
    let guard = lock.acquire().expect("free");
    for acquire in [lock.acquire(), lock.try_acquire(), lock.acquire_timeout(LONG)] {
        let Err(AcquireError::Deadlock(error)) = acquire else { panic!("{acquire:?}") };
        assert_eq!(error.kind(), ErrorKind::Deadlock);
        assert!(error.to_string().contains("RLock"), "{error}");
    }
    ready.put(&0).expect("put");
    go.get().expect("get");
    drop(guard);
    assert_eq!(lock.release().expect_err("nobody's").kind(), ErrorKind::NotOwner);
    lock.acquire().expect("free").leak();
    lock.release().expect("kept without a guard");
    drop(lock.try_acquire().expect("free"));
}

fn the_owner_is_told_and_others_are_refused(backend: LockBackend, others: Others) {
    let (lock, ready, go) = (lock_of(backend), Queue::new(1).expect("queue"), Queue::new(1).expect("queue"));
    let other = start!(others, is_told, lock, ready, go);
    ready.get().expect("get");
    let owner = if others == Others::Threads { "MainProcess|other" } else { "other" };
    assert_eq!(lock.to_string(), format!("<Lock(owner={owner})>"));
    let error = lock.release().expect_err("another's");
    assert_eq!(error.kind(), ErrorKind::NotOwner);
    assert!(error.to_string().starts_with("lock ") && error.to_string().contains(owner), "{error}");
    go.put(&0).expect("put");
    other.join();
    assert_eq!(lock.to_string(), "<Lock(owner=None)>");
}

fn recurse(lock: RLock, ready: Queue<u8>, go: Queue<u8>) {
    let guards: Vec<_> = (0..3).map(|_| lock.acquire().expect("acquire")).collect();
    drop(lock.try_acquire().expect("once more"));
    drop(lock.acquire_timeout(Duration::ZERO).expect("once more"));
    ready.put(&0).expect("put");
    go.get().expect("get");
    drop(guards);
    assert_eq!(lock.release().expect_err("nobody's").kind(), ErrorKind::NotOwner);
}

fn a_recursive_lock_counts(backend: LockBackend, others: Others) {
    let (lock, ready, go) = (rlock_of(backend), Queue::new(1).expect("queue"), Queue::new(1).expect("queue"));
    let other = start!(others, recurse, lock, ready, go);
    ready.get().expect("get");
    assert!(lock.to_string().ends_with("other, 3)>"), "{lock}");
    assert!(lock.try_acquire().expect_err("held").is_busy());
    assert_eq!(lock.release().expect_err("another's").kind(), ErrorKind::NotOwner);
    go.put(&0).expect("put");
    drop(lock.acquire().expect("its turn comes"));
    other.join();
    assert_eq!(lock.to_string(), "<RLock(None, 0)>");
}

fn get_and_hold(locks: Queue<Lock>, ready: Queue<String>, go: Queue<u8>) {
    let lock = locks.get().expect("get");
    let _guard = lock.acquire().expect("free");
    ready.put(&lock.backend().to_string()).expect("put");
    go.get().expect("get");
}

fn a_lock_in_a_message_is_the_same_lock(backend: LockBackend, others: Others) {
    let (lock, locks) = (lock_of(backend), Queue::<Lock>::new(1).expect("queue"));
    let (ready, go) = (Queue::<String>::new(1).expect("queue"), Queue::new(1).expect("queue"));
    let other = start!(others, get_and_hold, locks, ready, go);
    locks.put(&lock).expect("put");
    assert_eq!(ready.get().expect("get"), backend.to_string());
    assert!(lock.try_acquire().expect_err("held").is_busy());
    go.put(&0).expect("put");
    drop(lock.acquire().expect("its turn comes"));
    other.join();
}

/// Waits until the number is there, whose lock is the condition's.
fn wait_for(condition: Condition, number: Queue<u64>, ready: Queue<u8>) {
    let mut guard = condition.acquire().expect("acquire");
    ready.put(&0).expect("put");
    guard.wait_while(|| number.is_empty()).expect("wait");
    assert_eq!(number.try_get().expect("it is there"), 7);
    drop(guard);
    assert_eq!(condition.wait().expect_err("without the lock").kind(), ErrorKind::NotOwner);
}

fn a_condition_over_it(backend: LockBackend, others: Others) {
    let conditions = [
        Condition::with_lock(&lock_of(backend)).expect("condition"),
        Condition::with_rlock(&rlock_of(backend)).expect("condition"),
    ];
    for condition in conditions {
        let (number, ready) = (Queue::new(1).expect("queue"), Queue::new(1).expect("queue"));
        let other = start!(others, wait_for, condition, number, ready);
        ready.get().expect("get");
        // It has the lock until it waits.
        let mut guard = condition.acquire().expect("acquire");
        number.put(&7).expect("put");
        assert_eq!(guard.notify_one().expect("notify"), 1);
        let limit = Duration::from_millis(3);
        let start = Instant::now();
        assert!(!guard.wait_timeout(limit).expect("wait"), "nobody notifies");
        assert!(start.elapsed() >= limit, "early");
        drop(guard);
        other.join();
    }
}

static SIGNALS: AtomicU64 = AtomicU64::new(0);

extern "C" fn count_signal(_: libc::c_int) {
    SIGNALS.fetch_add(1, Ordering::Relaxed);
}

/// A wait that is too short, and one that is not, both under signals.
fn is_interrupted(lock: Lock, who: Queue<(i32, i32)>, over: Queue<u64>) {
    let handler: extern "C" fn(libc::c_int) = count_signal;
    // SAFETY: a handler that adds to a number; without SA_RESTART, so that system calls are interrupted.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as libc::sighandler_t;
        assert_eq!(libc::sigaction(libc::SIGUSR2, &raw const action, std::ptr::null_mut()), 0);
    }
    let me = rustix::thread::gettid().as_raw_nonzero().get();
    who.put(&(std::process::id() as i32, me)).expect("put");
    let before = SIGNALS.load(Ordering::Relaxed);
    let limit = Duration::from_millis(60);
    let start = Instant::now();
    assert!(lock.acquire_timeout(limit).expect_err("held").is_busy());
    assert!(start.elapsed() >= limit, "early");
    over.put(&(SIGNALS.load(Ordering::Relaxed) - before)).expect("put");
    drop(lock.acquire().expect("its turn comes"));
    over.put(&0).expect("put");
}

fn signals_in_the_middle_change_nothing(backend: LockBackend, others: Others) {
    let lock = Lock::builder().backend(backend).wait(WaitStrategy::Block).build().expect("lock");
    let (who, over) = (Queue::new(1).expect("queue"), Queue::<u64>::new(1).expect("queue"));
    let guard = lock.acquire().expect("free");
    let other = start!(others, is_interrupted, lock, who, over);
    let (process, thread): (i32, i32) = who.get().expect("get");
    // SAFETY: no pointers; the thread lives, since it waits for this one.
    let interrupt =
        || assert_eq!(unsafe { libc::syscall(libc::SYS_tgkill, process, thread, libc::SIGUSR2) }, 0);
    let interrupted = loop {
        interrupt();
        std::thread::yield_now();
        if let Ok(number) = over.try_get() {
            break number;
        }
    };
    assert!(interrupted > 0);
    for _ in 0..20 {
        interrupt();
        std::thread::yield_now();
    }
    assert!(over.try_get().is_err(), "it waits still");
    drop(guard);
    over.get_timeout(LONG).expect("its turn came");
    other.join();
}

fn die_with(lock: Lock, ready: Queue<u8>) {
    let _guard = lock.acquire();
    ready.put(&0).expect("put");
    loop {
        std::thread::park();
    }
}

fn die_with_recursive(lock: RLock, ready: Queue<u8>) {
    let _guards = [lock.acquire(), lock.acquire(), lock.acquire()];
    ready.put(&0).expect("put");
    loop {
        std::thread::park();
    }
}

/// That the lock of `unlucky`, who died, is as its capabilities say.
fn check_died<G: processing_guard::Guard>(
    backend: LockBackend,
    pid: u32,
    acquired: Result<G, AcquireError<G>>,
) {
    match acquired {
        Err(AcquireError::OwnerDied(died)) => {
            assert!(backend.capabilities().robust, "{backend}");
            assert_eq!((died.pid(), died.name()), (pid, "unlucky"));
            G::recover(died);
        }
        Err(AcquireError::Other(error)) => {
            assert!(!backend.capabilities().robust && backend.capabilities().told, "{backend}");
            assert_eq!(error.kind(), ErrorKind::OwnerDied);
            let text = error.to_string();
            for part in ["lock ", &format!("unlucky (pid {pid})"), &backend.to_string(), "Futex"] {
                assert!(text.contains(part), "{part:?}: {text}");
            }
        }
        Err(other) => panic!("{backend}: {other:?}"),
        Ok(_) => panic!("{backend}: nobody was told"),
    }
}

/// The guards of both locks.
mod processing_guard {
    use processing::{LockGuard, OwnerDied, RLockGuard};

    pub trait Guard: Sized {
        fn recover(died: OwnerDied<Self>);
    }

    impl Guard for LockGuard<'_> {
        fn recover(died: OwnerDied<Self>) {
            drop(died.recover());
        }
    }

    impl Guard for RLockGuard<'_> {
        fn recover(died: OwnerDied<Self>) {
            drop(died.recover());
        }
    }
}

fn killed(ready: &Queue<u8>, process: processing::ProcessBuilder) -> u32 {
    let process = process.name("unlucky").start_method(StartMethod::ForkServer).start().expect("start");
    ready.get_timeout(LONG).expect("it has the lock");
    process.kill().expect("kill");
    process.join().expect("join");
    process.pid()
}

fn what_a_killed_owner_leaves(backend: LockBackend) {
    let ready = Queue::new(1).expect("queue");
    let form = |number: usize, lock: &Lock, pid| match number {
        0 => check_died(backend, pid, lock.try_acquire()),
        1 => check_died(backend, pid, lock.acquire()),
        _ => check_died(backend, pid, lock.acquire_timeout(LIMITS[number - 2])),
    };
    for number in 0..LIMITS.len() + 2 {
        let lock = lock_of(backend);
        let pid = killed(&ready, Process::new(die_with, (lock.clone(), ready.clone())));
        form(number, &lock, pid);
        if backend.capabilities().robust {
            drop(lock.try_acquire().expect("recovered"));
        } else {
            form(0, &lock, pid);
            form(1, &lock, pid);
            assert!(!lock.is_poisoned(), "there is nothing to recover");
            assert_eq!(lock.recover_poisoned().expect_err("lost").kind(), ErrorKind::InvalidState);
            assert_eq!(lock.release().expect_err("nobody's").kind(), ErrorKind::NotOwner);
        }
    }
}

fn what_a_killed_owner_of_a_recursive_lock_leaves(backend: LockBackend) {
    let (lock, ready) = (rlock_of(backend), Queue::new(1).expect("queue"));
    let pid = killed(&ready, Process::new(die_with_recursive, (lock.clone(), ready.clone())));
    check_died(backend, pid, lock.acquire());
    if backend.capabilities().robust {
        assert_eq!(lock.to_string(), "<RLock(None, 0)>");
    } else {
        check_died(backend, pid, lock.acquire());
        let condition = Condition::with_rlock(&lock).expect("condition");
        assert!(matches!(condition.acquire(), Err(AcquireError::Other(_))));
    }
}

fn what_a_forgotten_guard_leaves(backend: LockBackend) {
    let locks = Queue::<Lock>::new(1).expect("queue");
    let lock = lock_of(backend);
    locks.put(&lock).expect("put");
    std::mem::forget(lock.acquire().expect("acquire"));
    drop(lock);
    let again = locks.get().expect("the message kept it");
    match again.acquire() {
        Err(AcquireError::OwnerDied(died)) if backend.capabilities().robust => drop(died.recover()),
        Err(AcquireError::Other(error)) if !backend.capabilities().robust => {
            assert_eq!(error.kind(), ErrorKind::OwnerDied);
        }
        other => panic!("{backend}: {other:?}"),
    }
}

fn abort_with(lock: RLock) {
    let _guards = [lock.acquire(), lock.acquire()];
    std::process::abort();
}

fn what_a_condition_says_whose_lock_comes_from_the_dead(backend: LockBackend) {
    let lock = rlock_of(backend);
    let condition = Condition::with_rlock(&lock).expect("condition");
    let outer = lock.acquire().expect("free");
    let mut guard = condition.acquire().expect("once more");
    let other = Process::new(abort_with, (lock.clone(),)).name("unlucky").start().expect("start");
    let error = loop {
        // It gets the lock while this thread waits, some time.
        if let Err(error) = guard.wait_timeout(Duration::from_millis(5)) {
            break error;
        }
    };
    assert_eq!(error.kind(), ErrorKind::OwnerDied);
    assert!(error.to_string().contains("unlucky"), "{error}");
    other.join().expect("join");
    if backend.capabilities().robust {
        assert!(lock.to_string().ends_with(", 2)>"), "{lock}");
        condition.recover().expect("it has the lock");
        drop((outer, guard));
        drop(lock.try_acquire().expect("recovered"));
    } else {
        assert_eq!(condition.recover().expect_err("it is lost").kind(), ErrorKind::NotOwner);
        assert_eq!(guard.wait().expect_err("it is lost").kind(), ErrorKind::NotOwner);
        drop((outer, guard));
        check_died(backend, other.pid(), lock.acquire());
    }
}

/// Waits for a lock whose owner will die, and says what came of it: 0 the lock, 1 that and a death, 2 an error.
fn sleep_for(lock: Lock, ready: Queue<u8>, ends: Queue<u8>) {
    ready.put(&0).expect("put");
    let end = match lock.acquire() {
        Ok(_) => 0,
        Err(AcquireError::OwnerDied(died)) => {
            drop(died.recover());
            1
        }
        Err(AcquireError::Other(error)) if error.kind() == ErrorKind::OwnerDied => 2,
        Err(other) => panic!("{other:?}"),
    };
    ends.put(&end).expect("put");
}

fn who_sleeps_while_its_owner_is_killed(backend: LockBackend, others: Others) {
    let lock = lock_of(backend);
    let (ready, ends) = (Queue::new(1).expect("queue"), Queue::new(3).expect("queue"));
    let process = Process::new(die_with, (lock.clone(), ready.clone())).start().expect("start");
    ready.get_timeout(LONG).expect("it has the lock");
    let sleepers: Vec<Other> = (0..3).map(|_| start!(others, sleep_for, lock, ready, ends)).collect();
    for _ in &sleepers {
        ready.get_timeout(LONG).expect("it is about to sleep");
    }
    let_them_sleep();
    process.kill().expect("kill");
    process.join().expect("join");
    let mut told: Vec<u8> = (0..3).map(|_| ends.get_timeout(LONG).expect("nobody hangs")).collect();
    told.sort_unstable();
    assert_eq!(told, if backend.capabilities().robust { [0, 0, 1] } else { [2, 2, 2] });
    sleepers.into_iter().for_each(Other::join);
}

/// Says what a lock that came along has, and what one has that does not choose.
fn say(lock: Lock, said: Queue<(String, String)>) {
    let own = Lock::new().expect("lock").backend().to_string();
    said.put(&(lock.backend().to_string(), own)).expect("put");
}

/// Run by the tests below, too, each time with another environment.
#[test]
fn locks_are_as_the_environment_says() {
    let value = std::env::var("PROCESSING_LOCK").unwrap_or_default();
    let expected = match value.to_lowercase().parse::<LockBackend>() {
        Ok(backend) => backend,
        Err(_) if value.is_empty() => LockBackend::Futex,
        Err(_) => return all_are_refused(&value),
    };
    assert_eq!(Lock::new().expect("lock").backend(), expected);
    assert_eq!(RLock::new().expect("lock").backend(), expected);
    let condition = Condition::new().expect("condition");
    drop(condition.acquire().expect("free"));
    assert_eq!(Locked::new(7u64).expect("locked").get().expect("get"), 7);
    for chosen in [LockBackend::Futex, LockBackend::Semaphore, LockBackend::Pthread] {
        // The lock's own choice goes first, and goes with it.
        let (lock, said) = (lock_of(chosen), Queue::new(1).expect("queue"));
        let process = Process::new(say, (lock.clone(), said.clone())).start().expect("start");
        process.join().expect("join");
        assert_eq!(said.try_get().expect("said"), (chosen.to_string(), expected.to_string()));
    }
}

fn all_are_refused(value: &str) {
    for error in [Lock::new().map(drop), RLock::new().map(drop), Condition::new().map(drop)] {
        let error = error.expect_err("no such backend");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let text = error.to_string();
        for part in ["PROCESSING_LOCK", value, "futex", "semaphore", "pthread"] {
            assert!(text.contains(part), "{part:?}: {text}");
        }
    }
    assert_eq!(lock_of(LockBackend::Futex).backend(), LockBackend::Futex, "who chooses does not ask");
    Locked::new(7u64).expect("has no choice");
}

#[test]
fn the_environment_chooses() {
    let test = std::env::current_exe().expect("this test");
    for value in ["", "futex", "semaphore", "pthread", "PThread", "mutex"] {
        let run = Command::new(&test)
            .args(["--exact", "locks_are_as_the_environment_says"])
            .env("PROCESSING_LOCK", value)
            .output()
            .expect("run");
        let text = String::from_utf8_lossy(&run.stdout);
        assert!(run.status.success() && text.contains("1 passed"), "{value:?}: {text}");
    }
}
