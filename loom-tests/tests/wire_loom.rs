//! A pipe whose messages travel elsewhere, under loom: the library's own steps, and a stand-in for the sockets whose calls are whole, as the
//! kernel's are. A lost wake-up is a deadlock, which loom reports, since a model has no backstop.
//!
//! A process is killed before or after its call of the stand-in, or before or after a futex call: between two of those a thread makes at most one
//! change. Then the kernel knows it to be dead, and a reaper repairs, or two after each other, of which the first is killed.
#![cfg(loom)]

use std::collections::VecDeque;
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use loom::sync::{Arc, Mutex};
use loom::thread;
use processing::WaitStrategy;
use processing::layout::socket_pipe::SocketPipeBody;
use processing::prim::event_count::SpinRun;
use processing::prim::limits::Limits;
use processing::prim::spin::Spinner;
use processing::ring::ends::Ends;
use processing::ring::wire::Wire;
use processing::ring::{Brought, Sent};
use processing::sync::kill;

/// Participants: end 0 is the one's, end 1 the other's.
const ME: [u16; 2] = [1, 2];
/// Points of the longest call, and one more.
const POINTS: u64 = 8;

struct Pipe {
    body: SocketPipeBody,
    /// What each end has sent.
    kernel: [Mutex<VecDeque<u64>>; 2],
    room: usize,
    /// Who found nothing lets others go first. (Of the accesses to a word loom remembers the last one, and who closes an end looks at its word
    /// before it changes it: by itself loom does not come back to a look between the two.)
    gives_way: bool,
}

fn made(room: usize) -> Pipe {
    let body = SocketPipeBody::default();
    for (end, me) in ME.into_iter().enumerate() {
        // Each was taken by its owner.
        let ends = Ends::new(&body.head);
        if end == 0 {
            ends.open(me);
        } else {
            ends.send_off(1, ME[0], 7).unwrap();
            ends.take(1, me);
        }
    }
    Pipe { body, kernel: Default::default(), room, gives_way: false }
}

impl Pipe {
    fn wire(&self, end: u8) -> Wire<'_> {
        Wire::new(&self.body, end)
    }

    fn send(&self, end: u8, value: u64) -> Sent {
        let send = || {
            kill::point();
            let mut kernel = self.kernel[usize::from(end)].lock().unwrap();
            let fits = kernel.len() < self.room;
            if fits {
                kernel.push_back(value);
            }
            drop(kernel);
            if self.gives_way && !fits {
                thread::yield_now();
            }
            kill::point();
            Ok::<_, Infallible>(fits)
        };
        self.wire(end).send(send).unwrap()
    }

    /// Looks, and takes what it found.
    fn receive(&self, end: u8) -> Brought<u64> {
        let theirs = &self.kernel[usize::from(1 - end)];
        let found = self.wire(end).look(|| {
            let front = theirs.lock().unwrap().front().copied();
            if self.gives_way && front.is_none() {
                thread::yield_now();
            }
            Ok::<_, Infallible>(front)
        });
        let found = found.unwrap();
        if let Brought::One(_) = found {
            kill::point();
            theirs.lock().unwrap().pop_front();
            kill::point();
            self.wire(end).taken();
        }
        found
    }

    fn send_asleep(&self, end: u8, value: u64) -> Sent {
        let mut last = Sent::Full;
        let full = || {
            last = self.send(end, value);
            last == Sent::Full
        };
        let spinner = Spinner::new(WaitStrategy::Block);
        self.wire(end).wait_room(&Limits::NONE, &spinner, &SpinRun::default(), full, || ());
        last
    }

    fn receive_asleep(&self, end: u8) -> Brought<u64> {
        let mut last = Brought::Nothing;
        let empty = || {
            last = self.receive(end);
            last == Brought::Nothing
        };
        let spinner = Spinner::new(WaitStrategy::Block);
        self.wire(end).wait_message(&Limits::NONE, &spinner, &SpinRun::default(), empty, || ());
        last
    }

    fn receive_all(&self, end: u8) -> Vec<u64> {
        let mut all = Vec::new();
        while let Brought::One(value) = self.receive_asleep(end) {
            all.push(value);
        }
        all
    }

    fn close(&self, end: u8) {
        kill::point();
        self.wire(end).close(ME[usize::from(end)]);
    }

    fn repair(&self, dead: u16) {
        kill::point();
        Wire::repair(&self.body, dead, &|| true);
    }

    /// Runs `call` as the owner of `end` until point `k`. Killed or not, the process ends there, without a close.
    fn until(&self, end: u8, k: u64, call: impl FnOnce()) {
        killed_at(k, call);
        self.repair(ME[usize::from(end)]);
    }

    /// The same, and the first reaper is killed at its point `j`.
    fn until_twice(&self, end: u8, k: u64, j: u64, call: impl FnOnce()) {
        let me = ME[usize::from(end)];
        killed_at(k, call);
        if killed_at(j, || self.repair(me)) {
            self.repair(me);
        }
    }
}

/// True: it was killed.
fn killed_at(k: u64, call: impl FnOnce()) -> bool {
    kill::arm(k);
    let end = catch_unwind(AssertUnwindSafe(call));
    kill::disarm();
    match end {
        Ok(()) => false,
        Err(payload) if payload.is::<kill::Killed>() => true,
        Err(payload) => resume_unwind(payload),
    }
}

/// Twice: as loom goes by itself, and with those who give way. The variable may ask for more preemptions than a model needs, not for fewer.
fn model(preemptions: usize, run: impl Fn(Making) + Sync + Send + 'static) {
    let run = std::sync::Arc::new(run);
    for gives_way in [false, true] {
        let run = run.clone();
        explore(preemptions, move || run(Making { gives_way }));
    }
}

/// How the pipes of a run are.
#[derive(Clone, Copy)]
struct Making {
    gives_way: bool,
}

impl Making {
    fn pipe(self, room: usize) -> Arc<Pipe> {
        Arc::new(Pipe { gives_way: self.gives_way, ..made(room) })
    }
}

fn explore(preemptions: usize, run: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    let bound = std::env::var("LOOM_MAX_PREEMPTIONS").ok().and_then(|text| text.parse().ok());
    builder.preemption_bound = Some(bound.unwrap_or(preemptions).max(preemptions));
    builder.max_branches = 20_000;
    builder.check(run);
}

// A message wakes the receiver, and its room the sender; the end comes after the last.
#[test]
fn each_wakes_the_other() {
    model(2, |making| {
        let pipe = making.pipe(1);
        let theirs = pipe.clone();
        let sender = thread::spawn(move || {
            assert_eq!((theirs.send_asleep(0, 10), theirs.send_asleep(0, 11)), (Sent::Done, Sent::Done));
            theirs.close(0);
        });
        assert_eq!(pipe.receive_all(1), [10, 11]);
        sender.join().unwrap();
        assert_eq!(pipe.send(1, 1), Sent::Closed);
    });
}

// Both directions at once.
#[test]
fn the_directions_do_not_disturb_each_other() {
    model(2, |making| {
        let pipe = making.pipe(1);
        let theirs = pipe.clone();
        let other = thread::spawn(move || {
            assert_eq!(theirs.send_asleep(1, 20), Sent::Done);
            assert_eq!(theirs.receive_asleep(1), Brought::One(10));
        });
        assert_eq!(pipe.send_asleep(0, 10), Sent::Done);
        assert_eq!(pipe.receive_asleep(0), Brought::One(20));
        other.join().unwrap();
    });
}

// What was sent before a close is received before the end.
#[test]
fn the_end_comes_after_the_last_message() {
    model(3, |making| {
        let pipe = making.pipe(2);
        let theirs = pipe.clone();
        let sender = thread::spawn(move || {
            assert_eq!(theirs.send(0, 10), Sent::Done);
            theirs.close(0);
        });
        assert_eq!(pipe.receive_asleep(1), Brought::One(10));
        assert_eq!(pipe.receive_asleep(1), Brought::Closed);
        sender.join().unwrap();
    });
}

// Who sleeps for a message, or for room, is told that the other end was closed; so is who sleeps at this end.
#[test]
fn a_close_wakes_who_sleeps() {
    for closes in [0u8, 1] {
        model(2, move |making| {
            let pipe = making.pipe(0);
            let (receives, sends) = (pipe.clone(), pipe.clone());
            let receiver = thread::spawn(move || assert_eq!(receives.receive_asleep(1), Brought::Closed));
            let sender = thread::spawn(move || assert_eq!(sends.send_asleep(1, 1), Sent::Closed));
            pipe.close(closes);
            receiver.join().unwrap();
            sender.join().unwrap();
        });
    }
}

// Killed anywhere in a send: the message is there or not, the receiver is told of it, and of the death after it.
#[test]
fn killed_in_a_send() {
    for k in 0..POINTS {
        model(2, move |making| {
            let pipe = making.pipe(1);
            let theirs = pipe.clone();
            let sender = thread::spawn(move || {
                theirs.until(0, k, || {
                    theirs.send_asleep(0, 10);
                    theirs.send_asleep(0, 11);
                });
            });
            let all = pipe.receive_all(1);
            assert!([10, 11].starts_with(&all), "{all:?}");
            sender.join().unwrap();
        });
    }
}

// Killed anywhere in a receive: the sender is told of the room, or of the death, and goes on until it knows.
#[test]
fn killed_in_a_receive() {
    for k in 0..POINTS {
        model(2, move |making| {
            let pipe = making.pipe(1);
            let theirs = pipe.clone();
            let receiver = thread::spawn(move || {
                theirs.until(1, k, || {
                    theirs.receive_asleep(1);
                });
            });
            let mut sent = 0;
            while pipe.send_asleep(0, sent) == Sent::Done {
                sent += 1;
            }
            assert!(sent <= 2, "{sent}");
            receiver.join().unwrap();
        });
    }
}

// Killed anywhere in a close, and then the reaper anywhere: who sleeps is told, and what was sent is there.
#[test]
fn killed_in_a_close_and_in_the_repair() {
    for k in 0..POINTS {
        for j in 0..POINTS {
            model(1, move |making| {
                let pipe = making.pipe(1);
                let theirs = pipe.clone();
                let closer = thread::spawn(move || {
                    theirs.until_twice(0, k, j, || {
                        theirs.send(0, 10);
                        theirs.close(0);
                    });
                });
                let all = pipe.receive_all(1);
                assert!([10].starts_with(&all), "{all:?}");
                while pipe.send_asleep(1, 1) != Sent::Closed {}
                closer.join().unwrap();
            });
        }
    }
}

// The same with a sender that sleeps.
#[test]
fn killed_in_a_close_while_a_sender_sleeps() {
    for k in 0..POINTS {
        for j in 0..POINTS {
            model(1, move |making| {
                let pipe = making.pipe(0);
                let theirs = pipe.clone();
                let closer = thread::spawn(move || theirs.until_twice(0, k, j, || theirs.close(0)));
                assert_eq!(pipe.send_asleep(1, 1), Sent::Closed);
                closer.join().unwrap();
            });
        }
    }
}

// A helper that judged the dead, and was stopped, may not take the end from the next one with the same number.
#[test]
fn a_late_helper_takes_nothing_from_the_next_owner() {
    model(2, |making| {
        let pipe = making.pipe(1);
        // The number 2 is dead; it was given to another process, to which the end travels.
        let theirs = pipe.clone();
        let helper = thread::spawn(move || Wire::repair(&theirs.body, 2, &|| false));
        pipe.send(1, 20);
        helper.join().unwrap();
        assert!(!pipe.wire(0).is_over());
        assert_eq!(pipe.receive(0), Brought::One(20));
    });
}
