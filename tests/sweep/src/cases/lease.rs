//! Killed while a message is borrowed, released, or given back.

use processing::testing::Ticket;
use processing_kill_tests::child::Child;
use processing_kill_tests::kinds::{Bytes, Handle, Kind, Text, Word};
use processing_kill_tests::oracle::{all_but, drain, still_works};
use processing_kill_tests::seen::Seen;
use processing_kill_tests::{Outcome, words};

use super::{Side, Victims, here, sides};
use crate::case::{Case, case};
use crate::round::Scenario;

pub fn all() -> Vec<Box<dyn Scenario>> {
    // A message that is a run of chunks: they go back one by one.
    let mut all: Vec<Box<dyn Scenario>> = vec![Box::new(release(Bytes(40 << 10)))];
    of_a_kind(&mut all, Handle);
    of_a_kind(&mut all, Bytes(5 << 10));
    of_a_kind(&mut all, Text);
    of_a_kind(&mut all, Word);
    all
}

fn of_a_kind<K: Kind>(all: &mut Vec<Box<dyn Scenario>>, kind: K) {
    all.push(Box::new(hold(kind)));
    all.push(Box::new(release(kind)));
    all.push(Box::new(give_back(kind)));
    all.push(Box::new(again(kind)));
    all.push(Box::new(pinned(kind)));
}

/// Message 1 is there for another, unless `gone` may be; the others come in order.
fn look<K: Kind>(side: &Side<K>, kind: K, seen: &Seen) -> Outcome<(Vec<(u64, bool)>, bool)> {
    // Completed or not, the victim is dead, and may have had it.
    let seen = Seen { completed: false, ..*seen };
    let found = drain(&side.queue, kind, &seen, 3 - side.taken.len())?;
    let mut all: Vec<_> = side.taken.iter().map(|id| (*id, false)).collect();
    all.extend(&found);
    let gone = all_but(&all, &[1, 2, 3], 1)?;
    Ok((found, gone))
}

/// Takes a lease and ends with it, or dies on the way: the message is always there for another.
fn hold<K: Kind>(kind: K) -> Case<Side<K>, Victims<K>> {
    case(
        format!("lease.take.{}", kind.name()),
        move |world| sides(world, kind, &[1, 2, 3]),
        move |(queue,), stage, _| {
            stage.begin();
            let lease = queue.get_ref();
            stage.end();
            std::mem::forget(lease.expect("lease"));
            // Ends with both: who drops the queue gives up what it had of it.
            std::mem::forget(queue);
        },
        move |side: Side<K>, seen| {
            let (found, gone) = look(&side, kind, &seen)?;
            if gone {
                return Err(format!("message 1 was borrowed, and is gone: {found:?}"));
            }
            let by_lease = seen.k % 4 < 2;
            if seen.completed && !seen.stopped && by_lease && !found.contains(&(1, true)) {
                return Err(format!("message 1 is not marked as redelivered: {found:?}"));
            }
            still_works(&side.queue, kind, &side.arena)?;
            Ok(None)
        },
    )
}

/// Dies while it releases a lease: until the commit the message goes to another, from then on to nobody.
fn release<K: Kind>(kind: K) -> Case<Side<K>, Victims<K>> {
    case(
        format!("lease.release.{}", kind.name()),
        move |world| sides(world, kind, &[1, 2, 3]),
        move |(queue,), stage, _| {
            let lease = queue.get_ref().expect("lease");
            stage.begin();
            drop(lease);
            stage.end();
        },
        move |side: Side<K>, seen| {
            let (_, gone) = look(&side, kind, &seen)?;
            still_works(&side.queue, kind, &side.arena)?;
            Ok(Some(gone))
        },
    )
    .beside(move |side| side.take_beside(kind))
}

/// Dies while it gives a lease back.
fn give_back<K: Kind>(kind: K) -> Case<Side<K>, Victims<K>> {
    case(
        format!("lease.put-back.{}", kind.name()),
        move |world| sides(world, kind, &[1, 2, 3]),
        move |(queue,), stage, _| {
            let lease = queue.get_ref().expect("lease");
            stage.begin();
            lease.put_back();
            stage.end();
        },
        move |side: Side<K>, seen| {
            let (found, gone) = look(&side, kind, &seen)?;
            if gone {
                return Err(format!("message 1 was given back, and is gone: {found:?}"));
            }
            still_works(&side.queue, kind, &side.arena)?;
            Ok(None)
        },
    )
}

/// The first holder died; the victim is the second, and dies as it takes it.
fn again<K: Kind>(kind: K) -> Case<Side<K>, Victims<K>> {
    case(
        format!("lease.again.{}", kind.name()),
        move |world| {
            let (side, theirs) = sides(world, kind, &[1, 2, 3])?;
            let mut ticket = Ticket::issue((side.queue.clone(),), "first").map_err(words("packing"))?;
            let mut first = Child::fork(|| {
                let (queue,): Victims<K> = ticket.board().expect("arguments");
                std::mem::forget(queue.get_ref().expect("lease"));
                std::mem::forget(queue);
            });
            first.wait()?;
            ticket.over();
            Ok((side, theirs))
        },
        move |(queue,), stage, _| {
            stage.begin();
            let lease = queue.get_ref();
            stage.end();
            let lease = lease.expect("lease");
            assert!(lease.redelivered());
            // Ends with both: who drops the queue gives up what it had of it.
            std::mem::forget(lease);
            std::mem::forget(queue);
        },
        move |side: Side<K>, seen| {
            let (found, gone) = look(&side, kind, &seen)?;
            if gone {
                return Err(format!("message 1 was borrowed twice, and is gone: {found:?}"));
            }
            if seen.k % 4 < 2 && !found.contains(&(1, true)) {
                return Err(format!("message 1 is not marked as redelivered: {found:?}"));
            }
            still_works(&side.queue, kind, &side.arena)?;
            Ok(None)
        },
    )
}

/// As many leases as there are cells, then one more, which pins its slot, and is released.
fn pinned<K: Kind>(kind: K) -> Case<Side<K>, Victims<K>> {
    case(
        format!("lease.pinned.{}", kind.name()),
        move |world| sides(world, kind, &[1, 2, 3]),
        move |(queue,), stage, world| {
            let here = here(world);
            let mut leases: Vec<_> = (0..3).map(|_| queue.get_ref().expect("lease")).collect();
            queue.put(&kind.make(&here, 4).expect("message")).expect("put");
            leases.push(queue.get_ref().expect("lease"));
            queue.put(&kind.make(&here, 5).expect("message")).expect("put");
            stage.begin();
            drop(queue.get_ref());
            stage.end();
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
