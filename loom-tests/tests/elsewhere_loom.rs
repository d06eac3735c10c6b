//! A ring whose messages travel elsewhere, under loom: the ring's own source, and a stand-in for the kernel whose calls are whole, as the
//! kernel's are.
#![cfg(loom)]

use std::collections::VecDeque;
use std::convert::Infallible;

use loom::sync::{Arc, Mutex};
use loom::thread;
use processing::WaitStrategy;
use processing::layout::ring::{Control, Geometry, Hint};
use processing::prim::limits::Limits;
use processing::prim::spin::Spinner;
use processing::ring::{Brought, ClientCursor, Ring, RingMemory, Sent};
use processing::sync::atomic::{AtomicU64, Ordering::*};

#[derive(Default)]
struct Memory {
    control: Control,
    head: Hint,
    tail: Hint,
    words: Vec<AtomicU64>,
}

// SAFETY: no slot has a payload, and there are no cells.
unsafe impl RingMemory for Memory {
    fn control(&self) -> &Control {
        &self.control
    }
    fn head(&self) -> &Hint {
        &self.head
    }
    fn tail(&self) -> &Hint {
        &self.tail
    }
    fn word(&self, index: u32) -> &AtomicU64 {
        &self.words[index as usize]
    }
    fn length(&self, index: u32) -> &AtomicU64 {
        &self.words[index as usize]
    }
    fn payload(&self, _: u32) -> *mut u8 {
        std::ptr::null_mut()
    }
    fn cell_word(&self, cell: u32) -> &AtomicU64 {
        &self.words[cell as usize]
    }
    fn cell_ticket(&self, cell: u32) -> &AtomicU64 {
        &self.words[cell as usize]
    }
    fn cell_length(&self, cell: u32) -> &AtomicU64 {
        &self.words[cell as usize]
    }
    fn cell_payload(&self, _: u32) -> *mut u8 {
        std::ptr::null_mut()
    }
    unsafe fn copy_to_cell(&self, _: u32, _: u32, _: usize) {}
}

/// A queue whose messages the kernel has.
struct Queue {
    ring: Ring<Memory>,
    kernel: Mutex<VecDeque<u64>>,
    room: usize,
}

fn queue(claims: u32, room: usize) -> Arc<Queue> {
    let words = (0..claims).map(|_| AtomicU64::new(0)).collect();
    let memory = Memory { words, ..Memory::default() };
    let ring = Ring::with_hint_period(memory, &Geometry::fixed(claims, 0, 0), 1 << 40);
    Arc::new(Queue { ring, kernel: Mutex::new(VecDeque::new()), room })
}

struct Client {
    id: u16,
    cursor: ClientCursor,
}

fn client(id: u16) -> Client {
    Client { id, cursor: ClientCursor::default() }
}

impl Queue {
    fn put(&self, client: &Client, value: u64) -> Sent {
        let send = || {
            let mut kernel = self.kernel.lock().unwrap();
            let fits = kernel.len() < self.room;
            if fits {
                kernel.push_back(value);
            }
            Ok::<_, Infallible>(fits)
        };
        self.ring.put_elsewhere(&client.cursor, client.id, false, send).unwrap()
    }

    fn get(&self, client: &Client) -> Brought<u64> {
        let receive = || Ok::<_, Infallible>(self.kernel.lock().unwrap().pop_front());
        self.ring.get_elsewhere(&client.cursor, client.id, receive).unwrap()
    }

    fn get_asleep(&self, client: &Client) -> Brought<u64> {
        let mut last = self.get(client);
        while last == Brought::Nothing {
            let spinner = Spinner::new(WaitStrategy::Block);
            let still_empty = || {
                last = self.get(client);
                last == Brought::Nothing
            };
            self.ring.wait_not_empty(&Limits::NONE, &spinner, still_empty, || ());
        }
        last
    }

    fn put_asleep(&self, client: &Client, value: u64) -> Sent {
        let mut last = self.put(client, value);
        while last == Sent::Full {
            let spinner = Spinner::new(WaitStrategy::Block);
            let still_full = || {
                last = self.put(client, value);
                last == Sent::Full
            };
            self.ring.wait_not_full(&Limits::NONE, &spinner, still_full, || ());
        }
        last
    }
}

/// The variable may ask for more preemptions than a model needs, not for fewer.
fn model(preemptions: usize, run: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    let bound = std::env::var("LOOM_MAX_PREEMPTIONS").ok().and_then(|text| text.parse().ok());
    builder.preemption_bound = Some(bound.unwrap_or(preemptions).max(preemptions));
    builder.max_branches = 20_000;
    builder.check(run);
}

// Who is told "closed" has seen, or another has, every message whose put was told "done".
#[test]
fn closed_is_the_end() {
    model(3, || {
        let q = queue(2, 2);
        let theirs = q.clone();
        let putter = thread::spawn(move || theirs.put(&client(1), 10));
        let theirs = q.clone();
        let closer = thread::spawn(move || theirs.ring.memory().control.closed.store(1, Release));
        let me = client(3);
        let mut taken = 0;
        let mut closed = false;
        for _ in 0..2 {
            match q.get(&me) {
                Brought::One(_) => taken += 1,
                Brought::Closed => closed = true,
                Brought::Nothing => {}
            }
            if closed {
                break;
            }
        }
        let accepted = putter.join().unwrap() == Sent::Done;
        closer.join().unwrap();
        assert!(!closed || taken == usize::from(accepted), "closed too early");
        // And then it is the answer to everybody.
        while let Brought::One(_) = q.get(&me) {
            taken += 1;
        }
        assert_eq!(q.get(&me), Brought::Closed);
        assert_eq!(taken, usize::from(accepted));
        assert_eq!(q.put(&me, 1), Sent::Closed);
    });
}

// A put that found no room holds up nobody's end: the last claim that goes tells those who sleep.
#[test]
fn the_last_claim_tells_of_the_end() {
    model(2, || {
        let q = queue(1, 0);
        let theirs = q.clone();
        let putter = thread::spawn(move || theirs.put(&client(1), 10));
        let theirs = q.clone();
        let closer = thread::spawn(move || theirs.ring.close());
        assert_eq!(q.get_asleep(&client(2)), Brought::Closed);
        assert!(matches!(putter.join().unwrap(), Sent::Full | Sent::Closed));
        closer.join().unwrap();
    });
}

// A message wakes a consumer, and its room a producer.
#[test]
fn each_wakes_the_other() {
    model(2, || {
        let q = queue(2, 1);
        let theirs = q.clone();
        let putter = thread::spawn(move || {
            let me = client(1);
            (theirs.put_asleep(&me, 10), theirs.put_asleep(&me, 11))
        });
        let me = client(2);
        assert_eq!((q.get_asleep(&me), q.get_asleep(&me)), (Brought::One(10), Brought::One(11)));
        assert_eq!(putter.join().unwrap(), (Sent::Done, Sent::Done));
    });
}

// Killed under its claim, before the message was sent or after: repaired, nobody waits for it, and what was sent is there.
#[test]
fn the_claim_of_the_dead_goes() {
    for sent in [false, true] {
        model(2, move || {
            let q = queue(2, 2);
            std::mem::forget(q.ring.claim_put(&ClientCursor::default(), 1).ok());
            if sent {
                q.kernel.lock().unwrap().push_back(10);
            }
            let theirs = q.clone();
            let sleeper = thread::spawn(move || {
                let me = client(2);
                let first = theirs.get_asleep(&me);
                if sent { (first, theirs.get_asleep(&me)) } else { (Brought::One(10), first) }
            });
            q.ring.close();
            q.ring.repair(1, &|| true);
            assert_eq!(sleeper.join().unwrap(), (Brought::One(10), Brought::Closed));
        });
    }
}
