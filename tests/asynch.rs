//! Waiting without a thread for each wait, under tokio.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use processing::{
    AcquireError, BoundedSemaphore, ErrorKind, Event, Lock, LockBackend, Process, Queue, Semaphore,
    StartMethod,
};
use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;
use tokio::time::timeout;

const LONG: Duration = Duration::from_secs(60);

fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_time().build().expect("runtime")
}

fn threads() -> Runtime {
    Builder::new_multi_thread().worker_threads(3).enable_time().build().expect("runtime")
}

/// Polls it once; it must wait.
async fn starts_to_wait<F: Future>(mut future: std::pin::Pin<&mut F>) {
    std::future::poll_fn(|context| {
        assert!(future.as_mut().poll(context).is_pending(), "it must wait");
        std::task::Poll::Ready(())
    })
    .await;
}

fn set_when_told(told: Queue<u64>, events: Vec<Event>) {
    told.get_timeout(LONG).expect("told");
    for event in events {
        event.set().expect("set");
    }
}

/// So many tasks wait for each of these events, and all go on.
async fn wait_in_tasks(events: &[Event], tasks: u64, told: &Queue<u64>) {
    let waiting = Arc::new(AtomicU64::new(0));
    let start = |number: u64| {
        let (event, waiting) = (events[number as usize % events.len()].clone(), waiting.clone());
        tokio::spawn(async move {
            let mut wait = pin!(event.wait_async());
            starts_to_wait(wait.as_mut()).await;
            waiting.fetch_add(1, Ordering::Relaxed);
            wait.await
        })
    };
    let all: Vec<_> = (0..tasks).map(start).collect();
    while waiting.load(Ordering::Relaxed) < tasks {
        tokio::task::yield_now().await;
    }
    told.put(&1).expect("put");
    for task in all {
        timeout(LONG, task).await.expect("in time").expect("task").expect("wait");
    }
}

#[test]
fn a_thousand_tasks_are_released_by_another_process() {
    for runtime in [one_thread(), threads()] {
        let (event, told) = (Event::new().expect("event"), Queue::new(1).expect("queue"));
        let setter = Process::new(set_when_told, (told.clone(), vec![event.clone()])).start().expect("start");
        runtime.block_on(wait_in_tasks(std::slice::from_ref(&event), 1000, &told));
        setter.join().expect("join");
        // What is set needs no wait; what was set and cleared since the call is not missed.
        runtime.block_on(event.wait_async()).expect("set");
        event.clear().expect("clear");
        let wait = event.wait_async();
        event.set().expect("set");
        event.clear().expect("clear");
        runtime.block_on(wait).expect("was set");
    }
}

fn number_of_threads() -> usize {
    std::fs::read_dir("/proc/self/task").expect("threads").count()
}

/// Three hundred events are more than one system call waits for.
fn count_threads() {
    let (told, done) = (Queue::new(1).expect("queue"), Queue::new(1).expect("queue"));
    let events: Vec<Event> = (0..300).map(|_| Event::new().expect("event")).collect();
    let setter = Process::new(set_when_told, (told.clone(), events.clone())).start().expect("start");
    let never = Event::new().expect("event");
    let before = number_of_threads();
    one_thread().block_on(async {
        let counting = tokio::spawn({
            let (never, done) = (never.clone(), done.clone());
            async move {
                assert!(timeout(Duration::from_millis(1), never.wait_async()).await.is_err());
                done.put(&number_of_threads()).expect("put");
            }
        });
        wait_in_tasks(&events, 1000, &told).await;
        counting.await.expect("counted");
    });
    setter.join().expect("join");
    let while_waiting = done.get().expect("counted");
    assert!(while_waiting <= before + 1, "{before} threads, then {while_waiting}");
    // The one that slept for all ends, since nobody waits any more.
    while number_of_threads() > before {
        std::thread::sleep(Duration::from_millis(10));
    }
    // And starts anew.
    one_thread().block_on(async {
        assert!(timeout(Duration::from_millis(30), never.wait_async()).await.is_err());
    });
}

#[test]
fn no_thread_for_each_wait() {
    let method = StartMethod::Spawn;
    let child = Process::new(count_threads, ()).start_method(method).start().expect("start");
    child.join().expect("join");
}

fn wait_a_little() {
    let (event, never) = (Event::new().expect("event"), Event::new().expect("event"));
    one_thread().block_on(async {
        let moment = Duration::from_millis(1);
        assert!(timeout(moment, never.wait_async()).await.is_err());
        let mut wait = pin!(event.wait_async());
        starts_to_wait(wait.as_mut()).await;
        event.set().expect("set");
        timeout(LONG, wait).await.expect("in time").expect("wait");
    });
}

fn fork_between_waits() {
    let before = number_of_threads();
    assert_eq!(before, 1, "it would not fork");
    let copy = || Process::new(wait_a_little, ()).start_method(StartMethod::Fork).start();
    copy().expect("fork").join().expect("join");
    let never = Event::new().expect("event");
    one_thread().block_on(async {
        let mut wait = pin!(never.wait_async());
        starts_to_wait(wait.as_mut()).await;
        // Now there is a second thread, until nobody has waited for a while.
        let refused = copy().map(|_| ()).expect_err("two threads");
        assert!(refused.to_string().contains("thread"), "{refused}");
    });
    let copy = loop {
        match copy() {
            Ok(copy) => break copy,
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    };
    // The copy has a thread of its own, if it waits.
    copy.join().expect("join");
    wait_a_little();
}

#[test]
fn a_process_may_fork_when_nobody_waits() {
    let method = StartMethod::Spawn;
    let child = Process::new(fork_between_waits, ()).start_method(method).start().expect("start");
    child.join().expect("join");
}

/// Never more than `most` at once.
#[derive(Default)]
struct Inside {
    now: AtomicU64,
    most: AtomicU64,
}

impl Inside {
    fn enter(&self) {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
    }

    fn leave(&self) {
        self.now.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn three_permits_for_a_hundred_tasks_of_one_thread() {
    let (semaphore, inside) = (BoundedSemaphore::new(3).expect("semaphore"), Arc::new(Inside::default()));
    let local = LocalSet::new();
    for _ in 0..100 {
        let (semaphore, inside) = (semaphore.clone(), inside.clone());
        local.spawn_local(async move {
            for _ in 0..3 {
                let permit = semaphore.acquire_async().await.expect("permit");
                inside.enter();
                tokio::task::yield_now().await;
                inside.leave();
                drop(permit);
            }
        });
    }
    one_thread().block_on(async { timeout(LONG, local).await.expect("in time") });
    assert_eq!(inside.most.load(Ordering::SeqCst), 3);
    assert_eq!(semaphore.value(), 3);
}

fn take_turns(semaphore: Semaphore, stop: Event) {
    while !stop.is_set() {
        let permit = semaphore.acquire().expect("permit");
        std::thread::yield_now();
        drop(permit);
        std::thread::yield_now();
    }
}

#[test]
fn three_permits_for_a_hundred_tasks_of_several_threads_and_processes() {
    let (semaphore, inside) = (Semaphore::new(3).expect("semaphore"), Arc::new(Inside::default()));
    let stop = Event::new().expect("event");
    let start = |_| Process::new(take_turns, (semaphore.clone(), stop.clone())).start().expect("start");
    let others: Vec<Process> = (0..2).map(start).collect();
    threads().block_on(async {
        let start = |_| {
            let (semaphore, inside) = (semaphore.clone(), inside.clone());
            tokio::spawn(async move {
                for _ in 0..10 {
                    let permit = semaphore.acquire_async().await.expect("permit");
                    inside.enter();
                    std::thread::yield_now();
                    inside.leave();
                    drop(permit);
                }
            })
        };
        let all: Vec<_> = (0..100).map(start).collect();
        for task in all {
            timeout(LONG, task).await.expect("in time").expect("task");
        }
    });
    stop.set().expect("set");
    for other in others {
        other.join().expect("join");
    }
    assert!((1..=3).contains(&inside.most.load(Ordering::SeqCst)));
    assert_eq!(semaphore.value(), 3);
}

/// Whoever has the lock is alone: across processes an event says so.
fn alone(inside: &Event) {
    assert!(!inside.is_set(), "somebody else is inside");
    inside.set().expect("set");
    std::thread::yield_now();
    inside.clear().expect("clear");
}

fn lock_and_unlock(lock: Lock, inside: Event, stop: Event) {
    while !stop.is_set() {
        let guard = lock.acquire().expect("lock");
        alone(&inside);
        drop(guard);
        std::thread::yield_now();
    }
}

#[test]
fn a_lock_between_tasks_threads_and_processes() {
    let (lock, inside) = (Lock::new().expect("lock"), Event::new().expect("event"));
    let stop = Event::new().expect("event");
    let arguments = (lock.clone(), inside.clone(), stop.clone());
    let other = Process::new(lock_and_unlock, arguments).start().expect("start");
    std::thread::scope(|scope| {
        scope.spawn(|| lock_and_unlock(lock.clone(), inside.clone(), stop.clone()));
        let local = LocalSet::new();
        for _ in 0..20 {
            let (lock, inside) = (lock.clone(), inside.clone());
            local.spawn_local(async move {
                for _ in 0..15 {
                    let guard = lock.acquire_async().await.expect("lock");
                    alone(&inside);
                    // The others of this thread wait, and are not told of a deadlock.
                    tokio::task::yield_now().await;
                    drop(guard);
                }
            });
        }
        let end = one_thread().block_on(async { timeout(LONG, local).await });
        stop.set().expect("set");
        end.expect("in time");
    });
    other.join().expect("join");
    threads().block_on(async {
        let start = |_| {
            let (lock, inside) = (lock.clone(), inside.clone());
            tokio::spawn(async move {
                for _ in 0..20 {
                    let guard = lock.acquire_async().await.map_err(processing::Error::from)?;
                    alone(&inside);
                    drop(guard);
                }
                Ok::<(), processing::Error>(())
            })
        };
        let all: Vec<_> = (0..50).map(start).collect();
        for task in all {
            timeout(LONG, task).await.expect("in time").expect("task").expect("lock");
        }
    });
    assert!(lock.try_acquire().is_ok());
}

fn hold(lock: Lock, semaphore: Semaphore, ready: Queue<u64>) {
    let _guard = lock.acquire().expect("lock");
    let _permit = semaphore.acquire().expect("permit");
    ready.put(&1).expect("put");
    loop {
        std::thread::park();
    }
}

#[test]
fn who_waits_for_the_dead_is_told() {
    let (lock, semaphore) = (Lock::new().expect("lock"), Semaphore::new(1).expect("semaphore"));
    let ready = Queue::new(1).expect("queue");
    for runtime in [one_thread(), threads()] {
        let arguments = (lock.clone(), semaphore.clone(), ready.clone());
        let holder = Process::new(hold, arguments).name("holder").start().expect("start");
        let pid = holder.pid();
        ready.get_timeout(LONG).expect("it has both");
        runtime.block_on(async {
            let (mut guard, mut permit) = (pin!(lock.acquire_async()), pin!(semaphore.acquire_async()));
            starts_to_wait(guard.as_mut()).await;
            starts_to_wait(permit.as_mut()).await;
            holder.kill().expect("kill");
            match timeout(LONG, guard).await.expect("in time") {
                Err(AcquireError::OwnerDied(died)) => {
                    assert_eq!((died.pid(), died.name()), (pid, "holder"));
                    drop(died.recover());
                }
                other => panic!("{other:?}"),
            }
            drop(timeout(LONG, permit).await.expect("in time").expect("permit"));
        });
        holder.join().expect("join");
        runtime.block_on(async { drop(lock.acquire_async().await.expect("free")) });
    }
}

#[test]
fn poison_is_told_to_tasks() {
    let lock = Lock::new().expect("lock");
    let (semaphore, ready) = (Semaphore::new(1).expect("semaphore"), Queue::new(1).expect("queue"));
    let holder = Process::new(hold, (lock.clone(), semaphore, ready.clone())).start().expect("start");
    ready.get_timeout(LONG).expect("it has it");
    holder.kill().expect("kill");
    holder.join().expect("join");
    let died = lock.acquire().expect_err("died");
    one_thread().block_on(async {
        let mut wait = pin!(lock.acquire_async());
        starts_to_wait(wait.as_mut()).await;
        drop(died);
        assert!(timeout(LONG, wait).await.expect("in time").expect_err("poisoned").is_poisoned());
    });
}

#[test]
fn futures_that_are_dropped_lose_nothing() {
    let (lock, inside) = (Lock::new().expect("lock"), Event::new().expect("event"));
    let semaphore = Semaphore::new(1).expect("semaphore");
    let stop = Event::new().expect("event");
    let arguments = (lock.clone(), inside.clone(), stop.clone());
    let other = Process::new(lock_and_unlock, arguments).start().expect("start");
    let turns = Process::new(take_turns, (semaphore.clone(), stop.clone())).start().expect("start");
    threads().block_on(async {
        let start = |task: u64| {
            let (lock, inside, semaphore) = (lock.clone(), inside.clone(), semaphore.clone());
            tokio::spawn(async move {
                for round in 0..50 {
                    let patience = Duration::from_micros((task * 7 + round * 13) % 300);
                    if let Ok(guard) = timeout(patience, lock.acquire_async()).await {
                        let _guard = guard.map_err(processing::Error::from)?;
                        alone(&inside);
                    }
                    if let Ok(permit) = timeout(patience, semaphore.acquire_async()).await {
                        drop(permit?);
                    }
                }
                Ok::<(), processing::Error>(())
            })
        };
        let all: Vec<_> = (0..20).map(start).collect();
        for task in all {
            timeout(LONG, task).await.expect("in time").expect("task").expect("no error");
        }
    });
    stop.set().expect("set");
    other.join().expect("join");
    turns.join().expect("join");
    assert!(lock.try_acquire().is_ok() && semaphore.value() == 1);
}

/// A task waits, and its process is killed.
fn wait_for_ever(lock: Lock, semaphore: Semaphore, ready: Queue<u64>) {
    one_thread().block_on(async {
        let (mut guard, mut permit) = (pin!(lock.acquire_async()), pin!(semaphore.acquire_async()));
        starts_to_wait(guard.as_mut()).await;
        starts_to_wait(permit.as_mut()).await;
        ready.put(&1).expect("put");
        // Never polled again: woken or not, it takes nothing.
        std::future::pending::<()>().await;
    });
}

#[test]
fn a_killed_process_of_waiting_tasks_leaves_nothing() {
    let (lock, semaphore) = (Lock::new().expect("lock"), Semaphore::new(1).expect("semaphore"));
    let ready = Queue::new(1).expect("queue");
    for _ in 0..5 {
        let (guard, permit) = (lock.acquire().expect("lock"), semaphore.acquire().expect("permit"));
        let arguments = (lock.clone(), semaphore.clone(), ready.clone());
        let waiter = Process::new(wait_for_ever, arguments).start().expect("start");
        ready.get_timeout(LONG).expect("it waits");
        std::thread::scope(|scope| {
            let others = [
                scope.spawn(|| lock.acquire_timeout(LONG).is_ok()),
                scope.spawn(|| semaphore.acquire_timeout(LONG).is_ok()),
                scope.spawn(|| {
                    one_thread().block_on(async {
                        drop(timeout(LONG, lock.acquire_async()).await.expect("in time").expect("lock"));
                        timeout(LONG, semaphore.acquire_async()).await.expect("in time").is_ok()
                    })
                }),
            ];
            // One of those that sleep is woken: perhaps the one that does not care, and is killed.
            drop((guard, permit));
            waiter.kill().expect("kill");
            assert!(others.into_iter().all(|other| other.join().expect("thread")));
        });
        waiter.join().expect("join");
    }
}

#[test]
fn objects_go_with_their_handles() {
    let arena = processing::Arena::builder().limit(16 << 20).build().expect("arena");
    for _ in 0..50 {
        let lock = Lock::builder().arena(&arena).build().expect("lock");
        let event = Event::builder().arena(&arena).build().expect("event");
        one_thread().block_on(async {
            let _guard = lock.acquire_async().await.expect("free");
            let (mut next, mut set) = (pin!(lock.acquire_async()), pin!(event.wait_async()));
            starts_to_wait(next.as_mut()).await;
            starts_to_wait(set.as_mut()).await;
            event.set().expect("set");
            set.await.expect("set");
        });
        drop((lock, event));
        let report = arena.fsck().expect("fsck");
        assert!(report.is_clean() && report.objects == 0, "{report:?}");
    }
}

/// From here on this thread, and those that it starts, are told that the kernel has no `futex_waitv`.
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

fn wait_without_futex_waitv(lock: Lock, events: Vec<Event>, told: Queue<u64>) {
    forbid_futex_waitv();
    one_thread().block_on(async {
        let guard = async { drop(lock.acquire_async().await.expect("lock")) };
        timeout(LONG, async { tokio::join!(guard, wait_in_tasks(&events, 300, &told)) })
            .await
            .expect("in time");
    });
}

#[test]
fn where_the_kernel_cannot_sleep_by_several_words() {
    let events: Vec<Event> = (0..150).map(|_| Event::new().expect("event")).collect();
    let (lock, told) = (Lock::new().expect("lock"), Queue::new(1).expect("queue"));
    let guard = lock.acquire().expect("lock");
    let arguments = (lock.clone(), events.clone(), told.clone());
    let child = Process::new(wait_without_futex_waitv, arguments).start_method(StartMethod::Spawn);
    let child = child.start().expect("start");
    set_when_told(told, events);
    drop(guard);
    child.join().expect("join");
}

#[test]
fn other_backends_say_that_tasks_cannot_wait_for_them() {
    for backend in [LockBackend::Semaphore, LockBackend::Pthread] {
        let lock = Lock::builder().backend(backend).build().expect("lock");
        let error = one_thread()
            .block_on(async { lock.acquire_async().await.map(drop).map_err(processing::Error::from) });
        let error = error.expect_err("not futex");
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.to_string().contains(&backend.to_string()), "{error}");
    }
}
