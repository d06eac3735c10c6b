//! `Semaphore` and `BoundedSemaphore` between threads and processes: permits are counted, and those of the dead come back.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use processing::{
    BoundedSemaphore, Error, ErrorKind, Process, Queue, Semaphore, SemaphoreError, StartMethod, WaitStrategy,
};

const LONG: Duration = Duration::from_secs(60);

#[test]
fn so_many_threads_at_a_time() {
    let semaphore = Semaphore::new(3).expect("semaphore");
    let (inside, most) = (AtomicI64::new(0), AtomicI64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                for _ in 0..3_000 {
                    let permit = semaphore.acquire().expect("acquire");
                    let now = inside.fetch_add(1, Ordering::SeqCst) + 1;
                    assert!(now <= 3, "{now} inside");
                    most.fetch_max(now, Ordering::SeqCst);
                    if now < 3 {
                        std::thread::yield_now();
                    }
                    inside.fetch_sub(1, Ordering::SeqCst);
                    drop(permit);
                }
            });
        }
    });
    assert_eq!(semaphore.to_string(), "<Semaphore(value=3)>");
    assert!(most.into_inner() > 0);
}

/// Adds to a number in a queue of one message, which two at once would not find there.
fn add(semaphore: Semaphore, number: Queue<u64>, times: u64) {
    for _ in 0..times {
        let _permit = semaphore.acquire().expect("acquire");
        let seen = number.try_get().expect("the number is there while the permit is held");
        number.try_put(&(seen + 1)).expect("room");
    }
}

#[test]
fn one_process_at_a_time() {
    for strategy in [WaitStrategy::Adaptive, WaitStrategy::Block] {
        let semaphore = Semaphore::builder(1).wait(strategy).build().expect("semaphore");
        let number = Queue::new(1).expect("queue");
        number.put(&0).expect("put");
        let start =
            |_| Process::new(add, (semaphore.clone(), number.clone(), 2_000u64)).start().expect("start");
        let all: Vec<Process> = (0..4).map(start).collect();
        for process in all {
            process.join().expect("join");
        }
        assert_eq!(number.get().expect("get"), 8_000);
        assert_eq!(semaphore.value(), 1);
    }
}

/// Each permit is given by one and taken by another, who keeps it.
fn take(semaphore: Semaphore, times: u64) {
    for _ in 0..times {
        semaphore.acquire().expect("acquire").forget();
    }
}

#[test]
fn what_is_given_is_taken_elsewhere() {
    let semaphore = Semaphore::builder(0).wait(WaitStrategy::Block).build().expect("semaphore");
    let start = |_| Process::new(take, (semaphore.clone(), 3_000u64)).start().expect("start");
    let takers: Vec<Process> = (0..2).map(start).collect();
    for _ in 0..6_000 {
        semaphore.release().expect("release");
    }
    for taker in takers {
        taker.join().expect("join");
    }
    assert_eq!(semaphore.value(), 0);
}

#[test]
fn who_finds_none_is_told_or_waits() {
    let semaphore = Semaphore::new(0).expect("semaphore");
    assert!(semaphore.try_acquire().expect_err("none").is_busy());
    assert!(semaphore.acquire_timeout(Duration::ZERO).expect_err("none").is_busy());
    let error = Error::from(semaphore.acquire_timeout(Duration::from_millis(1)).expect_err("none"));
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().starts_with("semaphore "), "{error}");
    std::thread::scope(|scope| {
        let waiters: Vec<_> = [Duration::MAX, LONG]
            .map(|timeout| {
                scope.spawn({
                    let semaphore = &semaphore;
                    move || semaphore.acquire_timeout(timeout).expect("given").forget()
                })
            })
            .into();
        let sleeper = scope.spawn(|| drop(semaphore.acquire().expect("given")));
        for _ in 0..3 {
            semaphore.release().expect("release");
        }
        for waiter in waiters {
            waiter.join().expect("waiter");
        }
        sleeper.join().expect("sleeper");
    });
    assert_eq!(semaphore.value(), 1);
    assert!(semaphore.acquire_timeout(Duration::MAX).is_ok());
    assert!(semaphore.acquire_timeout(Duration::ZERO).is_ok());
}

#[test]
fn a_bounded_one_tells_a_release_too_many() {
    let semaphore = BoundedSemaphore::new(2).expect("semaphore");
    let error = semaphore.release().expect_err("none is missing");
    assert_eq!(error.kind(), ErrorKind::InvalidState);
    let permit = semaphore.acquire().expect("acquire");
    assert_eq!(semaphore.to_string(), "<BoundedSemaphore(value=1, maxvalue=2)>");
    semaphore.release().expect("one is missing");
    drop(permit); // lost: it was given back already
    assert_eq!((semaphore.value(), semaphore.max_value()), (2, 2));
    semaphore.acquire().expect("acquire").forget();
    assert_eq!(semaphore.value(), 1);
    semaphore.release().expect("in its place");
    assert!(semaphore.release().is_err());
    let none = BoundedSemaphore::new(0).expect("semaphore");
    assert!(none.try_acquire().is_err() && none.release().is_err());
    assert_eq!(none.to_string(), "<BoundedSemaphore(value=0, maxvalue=0)>");
}

#[test]
fn values_have_an_end() {
    const MOST: u32 = (1 << 31) - 1;
    let semaphore = Semaphore::new(MOST).expect("semaphore");
    assert_eq!(semaphore.release().expect_err("overflow").kind(), ErrorKind::InvalidState);
    let permit = semaphore.acquire().expect("acquire");
    semaphore.release().expect("one is missing");
    drop(permit);
    assert_eq!(semaphore.value(), MOST);
    let kind = |error: Error| error.kind();
    assert_eq!(Semaphore::new(MOST + 1).map_err(kind).err(), Some(ErrorKind::InvalidInput));
    assert_eq!(BoundedSemaphore::new(u32::MAX).map_err(kind).err(), Some(ErrorKind::InvalidInput));
    for threads in [0, 16_001] {
        let built = Semaphore::builder(1).threads(threads).build();
        assert_eq!(built.map_err(kind).err(), Some(ErrorKind::InvalidInput));
    }
    let wide = Semaphore::builder(1).threads(16_000).build().expect("the most");
    assert!(wide.try_acquire().is_ok());
}

fn hold(semaphore: Semaphore, ready: Queue<u32>, permits: u32) {
    let _permits: Vec<_> = (0..permits).map(|_| semaphore.acquire().expect("acquire")).collect();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _permit = semaphore.acquire().expect("another thread's");
            ready.put(&permits).expect("put");
            loop {
                std::thread::park();
            }
        });
    });
}

#[test]
fn the_permits_of_the_dead_come_back() {
    for method in [StartMethod::ForkServer, StartMethod::Spawn] {
        let semaphore = Semaphore::new(4).expect("semaphore");
        let ready = Queue::new(1).expect("queue");
        let process = Process::new(hold, (semaphore.clone(), ready.clone(), 3u32))
            .start_method(method)
            .start()
            .expect("start");
        ready.get_timeout(LONG).expect("it has them");
        assert!(semaphore.try_acquire().is_err());
        process.kill().expect("kill");
        process.join().expect("join");
        let permits: Vec<_> = (0..4).map(|_| semaphore.acquire_timeout(LONG).expect("back")).collect();
        assert_eq!(semaphore.value(), 0);
        drop(permits);
        assert_eq!(semaphore.value(), 4);
    }
}

#[test]
fn sleepers_hear_of_a_death() {
    let semaphore = Semaphore::builder(3).wait(WaitStrategy::Block).build().expect("semaphore");
    let ready = Queue::new(1).expect("queue");
    let process = Process::new(hold, (semaphore.clone(), ready.clone(), 2u32)).start().expect("start");
    ready.get_timeout(LONG).expect("it has them");
    std::thread::scope(|scope| {
        let sleepers: Vec<_> =
            (0..3).map(|_| scope.spawn(|| semaphore.acquire_timeout(LONG).expect("back").forget())).collect();
        process.kill().expect("kill");
        process.join().expect("join");
        for sleeper in sleepers {
            sleeper.join().expect("sleeper");
        }
    });
    assert_eq!(semaphore.value(), 0);
}

#[test]
fn what_was_forgotten_stays_forgotten() {
    fn forgets(semaphore: Semaphore) {
        semaphore.acquire().expect("acquire").forget();
        semaphore.release().expect("one more");
        let (forgotten, _held) = (semaphore.acquire().expect("acquire"), semaphore.acquire());
        forgotten.forget();
        std::process::abort();
    }
    let semaphore = Semaphore::new(3).expect("semaphore");
    Process::new(forgets, (semaphore.clone(),)).start().expect("start").join().expect("join");
    let permits: Vec<_> = (0..2).map(|_| semaphore.acquire_timeout(LONG).expect("back")).collect();
    assert!(semaphore.try_acquire().is_err(), "two were forgotten, one was given");
    drop(permits);
    assert_eq!(semaphore.value(), 2);
}

#[test]
fn a_semaphore_in_a_message_is_the_same() {
    let semaphores = Queue::<(Semaphore, BoundedSemaphore)>::new(1).expect("queue");
    let (plain, bounded) =
        (Semaphore::new(1).expect("semaphore"), BoundedSemaphore::new(1).expect("semaphore"));
    let _permit = bounded.acquire().expect("acquire");
    for _ in 0..200 {
        // More often than there are lanes: a thread has one, through however many handles it comes.
        semaphores.put(&(plain.clone(), bounded.clone())).expect("put");
        let (other, others) = semaphores.get().expect("get");
        let permit = other.acquire().expect("acquire");
        assert!(plain.try_acquire().is_err() && others.try_acquire().is_err());
        drop(permit);
        assert_eq!(others.max_value(), 1);
    }
}

#[test]
fn leaked_permits_end_with_the_handles() {
    let semaphores = Queue::<Semaphore>::new(1).expect("queue");
    let semaphore = Semaphore::new(3).expect("semaphore");
    semaphores.put(&semaphore).expect("put");
    std::mem::forget(semaphore.acquire().expect("acquire"));
    std::thread::scope(|scope| {
        scope.spawn(|| std::mem::forget(semaphore.acquire().expect("acquire"))).join().expect("thread");
    });
    semaphore.acquire().expect("acquire").forget();
    assert_eq!(semaphore.value(), 0);
    drop(semaphore);
    let again = semaphores.get().expect("the message kept it");
    assert_eq!(again.value(), 2, "but for the one that was forgotten on purpose");
    assert!(again.acquire().is_ok());
}

/// Runs `f` in a thread, and waits until the kernel does not list it any more, which is a little after its end.
fn in_another_thread(f: impl FnOnce() + Send) {
    let number = std::thread::scope(|scope| {
        let task = || std::fs::read_link("/proc/thread-self").expect("this thread");
        let thread = scope.spawn(move || {
            f();
            task()
        });
        thread.join().expect("thread")
    });
    while std::path::Path::new("/proc").join(&number).exists() {
        std::thread::yield_now();
    }
}

#[test]
fn more_threads_than_lanes() {
    let semaphore = Semaphore::builder(8).threads(2).build().expect("semaphore");
    let _mine = semaphore.acquire().expect("a lane for this thread");
    for _ in 0..10 {
        // One after the other they share the second lane.
        in_another_thread(|| drop(semaphore.acquire().expect("a lane")));
    }
    let (held, done) = (std::sync::Barrier::new(2), std::sync::Barrier::new(2));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            in_another_thread(|| {
                let _permit = semaphore.acquire().expect("the second lane");
                held.wait();
                done.wait();
            });
        });
        held.wait();
        let third = scope.spawn(|| match semaphore.acquire() {
            Err(SemaphoreError::Other(error)) => error,
            other => panic!("{other:?}"),
        });
        let error = third.join().expect("thread");
        assert_eq!(error.kind(), ErrorKind::Limit);
        let text = error.to_string();
        assert!(text.starts_with("semaphore ") && text.contains("threads(n)"), "{text}");
        // To give needs no lane.
        scope.spawn(|| semaphore.release().expect("release")).join().expect("thread");
        done.wait();
    });
    assert_eq!(semaphore.value(), 8);
    in_another_thread(|| std::mem::forget(semaphore.acquire().expect("a lane")));
    // The second lane's thread has ended, and the lane holds a permit.
    in_another_thread(|| assert!(semaphore.acquire().is_err(), "not taken from what was leaked"));
}

#[test]
fn lanes_of_the_dead_are_free() {
    let semaphore = Semaphore::builder(8).threads(3).build().expect("semaphore");
    let _mine = semaphore.acquire().expect("acquire");
    for _ in 0..4 {
        let ready = Queue::new(1).expect("queue");
        let process = Process::new(hold, (semaphore.clone(), ready.clone(), 1u32)).start().expect("start");
        ready.get_timeout(LONG).expect("it has them");
        process.kill().expect("kill");
        process.join().expect("join");
    }
    let back: Vec<_> = (0..7).map(|_| semaphore.acquire_timeout(LONG).expect("back")).collect();
    assert_eq!((back.len(), semaphore.value()), (7, 0));
}
