//! Wake-ups that count.

use std::os::fd::BorrowedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Barrier, Mutex, PoisonError, mpsc};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::sealed::Selects;
use super::{Selectable, select};
use crate::channel::buffered::BufferedQueue;
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
fn a_sleeper_behind_others_wakes(q: &(impl Selectable + Sync), put: impl FnOnce()) {
    let Watch { address, expected, .. } = Selects::watch(q).expect("alive").expect("nothing is there");
    let end = std::thread::scope(|scope| {
        let sleeper = scope.spawn(|| futex::wait_any(&[(address, expected)], now() + LONG));
        let_others_run();
        put();
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
            a_sleeper_behind_others_wakes(&q, || q.put(&7).expect("put"));
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
        a_sleeper_behind_others_wakes(&q, || q.put(&7).expect("put"));
        assert!(is_readable_within_long(fd));
        assert_eq!(q.try_get().expect("still there"), 7);
        assert!(q.try_get().is_err());
    }
}

fn is_readable_within_long(fd: BorrowedFd<'_>) -> bool {
    let long = Timespec { tv_sec: 60, tv_nsec: 0 };
    poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)], Some(&long)).expect("poll") == 1
}

/// A queue whose one segment is full of leases, so that the next message comes in another one.
fn full_of_leases(f: impl FnOnce(&BufferedQueue<u64>)) {
    let q = BufferedQueue::builder().segment(1).wait(WaitStrategy::Block).build().expect("queue");
    q.put(&1).expect("put");
    let beside = q.get_ref().expect("lease");
    q.put(&2).expect("put");
    let pinned = q.get_ref().expect("lease");
    f(&q);
    assert_eq!(q.stats().expect("stats").segments, 2, "it grew");
    drop((beside, pinned));
}

#[test]
fn select_hands_on_a_message_in_a_new_segment() {
    let other = sleepy();
    for _ in 0..ROUNDS {
        full_of_leases(|q| {
            std::thread::scope(|scope| {
                let selector =
                    scope.spawn(|| select([&other as &dyn Selectable, q], None).expect("select").first());
                let_others_run();
                a_sleeper_behind_others_wakes(q, || q.put(&7).expect("put"));
                assert_eq!(selector.join().expect("selector"), Some(1));
            });
            assert_eq!(q.try_get().expect("still there"), 7);
        });
    }
}

#[test]
fn a_descriptor_hands_on_a_message_in_a_new_segment() {
    for _ in 0..ROUNDS {
        full_of_leases(|q| {
            let fd = q.as_fd().expect("fd");
            let_others_run();
            a_sleeper_behind_others_wakes(q, || q.put(&7).expect("put"));
            assert!(is_readable_within_long(fd));
            assert_eq!(q.try_get().expect("still there"), 7);
            assert!(q.try_get().is_err());
        });
    }
}

/// Looks while another thread has the lock: ready, and what there is to sleep by.
fn look_beside_the_lock(q: &BufferedQueue<u64>) -> (bool, Option<Watch>) {
    let (begin, end) = (Barrier::new(2), Barrier::new(2));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            q.while_locked(|| {
                begin.wait();
                end.wait();
            });
        });
        begin.wait();
        let seen = (Selects::is_ready(q).expect("alive"), Selects::watch(q).expect("alive"));
        end.wait();
        seen
    })
}

/// Whoever looks while another has the lock is told to look again soon; then it sees what is there.
#[test]
fn what_the_lock_hides_is_looked_for_again() {
    full_of_leases(|q| {
        // The segment is not sealed, so that nothing can be behind it.
        let (ready, watch) = look_beside_the_lock(q);
        assert!(!ready && !watch.expect("nothing is there").unordered);
        q.put(&7).expect("put");
        let (ready, watch) = look_beside_the_lock(q);
        assert!(!ready && watch.expect("it cannot be seen").unordered);
        assert!(Selects::is_ready(q).expect("alive"));
        assert!(Selects::watch(q).expect("alive").is_none());
        assert_eq!(q.try_get().expect("still there"), 7);
    });
}

/// A message that cannot be made into a value: while somebody tries, what was left for that happens, and then it panics.
#[derive(rkyv::Archive, rkyv::Serialize)]
struct Shy(u64);

type Meanwhile = Box<dyn FnOnce() + Send>;
static MEANWHILE: Mutex<Option<Meanwhile>> = Mutex::new(None);

impl<D: rkyv::rancor::Fallible + ?Sized> rkyv::Deserialize<Shy, D> for ArchivedShy {
    fn deserialize(&self, _: &mut D) -> Result<Shy, D::Error> {
        let meanwhile = MEANWHILE.lock().unwrap_or_else(PoisonError::into_inner).take();
        meanwhile.into_iter().for_each(|meanwhile| meanwhile());
        panic!("shy");
    }
}

/// Who wakes for a message that comes back finds it there.
#[test]
fn a_message_that_comes_back_is_there_when_it_is_told_of() {
    let q = BufferedQueue::<Shy>::builder().segment(1).wait(WaitStrategy::Block).build().expect("queue");
    q.put(&Shy(1)).expect("put");
    for _ in 0..ROUNDS / 10 {
        let (tell, told) = mpsc::channel();
        let theirs = q.clone();
        let sleeps = move || {
            let Watch { address, expected, .. } =
                Selects::watch(&theirs).expect("alive").expect("it is claimed");
            std::thread::spawn(move || {
                let end = futex::wait_any(&[(address, expected)], now() + LONG);
                tell.send((end, Selects::is_ready(&theirs).expect("alive"))).expect("told");
            });
            let_others_run();
        };
        *MEANWHILE.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(sleeps));
        assert!(catch_unwind(AssertUnwindSafe(|| q.get())).is_err(), "it panics");
        let (end, ready) = told.recv().expect("it wakes");
        assert!(matches!(end, WakeAny::Woken(0) | WakeAny::Changed | WakeAny::Refused), "{end:?}");
        assert!(ready, "it was told of a message that is not there");
    }
}
