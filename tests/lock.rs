//! `Lock` and `RLock` between threads and processes: one owner at a time, and what a death leaves.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use processing::{AcquireError, ErrorKind, Lock, Process, Queue, RLock, StartMethod, WaitStrategy};

const LONG: Duration = Duration::from_secs(60);

#[test]
fn one_thread_at_a_time() {
    let lock = Lock::new().expect("lock");
    let plain = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5_000 {
                    let guard = lock.acquire().expect("acquire");
                    // Not one operation: two owners would lose counts.
                    let seen = plain.load(Ordering::Relaxed);
                    plain.store(seen + 1, Ordering::Relaxed);
                    drop(guard);
                }
            });
        }
    });
    assert_eq!(plain.load(Ordering::Relaxed), 20_000);
    assert_eq!(lock.to_string(), "<Lock(owner=None)>");
}

/// Adds to a number in a queue of one message, which two at once would not find there.
fn add(lock: Lock, number: Queue<u64>, times: u64) {
    for _ in 0..times {
        let _guard = lock.acquire().expect("acquire");
        let seen = number.try_get().expect("the number is there while the lock is held");
        number.try_put(&(seen + 1)).expect("room");
    }
}

#[test]
fn one_process_at_a_time() {
    let (lock, number) = (Lock::new().expect("lock"), Queue::new(1).expect("queue"));
    number.put(&0).expect("put");
    let start = |_| Process::new(add, (lock.clone(), number.clone(), 2_000u64)).start().expect("start");
    let all: Vec<Process> = (0..4).map(start).collect();
    for process in all {
        process.join().expect("join");
    }
    assert_eq!(number.get().expect("get"), 8_000);
}

#[test]
fn who_has_it_is_told_and_not_left_to_wait() {
    let lock = Lock::new().expect("lock");
    let guard = lock.acquire().expect("acquire");
    assert_eq!(
        lock.to_string(),
        "<Lock(owner=MainProcess|who_has_it_is_t)>",
        "the kernel cuts names to 15 bytes"
    );
    for acquire in [lock.acquire(), lock.try_acquire(), lock.acquire_timeout(LONG)] {
        let Err(AcquireError::Deadlock(error)) = acquire else { panic!("{acquire:?}") };
        assert_eq!(error.kind(), ErrorKind::Deadlock);
        assert!(error.to_string().contains("RLock"), "{error}");
    }
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            assert!(lock.try_acquire().expect_err("held").is_busy());
            assert!(lock.acquire_timeout(Duration::from_millis(1)).expect_err("held").is_busy());
            let error = lock.release().expect_err("not this thread's");
            assert_eq!(error.kind(), ErrorKind::NotOwner);
            assert!(error.to_string().contains("MainProcess|who_has_it"), "{error}");
        });
        other.join().expect("the other thread");
    });
    drop(guard);
    assert_eq!(lock.release().expect_err("nobody's").kind(), ErrorKind::NotOwner);
    lock.acquire().expect("free").leak();
    lock.release().expect("kept without a guard");
    assert!(lock.try_acquire().is_ok());
}

fn die_with(lock: Lock, ready: Queue<u32>, times: u32) {
    let _guard = lock.acquire();
    ready.put(&times).expect("put");
    loop {
        std::thread::park();
    }
}

fn die_with_recursive(lock: RLock, ready: Queue<u32>, times: u32) {
    let _guards: Vec<_> = (0..times).map(|_| lock.acquire().expect("acquire")).collect();
    ready.put(&times).expect("put");
    loop {
        std::thread::park();
    }
}

/// Starts `target` and kills it when it has the lock.
fn killed(method: StartMethod, start: impl FnOnce(Queue<u32>) -> processing::ProcessBuilder) -> u32 {
    let ready = Queue::new(1).expect("queue");
    let process = start(ready.clone()).name("unlucky").start_method(method).start().expect("start");
    ready.get_timeout(LONG).expect("it has the lock");
    process.kill().expect("kill");
    process.join().expect("join");
    process.pid()
}

#[test]
fn the_next_owner_is_told_of_a_death() {
    for method in [StartMethod::ForkServer, StartMethod::Spawn] {
        let lock = Lock::new().expect("lock");
        let pid = killed(method, |ready| Process::new(die_with, (lock.clone(), ready, 1u32)));
        let Err(AcquireError::OwnerDied(died)) = lock.acquire_timeout(LONG) else { panic!("{lock}") };
        assert_eq!((died.pid(), died.name()), (pid, "unlucky"));
        assert_eq!(died.to_string(), format!("its owner unlucky (pid {pid}) died with it"));
        let guard = died.recover();
        drop(guard);
        assert!(lock.try_acquire().is_ok(), "recovered");
    }
}

#[test]
fn an_heir_that_gives_up_poisons_the_lock() {
    let lock = Lock::new().expect("lock");
    killed(StartMethod::ForkServer, |ready| Process::new(die_with, (lock.clone(), ready, 1u32)));
    let error = processing::Error::from(lock.acquire().expect_err("a death"));
    assert_eq!(error.kind(), ErrorKind::OwnerDied);
    assert!(error.to_string().contains("unlucky"), "{error}");
    assert!(lock.is_poisoned());
    let error = lock.try_acquire().expect_err("poisoned");
    assert!(error.is_poisoned(), "{error:?}");
    let died = lock.recover_poisoned().expect("nobody else has it");
    assert!(lock.recover_poisoned().is_err(), "one at a time");
    drop(died);
    assert!(lock.is_poisoned(), "given up once more");
    drop(lock.recover_poisoned().expect("still poisoned").recover());
    assert!(lock.acquire().is_ok());
}

#[test]
fn sleepers_hear_of_a_death() {
    let lock = Lock::builder().wait(processing::WaitStrategy::Block).build().expect("lock");
    let ready = Queue::new(1).expect("queue");
    let process = Process::new(die_with, (lock.clone(), ready.clone(), 1u32)).start().expect("start");
    ready.get_timeout(LONG).expect("it has the lock");
    std::thread::scope(|scope| {
        let sleepers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| match lock.acquire_timeout(LONG) {
                    Ok(_) => 0,
                    Err(AcquireError::OwnerDied(died)) => {
                        drop(died.recover());
                        1
                    }
                    Err(other) => panic!("{other:?}"),
                })
            })
            .collect();
        process.kill().expect("kill");
        process.join().expect("join");
        let told: u32 = sleepers.into_iter().map(|sleeper| sleeper.join().expect("sleeper")).sum();
        assert_eq!(told, 1, "one inherits");
    });
}

#[test]
fn a_recursive_lock_counts() {
    let lock = RLock::new().expect("lock");
    let guards: Vec<_> = (0..3).map(|_| lock.acquire().expect("acquire")).collect();
    assert!(lock.to_string().ends_with(", 3)>"), "{lock}");
    std::thread::scope(|scope| {
        let busy = scope.spawn(|| lock.try_acquire().is_err_and(|error| error.is_busy()));
        assert!(busy.join().expect("the other thread"), "held by this thread");
    });
    drop(guards);
    assert_eq!(lock.to_string(), "<RLock(None, 0)>");
    assert_eq!(lock.release().expect_err("nobody's").kind(), ErrorKind::NotOwner);
    std::thread::scope(|scope| {
        scope.spawn(|| drop(lock.acquire().expect("free for others"))).join().expect("the other thread");
    });
}

#[test]
fn an_heir_has_a_recursive_lock_once() {
    let lock = RLock::new().expect("lock");
    let pid = killed(StartMethod::ForkServer, |ready| {
        Process::new(die_with_recursive, (lock.clone(), ready, 3u32))
    });
    let Err(AcquireError::OwnerDied(died)) = lock.acquire() else { panic!("{lock}") };
    assert_eq!(died.pid(), pid);
    let guard = died.recover();
    assert!(lock.to_string().ends_with(", 1)>"), "{lock}");
    drop(guard);
    assert_eq!(lock.to_string(), "<RLock(None, 0)>");
}

#[test]
fn a_lock_in_a_message_is_the_same_lock() {
    let locks = Queue::<Lock>::new(1).expect("queue");
    let lock = Lock::new().expect("lock");
    locks.put(&lock).expect("put");
    let other = locks.get().expect("get");
    let _guard = lock.acquire().expect("acquire");
    assert!(matches!(other.acquire(), Err(AcquireError::Deadlock(_))));
}

#[test]
fn a_forgotten_guard_ends_with_the_handles() {
    let locks = Queue::<Lock>::new(1).expect("queue");
    let lock = Lock::new().expect("lock");
    locks.put(&lock).expect("put");
    std::mem::forget(lock.acquire().expect("acquire"));
    drop(lock);
    let again = locks.get().expect("the message kept it");
    let Err(AcquireError::OwnerDied(died)) = again.acquire() else { panic!("{again}") };
    drop(died.recover());
}

/// All the time limits that are over before the first backstop, and the two ends.
const SHORT: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_nanos(1),
    Duration::from_nanos(999),
    Duration::from_micros(50),
    Duration::from_millis(3),
];

#[test]
fn a_time_limit_is_never_early() {
    for strategy in [WaitStrategy::Spin, WaitStrategy::Adaptive, WaitStrategy::Block] {
        let lock = Lock::builder().wait(strategy).build().expect("lock");
        let recursive = RLock::builder().wait(strategy).build().expect("lock");
        let guards = (lock.acquire().expect("free"), recursive.acquire().expect("free"));
        std::thread::scope(|scope| {
            let other = scope.spawn(|| {
                for limit in SHORT.into_iter().chain([Duration::from_millis(45)]) {
                    let start = Instant::now();
                    assert!(lock.acquire_timeout(limit).expect_err("held").is_busy());
                    assert!(start.elapsed() >= limit, "{strategy:?}, {limit:?}: early");
                    let start = Instant::now();
                    assert!(recursive.acquire_timeout(limit).expect_err("held").is_busy());
                    assert!(start.elapsed() >= limit, "{strategy:?}, {limit:?}: early");
                }
            });
            other.join().expect("the other thread");
        });
        drop(guards);
        for limit in SHORT.into_iter().chain([Duration::MAX]) {
            drop(lock.acquire_timeout(limit).expect("free, and no time is needed"));
            drop(recursive.acquire_timeout(limit).expect("free, and no time is needed"));
        }
    }
}

#[test]
fn the_longest_time_limit_does_not_overflow() {
    let lock = Lock::new().expect("lock");
    std::thread::scope(|scope| {
        let guard = lock.acquire().expect("free");
        let limits = [Duration::MAX, Duration::from_secs(u64::MAX), Duration::from_nanos(u64::MAX)];
        let waiters = limits.map(|limit| {
            scope.spawn({
                let lock = &lock;
                move || lock.acquire_timeout(limit).map(drop).is_ok()
            })
        });
        let_them_sleep();
        drop(guard);
        waiters.into_iter().for_each(|waiter| assert!(waiter.join().expect("a waiter"), "its turn came"));
    });
}

/// Others have every chance to go to sleep; nothing depends on it.
fn let_them_sleep() {
    (0..1000).for_each(|_| std::thread::yield_now());
}

#[test]
fn a_short_wait_finds_the_dead() {
    for limit in SHORT {
        let lock = Lock::new().expect("lock");
        killed(StartMethod::ForkServer, |ready| Process::new(die_with, (lock.clone(), ready, 1u32)));
        match lock.acquire_timeout(limit) {
            Err(AcquireError::OwnerDied(died)) => drop(died.recover()),
            other => panic!("{limit:?}: {other:?}"),
        }
        // And a wait that is over before anybody asks at a backstop, of one who comes again and again.
        let ready = Queue::new(1).expect("queue");
        let process = Process::new(die_with, (lock.clone(), ready.clone(), 1u32)).start().expect("start");
        ready.get_timeout(LONG).expect("it has the lock");
        assert!(lock.acquire_timeout(limit).expect_err("held by the living").is_busy());
        process.kill().expect("kill");
        process.join().expect("join");
        match lock.acquire_timeout(limit) {
            Err(AcquireError::OwnerDied(died)) => drop(died.recover()),
            other => panic!("{limit:?}: {other:?}"),
        }
    }
}

#[test]
fn who_only_tries_is_told_the_name_of_the_dead() {
    for _ in 0..5 {
        let (lock, ready) = (Lock::new().expect("lock"), Queue::new(1).expect("queue"));
        let process = Process::new(die_with, (lock.clone(), ready.clone(), 1u32)).name("unlucky");
        let process = process.start().expect("start");
        ready.get_timeout(LONG).expect("it has the lock");
        process.kill().expect("kill");
        // Nobody has cleared up after it: the word still names it.
        let died = loop {
            match lock.try_acquire() {
                Err(AcquireError::Busy { .. }) => std::thread::yield_now(),
                Err(AcquireError::OwnerDied(died)) => break died,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!((died.pid(), died.name()), (process.pid(), "unlucky"));
        drop(died.recover());
        process.join().expect("join");
    }
}

static SIGNALS: AtomicU64 = AtomicU64::new(0);

extern "C" fn count_signal(_: libc::c_int) {
    SIGNALS.fetch_add(1, Ordering::Relaxed);
}

#[test]
fn signals_in_the_middle_change_nothing() {
    let handler: extern "C" fn(libc::c_int) = count_signal;
    // SAFETY: a handler that adds to a number; without SA_RESTART, so that system calls are interrupted.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as libc::sighandler_t;
        assert_eq!(libc::sigaction(libc::SIGUSR2, &raw const action, std::ptr::null_mut()), 0);
    }
    let lock = Lock::builder().wait(WaitStrategy::Block).build().expect("lock");
    let guard = lock.acquire().expect("free");
    let over = AtomicBool::new(false);
    let waits = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            // SAFETY: the calling thread's own number.
            waits.store(unsafe { libc::pthread_self() }, Ordering::Release);
            let limit = Duration::from_millis(60);
            let start = Instant::now();
            let busy = lock.acquire_timeout(limit).is_err_and(|error| error.is_busy());
            let early = start.elapsed() < limit;
            over.store(true, Ordering::Release);
            let later = lock.acquire().map(drop).is_ok();
            (busy, early, later)
        });
        while !over.load(Ordering::Acquire) {
            let thread = waits.load(Ordering::Acquire);
            if thread != 0 {
                // SAFETY: a thread that is not joined yet.
                assert_eq!(unsafe { libc::pthread_kill(thread, libc::SIGUSR2) }, 0);
            }
            std::thread::yield_now();
        }
        let before = SIGNALS.load(Ordering::Relaxed);
        let thread = waits.load(Ordering::Acquire);
        while SIGNALS.load(Ordering::Relaxed) < before + 20 {
            // SAFETY: as above: it waits for this thread's guard.
            assert_eq!(unsafe { libc::pthread_kill(thread, libc::SIGUSR2) }, 0);
            std::thread::yield_now();
        }
        drop(guard);
        assert_eq!(waiter.join().expect("the waiter"), (true, false, true), "busy, early, its turn came");
    });
}

#[test]
fn a_forgotten_guards_thread_owns_nothing_of_the_next() {
    let locks = Queue::<RLock>::new(1).expect("queue");
    let lock = RLock::new().expect("lock");
    locks.put(&lock).expect("put");
    std::mem::forget(lock.acquire().expect("acquire"));
    drop(lock);
    let lock = locks.get().expect("the message kept it");
    assert!(lock.release().is_err(), "it ended with the handles");
    std::thread::scope(|scope| {
        let heir = scope.spawn(|| match lock.acquire() {
            Err(AcquireError::OwnerDied(died)) => died.recover().leak(),
            other => panic!("{other:?}"),
        });
        heir.join().expect("the heir");
    });
    assert!(lock.try_acquire().expect_err("another thread has it").is_busy());
    assert_eq!(lock.release().expect_err("another thread's").kind(), ErrorKind::NotOwner);
}

#[test]
fn an_heir_of_a_recursive_lock_gives_up_by_its_last_guard() {
    let lock = RLock::new().expect("lock");
    killed(StartMethod::ForkServer, |ready| Process::new(die_with_recursive, (lock.clone(), ready, 2u32)));
    let Err(AcquireError::OwnerDied(died)) = lock.acquire() else { panic!("{lock}") };
    let inner = lock.acquire().expect("once more");
    drop(died);
    assert!(!lock.is_poisoned(), "it is held still");
    drop(inner);
    assert!(lock.is_poisoned());
    drop(lock.recover_poisoned().expect("nobody else has it").recover());
    assert_eq!(lock.to_string(), "<RLock(None, 0)>");
}

#[test]
fn one_of_many_takes_a_poisoned_lock() {
    let lock = Lock::new().expect("lock");
    for _ in 0..20 {
        poison(&lock);
        let taken = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| match lock.recover_poisoned() {
                    Ok(died) => {
                        taken.fetch_add(1, Ordering::Relaxed);
                        drop(died.recover());
                    }
                    Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidState),
                });
            }
        });
        assert_eq!(taken.load(Ordering::Relaxed), 1);
        drop(lock.try_acquire().expect("recovered"));
    }
}

/// A process ends with it, and its heir gives up.
fn poison(lock: &Lock) {
    let start = || Process::new(end_with, (lock.clone(),)).start_method(StartMethod::ForkServer).start();
    start().expect("start").join().expect("join");
    match lock.acquire() {
        Err(AcquireError::OwnerDied(died)) => drop(died),
        other => panic!("{other:?}"),
    }
    assert!(lock.is_poisoned());
}

fn end_with(lock: Lock) {
    lock.acquire().expect("free").leak();
}
