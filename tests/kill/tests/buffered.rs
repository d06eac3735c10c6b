//! Killed in `put`, `get`, `get_many`, `get_ref`, `close` of a buffered queue, and while it grows, shrinks, and goes.

use std::process::ExitCode;
use std::time::Duration;

use processing::{Arena, BufferedQueue, WaitStrategy};
use processing_kill_tests::board::Board;
use processing_kill_tests::case::{Case, FREE, Seen, case};
use processing_kill_tests::kinds::{Bytes, Handle, Kind, Word};
use processing_kill_tests::oracle::{Found, all_but, drain, ids, still_grows, take};
use processing_kill_tests::suite::Suite;
use processing_kill_tests::waiter::{CLOSED, Waiter};
use processing_kill_tests::world::World;
use processing_kill_tests::{Outcome, words};

type Buffered<K> = BufferedQueue<<K as Kind>::Message>;

/// The survivor's side.
struct Side<K: Kind> {
    queue: Buffered<K>,
    arena: Arena,
    /// What it took while the victim was stopped.
    taken: Vec<u64>,
}

fn main() -> ExitCode {
    let mut suite = Suite::new();
    kinds(&mut suite, Word);
    kinds(&mut suite, Bytes(16));
    kinds(&mut suite, Bytes(5 << 10));
    kinds(&mut suite, Handle);
    suite.run(grow_twice());
    suite.run(shrink_in_the_middle());
    suite.run(shrink_all());
    suite.run(get_many(Word));
    suite.run(get_many(Bytes(5 << 10)));
    suite.run(put_many());
    suite.run(last_handle());
    suite.run(close());
    suite.run(wake(WaitStrategy::Block));
    suite.run(wake(WaitStrategy::Adaptive));
    suite.run(get_from_empty());
    suite.finish()
}

fn kinds<K: Kind>(suite: &mut Suite, kind: K) {
    suite.run(put(kind));
    suite.run(grow(kind));
    suite.run(get(kind));
    suite.run(shrink(kind));
    suite.run(hold(kind));
    suite.run(release(kind));
    suite.run(give_back(kind));
}

/// Messages of a segment.
const SEGMENT: usize = 2;

fn queue_in<K: Kind>(world: &World, strategy: WaitStrategy) -> Outcome<Buffered<K>> {
    let builder = BufferedQueue::builder().segment(SEGMENT).arena(&world.arena).wait(strategy);
    builder.build().map_err(words("queue"))
}

fn side<K: Kind>(world: &World, kind: K, messages: u64) -> Outcome<Side<K>> {
    let (queue, arena) = (queue_in::<K>(world, WaitStrategy::default())?, world.arena.clone());
    for id in 1..=messages {
        queue.put(&kind.make(&arena, id)?).map_err(words("setup"))?;
    }
    Ok(Side { queue, arena, taken: Vec::new() })
}

fn here(world: &World) -> Arena {
    processing::testing::arena_here(&world.arena).expect("attached")
}

fn still_works<K: Kind>(queue: &Buffered<K>, kind: K, arena: &Arena) -> Outcome<()> {
    still_grows(queue, kind, arena, SEGMENT)
}

/// `before` messages there; the victim puts one more. `named`.
fn put_behind<K: Kind>(name: &str, kind: K, before: u64) -> Case<Side<K>, (Buffered<K>,)> {
    case(
        format!("buffered.{name}.{}", kind.name()),
        move |world| {
            let side = side(world, kind, 0)?;
            // The survivor knows the segment, for putting and for getting.
            for id in 0..=before {
                side.queue.put(&kind.make(&side.arena, id)?).map_err(words("setup"))?;
                if id == 0 {
                    side.queue.try_get().map_err(words("setup"))?;
                }
            }
            let queue = side.queue.clone();
            Ok((side, (queue,)))
        },
        move |(queue,), trigger, world| {
            let message = kind.make(&here(world), 70).expect("message");
            trigger.pull();
            queue.put(&message).expect("put");
            trigger.release();
        },
        move |side: Side<K>, seen| {
            let found = drain(&side.queue, kind, &seen, 0)?;
            if found.iter().any(|(_, marked)| *marked) {
                return Err(format!("marked as redelivered, and nobody had it: {found:?}"));
            }
            let mut all = side.taken.clone();
            all.extend(ids(&found));
            let mut expected: Vec<u64> = (1..=before).collect();
            let effect = all.contains(&70);
            expected.extend(effect.then_some(70));
            if all != expected {
                return Err(format!("1 to {before} and perhaps 70 were put, {all:?} came out"));
            }
            still_works(&side.queue, kind, &side.arena)?;
            Ok(Some(effect))
        },
    )
    .meanwhile(move |side| {
        // Also beside one that is stopped while it makes the queue grow.
        for _ in 0..before {
            let message = side.queue.try_get().map_err(words("get beside a stopped put"))?;
            side.taken.push(kind.read(message)?);
        }
        Ok(())
    })
}

/// There is room in the segment.
fn put<K: Kind>(kind: K) -> Case<Side<K>, (Buffered<K>,)> {
    put_behind("put", kind, 1)
}

/// There is none: another segment comes behind it.
fn grow<K: Kind>(kind: K) -> Case<Side<K>, (Buffered<K>,)> {
    put_behind("grow", kind, SEGMENT as u64).least(20)
}

/// The victim puts so many that two segments come.
fn grow_twice() -> Case<Side<Word>, (BufferedQueue<u64>,)> {
    case(
        "buffered.grow-twice",
        move |world| {
            let side = side(world, Word, 1)?;
            let queue = side.queue.clone();
            Ok((side, (queue,)))
        },
        move |(queue,), trigger, world| {
            let arena = here(world);
            trigger.pull();
            for id in 70..75 {
                queue.put(&Word.make(&arena, id).expect("message")).expect("put");
            }
            trigger.release();
        },
        prefix,
    )
}

/// 1, and then 70 and on: some first part of what the victim put.
fn prefix(side: Side<Word>, seen: Seen) -> Outcome<Option<bool>> {
    let all = ids(&drain(&side.queue, Word, &seen, 0)?);
    let expected = [1, 70, 71, 72, 73, 74];
    if all.is_empty() || !expected.starts_with(&all) {
        return Err(format!("some first part of {expected:?} was put, {all:?} came out"));
    }
    still_works(&side.queue, Word, &side.arena)?;
    Ok(Some(all.len() == expected.len()))
}

fn put_many() -> Case<Side<Word>, (BufferedQueue<u64>,)> {
    case(
        "buffered.put-many",
        move |world| {
            let side = side(world, Word, 1)?;
            let queue = side.queue.clone();
            Ok((side, (queue,)))
        },
        move |(queue,), trigger, world| {
            let arena = here(world);
            let all: Vec<u64> = (70..75).map(|id| Word.make(&arena, id).expect("message")).collect();
            trigger.pull();
            queue.put_many(&all).expect("put");
            trigger.release();
        },
        prefix,
    )
}

/// What the survivor finds when the victim took `late` by value, perhaps.
fn one_taken<K: Kind>(side: Side<K>, kind: K, seen: Seen, all: &[u64], late: u64) -> Outcome<Option<bool>> {
    let found = drain(&side.queue, kind, &seen, all.len())?;
    let victims = seen.board.get(FREE);
    if seen.completed && !seen.stopped && victims != late {
        return Err(format!("the victim got {victims}, not {late}"));
    }
    let gone = all_but(&found, all, late)?;
    if seen.completed && !gone {
        return Err(format!("the victim got {late}, and so did the survivor"));
    }
    still_works(&side.queue, kind, &side.arena)?;
    Ok(Some(gone))
}

/// Three messages there, in two segments; the victim takes the first by value.
fn get<K: Kind>(kind: K) -> Case<Side<K>, (Buffered<K>,)> {
    case(
        format!("buffered.get.{}", kind.name()),
        move |world| {
            let side = side(world, kind, 3)?;
            let queue = side.queue.clone();
            Ok((side, (queue,)))
        },
        move |(queue,), trigger, _| {
            trigger.pull();
            let message = queue.get().expect("get");
            trigger.release();
            trigger.board.set(FREE, kind.read(message).expect("whole"));
        },
        move |side: Side<K>, seen| one_taken(side, kind, seen, &[1, 2, 3], 1),
    )
}

/// The first segment is drained by the victim, which then takes it out, and the next message from the one behind it.
fn shrink<K: Kind>(kind: K) -> Case<Side<K>, (Buffered<K>,)> {
    case(
        format!("buffered.shrink.{}", kind.name()),
        move |world| {
            let side = side(world, kind, 5)?;
            let queue = side.queue.clone();
            Ok((side, (queue,)))
        },
        move |(queue,), trigger, _| {
            for id in [1, 2] {
                assert_eq!(kind.read(queue.get().expect("get")).expect("whole"), id);
            }
            trigger.pull();
            let message = queue.get().expect("get");
            trigger.release();
            trigger.board.set(FREE, kind.read(message).expect("whole"));
        },
        move |side: Side<K>, seen| one_taken(side, kind, seen, &[3, 4, 5], 3),
    )
    .least(20)
}

/// The first segment is pinned by a lease of the survivor's; the victim takes the second one out from behind it.
fn shrink_in_the_middle() -> Case<Side<Word>, (BufferedQueue<u64>,)> {
    case(
        "buffered.shrink-middle",
        move |world| {
            let side = side(world, Word, 6)?;
            let queue = side.queue.clone();
            Ok((side, (queue,)))
        },
        move |(queue,), trigger, _| {
            let first = queue.get_ref().expect("lease");
            for id in [2, 3, 4] {
                assert_eq!(Word.read(queue.get().expect("get")).expect("whole"), id);
            }
            trigger.pull();
            let message = queue.get().expect("get");
            trigger.release();
            trigger.board.set(FREE, Word.read(message).expect("whole"));
            first.put_back();
        },
        move |side: Side<Word>, seen| {
            let found = drain(&side.queue, Word, &seen, 3)?;
            let others: Vec<Found> = found.iter().copied().filter(|(id, _)| *id != 1).collect();
            if found.iter().filter(|(id, _)| *id == 1).count() != 1 {
                return Err(format!("message 1 was borrowed: {found:?}"));
            }
            let gone = all_but(&others, &[5, 6], 5)?;
            still_works(&side.queue, Word, &side.arena)?;
            Ok(Some(gone))
        },
    )
    .least(20)
    .never_stops()
}

/// The victim takes everything, out of three segments.
fn shrink_all() -> Case<Side<Word>, (BufferedQueue<u64>,)> {
    case(
        "buffered.shrink-all",
        move |world| {
            let side = side(world, Word, 5)?;
            let queue = side.queue.clone();
            Ok((side, (queue,)))
        },
        move |(queue,), trigger, _| {
            trigger.pull();
            for id in 1..=5 {
                assert_eq!(Word.read(queue.get().expect("get")).expect("whole"), id);
            }
            trigger.release();
        },
        move |side: Side<Word>, seen| {
            let mut found = ids(&drain(&side.queue, Word, &seen, 5)?);
            found.sort_unstable();
            let expected: Vec<u64> = (1..=5).collect();
            if !expected.ends_with(&found) {
                return Err(format!("some first part of 1 to 5 was taken, {found:?} is left"));
            }
            still_works(&side.queue, Word, &side.arena)?;
            Ok(Some(found.is_empty()))
        },
    )
}

/// The victim takes four of five messages by one call, out of two segments, and takes out the first.
fn get_many<K: Kind>(kind: K) -> Case<Side<K>, (Buffered<K>,)> {
    case(
        format!("buffered.get-many.{}", kind.name()),
        move |world| {
            let side = side(world, kind, 5)?;
            let queue = side.queue.clone();
            Ok((side, (queue,)))
        },
        move |(queue,), trigger, _| {
            trigger.pull();
            let messages = queue.get_many(4).expect("get_many");
            trigger.release();
            let ids: Vec<u64> = messages.into_iter().map(|m| kind.read(m).expect("whole")).collect();
            trigger.board.set(FREE, u64::from(ids == [1, 2, 3, 4]));
        },
        move |side: Side<K>, seen| {
            let found = drain(&side.queue, kind, &seen, 5)?;
            if seen.completed && !seen.stopped && seen.board.get(FREE) != 1 {
                return Err("the victim did not get 1 to 4".into());
            }
            let mut all = ids(&found);
            all.sort_unstable(); // one that was claimed comes late
            let whole = !all.is_empty() && [1, 2, 3, 4, 5].ends_with(&all);
            if !whole || found.iter().filter(|(_, marked)| *marked).count() > 1 {
                return Err(format!("a last part of 1 to 5 should be left, {found:?} came out"));
            }
            still_works(&side.queue, kind, &side.arena)?;
            Ok(Some(all == [5]))
        },
    )
    .least(20)
}

/// Takes a lease and ends with it, or dies on the way: the message is always there for another.
fn hold<K: Kind>(kind: K) -> Case<Side<K>, (Buffered<K>,)> {
    case(
        format!("buffered.lease.hold.{}", kind.name()),
        move |world| {
            let side = side(world, kind, 3)?;
            let queue = side.queue.clone();
            Ok((side, (queue,)))
        },
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
            if held && seen.k % 4 < 2 && !found.contains(&(1, true)) {
                return Err(format!("message 1 is not marked as redelivered: {found:?}"));
            }
            still_works(&side.queue, kind, &side.arena)?;
            Ok(None)
        },
    )
}

/// The first segment is behind everybody but for one lease; the victim dies while it releases that.
fn release<K: Kind>(kind: K) -> Case<Side<K>, (Buffered<K>,)> {
    lease_end("release", kind, |lease| drop(lease))
}

/// As [`release`], and it gives the lease back.
fn give_back<K: Kind>(kind: K) -> Case<Side<K>, (Buffered<K>,)> {
    lease_end("put-back", kind, |lease| lease.put_back())
}

fn lease_end<K: Kind>(
    name: &str,
    kind: K,
    end: fn(processing::BufferedLease<'_, K::Message>),
) -> Case<Side<K>, (Buffered<K>,)> {
    let consumes = name == "release";
    case(
        format!("buffered.lease.{name}.{}", kind.name()),
        move |world| {
            let side = side(world, kind, 4)?;
            let queue = side.queue.clone();
            Ok((side, (queue,)))
        },
        move |(queue,), trigger, _| {
            let lease = queue.get_ref().expect("lease");
            // To the second segment.
            assert_eq!(kind.read(queue.get().expect("get")).expect("whole"), 2);
            assert_eq!(kind.read(queue.get().expect("get")).expect("whole"), 3);
            trigger.pull();
            end(lease);
            trigger.release();
        },
        move |side: Side<K>, seen| {
            let found = drain(&side.queue, kind, &seen, 2)?;
            let gone = all_but(&found, &[1, 4], 1)?;
            if gone && !consumes {
                return Err(format!("message 1 was given back, and is gone: {found:?}"));
            }
            still_works(&side.queue, kind, &side.arena)?;
            Ok(consumes.then_some(gone))
        },
    )
}

/// The victim has the last handle, and lets it go, with four segments and messages in blocks in them.
fn last_handle() -> Case<(), (Buffered<Handle>,)> {
    case(
        "buffered.last-handle",
        move |world| {
            let side = side(world, Handle, 7)?;
            Ok(((), (side.queue,)))
        },
        move |(queue,), trigger, _| {
            trigger.pull();
            drop(queue);
            trigger.release();
        },
        move |(), _| Ok(None),
    )
    .least(50)
}

type Waiting = (BufferedQueue<u64>, Waiter<BufferedQueue<u64>>, Arena);

/// A queue, and a process that waits for its first message.
fn with_waiter(
    world: &World,
    strategy: WaitStrategy,
    board: Board,
) -> Outcome<(Waiting, (BufferedQueue<u64>,))> {
    let queue = queue_in::<Word>(world, strategy)?;
    let waiter = Waiter::start(&queue, Word, board)?;
    let theirs = queue.clone();
    Ok(((queue, waiter, world.arena.clone()), (theirs,)))
}

/// The victim closes a queue at which another sleeps.
fn close() -> Case<Waiting, (BufferedQueue<u64>,)> {
    let board = Board::new();
    case(
        "buffered.close",
        move |world| with_waiter(world, WaitStrategy::Block, board),
        |(queue,), trigger, _| {
            trigger.pull();
            queue.close().expect("close");
            trigger.release();
        },
        move |(queue, waiter, _arena), _| {
            let effect = queue.is_closed();
            if !effect {
                queue.close().map_err(words("close"))?;
            }
            match waiter.end()? {
                CLOSED => {}
                other => return Err(format!("the waiter got {other}")),
            }
            match queue.put(&1) {
                Err(error) if error.is_closed() => Ok(Some(effect)),
                other => Err(format!("a closed queue answers {other:?}")),
            }
        },
    )
}

/// The victim puts a message for which another sleeps, behind a segment that others filled and drained.
fn wake(strategy: WaitStrategy) -> Case<Waiting, (BufferedQueue<u64>,)> {
    let board = Board::new();
    let name = format!("buffered.put.wakes-{strategy:?}").to_lowercase();
    case(
        name,
        move |world| with_waiter(world, strategy, board),
        |(queue,), trigger, world| {
            let message = Word.make(&here(world), 70).expect("message");
            trigger.pull();
            queue.put(&message).expect("put");
            trigger.release();
        },
        move |(queue, waiter, arena), seen| {
            // Published: it must be found without another put. Else one follows.
            let published =
                seen.completed || !queue.is_empty().map_err(words("is_empty"))? || waiter.has_answered();
            if !published {
                queue.put(&Word.make(&arena, 8)?).map_err(words("put"))?;
            }
            let mut all = vec![waiter.end()?];
            while let Some((id, _)) = take(&queue, Word, false, Duration::ZERO)? {
                all.push(id);
            }
            let effect = all.contains(&70);
            let expected: &[u64] = match (effect, published) {
                (true, true) => &[70],
                (true, false) => &[70, 8],
                (false, false) => &[8],
                (false, true) => return Err("a message that was published is gone".into()),
            };
            if all != expected {
                return Err(format!("{expected:?} was put, {all:?} came out"));
            }
            still_works(&queue, Word, &arena)?;
            Ok(Some(effect))
        },
    )
}

/// Two wait in `get`, the victim and another; three messages come, in two segments, and what the victim does not take is for
/// others.
fn get_from_empty() -> Case<Waiting, (BufferedQueue<u64>,)> {
    let board = Board::new();
    case(
        "buffered.get.empty",
        move |world| with_waiter(world, WaitStrategy::Block, board),
        |(queue,), trigger, _| {
            trigger.pull();
            let message = queue.get().expect("get");
            trigger.release();
            trigger.board.set(FREE, Word.read(message).expect("whole"));
        },
        move |(queue, waiter, arena), seen| {
            let victims = seen.board.get(FREE);
            let mut all = Vec::new();
            if victims != 0 {
                all.push(victims);
            }
            all.push(waiter.end()?);
            let patience = Duration::from_millis(300);
            let wait = if seen.unswept && all.len() < 3 { patience } else { Duration::ZERO };
            while let Some((id, _)) = take(&queue, Word, false, wait)? {
                all.push(id);
            }
            all.sort_unstable();
            let whole = if seen.completed {
                all == [1, 2, 3]
            } else {
                all.len() >= 2 && all.iter().all(|id| (1..=3).contains(id)) && all.is_sorted_by(|a, b| a < b)
            };
            if !whole {
                return Err(format!("1 to 3 were put, {all:?} came out"));
            }
            still_works(&queue, Word, &arena)?;
            Ok(Some(all.len() < 3 || victims != 0))
        },
    )
    .during(|(queue, _, arena), victim| {
        victim.settle()?;
        for id in [1, 2, 3] {
            queue.put(&Word.make(arena, id)?).map_err(words("put"))?;
        }
        Ok(())
    })
    .wavers()
}
