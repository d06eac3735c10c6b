//! Wake-ups that count, and waiting for what is the kernel's.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::mpsc::channel;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::sealed::{By, Selects};
use super::select;
use crate::channel::connection::pipe;
use crate::channel::domain::{Arena, Domain};
use crate::channel::queue::Queue;
use crate::error::Result;
use crate::prim::limits::now;
use crate::prim::spin::{Spinner, WaitStrategy};
use crate::prim::watch::Watch;
use crate::sync::futex::{self, WakeAny};
use crate::sys::eventfd::EventFd;

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

/// Something of the kernel's, which has a descriptor and no word.
struct OfTheKernel {
    event: EventFd,
    spinner: Spinner,
    domain: Arc<Domain>,
}

impl Selects for OfTheKernel {
    fn is_ready(&self) -> Result<bool> {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        Ok(poll(&mut [PollFd::new(&self.event, PollFlags::IN)], Some(&now)).unwrap_or(0) == 1)
    }

    fn watch(&self) -> Result<Option<Watch>> {
        unreachable!("it has no word")
    }

    fn word(&self) -> u32 {
        unreachable!("it has no word")
    }

    fn spinner(&self) -> &Spinner {
        &self.spinner
    }

    fn domain(&self) -> &Arc<Domain> {
        &self.domain
    }

    fn by(&self) -> By {
        By::Descriptor
    }

    fn descriptor(&self) -> Result<BorrowedFd<'_>> {
        Ok(self.event.as_fd())
    }
}

#[test]
fn beside_what_is_the_kernels_all_are_polled() {
    let domain = Arena::default().domain().expect("arena");
    let event = EventFd::new().expect("eventfd");
    let kernel = OfTheKernel { event, spinner: Spinner::default(), domain };
    let (q, (a, b)) = (sleepy(), pipe().expect("pipe"));
    assert!(select([&q, &kernel, &b], std::time::Duration::from_millis(5)).expect("select").is_empty());
    let (tell, told) = channel();
    std::thread::scope(|scope| {
        let (kernel, q) = (&kernel, &q);
        scope.spawn(move || {
            for n in 0..30 {
                let place = select([q, kernel, &b], None).expect("select").first();
                match place {
                    Some(0) => assert_eq!(q.try_get().expect("get"), n),
                    Some(1) => kernel.event.lower(),
                    _ => assert_eq!(b.try_recv::<u64>().expect("recv"), n),
                }
                tell.send(place).expect("told");
            }
        });
        for n in 0..30 {
            let place = n as usize % 3;
            match place {
                0 => q.put(&n).expect("put"),
                1 => kernel.event.raise(),
                _ => a.send(&n).expect("send"),
            }
            assert_eq!(told.recv().expect("told"), Some(place));
        }
    });
}
