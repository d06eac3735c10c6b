//! The ring over a heap buffer, with threads as participants.
//!
//! # Safety
//!
//! The buffer is allocated for the length and alignment that it claims, and freed with its owner.
#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, dealloc};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::*;
use crate::layout::ring::Geometry;
use crate::prim::event_count::WaitEnd;
use crate::prim::limits::Limits;
use crate::prim::spin::{Spinner, WaitStrategy};

/// Memory full of rubbish.
#[derive(Debug)]
struct Heap(*mut u8, Layout);

// SAFETY: plain memory.
unsafe impl Send for Heap {}
// SAFETY: plain memory, used as a ring.
unsafe impl Sync for Heap {}

// SAFETY: allocated with this length and alignment; the address never changes.
unsafe impl Body for Heap {
    fn ptr(&self) -> *mut u8 {
        self.0
    }
    fn len(&self) -> u64 {
        self.1.size() as u64
    }
}

impl Heap {
    fn new(len: u64) -> Self {
        let layout = Layout::from_size_align(len as usize, 64).unwrap();
        // SAFETY: not of size zero.
        let ptr = unsafe { alloc(layout) };
        // SAFETY: just allocated.
        unsafe { ptr.write_bytes(0xa5, layout.size()) };
        Self(ptr, layout)
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout.
        unsafe { dealloc(self.0, self.1) };
    }
}

/// The same memory once more.
#[derive(Debug)]
struct Again(Arc<Heap>);

// SAFETY: as for the heap that it keeps.
unsafe impl Body for Again {
    fn ptr(&self) -> *mut u8 {
        self.0.ptr()
    }
    fn len(&self) -> u64 {
        self.0.len()
    }
}

type TestRing = Ring<Mapped<Heap>>;

fn ring(geometry: Geometry) -> TestRing {
    Ring::init(Heap::new(geometry.body_len()), &geometry, false).unwrap()
}

fn put(ring: &TestRing, cursor: &ClientCursor, bytes: &[u8]) -> Result<u64, PutFail> {
    let mut claim = ring.claim_put(cursor, 1)?;
    claim.bytes_mut()[..bytes.len()].copy_from_slice(bytes);
    let ticket = claim.ticket();
    claim.publish_inline(bytes.len());
    Ok(ticket)
}

fn get(ring: &TestRing, cursor: &ClientCursor) -> Result<Vec<u8>, GetFail> {
    let taken = ring.claim_get(cursor, 2)?;
    let bytes = taken.bytes().unwrap().to_vec();
    taken.commit();
    Ok(bytes)
}

#[test]
fn messages_of_any_length_in_any_capacity() {
    for capacity in [1, 2, 3, 5, 8, 100] {
        let ring = ring(Geometry::any(capacity, 40, 2));
        let cursor = ClientCursor::default();
        for round in 0..4u8 {
            for i in 0..capacity {
                put(&ring, &cursor, &vec![round; (i % 41) as usize]).unwrap();
            }
            assert_eq!(put(&ring, &cursor, &[]), Err(PutFail::Full));
            assert_eq!(ring.len(), u64::from(capacity));
            for i in 0..capacity {
                assert_eq!(get(&ring, &cursor).unwrap(), vec![round; (i % 41) as usize]);
            }
            assert_eq!(get(&ring, &cursor), Err(GetFail::Empty));
            assert!(ring.is_empty());
        }
    }
}

#[test]
fn a_new_client_finds_its_place_after_many_laps() {
    let ring = ring(Geometry::fixed(3, 8, 0));
    let cursor = ClientCursor::default();
    for i in 0..1000u64 {
        put(&ring, &cursor, &i.to_ne_bytes()).unwrap();
        put(&ring, &ClientCursor::default(), &i.to_ne_bytes()).unwrap();
        assert_eq!(ring.len(), 2);
        assert_eq!(get(&ring, &ClientCursor::default()).unwrap(), i.to_ne_bytes());
        assert_eq!(get(&ring, &cursor).unwrap(), i.to_ne_bytes());
        assert_eq!(get(&ring, &ClientCursor::default()), Err(GetFail::Empty));
        assert_eq!(ring.len(), 0);
    }
}

#[test]
fn blocks_travel_by_reference_and_are_drained() {
    let ring = ring(Geometry::any(4, 16, 1));
    let cursor = ClientCursor::default();
    for reference in [77, 78, 79] {
        ring.claim_put(&cursor, 1).unwrap().publish_block(reference, 1 << 40);
    }
    put(&ring, &cursor, b"inline").unwrap();
    let taken = ring.claim_get(&cursor, 2).unwrap();
    assert!(matches!(taken.message(), Message::Block { reference: 77, len } if len == 1 << 40));
    let taken = taken.detach();
    assert!(!taken.is_pinned() && taken.bytes().is_none());
    assert!(matches!(taken.message(), Message::Block { reference: 77, len } if len == 1 << 40));
    taken.put_back();
    let mut seen = vec![];
    ring.for_each_block(|ticket, reference| seen.push((ticket, reference)));
    assert_eq!(seen, [(1, 78), (2, 79), (0, 77)]);
    let mut drained = vec![];
    ring.drain_blocks(|ticket, reference| drained.push((ticket, reference)));
    assert_eq!(drained, seen);
    assert_eq!(get(&ring, &cursor).unwrap(), b"inline");
    assert_eq!(get(&ring, &cursor), Err(GetFail::Empty));
}

#[test]
fn a_panic_with_a_claim_gives_it_back() {
    let ring = ring(Geometry::fixed(2, 8, 1));
    let cursor = ClientCursor::default();
    catch_unwind(AssertUnwindSafe(|| {
        let _claim = ring.claim_put(&cursor, 1);
        panic!("while filling");
    }))
    .unwrap_err();
    assert_eq!(get(&ring, &cursor), Err(GetFail::Empty));
    put(&ring, &cursor, &[1; 8]).unwrap();
    for detach in [false, true] {
        catch_unwind(AssertUnwindSafe(|| {
            let taken = ring.claim_get(&cursor, 2).unwrap();
            let _taken = if detach { taken.detach() } else { taken };
            panic!("while reading");
        }))
        .unwrap_err();
        assert_eq!(ring.len(), 1);
    }
    let taken = ring.claim_get(&cursor, 2).unwrap();
    assert_eq!((taken.redeliveries(), taken.redelivered()), (2, true));
    assert_eq!(taken.bytes().unwrap(), [1; 8]);
    taken.commit();
    put(&ring, &cursor, &[2; 8]).unwrap();
    put(&ring, &cursor, &[3; 8]).unwrap();
    assert_eq!(put(&ring, &cursor, &[4; 8]), Err(PutFail::Full));
}

#[test]
fn leases_do_not_pin_slots_while_cells_last() {
    let ring = ring(Geometry::fixed(2, 8, 2));
    let cursor = ClientCursor::default();
    let mut leases = vec![];
    for i in 0..4u8 {
        put(&ring, &cursor, &[i; 8]).unwrap();
        leases.push(ring.claim_get(&cursor, 2).unwrap().detach());
    }
    assert_eq!(leases.iter().map(Taken::is_pinned).collect::<Vec<_>>(), [false, false, true, true]);
    assert_eq!(put(&ring, &cursor, &[9; 8]), Err(PutFail::Full));
    assert_eq!(ring.put_blocker(&cursor), Some(2));
    for (i, lease) in leases.into_iter().enumerate() {
        assert_eq!(lease.bytes().unwrap(), [i as u8; 8]);
        lease.commit();
    }
    put(&ring, &cursor, &[9; 8]).unwrap();
    assert_eq!(get(&ring, &cursor).unwrap(), [9; 8]);
}

#[test]
fn a_closed_ring_ends_after_the_last_message() {
    let ring = ring(Geometry::fixed(4, 8, 1));
    let cursor = ClientCursor::default();
    put(&ring, &cursor, &[1; 8]).unwrap();
    put(&ring, &cursor, &[2; 8]).unwrap();
    ring.close();
    assert_eq!(put(&ring, &cursor, &[3; 8]), Err(PutFail::Closed));
    let pinned = ring.claim_get(&cursor, 2).unwrap();
    let lease = ring.claim_get(&cursor, 2).unwrap().detach();
    assert_eq!(get(&ring, &cursor), Err(GetFail::Empty));
    pinned.commit();
    assert_eq!(get(&ring, &cursor), Err(GetFail::Empty));
    lease.put_back();
    assert_eq!(get(&ring, &cursor).unwrap(), [2; 8]);
    assert_eq!(get(&ring, &cursor), Err(GetFail::Closed));
    assert!(ring.is_closed());
}

#[test]
fn the_dead_are_undone() {
    let ring = ring(Geometry::fixed(8, 8, 4));
    let (ours, theirs) = (ClientCursor::default(), ClientCursor::default());
    for i in 0..4u8 {
        put(&ring, &ours, &[i; 8]).unwrap();
    }
    std::mem::forget(ring.claim_get(&theirs, 7).unwrap());
    std::mem::forget(ring.claim_get(&theirs, 7).unwrap().detach());
    std::mem::forget(ring.claim_put(&theirs, 7).unwrap());
    let ours_held = ring.claim_get(&ours, 2).unwrap();
    assert_eq!(ours_held.bytes().unwrap(), [2; 8]);
    assert_eq!(ring.slot_state(4), Some((SlotState::Writing, 7)));
    assert!(ring.is_writing(4, 7) && !ring.is_writing(4, 2));
    assert!(!ring.repair(7, &|| false), "not dead on the second look");
    assert_eq!(ring.slot_state(4), Some((SlotState::Writing, 7)));
    assert!(ring.repair(7, &|| true));
    assert!(ring.repair(7, &|| true));
    assert_eq!(ring.slot_state(4), None);
    let mut back = vec![];
    for _ in 0..2 {
        let taken = ring.claim_get(&ours, 2).unwrap();
        assert!(taken.redelivered());
        back.push(taken.bytes().unwrap()[0]);
        taken.commit();
    }
    back.sort_unstable();
    assert_eq!(back, [0, 1]);
    ours_held.commit();
    assert_eq!(get(&ring, &ours).unwrap(), [3; 8]);
    assert_eq!(get(&ring, &ours), Err(GetFail::Empty));
    for i in 0..8u8 {
        put(&ring, &ours, &[i; 8]).unwrap();
    }
    assert_eq!(put(&ring, &ours, &[8; 8]), Err(PutFail::Full));
}

#[test]
fn unlink_frees_what_its_owner_committed() {
    let ring = ring(Geometry::any(2, 8, 1));
    let cursor = ClientCursor::default();
    ring.claim_put(&cursor, 1).unwrap().publish_block(5, 100);
    ring.claim_put(&cursor, 1).unwrap().publish_block(6, 100);
    std::mem::forget(ring.claim_get(&cursor, 7).unwrap());
    std::mem::forget(ring.claim_get(&cursor, 7).unwrap().detach());
    assert!(!ring.unlink(0, 3, &|| true) && !ring.unlink(0, 7, &|| false));
    assert!(ring.unlink(0, 7, &|| true) && ring.unlink(1, 7, &|| true));
    assert!(!ring.unlink(0, 7, &|| true) && !ring.unlink(1, 7, &|| true));
    assert!(ring.repair(7, &|| true));
    assert_eq!(get(&ring, &cursor), Err(GetFail::Empty));
    ring.close();
    assert_eq!(get(&ring, &cursor), Err(GetFail::Closed));
}

#[test]
fn many_publications_with_one_notification() {
    let ring = ring(Geometry::fixed(4, 8, 0));
    let cursor = ClientCursor::default();
    let mut last = 0;
    for i in 0..3u8 {
        let mut claim = ring.claim_put(&cursor, 1).unwrap();
        claim.bytes_mut().fill(i);
        last = claim.ticket();
        claim.store_inline(8);
    }
    ring.notify_published(3, last);
    for i in 0..3u8 {
        assert_eq!(get(&ring, &cursor).unwrap(), [i; 8]);
    }
}

#[test]
fn attach_checks_what_it_finds() {
    let geometry = Geometry::any(5, 24, 3).aligned_to_16();
    let heap = Arc::new(Heap::new(geometry.body_len()));
    assert!(Ring::attach(Again(heap.clone())).is_err());
    let made = Ring::init(Again(heap.clone()), &geometry, false).unwrap();
    let seen = Ring::attach(Again(heap)).unwrap();
    assert_eq!((seen.capacity(), seen.room()), (5, 24));
    let mut claim = made.claim_put(&ClientCursor::default(), 1).unwrap();
    assert!(claim.payload().addr().is_multiple_of(16));
    claim.bytes_mut()[..5].copy_from_slice(b"hello");
    claim.publish_inline(5);
    let taken = seen.claim_get(&ClientCursor::default(), 2).unwrap();
    assert_eq!(taken.bytes().unwrap(), b"hello");
    taken.commit();
    assert!(Ring::init(Heap::new(256), &geometry, false).is_err());
}

/// Waits as a channel does.
fn get_waiting(ring: &TestRing, cursor: &ClientCursor, spinner: &Spinner) -> Result<u64, GetFail> {
    let mut last = Err(GetFail::Empty);
    let mut asks = 0;
    let end = ring.wait_not_empty(
        &Limits::NONE,
        spinner,
        || {
            last = get(ring, cursor).map(|bytes| u64::from_ne_bytes(bytes.try_into().unwrap()));
            last == Err(GetFail::Empty)
        },
        || {
            asks += 1;
            assert!(asks < 20, "asleep for ever: {ring:?}");
        },
    );
    assert_eq!(end, WaitEnd::Ready);
    last
}

fn put_waiting(ring: &TestRing, cursor: &ClientCursor, spinner: &Spinner, value: u64) {
    let end = ring.wait_not_full(
        &Limits::NONE,
        spinner,
        || put(ring, cursor, &value.to_ne_bytes()) == Err(PutFail::Full),
        || (),
    );
    assert_eq!(end, WaitEnd::Ready);
}

#[test]
fn threads_lose_and_double_nothing() {
    for (strategy, capacity) in [
        (WaitStrategy::Block, 1),
        (WaitStrategy::Block, 4),
        (WaitStrategy::Adaptive, 7),
        (WaitStrategy::Adaptive, 64),
    ] {
        const EACH: u64 = 2000;
        let ring = ring(Geometry::fixed(capacity, 8, 2));
        let all = std::thread::scope(|scope| {
            let producers: Vec<_> = (0..3)
                .map(|who| {
                    let ring = &ring;
                    scope.spawn(move || {
                        let (cursor, spinner) = (ClientCursor::default(), Spinner::new(strategy));
                        (0..EACH).for_each(|i| put_waiting(ring, &cursor, &spinner, who * EACH + i));
                    })
                })
                .collect();
            let consumers: Vec<_> = (0..2)
                .map(|_| {
                    scope.spawn(|| {
                        let (cursor, spinner) = (ClientCursor::default(), Spinner::new(strategy));
                        let mut seen = vec![];
                        while let Ok(value) = get_waiting(&ring, &cursor, &spinner) {
                            seen.push(value);
                        }
                        for who in 0..3 {
                            let own: Vec<_> = seen.iter().filter(|&value| value / EACH == who).collect();
                            assert!(own.is_sorted(), "out of order");
                        }
                        seen
                    })
                })
                .collect();
            producers.into_iter().for_each(|producer| producer.join().unwrap());
            ring.close();
            let mut all: Vec<_> =
                consumers.into_iter().flat_map(|consumer| consumer.join().unwrap()).collect();
            all.sort_unstable();
            all
        });
        assert_eq!(all, (0..3 * EACH).collect::<Vec<_>>());
    }
}
