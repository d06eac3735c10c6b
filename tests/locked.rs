//! `Locked<T>`: whole at any instruction.

use std::time::Duration;

use processing::{ErrorKind, Locked, Process, Queue};

const LONG: Duration = Duration::from_secs(60);

#[test]
fn changes_are_made_when_the_guard_goes() {
    let locked = Locked::new(vec![1u32]).expect("locked");
    {
        let mut guard = locked.lock().expect("lock");
        guard.push(2);
        assert_eq!(*guard, [1, 2]);
        assert!(locked.try_lock().is_err_and(|error| error.kind() == ErrorKind::Deadlock));
    }
    assert_eq!(locked.get().expect("get"), [1, 2]);
    locked.set(vec![7]).expect("set");
    assert_eq!(locked.update(|list| list.pop()).expect("update"), Some(7));
    assert!(locked.get().expect("get").is_empty());
    assert_eq!(locked.to_string(), "<Locked(owner=None)>");
}

#[test]
fn a_panic_leaves_the_value_as_it_was() {
    let locked = Locked::new(5u64).expect("locked");
    let change = || {
        locked.update(|number| {
            *number = 6;
            panic!("on purpose")
        })
    };
    let caught: Result<processing::Result<()>, _> =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(change));
    assert!(caught.is_err());
    assert_eq!(locked.get().expect("not held any more"), 5);
}

#[test]
fn what_does_not_fit_changes_nothing() {
    let locked = Locked::<Vec<u64>>::builder().build(&vec![1], 64).expect("locked");
    let error = locked.set(vec![0; 100]).expect_err("too large");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().contains("room for 64"), "{error}");
    assert_eq!(locked.get().expect("as before"), [1]);
    // Nobody was told of this one.
    locked.lock().expect("lock").resize(100, 0);
    assert!(locked.is_poisoned());
    assert_eq!(locked.get().expect_err("poisoned").kind(), ErrorKind::Poisoned);
    locked.recover_poisoned().expect("nobody else does");
    assert_eq!(locked.get().expect("as before"), [1]);
    let refused = Locked::<Vec<u64>>::builder().build(&vec![0; 100], 64).expect_err("too large at once");
    assert_eq!(refused.kind(), ErrorKind::TooLarge);
}

fn add(total: Locked<(u64, String)>, times: u64) {
    for _ in 0..times {
        let mut guard = total.lock().expect("lock");
        guard.0 += 1;
        guard.1 = "x".repeat((guard.0 % 40) as usize);
    }
}

#[test]
fn no_change_is_lost_between_processes() {
    let total = Locked::new((0u64, String::new())).expect("locked");
    let start = |_| Process::new(add, (total.clone(), 500u64)).start().expect("start");
    for process in (0..4).map(start).collect::<Vec<_>>() {
        process.join().expect("join");
    }
    let (count, text) = total.get().expect("get");
    assert_eq!((count, text.len()), (2_000, 0));
}

fn change_and_stay(locked: Locked<(u64, u64)>, ready: Queue<u8>) {
    let mut guard = locked.lock().expect("lock");
    guard.0 += 1;
    guard.commit().expect("commit");
    guard.0 += 100; // never committed
    ready.put(&1).expect("put");
    loop {
        std::thread::park();
    }
}

#[test]
fn a_dead_owner_leaves_a_whole_value_and_no_error() {
    let (locked, ready) = (Locked::new((1u64, 1u64)).expect("locked"), Queue::new(1).expect("queue"));
    let process = Process::new(change_and_stay, (locked.clone(), ready.clone()))
        .name("unlucky")
        .start()
        .expect("start");
    ready.get_timeout(LONG).expect("it has the lock");
    assert!(locked.try_lock().expect("try").is_none(), "held by the living");
    process.kill().expect("kill");
    process.join().expect("join");
    let guard = locked.lock_timeout(LONG).expect("lock").expect("in time");
    assert_eq!(guard.died_before(), Some((process.pid(), "unlucky")));
    assert_eq!(*guard, (2, 1));
    drop(guard);
    assert_eq!(locked.lock().expect("lock").died_before(), None);
}

fn pairs(locked: Locked<(u64, Vec<u64>)>) {
    loop {
        let changed = locked.update(|(number, list)| {
            *number += 1;
            list.clear();
            list.resize((*number % 20) as usize, *number);
        });
        changed.expect("update");
    }
}

#[test]
fn a_kill_anywhere_leaves_the_old_value_or_the_new_one() {
    let locked = Locked::new((0u64, Vec::new())).expect("locked");
    let mut last = 0;
    for _ in 0..30 {
        let process = Process::new(pairs, (locked.clone(),)).start().expect("start");
        // It is at work.
        while locked.get().expect("get").0 == last {
            std::thread::yield_now();
        }
        process.kill().expect("kill");
        process.join().expect("join");
        let (number, list) = locked.get().expect("get");
        assert!(number > last);
        assert_eq!(list, vec![number; (number % 20) as usize], "torn");
        last = number;
    }
}
