//! What `fsck` says of content that was freed while its object leads there.

use super::{LocalManager, Namespace, SharedArray, SharedDict, SharedList};
use crate::arena::{ObjectRef, Rings};
use crate::channel::domain::Arena;
use crate::channel::kind;
use crate::channel::repair::Rooms;
use crate::error::Result;
use crate::layout::object::ObjectId;

/// Makes it anew for each of its blocks, which is then freed behind its back. Answers how many there are.
fn each_block_is_missed<T>(make: impl Fn(&Arena) -> Result<T>) -> usize {
    for which in 0.. {
        let arena = Arena::builder().limit(64 << 20).build().expect("arena");
        let data = make(&arena).expect("the data");
        let (object, blocks) = content(&arena);
        let report = arena.fsck().expect("fsck");
        assert!(report.is_clean() && report.value == blocks.len() as u64, "{report}");
        let Some(block) = blocks.get(which).copied() else { return which };
        let store = arena.domain().expect("domain").store().clone();
        let at = store.offset_of(block).expect("a block");
        assert!(store.free_value(block, object.id()));
        let report = arena.fsck().expect("fsck");
        let told = format!("object {} leads to a block that is none of its, at {at:#x}", object.id().index);
        let is_told =
            report.problems.iter().any(|problem| problem.starts_with(&told) && problem.contains("Free"));
        assert!(is_told, "block {which} of {}: {report}", blocks.len());
        // What is left of it comes to an end.
        drop((data, object));
    }
    unreachable!("blocks without end")
}

/// The one object with content, and its blocks.
fn content(arena: &Arena) -> (ObjectRef, Vec<u64>) {
    let store = arena.domain().expect("domain").store().clone();
    let mut objects = (1..9).filter_map(|index| store.attached(ObjectId { index, generation: 0 }));
    let object = objects.find(|object| kind::is_data(object.kind())).expect("it is there");
    let mut blocks = Vec::new();
    Rooms.messages(&store, &object.view(), &mut |block| blocks.push(block));
    (object, blocks)
}

#[test]
fn of_a_dictionary() {
    // A directory, segments, and a block for each value.
    let texts = |arena: &Arena| {
        let d = SharedDict::builder().arena(arena).stripes(4).build()?;
        d.extend((0..9u64).map(|n| (n, n.to_string())))?;
        Ok(d)
    };
    assert_eq!(each_block_is_missed(texts), 2 + 9);
    let words = |arena: &Arena| {
        let d = SharedDict::builder().arena(arena).stripes(4).build()?;
        d.extend((0..2000u64).map(|n| (n, n)))?;
        Ok(d)
    };
    assert!(each_block_is_missed(words) > 4);
}

#[test]
fn of_a_namespace() {
    let attributes = |arena: &Arena| {
        let ns = Namespace::in_arena(arena)?;
        ns.set("x", &1u64)?;
        ns.set("y", &"text".to_owned())?;
        Ok(ns)
    };
    assert_eq!(each_block_is_missed(attributes), 2 + 2);
}

#[test]
fn of_a_list() {
    let texts = |arena: &Arena| {
        let list = SharedList::builder().arena(arena).build()?;
        list.extend((0..10).map(|n: u64| n.to_string()))?;
        Ok(list)
    };
    assert_eq!(each_block_is_missed(texts), 1 + 2 + 10);
    // One segment more than there are elements for is kept.
    let words = |arena: &Arena| {
        let list = SharedList::builder().arena(arena).build()?;
        list.extend(0..10u64)?;
        list.truncate(5)?;
        Ok(list)
    };
    assert_eq!(each_block_is_missed(words), 1 + 2);
}

#[test]
fn of_a_struct() {
    // What readers may still look at is its own, too.
    let changed = |arena: &Arena| {
        let s = LocalManager::in_arena(arena)?.structure(&"one".to_owned())?;
        s.set(&"two".to_owned())?;
        s.set(&"three".to_owned())?;
        Ok(s)
    };
    assert_eq!(each_block_is_missed(changed), 3);
}

#[test]
fn an_array_has_none() {
    let words = |arena: &Arena| SharedArray::builder().arena(arena).build_from(&[1u64, 2, 3]);
    assert_eq!(each_block_is_missed(words), 0);
}
