//! Blocks that are content of an object: who finds them, who frees them, and what `fsck` says of one that nobody names.

use std::sync::Arc;

use processing::arena::{Arena, NoRings, ObjectView, Rings};
use processing::layout::ParticipantId;
use processing::layout::block::{CLASSES, OwnState};
use processing::layout::object::ObjectId;
use processing::region::Region;
use processing::sync::atomic::AtomicU64;
use processing::sync::atomic::Ordering::{Acquire, Release};

const CHAIN: u32 = 9;

/// Objects whose body names a block, which names the next one.
struct Chains;

impl Rings for Chains {
    fn slot_is_writing(&self, _: &Arena, _: &ObjectView, _: u64, _: ParticipantId) -> bool {
        false
    }
    fn unlink(&self, _: &Arena, _: &ObjectView, _: u64, _: ParticipantId, _: u64, _: &dyn Fn() -> bool) {}
    fn repair(&self, _: &Arena, _: &ObjectView, _: ParticipantId, _: &dyn Fn() -> bool) {}
    fn messages(&self, arena: &Arena, object: &ObjectView, each: &mut dyn FnMut(u64)) {
        if object.kind() != CHAIN {
            return;
        }
        let mut found = Vec::new();
        let mut next = arena.region().at::<AtomicU64>(object.body_offset()).load(Acquire);
        while let Some(view) = arena.value(next, object.id()) {
            found.push(next);
            next = view.link();
        }
        found.into_iter().rev().for_each(each);
    }
}

fn arena(rings: &'static dyn Rings) -> Arc<Arena> {
    Arena::new(Region::create(16 << 20).unwrap(), rings).unwrap()
}

/// An object with a chain of blocks of these sizes.
fn chain(arena: &Arc<Arena>, sizes: &[u64]) -> processing::arena::ObjectRef {
    let object = arena.create_object(CHAIN, 0, "chain", 8, |_zeros| {}).unwrap();
    let head: &AtomicU64 = arena.region().at(object.view().body_offset());
    for size in sizes {
        let block = arena.alloc(*size, 0).unwrap();
        block.view().set_link(head.load(Acquire));
        head.store(block.reference(), Release);
        let reference = block.reference();
        assert!(arena.value(reference, object.id()).is_none(), "PRIVATE");
        assert_eq!(block.make_value(object.id()), reference);
        assert_eq!(arena.value(reference, object.id()).unwrap().own().state, OwnState::Value);
    }
    object
}

#[test]
fn they_go_with_their_object() {
    let arena = arena(&Chains);
    let idle = arena.fsck();
    let object = chain(&arena, &[10, 100, 3000, 200_000, 64]);
    let report = arena.fsck();
    assert!(report.is_clean(), "{report}");
    assert_eq!((report.value, report.leaked), (5, 0));
    drop(object);
    let report = arena.fsck();
    assert!(report.is_clean(), "{report}");
    assert_eq!((report.value, report.objects), (0, idle.objects));
}

#[test]
fn what_nobody_names_is_a_leak() {
    let arena = arena(&Chains);
    let object = chain(&arena, &[10]);
    let lost = arena.alloc(10, 0).unwrap().make_value(object.id());
    let report = arena.fsck();
    assert_eq!(report.leaked, 1, "{report}");
    assert!(report.problems[0].contains("no object names it"), "{report}");
    // The object's holder can still free it; nobody else can.
    assert!(!arena.free_value(lost, ObjectId { index: object.id().index + 1, generation: 0 }));
    assert!(arena.free_value(lost, object.id()));
    assert!(!arena.free_value(lost, object.id()), "it is free");
    assert!(arena.fsck().is_clean());
}

#[test]
fn a_block_of_another_object_is_not_ours() {
    let arena = arena(&Chains);
    let [ours, theirs] = [chain(&arena, &[10]), chain(&arena, &[10])];
    let head = |object: &processing::arena::ObjectRef| {
        arena.region().at::<AtomicU64>(object.view().body_offset()).load(Acquire)
    };
    assert!(arena.value(head(&theirs), ours.id()).is_none());
    // A stale word of ours that names a block which became theirs: their teardown frees it, ours does not.
    arena.region().at::<AtomicU64>(ours.view().body_offset()).store(head(&theirs), Release);
    drop(ours);
    assert!(arena.value(head(&theirs), theirs.id()).is_some());
    drop(theirs);
}

#[test]
fn a_block_is_found_by_its_payload() {
    let arena = arena(&NoRings);
    let sizes = CLASSES.iter().map(|class| u64::from(*class)).chain([40_000, 300_000]);
    for size in sizes {
        let blocks: Vec<_> = (0..3).map(|_| arena.alloc(size, 0).unwrap()).collect();
        for block in &blocks {
            let offset = block.view().offset();
            let found = arena.view_at(offset).unwrap();
            assert_eq!(found.reference(), block.reference(), "{size}");
            for not in [offset + 64, offset + 1, offset - 64] {
                let other = arena.view_at(not).map(|view| view.offset());
                assert!(other.is_none_or(|other| other == not), "{size}: {offset} is not {not}");
            }
        }
    }
    let geometry = *arena.region().geometry();
    for nowhere in [0, 1, geometry.chunks - 64, geometry.total, u64::MAX] {
        assert!(arena.view_at(nowhere).is_none());
    }
}

#[test]
fn words_are_checked() {
    let region = Region::create(1 << 20).unwrap();
    let geometry = *region.geometry();
    assert_eq!(region.words(geometry.chunks, 4).unwrap().len(), 4);
    assert!(region.words(geometry.total - 8, 1).is_some());
    for (offset, count) in [
        (geometry.total - 8, 2),
        (geometry.chunks + 4, 1),
        (geometry.chunks - 8, 1),
        (0, 1),
        (u64::MAX - 7, 1),
        (geometry.chunks, u64::MAX),
        (geometry.chunks, u64::MAX / 8 + 1),
    ] {
        assert!(region.words(offset, count).is_none(), "{offset} {count}");
    }
}
