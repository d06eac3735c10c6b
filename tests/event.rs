//! `Event` between threads and processes.

use std::time::Duration;

use processing::{Event, Process, Queue, StartMethod, WaitStrategy};

const LONG: Duration = Duration::from_secs(60);

#[test]
fn set_clear_and_what_is_shown() {
    let event = Event::new().expect("event");
    assert!(!event.is_set() && !event.try_wait().expect("try"));
    assert_eq!(event.to_string(), "<Event(clear)>");
    event.set().expect("set");
    event.set().expect("set again");
    assert!(event.is_set() && event.try_wait().expect("try"));
    assert_eq!(format!("{event:?}"), "<Event(set)>");
    event.wait().expect("set: no wait");
    assert!(event.wait_timeout(Duration::ZERO).expect("set: no wait"));
    event.clear().expect("clear");
    event.clear().expect("clear again");
    assert!(!event.is_set());
}

#[test]
fn the_time_may_be_up() {
    for strategy in [WaitStrategy::Adaptive, WaitStrategy::Block, WaitStrategy::Spin] {
        let event = Event::builder().wait(strategy).build().expect("event");
        for timeout in [Duration::ZERO, Duration::from_nanos(1), Duration::from_millis(30)] {
            assert!(!event.wait_timeout(timeout).expect("wait"), "{strategy:?} {timeout:?}");
        }
    }
    let event = Event::new().expect("event");
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| event.wait_timeout(Duration::MAX).expect("wait"));
        event.set().expect("set");
        assert!(waiter.join().expect("waiter"), "it came in time");
    });
}

/// Waits for as many pulses as it is told, and says after each that it will wait again.
fn follow(event: Event, ready: Queue<u64>, pulses: u64) {
    for pulse in 0..pulses {
        ready.put(&pulse).expect("put");
        event.wait().expect("wait");
    }
}

fn ping(a: Event, b: Event, times: u32) {
    for _ in 0..times {
        a.wait().expect("wait");
        a.clear().expect("clear");
        b.set().expect("set");
    }
}

#[test]
fn two_processes_take_turns() {
    for strategy in [WaitStrategy::Adaptive, WaitStrategy::Block] {
        let event = || Event::builder().wait(strategy).build().expect("event");
        let (a, b) = (event(), event());
        let other = Process::new(ping, (a.clone(), b.clone(), 300u32)).start().expect("start");
        for _ in 0..300 {
            a.set().expect("set");
            assert!(b.wait_timeout(LONG).expect("wait"));
            b.clear().expect("clear");
        }
        other.join().expect("join");
    }
}

#[test]
fn a_pulse_wakes_all_who_waited() {
    // The event is never seen set by them: only the generation tells.
    let event = Event::builder().wait(WaitStrategy::Block).build().expect("event");
    std::thread::scope(|scope| {
        let waiters: Vec<_> =
            (0..4).map(|_| scope.spawn(|| event.wait_timeout(LONG).expect("wait"))).collect();
        // Until all have gone on: who came after a pulse waits for the next.
        while waiters.iter().any(|waiter| !waiter.is_finished()) {
            event.set().expect("set");
            event.clear().expect("clear");
            std::thread::yield_now();
        }
        assert!(waiters.into_iter().all(|waiter| waiter.join().expect("waiter")));
    });
    assert!(!event.is_set());
}

#[test]
fn a_pulse_reaches_processes() {
    let (event, ready) = (Event::new().expect("event"), Queue::new(4).expect("queue"));
    let start = |_| Process::new(follow, (event.clone(), ready.clone(), 1u64)).start().expect("start");
    let all: Vec<Process> = (0..3).map(start).collect();
    for _ in &all {
        ready.get_timeout(LONG).expect("it is about to wait");
    }
    while all.iter().any(Process::is_alive) {
        event.set().expect("set");
        event.clear().expect("clear");
        std::thread::yield_now();
    }
    for process in all {
        process.join().expect("join");
    }
}

#[test]
fn a_killed_waiter_leaves_nothing() {
    for method in [StartMethod::ForkServer, StartMethod::Spawn] {
        let (event, ready) = (Event::new().expect("event"), Queue::new(4).expect("queue"));
        let start = || {
            let process = Process::new(follow, (event.clone(), ready.clone(), 1u64)).start_method(method);
            process.start().expect("start")
        };
        let (killed, other) = (start(), start());
        for _ in 0..2 {
            ready.get_timeout(LONG).expect("about to wait");
        }
        killed.kill().expect("kill");
        killed.join().expect("join");
        assert!(!event.is_set());
        event.set().expect("set");
        other.join().expect("it went on");
    }
}

fn set_and_park(event: Event, ready: Queue<u64>) {
    event.set().expect("set");
    ready.put(&1).expect("put");
    loop {
        std::thread::park();
    }
}

#[test]
fn what_a_dead_setter_set_stays_set() {
    let (event, ready) = (Event::new().expect("event"), Queue::new(1).expect("queue"));
    let process = Process::new(set_and_park, (event.clone(), ready.clone())).start().expect("start");
    ready.get_timeout(LONG).expect("set");
    process.kill().expect("kill");
    process.join().expect("join");
    assert!(event.wait_timeout(LONG).expect("wait"));
}

#[test]
fn an_event_in_a_message_is_the_same_event() {
    let events = Queue::<(Event, u32)>::new(1).expect("queue");
    let event = Event::new().expect("event");
    events.put(&(event.clone(), 5)).expect("put");
    let (other, five) = events.get().expect("get");
    assert_eq!(five, 5);
    other.set().expect("set");
    drop(other);
    assert!(event.is_set());
}
