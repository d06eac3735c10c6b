//! What a program pays in memory for its first queue.

use processing::{Builder, Queue, StartMethod};

/// KiB of memory that is this process's own or shared, and in use.
fn used() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("status");
    let of = |key| {
        let line = status.lines().find(|line| line.starts_with(key)).expect("a line");
        line.split_ascii_whitespace().nth(1).expect("a number").parse::<u64>().expect("a number")
    };
    of("RssAnon:") + of("RssShmem:")
}

/// A fresh process: nothing of the library was used in it but its start.
fn added<T: processing::Message + PartialEq>(value: T) -> u64 {
    used(); // what reading costs the first time
    let before = used();
    let q = Queue::new(0).expect("queue");
    q.put(&value).expect("put");
    assert!(q.get().expect("get") == value);
    let added = used() - before;
    drop(q);
    added
}

#[test]
fn one_queue_and_one_message_add_at_most_a_mebibyte() {
    let start = || Builder::new().start_method(StartMethod::Spawn);
    let plain = start().spawn(|| added(7u64), ()).expect("start").join().expect("join");
    let text = start().spawn(|| added("hello".to_owned()), ()).expect("start").join().expect("join");
    // In a block of the arena.
    let long = start().spawn(|| added("x".repeat(10_000)), ()).expect("start").join().expect("join");
    println!("{plain} KiB, {text} KiB, {long} KiB");
    assert!([plain, text, long].iter().all(|&added| added <= 1024), "{plain} KiB, {text} KiB, {long} KiB");
}
