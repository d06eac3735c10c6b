//! Killed while a message is borrowed, released, or given back.

use std::process::ExitCode;

use processing::testing::Ticket;
use processing::{Arena, Queue};
use processing_kill_tests::case::{Case, case};
use processing_kill_tests::child::Child;
use processing_kill_tests::kinds::{Bytes, Handle, Kind, Word};
use processing_kill_tests::oracle::{all_but, drain, still_works};
use processing_kill_tests::suite::Suite;
use processing_kill_tests::world::World;
use processing_kill_tests::{Outcome, words};

struct Side<K: Kind> {
    queue: Queue<K::Message>,
    arena: Arena,
}

fn main() -> ExitCode {
    let mut suite = Suite::new();
    kinds(&mut suite, Word);
    kinds(&mut suite, Bytes(16));
    kinds(&mut suite, Bytes(5 << 10));
    kinds(&mut suite, Handle);
    suite.run(release(Bytes(300 << 10)));
    suite.finish()
}

fn kinds<K: Kind>(suite: &mut Suite, kind: K) {
    suite.run(hold(kind));
    suite.run(release(kind));
    suite.run(give_back(kind));
    suite.run(again(kind));
    suite.run(pinned(kind));
}

/// What the survivor keeps, and what the victim gets.
type Sides<K> = (Side<K>, (Queue<<K as Kind>::Message>,));

fn side<K: Kind>(world: &World, kind: K) -> Outcome<Sides<K>> {
    let arena = world.arena.clone();
    let queue = Queue::builder().capacity(4).arena(&arena).build().map_err(words("queue"))?;
    for id in [1, 2, 3] {
        queue.try_put(&kind.make(&arena, id)?).map_err(words("setup"))?;
    }
    let theirs = queue.clone();
    Ok((Side { queue, arena }, (theirs,)))
}

/// Takes a lease and ends with it, or dies on the way: the message is always there for another.
fn hold<K: Kind>(kind: K) -> Case<Side<K>, (Queue<K::Message>,)> {
    case(
        format!("lease.hold.{}", kind.name()),
        move |world| side(world, kind),
        move |(queue,), trigger, _| {
            trigger.pull();
            let lease = queue.get_ref().expect("lease");
            trigger.release();
            // Ends with both: who drops the queue gives up what it had of it.
            std::mem::forget(lease);
            std::mem::forget(queue);
        },
        move |side: Side<K>, mut seen| {
            // Completed or not, the victim is dead, and had it.
            let held = std::mem::replace(&mut seen.completed, false);
            let found = drain(&side.queue, kind, &seen, 3)?;
            if all_but(&found, &[1, 2, 3], 1)? {
                return Err(format!("message 1 was borrowed, and is gone: {found:?}"));
            }
            let by_lease = seen.k % 4 < 2;
            if held && by_lease && !found.contains(&(1, true)) {
                return Err(format!("message 1 is not marked as redelivered: {found:?}"));
            }
            still_works(&side.queue, kind, &side.arena)?;
            Ok(None)
        },
    )
}

/// Dies while it releases a lease: until the commit the message goes to another, from then on to nobody.
fn release<K: Kind>(kind: K) -> Case<Side<K>, (Queue<K::Message>,)> {
    case(
        format!("lease.release.{}", kind.name()),
        move |world| side(world, kind),
        move |(queue,), trigger, _| {
            let lease = queue.get_ref().expect("lease");
            trigger.pull();
            drop(lease);
            trigger.release();
        },
        move |side: Side<K>, seen| {
            let found = drain(&side.queue, kind, &seen, 3)?;
            let gone = all_but(&found, &[1, 2, 3], 1)?;
            still_works(&side.queue, kind, &side.arena)?;
            Ok(Some(gone))
        },
    )
}

/// Dies while it gives a lease back.
fn give_back<K: Kind>(kind: K) -> Case<Side<K>, (Queue<K::Message>,)> {
    case(
        format!("lease.put-back.{}", kind.name()),
        move |world| side(world, kind),
        move |(queue,), trigger, _| {
            let lease = queue.get_ref().expect("lease");
            trigger.pull();
            lease.put_back();
            trigger.release();
        },
        move |side: Side<K>, seen| {
            let found = drain(&side.queue, kind, &seen, 3)?;
            if all_but(&found, &[1, 2, 3], 1)? {
                return Err(format!("message 1 was given back, and is gone: {found:?}"));
            }
            still_works(&side.queue, kind, &side.arena)?;
            Ok(None)
        },
    )
}

/// The first holder died; the victim is the second, and dies as it takes it.
fn again<K: Kind>(kind: K) -> Case<Side<K>, (Queue<K::Message>,)> {
    case(
        format!("lease.again.{}", kind.name()),
        move |world| {
            let (side, theirs) = side(world, kind)?;
            let mut ticket = Ticket::issue((side.queue.clone(),), "first").map_err(words("packing"))?;
            let mut first = Child::fork(|| {
                let (queue,): (Queue<K::Message>,) = ticket.board().expect("arguments");
                std::mem::forget(queue.get_ref().expect("lease"));
                std::mem::forget(queue);
            });
            first.wait()?;
            ticket.over();
            Ok((side, theirs))
        },
        move |(queue,), trigger, _| {
            trigger.pull();
            let lease = queue.get_ref().expect("lease");
            assert!(lease.redelivered());
            trigger.release();
            // Ends with both: who drops the queue gives up what it had of it.
            std::mem::forget(lease);
            std::mem::forget(queue);
        },
        move |side: Side<K>, mut seen| {
            let held = std::mem::replace(&mut seen.completed, false);
            let found = drain(&side.queue, kind, &seen, 3)?;
            if all_but(&found, &[1, 2, 3], 1)? {
                return Err(format!("message 1 was borrowed twice, and is gone: {found:?}"));
            }
            if seen.k % 4 < 2 && !found.contains(&(1, true)) {
                return Err(format!("message 1 is not marked (held twice: {held}): {found:?}"));
            }
            still_works(&side.queue, kind, &side.arena)?;
            Ok(None)
        },
    )
}

/// More leases than there are cells: those beyond pin their slots.
fn pinned<K: Kind>(kind: K) -> Case<Side<K>, (Queue<K::Message>,)> {
    case(
        format!("lease.pinned.{}", kind.name()),
        move |world| {
            let (side, theirs) = side(world, kind)?;
            Ok((side, theirs))
        },
        move |(queue,), trigger, world| {
            // As many leases as there are cells, then one more.
            let here = processing::testing::arena_here(&world.arena).expect("attached");
            let mut leases: Vec<_> = (0..3).map(|_| queue.get_ref().expect("lease")).collect();
            queue.put(&kind.make(&here, 4).expect("message")).expect("put");
            leases.push(queue.get_ref().expect("lease"));
            queue.put(&kind.make(&here, 5).expect("message")).expect("put");
            trigger.pull();
            let last = queue.get_ref().expect("lease");
            drop(last);
            trigger.release();
            std::mem::forget(leases);
            std::mem::forget(queue);
        },
        move |side: Side<K>, mut seen| {
            let completed = std::mem::replace(&mut seen.completed, false);
            let mut found = drain(&side.queue, kind, &seen, if completed { 4 } else { 5 })?;
            found.sort_unstable();
            let ids: Vec<u64> = found.iter().map(|(id, _)| *id).collect();
            let gone = match *ids {
                [1, 2, 3, 4] => true,
                [1, 2, 3, 4, 5] => false,
                _ => return Err(format!("1 to 4 were borrowed, and 5 perhaps consumed: {found:?} is there")),
            };
            still_works(&side.queue, kind, &side.arena)?;
            Ok(Some(gone))
        },
    )
}
