//! Getting from two rings, one after the other (`ring/series.rs`), under loom: the rings' own source, and the own look at them.
//!
//! That the second ring is linked when the first is sealed, and not before, is the chain's (`chain_states`): here it is there, and a client
//! looks at it once the first one says that it is past.
#![cfg(loom)]

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::AtomicUsize;
use loom::sync::atomic::Ordering::{Acquire, Release};
use loom::thread;
use processing::layout::object::ObjectId;
use processing::layout::ring::{Control, Geometry, Hint};
use processing::ring::series::{Glance, Known, Look, View, glance, look};
use processing::ring::{ClientCursor, PutFail, Ring, RingMemory, Taken};
use processing::sync::atomic::AtomicU64;

/// A slot.
#[derive(Default)]
struct Place {
    word: AtomicU64,
    length: AtomicU64,
    data: UnsafeCell<u64>,
}

#[derive(Default)]
struct Memory {
    control: Control,
    head: Hint,
    tail: Hint,
    slots: Vec<Place>,
}

// SAFETY: loom checks every access to `data`.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

// SAFETY: slots are elements of a vector that never changes; there are no cells, and payload pointers are never dereferenced.
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
        &self.slots[index as usize].word
    }
    fn length(&self, index: u32) -> &AtomicU64 {
        &self.slots[index as usize].length
    }
    fn payload(&self, _: u32) -> *mut u8 {
        std::ptr::null_mut()
    }
    fn cell_word(&self, _: u32) -> &AtomicU64 {
        unreachable!("no cells")
    }
    fn cell_ticket(&self, _: u32) -> &AtomicU64 {
        unreachable!("no cells")
    }
    fn cell_length(&self, _: u32) -> &AtomicU64 {
        unreachable!("no cells")
    }
    fn cell_payload(&self, _: u32) -> *mut u8 {
        std::ptr::null_mut()
    }
    unsafe fn copy_to_cell(&self, _: u32, _: u32, _: usize) {}
}

type Segment = std::sync::Arc<Ring<Memory>>;

fn segment(capacity: u32) -> Segment {
    let slots = (0..capacity).map(|_| Place::default()).collect();
    let memory = Memory { slots, ..Memory::default() };
    std::sync::Arc::new(Ring::with_hint_period(memory, &Geometry::fixed(capacity, 8, 0), 1 << 40))
}

/// Two segments. loom's own count of references would only cost states.
#[derive(Clone)]
struct Two(Arc<[Segment; 2]>);

fn two(first: u32, second: u32) -> Two {
    Two(Arc::new([segment(first), segment(second)]))
}

impl Two {
    fn views(&self) -> Vec<View<Memory>> {
        let view = |number: u32| {
            let id = ObjectId { index: number + 1, generation: 0 };
            View::new(self.0[number as usize].clone(), id, u64::from(number))
        };
        vec![view(0), view(1)]
    }

    /// As a put of the queue does: in the segment that this client knows; if that is full or sealed, it is sealed now, and the put goes
    /// on in the next one.
    fn put(&self, cursors: &[ClientCursor; 2], me: u16, value: u64) {
        for (ring, cursor) in self.0.iter().zip(cursors) {
            match put_in(ring, cursor, me, value) {
                Ok(()) => return,
                Err(PutFail::Full) => ring.seal(),
                Err(PutFail::Closed) => {}
            }
        }
        panic!("two segments are enough");
    }
}

fn put_in(ring: &Ring<Memory>, cursor: &ClientCursor, me: u16, value: u64) -> Result<(), PutFail> {
    let claim = ring.claim_put(cursor, me)?;
    // SAFETY: loom reports an access that is not ordered.
    ring.memory().slots[claim.index() as usize].data.with_mut(|at| unsafe { *at = value });
    claim.store_inline(8);
    Ok(())
}

fn value(ring: &Ring<Memory>, taken: &Taken<'_, Memory>) -> u64 {
    let Taken::Slot(claim) = taken else { unreachable!("no cells") };
    // SAFETY: loom reports an access that is not ordered.
    ring.memory().slots[claim.index() as usize].data.with(|at| unsafe { *at })
}

/// What one look of a client finds that knows the first `known` segments, and knows the next one when that is past.
fn get(views: &[View<Memory>], known: &mut usize, me: u16) -> Option<u64> {
    loop {
        match look(&views[..*known], me) {
            Look::Found(index, taken) => {
                let found = value(&views[index].ring, &taken);
                taken.store_commit();
                return Some(found);
            }
            Look::Past if *known < views.len() => *known += 1,
            Look::Past | Look::Empty => return None,
        }
    }
}

/// Whether a client sees a message, as it goes from segment to segment without taking any.
fn sees(views: &[View<Memory>], known: &mut usize) -> bool {
    loop {
        match glance(&views[..*known]) {
            Glance::Something => return true,
            Glance::Past if *known < views.len() => *known += 1,
            Glance::Past | Glance::Nothing => return false,
        }
    }
}

fn check(preemptions: usize, f: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(f);
}

#[test]
fn one_producers_messages_keep_their_order_across_a_seal() {
    check(3, || {
        let queue = two(2, 2);
        let producer = queue.clone();
        let producer = thread::spawn(move || {
            let cursors = Default::default();
            producer.put(&cursors, 1, 1);
            producer.put(&cursors, 1, 2);
        });
        let sealer = queue.clone();
        // Another producer, for whom it was full, for example for a claim of one that is stopped.
        let sealer = thread::spawn(move || sealer.0[0].seal());
        let (views, mut known) = (queue.views(), 1);
        let mut got: Vec<u64> = (0..2).filter_map(|_| get(&views, &mut known, 3)).collect();
        producer.join().unwrap();
        sealer.join().unwrap();
        while let Some(one) = get(&views, &mut known, 3) {
            got.push(one);
        }
        assert_eq!(got, [1, 2]);
    });
}

#[test]
fn two_getters_take_each_message_once_and_in_order() {
    check(2, || {
        let queue = two(1, 2);
        let producer = queue.clone();
        let producer = thread::spawn(move || {
            let cursors = Default::default();
            producer.put(&cursors, 1, 1);
            producer.put(&cursors, 1, 2);
        });
        let other = queue.clone();
        let other = thread::spawn(move || {
            let (views, mut known) = (other.views(), 1);
            (0..2).filter_map(|_| get(&views, &mut known, 4)).collect::<Vec<_>>()
        });
        let (views, mut known) = (queue.views(), 1);
        let mut got: Vec<u64> = (0..2).filter_map(|_| get(&views, &mut known, 3)).collect();
        producer.join().unwrap();
        let others = other.join().unwrap();
        while let Some(one) = get(&views, &mut known, 3) {
            got.push(one);
        }
        assert!(got.is_sorted() && others.is_sorted(), "{got:?} {others:?}");
        got.extend(others);
        got.sort_unstable();
        assert_eq!(got, [1, 2]);
    });
}

#[test]
fn a_segment_that_was_seen_drained_stays_so() {
    check(3, || {
        let queue = two(1, 1);
        let producer = queue.clone();
        let producer = thread::spawn(move || put_in(&producer.0[0], &ClientCursor::default(), 1, 1));
        queue.0[0].seal();
        let views = queue.views();
        let known = views[0].learn();
        let put = producer.join().unwrap();
        if known == Known::Drained {
            assert_eq!(put, Err(PutFail::Closed), "a message that nobody will look for");
        }
    });
}

#[test]
fn what_is_given_back_to_a_segment_that_was_passed_is_found() {
    check(3, || {
        let queue = two(1, 1);
        let cursors = Default::default();
        queue.put(&cursors, 1, 1);
        queue.put(&cursors, 1, 2);
        let holder = queue.clone();
        let holder = thread::spawn(move || {
            let views = holder.views();
            match look(&views[..1], 2) {
                Look::Found(_, taken) => taken.put_back(),
                Look::Empty | Look::Past => {}
            };
        });
        let (views, mut known) = (queue.views(), 1);
        let mut got: Vec<u64> = (0..2).filter_map(|_| get(&views, &mut known, 3)).collect();
        holder.join().unwrap();
        while let Some(one) = get(&views, &mut known, 3) {
            got.push(one);
        }
        got.sort_unstable();
        assert_eq!(got, [1, 2]);
    });
}

/// Who sleeps elsewhere looks so, after it has announced itself: what was put before must be seen, in whatever segment.
#[test]
fn a_look_that_takes_nothing_sees_what_was_put_before_it() {
    check(3, || {
        let queue = two(2, 2);
        let put = Arc::new(AtomicUsize::new(0));
        let (producer, told) = (queue.clone(), put.clone());
        let producer = thread::spawn(move || {
            producer.put(&Default::default(), 1, 1);
            told.store(1, Release);
        });
        let sealer = queue.clone();
        let sealer = thread::spawn(move || sealer.0[0].seal());
        let (views, mut known) = (queue.views(), 1);
        for _ in 0..2 {
            let there = put.load(Acquire) == 1;
            assert!(sees(&views, &mut known) || !there, "a message that was put is not seen");
        }
        producer.join().unwrap();
        sealer.join().unwrap();
        assert!(sees(&views, &mut known), "nobody took it");
        assert_eq!(get(&views, &mut known, 3), Some(1));
        assert!(!sees(&views, &mut known), "it was the only one");
    });
}
