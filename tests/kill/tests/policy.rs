//! Killed while a message becomes a dead letter, while one is looked at or taken, and while the oldest is dropped.

use std::process::ExitCode;

use processing::{Arena, Queue, WhenFull};
use processing_kill_tests::case::{Case, Seen, case};
use processing_kill_tests::kinds::{Bytes, Handle, Kind, Word};
use processing_kill_tests::oracle::{drain, ids};
use processing_kill_tests::suite::Suite;
use processing_kill_tests::world::World;
use processing_kill_tests::{Outcome, words};

struct Side<K: Kind> {
    queue: Queue<K::Message>,
    /// Keeps it.
    _arena: Arena,
}

fn main() -> ExitCode {
    let mut suite = Suite::new();
    kinds(&mut suite, Word);
    kinds(&mut suite, Bytes(16));
    kinds(&mut suite, Bytes(5 << 10));
    kinds(&mut suite, Handle);
    suite.finish()
}

fn kinds<K: Kind>(suite: &mut Suite, kind: K) {
    suite.run(bury(kind));
    suite.run(give_up(kind));
    suite.run(look(kind));
    suite.run(take(kind));
    suite.run(drop_oldest(kind));
}

type Sides<K> = (Side<K>, (Queue<<K as Kind>::Message>,));

/// A queue of 1, 2, 3 whose messages are dead letters when they came back once.
fn side<K: Kind>(world: &World, kind: K, when_full: WhenFull) -> Outcome<Sides<K>> {
    let arena = world.arena.clone();
    let queue = Queue::builder().capacity(3).arena(&arena).dead_letters_after(1).when_full(when_full);
    let queue = queue.build().map_err(words("queue"))?;
    for id in [1, 2, 3] {
        queue.try_put(&kind.make(&arena, id)?).map_err(words("setup"))?;
    }
    let theirs = queue.clone();
    Ok((Side { queue, _arena: arena }, (theirs,)))
}

fn letters<K: Kind>(queue: &Queue<K::Message>, kind: K) -> Outcome<Vec<u64>> {
    let letters = queue.dead_letters().map_err(words("dead letters"))?;
    let values = letters.into_iter().map(|letter| letter.value.map_err(words("dead letter")));
    let mut ids: Vec<u64> = values.map(|value| kind.read(value?)).collect::<Outcome<_>>()?;
    ids.sort_unstable();
    Ok(ids)
}

/// What waits, and what was given up. The queue is empty after it, and every slot and cell of it works.
fn all<K: Kind>(side: &Side<K>, kind: K, seen: &Seen, expected: usize) -> Outcome<(Vec<u64>, Vec<u64>)> {
    let waiting = ids(&drain(&side.queue, kind, seen, expected)?);
    if seen.unswept {
        // What a dead one held is found by who looks for the dead, which a get does that waits.
        let _ = side.queue.get_timeout(std::time::Duration::from_millis(300)).map(|_| ());
    }
    let letters = letters(&side.queue, kind)?;
    let stats = side.queue.stats();
    if stats.dead_letters != letters.len() || stats.depth != 0 || stats.leased != 0 {
        return Err(format!("{stats} with {letters:?} given up"));
    }
    for id in letters.iter().rev() {
        drop(side.queue.take_dead_letter().map_err(words("taking"))?.ok_or(format!("{id} is missing"))?);
    }
    for lap in 0..3u64 {
        for id in 0..3 {
            side.queue.try_put(&kind.make(&side._arena, 10 * lap + id)?).map_err(words("filling"))?;
        }
        // Through cells too.
        for id in 0..3 {
            let lease = side.queue.try_get_ref().map_err(words("emptying"))?;
            let found = kind.read(lease.to_owned().map_err(words("emptying"))?)?;
            if (found, lease.redelivered()) != (10 * lap + id, false) {
                return Err(format!("{found} came where {id} was put in lap {lap}"));
            }
        }
    }
    Ok((waiting, letters))
}

/// Message 1 came back in its slot; the victim buries it on its way to message 2, which it takes.
fn bury<K: Kind>(kind: K) -> Case<Side<K>, (Queue<K::Message>,)> {
    case(
        format!("letter.bury.{}", kind.name()),
        move |world| {
            let (side, theirs) = side(world, kind, WhenFull::Block)?;
            // Given back from its slot: all cells but one are taken, and then that one.
            let leases: Vec<_> = (0..3).map(|_| side.queue.try_get_ref()).collect();
            let leases = leases.into_iter().collect::<Result<Vec<_>, _>>().map_err(words("leases"))?;
            side.queue.try_put(&kind.make(&side._arena, 4)?).map_err(words("setup"))?;
            side.queue.try_get_ref().map_err(words("pinned"))?.put_back();
            drop(leases);
            side.queue.try_put(&kind.make(&side._arena, 5)?).map_err(words("setup"))?;
            Ok((side, theirs))
        },
        move |(queue,), trigger, _| {
            trigger.pull();
            let message = queue.get().expect("get");
            trigger.release();
            assert_eq!(kind.read(message).expect("whole"), 5);
        },
        move |side: Side<K>, seen| {
            // 5 is dead, too, if it was in the victim's hands and came back.
            match all(&side, kind, &seen, 0)? {
                (waiting, letters) if waiting.is_empty() && letters == [4, 5] => Ok(Some(false)),
                (waiting, letters) if waiting == [5] && letters == [4] => Ok(Some(false)),
                (waiting, letters) if waiting.is_empty() && letters == [4] => Ok(Some(true)),
                other => Err(format!("4 should be given up and 5 perhaps taken: {other:?}")),
            }
        },
    )
}

/// The victim gives its lease back, for the last time.
fn give_up<K: Kind>(kind: K) -> Case<Side<K>, (Queue<K::Message>,)> {
    case(
        format!("letter.give-up.{}", kind.name()),
        move |world| side(world, kind, WhenFull::Block),
        move |(queue,), trigger, _| {
            let lease = queue.get_ref().expect("lease");
            trigger.pull();
            lease.put_back();
            trigger.release();
        },
        move |side: Side<K>, seen| match all(&side, kind, &seen, 0)? {
            (waiting, letters) if waiting == [2, 3] && letters == [1] => Ok(None),
            other => Err(format!("1 should be given up, 2 and 3 wait: {other:?}")),
        },
    )
}

/// Message 1 is a dead letter.
fn with_letter<K: Kind>(world: &World, kind: K) -> Outcome<Sides<K>> {
    let (side, theirs) = side(world, kind, WhenFull::Block)?;
    side.queue.try_get_ref().map_err(words("lease"))?.put_back();
    Ok((side, theirs))
}

/// The victim looks at the dead letters: nothing changes.
fn look<K: Kind>(kind: K) -> Case<Side<K>, (Queue<K::Message>,)> {
    case(
        format!("letter.look.{}", kind.name()),
        move |world| with_letter(world, kind),
        move |(queue,), trigger, _| {
            trigger.pull();
            let letters = queue.dead_letters().expect("dead letters");
            trigger.release();
            assert_eq!(letters.len(), 1);
        },
        move |side: Side<K>, seen| match all(&side, kind, &seen, 0)? {
            (waiting, letters) if waiting == [2, 3] && letters == [1] => Ok(None),
            // Of a message with a handle the inner queue may be empty by then.
            other => Err(format!("1 should be given up still, 2 and 3 wait: {other:?}")),
        },
    )
}

/// The victim takes the dead letter, and consumes it.
fn take<K: Kind>(kind: K) -> Case<Side<K>, (Queue<K::Message>,)> {
    case(
        format!("letter.take.{}", kind.name()),
        move |world| with_letter(world, kind),
        move |(queue,), trigger, _| {
            trigger.pull();
            drop(queue.take_dead_letter().expect("lease").expect("letter"));
            trigger.release();
        },
        move |side: Side<K>, seen| match all(&side, kind, &seen, 0)? {
            (waiting, letters) if waiting == [2, 3] && letters == [1] => Ok(Some(false)),
            (waiting, letters) if waiting == [2, 3] && letters.is_empty() => Ok(Some(true)),
            other => Err(format!("1 should be given up still, or gone; 2 and 3 wait: {other:?}")),
        },
    )
}

/// The victim puts into a full queue, which drops its oldest message: only that one may be lost.
fn drop_oldest<K: Kind>(kind: K) -> Case<Side<K>, (Queue<K::Message>,)> {
    case(
        format!("drop-oldest.{}", kind.name()),
        move |world| side(world, kind, WhenFull::DropOldest),
        move |(queue,), trigger, world| {
            let here = processing::testing::arena_here(&world.arena).expect("attached");
            let message = kind.make(&here, 4).expect("message");
            trigger.pull();
            queue.put(&message).expect("put");
            trigger.release();
        },
        move |side: Side<K>, seen| {
            let (waiting, letters) = all(&side, kind, &seen, 0)?;
            match (&waiting[..], &letters[..]) {
                ([1, 2, 3], []) => Ok(Some(false)),
                // It was in the victim's hands, and came back once.
                ([2, 3], [1]) | ([2, 3], []) => Ok(Some(false)),
                ([2, 3, 4], []) => Ok(Some(true)),
                other => Err(format!("only 1 may be gone: {other:?}")),
            }
        },
    )
}
