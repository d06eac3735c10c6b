//! Wake-ups that count.

use std::os::fd::BorrowedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::sealed::Selects;
use super::select;
use crate::channel::queue::Queue;
use crate::prim::limits::now;
use crate::prim::spin::WaitStrategy;
use crate::prim::watch::Watch;
use crate::sync::futex::{self, WakeAny};

/// Long enough for everything, and yet an end.
const LONG: u64 = 60_000_000_000;
const ROUNDS: u64 = 300;

fn sleepy() -> Queue<u64> {
    Queue::builder().capacity(4).wait(WaitStrategy::Block).build().expect("queue")
}

fn let_others_run() {
    (0..100).for_each(|_| std::thread::yield_now());
}

/// A thread sleeps for a message without any backstop, behind whoever sleeps already; one message comes, and it must wake.
fn a_sleeper_behind_others_wakes(q: &Queue<u64>) {
    let Watch { address, expected, .. } = Selects::watch(q).expect("alive").expect("nothing is there");
    let end = std::thread::scope(|scope| {
        let sleeper = scope.spawn(|| futex::wait_any(&[(address, expected)], now() + LONG));
        let_others_run();
        q.put(&7).expect("put");
        sleeper.join().expect("sleeper")
    });
    assert!(matches!(end, WakeAny::Woken(0) | WakeAny::Changed | WakeAny::Refused), "{end:?}");
}

#[test]
fn select_hands_on_what_it_does_not_take() {
    let (q, other) = (sleepy(), sleepy());
    for _ in 0..ROUNDS {
        std::thread::scope(|scope| {
            let selector = scope.spawn(|| select([&other, &q], None).expect("select").first());
            let_others_run();
            a_sleeper_behind_others_wakes(&q);
            assert_eq!(selector.join().expect("selector"), Some(1));
        });
        assert_eq!(q.try_get().expect("still there"), 7);
    }
}

#[test]
fn a_descriptor_hands_on_what_nobody_may_take() {
    let q = sleepy();
    let fd = q.as_fd().expect("fd");
    for _ in 0..ROUNDS {
        let_others_run();
        a_sleeper_behind_others_wakes(&q);
        assert!(is_readable_within_long(fd));
        assert_eq!(q.try_get().expect("still there"), 7);
        assert!(q.try_get().is_err());
    }
}

fn is_readable_within_long(fd: BorrowedFd<'_>) -> bool {
    let long = Timespec { tv_sec: 60, tv_nsec: 0 };
    poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)], Some(&long)).expect("poll") == 1
}
