//! Waits in a process whose monotonic clock is ten days ahead of everybody's: nothing that processes share is a time.
//!
//! A time namespace takes a right that not everybody has: without it there is nothing to test here, and the test says so.

use std::process::Command;
use std::time::{Duration, Instant};

use processing::{Condition, Event, Lock, Process, Queue, Semaphore};

/// Set in the process that is ahead.
const AHEAD: &str = "PROCESSING_TEST_AHEAD";
const SHORT: Duration = Duration::from_millis(30);

/// Each wait ends, and none is early.
fn waits_end() {
    let (lock, semaphore) = (Lock::new().expect("lock"), Semaphore::new(1).expect("semaphore"));
    let (event, condition) = (Event::new().expect("event"), Condition::new().expect("condition"));
    let queue = Queue::<u8>::new(1).expect("queue");
    let (_guard, _permit) = (lock.acquire().expect("free"), semaphore.acquire().expect("free"));
    let never_early = |what: &str, wait: &mut dyn FnMut()| {
        let start = Instant::now();
        wait();
        assert!(start.elapsed() >= SHORT, "{what}: after {:?}", start.elapsed());
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            never_early("lock", &mut || assert!(lock.acquire_timeout(SHORT).is_err()));
            never_early("semaphore", &mut || assert!(semaphore.acquire_timeout(SHORT).is_err()));
        });
        other.join().expect("the other thread");
    });
    never_early("event", &mut || assert!(!event.wait_timeout(SHORT).expect("wait")));
    let mut held = condition.acquire().expect("free");
    never_early("condition", &mut || assert!(!held.wait_timeout(SHORT).expect("wait")));
    drop(held);
    never_early("queue", &mut || assert!(queue.get_timeout(SHORT).is_err()));
    // And between processes.
    let answer = processing::spawn(|n: u64| n + 1, (1,)).expect("start").join().expect("join");
    assert_eq!(answer, 2);
    let setter = Process::new(set, (event.clone(),)).start().expect("start");
    event.wait().expect("set by another");
    setter.join().expect("join");
}

fn set(event: Event) {
    event.set().expect("set");
}

#[test]
fn a_clock_that_is_ahead_changes_nothing() {
    if std::env::var_os(AHEAD).is_some() {
        return waits_end();
    }
    let ahead = |program: &str| {
        let mut command = Command::new("unshare");
        command.args(["--time", "--monotonic", "864000", "--boottime", "864000", "--fork", "--", program]);
        command
    };
    let allowed = ahead("true").output().is_ok_and(|output| output.status.success());
    if !allowed {
        eprintln!("no time namespace is to be had here: not tested");
        return;
    }
    let own = std::env::current_exe().expect("this program");
    let output = ahead(&own.display().to_string())
        .args(["--exact", "a_clock_that_is_ahead_changes_nothing"])
        .env(AHEAD, "1")
        .output()
        .expect("unshare");
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}
