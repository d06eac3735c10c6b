//! Futures polled by hand, where each wake-up counts.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::{Context, Wake, Waker};

use crate::locks::Lock;
use crate::prim::limits::now;
use crate::sync::futex::{self, Address, WakeAny};

/// Long enough for everything, and yet an end.
const LONG: u64 = 60_000_000_000;

/// Says that it was woken.
struct Says(Sender<()>);

impl Wake for Says {
    fn wake(self: Arc<Self>) {
        let _ = self.0.send(()); // the test may be over
    }
}

fn waker() -> (Waker, Receiver<()>) {
    let (send, receive) = channel();
    (Waker::from(Arc::new(Says(send))), receive)
}

fn is_pending<F: Future>(future: Pin<&mut F>, waker: &Waker) -> bool {
    future.poll(&mut Context::from_waker(waker)).is_pending()
}

/// The futex of a lock, and what it says while it is held and somebody waits.
fn sleeps_by(lock: &Lock) -> (Address, u32) {
    let core = lock.source();
    let watch = super::Source::watch(&*core).expect("somebody has it");
    (watch.address, watch.expected)
}

/// One wake-up for two sleepers, without backstops: the future's, and a thread's that does nothing but sleep.
fn one_wake_up_for_two(lock: &Lock, wait_until_woken: bool) {
    let guard = lock.acquire().expect("free");
    let (waker, woken) = waker();
    let mut future = Box::pin(lock.acquire_async());
    assert!(is_pending(future.as_mut(), &waker));
    let word = sleeps_by(lock);
    std::thread::scope(|scope| {
        let sleeper = scope.spawn(|| futex::wait_any(&[word], now() + LONG));
        for _ in 0..100 {
            std::thread::yield_now();
        }
        drop(guard);
        if wait_until_woken {
            woken.recv().expect("the helper sees that the lock is free");
        }
        drop(future);
        let end = sleeper.join().expect("sleeper");
        assert!(matches!(end, WakeAny::Woken(0) | WakeAny::Changed | WakeAny::Refused), "{end:?}");
    });
}

#[test]
fn a_future_that_is_dropped_hands_its_wake_up_on() {
    let lock = Lock::new().expect("lock");
    (0..300).for_each(|_| one_wake_up_for_two(&lock, true));
}

#[test]
fn a_wake_up_for_a_future_that_leaves_is_handed_on() {
    let lock = Lock::new().expect("lock");
    (0..300).for_each(|_| one_wake_up_for_two(&lock, false));
}

#[test]
fn a_future_that_took_the_lock_late_waits_again() {
    let lock = Lock::new().expect("lock");
    let guard = lock.acquire().expect("free");
    let ((first, first_woken), (second, second_woken)) = (waker(), waker());
    let (mut one, mut other) = (pin!(lock.acquire_async()), pin!(lock.acquire_async()));
    assert!(is_pending(one.as_mut(), &first) && is_pending(other.as_mut(), &second));
    drop(guard);
    // Both are: the second comes too late, and waits again.
    first_woken.recv().expect("woken");
    second_woken.recv().expect("woken");
    let std::task::Poll::Ready(taken) = one.poll(&mut Context::from_waker(&first)) else { panic!("free") };
    assert!(is_pending(other.as_mut(), &second));
    drop(taken);
    second_woken.recv().expect("woken again");
    assert!(other.poll(&mut Context::from_waker(&second)).is_ready());
}

#[test]
fn the_last_waker_is_the_one_that_counts() {
    let lock = Lock::new().expect("lock");
    let guard = lock.acquire().expect("free");
    let ((old, old_woken), (new, new_woken)) = (waker(), waker());
    let mut future = pin!(lock.acquire_async());
    assert!(is_pending(future.as_mut(), &old) && is_pending(future.as_mut(), &new));
    drop((guard, old));
    new_woken.recv().expect("woken");
    assert!(old_woken.recv().is_err(), "its waker is gone, and was not woken");
    assert!(!is_pending(future, &new));
}
