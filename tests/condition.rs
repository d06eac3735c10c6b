//! `Condition` between threads and processes: who is woken, how the lock comes back, and what a death leaves.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use processing::{
    AcquireError, Arena, Condition, ErrorKind, Lock, Process, Queue, RLock, StartMethod, WaitStrategy,
};

const LONG: Duration = Duration::from_secs(60);

/// How many wait, as the display says it.
fn waiting(condition: &Condition) -> usize {
    let text = condition.to_string();
    let number = text.trim_end_matches(")>").rsplit(' ').next().and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("{text}"))
}

fn until_waiting(condition: &Condition, n: usize) {
    while waiting(condition) != n {
        std::thread::yield_now();
    }
}

fn of_every_kind() -> Vec<Condition> {
    let (lock, rlock) = (Lock::new().expect("lock"), RLock::new().expect("lock"));
    let blocking = Condition::builder().wait(WaitStrategy::Block).build().expect("condition");
    vec![
        Condition::new().expect("condition"),
        Condition::with_lock(&lock).expect("condition"),
        Condition::with_rlock(&rlock).expect("condition"),
        blocking,
    ]
}

#[test]
fn what_is_shown() {
    let condition = Condition::new().expect("condition");
    assert_eq!(condition.to_string(), "<Condition(<RLock(None, 0)>, 0)>");
    let lock = Lock::new().expect("lock");
    let condition = Condition::with_lock(&lock).expect("condition");
    assert_eq!(format!("{condition:?}"), "<Condition(<Lock(owner=None)>, 0)>");
}

/// Takes turns with others: waits until the number is its own, and adds one.
fn take_turns(condition: Condition, number: Queue<u64>, own: u64, of: u64, times: u64) {
    for _ in 0..times {
        let mut guard = condition.acquire().expect("acquire");
        guard.wait_while(|| look(&number) % of != own).expect("wait");
        let now = look(&number);
        number.get().expect("the number");
        number.put(&(now + 1)).expect("room");
        guard.notify_all().expect("notify");
    }
}

/// The number in the queue, which stays there.
fn look(number: &Queue<u64>) -> u64 {
    let now = number.try_get().expect("the number is there while the lock is held");
    number.try_put(&now).expect("room");
    now
}

#[test]
fn processes_take_turns() {
    for condition in of_every_kind() {
        let number = Queue::new(1).expect("queue");
        number.put(&0).expect("put");
        let start = |own| {
            Process::new(take_turns, (condition.clone(), number.clone(), own, 3u64, 100u64))
                .start()
                .expect("start")
        };
        let others: Vec<Process> = (1..3).map(start).collect();
        take_turns(condition.clone(), number.clone(), 0, 3, 100);
        for process in others {
            process.join().expect("join");
        }
        assert_eq!(number.get().expect("get"), 300);
        assert_eq!(waiting(&condition), 0);
    }
}

#[test]
fn as_many_are_woken_as_are_notified_and_the_first_first() {
    for condition in of_every_kind() {
        let order = std::sync::Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..6)
                .map(|number| {
                    let (condition, order) = (&condition, &order);
                    let thread = scope.spawn(move || {
                        let mut guard = condition.acquire().expect("acquire");
                        guard.wait().expect("wait");
                        order.lock().expect("order").push(number);
                    });
                    until_waiting(condition, number + 1);
                    thread
                })
                .collect();
            let woken = |n: usize| {
                let guard = condition.acquire().expect("acquire");
                assert_eq!(guard.notify(n).expect("notify"), n);
                drop(guard);
                while order.lock().expect("order").len() < n {
                    std::thread::yield_now();
                }
                let mut woken = std::mem::take(&mut *order.lock().expect("order"));
                woken.sort_unstable();
                woken
            };
            assert_eq!(woken(0), Vec::<usize>::new());
            assert_eq!(woken(1), [0]);
            assert_eq!(woken(1), [1]);
            assert_eq!(woken(2), [2, 3]);
            assert_eq!(waiting(&condition), 2, "{condition}");
            let guard = condition.acquire().expect("acquire");
            assert_eq!(guard.notify(9).expect("notify"), 2);
            assert_eq!(guard.notify_all().expect("notify"), 0);
            drop(guard);
            threads.into_iter().for_each(|thread| thread.join().expect("thread"));
        });
        let mut last = order.into_inner().expect("order");
        last.sort_unstable();
        assert_eq!(last, [4, 5]);
    }
}

#[test]
fn many_threads_and_few_messages() {
    for condition in of_every_kind() {
        let (goods, taken) = (AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        let mut guard = condition.acquire().expect("acquire");
                        guard.wait_while(|| goods.load(Ordering::Relaxed) == 0).expect("wait");
                        goods.fetch_sub(1, Ordering::Relaxed);
                        taken.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        let guard = condition.acquire().expect("acquire");
                        goods.fetch_add(1, Ordering::Relaxed);
                        guard.notify_one().expect("notify");
                    }
                });
            }
        });
        assert_eq!((goods.into_inner(), taken.into_inner()), (0, 2000));
    }
}

#[test]
fn the_time_may_be_up() {
    for condition in of_every_kind() {
        let mut guard = condition.acquire().expect("acquire");
        for timeout in [Duration::ZERO, Duration::from_nanos(1), Duration::from_millis(30)] {
            assert!(!guard.wait_timeout(timeout).expect("wait"), "{timeout:?}");
            assert!(!guard.wait_while_timeout(|| true, timeout).expect("wait"), "{timeout:?}");
        }
        assert!(guard.wait_while_timeout(|| false, Duration::ZERO).expect("no wait"));
        assert_eq!(waiting(&condition), 0);
        std::thread::scope(|scope| {
            scope.spawn(|| condition.acquire().expect("acquire").notify_one().expect("notify"));
            assert!(guard.wait_timeout(Duration::MAX).expect("wait"));
        });
        assert_eq!(guard.notify_all().expect("nobody"), 0);
    }
}

#[test]
fn the_depth_comes_back() {
    let lock = RLock::new().expect("lock");
    let condition = Condition::with_rlock(&lock).expect("condition");
    let _outer = lock.acquire().expect("acquire");
    let _middle = condition.acquire().expect("acquire");
    let _inner = lock.acquire().expect("acquire");
    assert!(lock.to_string().ends_with(", 3)>"), "{lock}");
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            let guard = condition.acquire_timeout(LONG).expect("given up wholly");
            assert!(lock.to_string().ends_with(", 1)>"), "{lock}");
            assert_eq!(guard.notify_one().expect("notify"), 1);
        });
        condition.wait().expect("wait");
        assert!(lock.to_string().ends_with(", 3)>"), "{lock}");
        other.join().expect("the other thread");
    });
    assert!(!condition.wait_timeout(Duration::ZERO).expect("wait"));
    assert!(lock.to_string().ends_with(", 3)>"), "{lock}");
}

#[test]
fn without_the_lock_there_is_an_error() {
    for condition in of_every_kind() {
        let errors = || {
            [
                condition.wait().expect_err("wait"),
                condition.wait_timeout(LONG).expect_err("wait"),
                condition.wait_while(|| panic!("not asked")).expect_err("wait"),
                condition.notify(1).expect_err("notify"),
                condition.notify_one().expect_err("notify"),
                condition.notify_all().expect_err("notify"),
                condition.recover().expect_err("recover"),
                condition.release().expect_err("release"),
            ]
        };
        for error in errors() {
            assert_eq!(error.kind(), ErrorKind::NotOwner);
            let text = error.to_string();
            assert!(text.starts_with("condition ") && text.contains("nobody holds its"), "{text}");
        }
        let guard = condition.acquire().expect("acquire");
        std::thread::scope(|scope| {
            let other = scope.spawn(|| {
                for error in errors() {
                    let text = error.to_string();
                    assert!(text.contains("held by MainProcess|without_the_loc"), "{text}");
                }
                assert!(condition.try_acquire().expect_err("held").is_busy());
                assert!(condition.acquire_timeout(Duration::from_millis(1)).expect_err("held").is_busy());
            });
            other.join().expect("the other thread");
        });
        guard.leak();
        condition.notify_all().expect("this thread has the lock");
        condition.release().expect("kept without a guard");
    }
}

#[test]
fn cells_may_be_used_up() {
    let condition = Condition::builder().waiters(2).build().expect("condition");
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| condition.acquire().expect("acquire").wait().expect("wait"));
        }
        until_waiting(&condition, 2);
        let mut guard = condition.acquire().expect("acquire");
        let error = guard.wait().expect_err("two wait");
        assert_eq!(error.kind(), ErrorKind::Limit);
        let text = error.to_string();
        assert!(text.starts_with("condition ") && text.contains("waiters(n)"), "{text}");
        assert_eq!(guard.notify_all().expect("the lock was kept"), 2);
    });
    // Both have gone: there is room again.
    let mut guard = condition.acquire().expect("acquire");
    assert!(!guard.wait_timeout(Duration::ZERO).expect("room"));
    for n in [0, 65_537] {
        let error = Condition::builder().waiters(n).build().expect_err("impossible");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
}

#[test]
fn a_condition_in_a_message_is_the_same_condition_with_its_lock() {
    for condition in of_every_kind() {
        let conditions = Queue::<(Condition, u32)>::new(1).expect("queue");
        conditions.put(&(condition.clone(), 5)).expect("put");
        let (other, five) = conditions.get().expect("get");
        assert_eq!(five, 5);
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| condition.acquire().expect("acquire").wait().expect("wait"));
            until_waiting(&other, 1);
            let guard = other.acquire().expect("acquire");
            assert_eq!(guard.notify_one().expect("notify"), 1);
            drop(guard);
            waiter.join().expect("waiter");
        });
        assert_eq!(other.to_string(), condition.to_string());
    }
}

#[test]
fn nothing_is_left() {
    let arena = Arena::builder().limit(16 << 20).build().expect("arena");
    let before = arena.fsck().expect("fsck").objects;
    let condition = Condition::builder().arena(&arena).build().expect("condition");
    let conditions = Queue::<Condition>::builder().capacity(2).arena(&arena).build().expect("queue");
    conditions.put(&condition).expect("put");
    let mut guard = condition.acquire().expect("acquire");
    assert!(!guard.wait_timeout(Duration::from_millis(1)).expect("wait"));
    drop(guard);
    drop((condition, conditions));
    let report = arena.fsck().expect("fsck");
    assert!(report.is_clean() && report.objects == before, "{report}");
}

/// Waits, and is killed in it.
fn wait_for_ever(condition: Condition, ready: Queue<u64>) {
    let mut guard = condition.acquire().expect("acquire");
    ready.put(&1).expect("put");
    guard.wait().expect("wait");
    ready.put(&2).expect("put");
}

#[test]
fn a_killed_waiter_swallows_nothing() {
    for method in [StartMethod::ForkServer, StartMethod::Spawn] {
        let (condition, ready) = (Condition::new().expect("condition"), Queue::new(4).expect("queue"));
        let process = Process::new(wait_for_ever, (condition.clone(), ready.clone()));
        let process = process.start_method(method).start().expect("start");
        ready.get_timeout(LONG).expect("it has the lock");
        until_waiting(&condition, 1);
        std::thread::scope(|scope| {
            let second = scope.spawn(|| condition.acquire().expect("acquire").wait().expect("wait"));
            until_waiting(&condition, 2);
            // Stopped, so that it keeps its notification; then killed.
            stop(&process);
            let guard = condition.acquire().expect("acquire");
            assert_eq!(guard.notify_one().expect("notify"), 1);
            assert_eq!(waiting(&condition), 1, "the first was notified");
            process.kill().expect("kill");
            drop(guard);
            process.join().expect("join");
            second.join().expect("it went on in the place of the dead");
        });
        assert!(ready.is_empty());
        assert_eq!(waiting(&condition), 0);
        assert!(!condition.acquire().expect("sound").wait_timeout(Duration::ZERO).expect("a free cell"));
    }
}

fn stop(process: &Process) {
    let pid = process.pid().to_string();
    let sent = std::process::Command::new("kill").args(["-s", "STOP", &pid]).status();
    assert!(sent.is_ok_and(|status| status.success()), "kill -s STOP {pid}");
    let is_stopped = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("nobody waited for it");
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
    };
    // A stop takes effect a little later.
    while !is_stopped() {
        std::thread::yield_now();
    }
}

/// Has the lock, and is killed before it has notified anybody.
fn hold(condition: Condition, ready: Queue<u64>) {
    let _guard = condition.acquire().expect("acquire");
    ready.put(&1).expect("put");
    loop {
        std::thread::park();
    }
}

#[test]
fn a_killed_notifier_is_told_to_those_who_wait() {
    for condition in of_every_kind() {
        let ready = Queue::new(1).expect("queue");
        std::thread::scope(|scope| {
            let waiters: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        let mut guard = condition.acquire().expect("acquire");
                        let waited = guard.wait();
                        match waited {
                            Ok(()) => 0,
                            Err(error) => {
                                assert_eq!(error.kind(), ErrorKind::OwnerDied);
                                let text = error.to_string();
                                assert!(text.contains("unlucky") && text.contains("pid"), "{text}");
                                let error = guard.wait().expect_err("not recovered");
                                assert_eq!(error.kind(), ErrorKind::InvalidState);
                                guard.recover().expect("this thread has the lock");
                                1
                            }
                        }
                    })
                })
                .collect();
            until_waiting(&condition, 3);
            let process = Process::new(hold, (condition.clone(), ready.clone()));
            let process = process.name("unlucky").start().expect("start");
            ready.get_timeout(LONG).expect("it has the lock");
            process.kill().expect("kill");
            process.join().expect("join");
            let told: u32 = waiters.into_iter().map(|waiter| waiter.join().expect("waiter")).sum();
            assert_eq!(told, 1, "one inherits");
        });
        assert!(condition.try_acquire().is_ok(), "recovered");
    }
}

#[test]
fn a_depth_comes_back_from_the_dead() {
    let lock = RLock::new().expect("lock");
    let condition = Condition::with_rlock(&lock).expect("condition");
    let ready = Queue::new(1).expect("queue");
    let _guards = (lock.acquire().expect("acquire"), lock.acquire().expect("acquire"));
    let process = Process::new(hold, (condition.clone(), ready.clone())).start().expect("start");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            ready.get_timeout(LONG).expect("it has the lock");
            process.kill().expect("kill");
            process.join().expect("join");
        });
        assert_eq!(condition.wait().expect_err("a death").kind(), ErrorKind::OwnerDied);
    });
    assert!(lock.to_string().ends_with(", 2)>"), "{lock}");
    condition.recover().expect("this thread has the lock");
}

#[test]
fn an_heir_that_gives_up_poisons_the_lock() {
    let condition = Condition::new().expect("condition");
    let ready = Queue::new(1).expect("queue");
    let process = Process::new(hold, (condition.clone(), ready.clone())).start().expect("start");
    ready.get_timeout(LONG).expect("it has the lock");
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            // The first to come inherits, and says so.
            match condition.acquire() {
                Err(AcquireError::OwnerDied(died)) => drop(died),
                other => panic!("{other:?}"),
            }
        });
        process.kill().expect("kill");
        process.join().expect("join");
        waiter.join().expect("waiter");
    });
    assert!(condition.acquire().expect_err("poisoned").is_poisoned());
}

#[test]
fn waits_end_where_the_lock_was_poisoned() {
    let lock = Lock::new().expect("lock");
    let condition = Condition::with_lock(&lock).expect("condition");
    let ready = Queue::new(1).expect("queue");
    std::thread::scope(|scope| {
        let waiters: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| condition.acquire().expect("acquire").wait().expect_err("a death").kind())
            })
            .collect();
        until_waiting(&condition, 2);
        let process = Process::new(hold, (condition.clone(), ready.clone())).start().expect("start");
        ready.get_timeout(LONG).expect("it has the lock");
        process.kill().expect("kill");
        process.join().expect("join");
        let mut kinds: Vec<_> = waiters.into_iter().map(|waiter| waiter.join().expect("waiter")).collect();
        kinds.sort_by_key(|kind| *kind != ErrorKind::OwnerDied);
        assert_eq!(kinds, [ErrorKind::OwnerDied, ErrorKind::Poisoned], "the first gave up");
    });
    assert!(lock.is_poisoned());
    drop(lock.recover_poisoned().expect("nobody has it").recover());
    let mut guard = condition.acquire().expect("acquire");
    assert!(!guard.wait_timeout(Duration::ZERO).expect("free cells"));
}

#[test]
fn a_lock_may_have_several_conditions() {
    let lock = Lock::new().expect("lock");
    let (empty, full) =
        (Condition::with_lock(&lock).expect("one"), Condition::with_lock(&lock).expect("two"));
    let room = AtomicU64::new(1);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..300 {
                let _guard = lock.acquire().expect("acquire");
                empty.wait_while(|| room.load(Ordering::Relaxed) == 1).expect("wait");
                room.store(1, Ordering::Relaxed);
                full.notify_one().expect("notify");
            }
        });
        for _ in 0..300 {
            let _guard = lock.acquire().expect("acquire");
            full.wait_while(|| room.load(Ordering::Relaxed) == 0).expect("wait");
            room.store(0, Ordering::Relaxed);
            empty.notify_one().expect("notify");
        }
    });
    assert_eq!(room.into_inner(), 1);
}
