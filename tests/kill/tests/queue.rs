//! Killed in `put`, `get`, `get_ref` and `close` of a queue.

use std::process::ExitCode;

use std::time::Duration;

use processing::{Arena, Queue, WaitStrategy};
use processing_kill_tests::board::Board;
use processing_kill_tests::case::{Case, FREE, case};
use processing_kill_tests::child::Child;
use processing_kill_tests::kinds::{Bytes, Handle, Kind, Word};
use processing_kill_tests::oracle::{all_but, drain, ids, still_works, take};
use processing_kill_tests::suite::Suite;
use processing_kill_tests::waiter::{CLOSED, Waiter};
use processing_kill_tests::world::World;
use processing_kill_tests::{BOUND, Outcome, words};

/// The survivor's side.
struct Side<K: Kind> {
    queue: Queue<K::Message>,
    arena: Arena,
    /// What it put and took while the victim was stopped.
    put: Vec<u64>,
    taken: Vec<u64>,
}

fn main() -> ExitCode {
    let mut suite = Suite::new();
    kinds(&mut suite, Word);
    kinds(&mut suite, Bytes(16));
    kinds(&mut suite, Bytes(5 << 10));
    kinds(&mut suite, Bytes(300 << 10));
    kinds(&mut suite, Handle);
    suite.run(close());
    suite.run(wake(WaitStrategy::Block));
    suite.run(wake(WaitStrategy::Adaptive));
    suite.run(put_into_full());
    suite.run(get_from_empty());
    suite.finish()
}

fn kinds<K: Kind>(suite: &mut Suite, kind: K) {
    suite.run(put(kind));
    suite.run(get(kind));
}

const CAPACITY: usize = 4;

fn side<K: Kind>(world: &World, kind: K, messages: &[u64]) -> Outcome<Side<K>> {
    let arena = world.arena.clone();
    let queue = Queue::builder().capacity(CAPACITY).arena(&arena).build().map_err(words("queue"))?;
    for id in messages {
        queue.try_put(&kind.make(&arena, *id)?).map_err(words("setup"))?;
    }
    Ok(Side { queue, arena, put: Vec::new(), taken: Vec::new() })
}

fn here(world: &World) -> Arena {
    processing::testing::arena_here(&world.arena).expect("attached")
}

/// Two messages there; the victim puts a third.
fn put<K: Kind>(kind: K) -> Case<Side<K>, (Queue<K::Message>,)> {
    case(
        format!("put.{}", kind.name()),
        move |world| {
            let side = side(world, kind, &[1, 2])?;
            let queue = side.queue.clone();
            Ok((side, (queue,)))
        },
        move |(queue,), trigger, world| {
            let message = kind.make(&here(world), 7).expect("message");
            trigger.pull();
            queue.put(&message).expect("put");
            trigger.release();
        },
        move |side: Side<K>, seen| {
            let found = drain(&side.queue, kind, &seen, 0)?;
            let mut all: Vec<u64> = side.taken.clone();
            all.extend(ids(&found));
            let effect = all.contains(&7);
            if found.iter().any(|(_, marked)| *marked) {
                return Err(format!("marked as redelivered, and nobody had it: {found:?}"));
            }
            // The stopped one's message and the survivor's may come in either order.
            let others: Vec<u64> = all.iter().copied().filter(|id| *id != 7).collect();
            let mut expected = vec![1, 2];
            expected.extend(&side.put);
            if others != expected || all.len() > expected.len() + 1 {
                return Err(format!("{expected:?} and perhaps 7 were put, {all:?} came out"));
            }
            still_works(&side.queue, kind, &side.arena)?;
            Ok(Some(effect))
        },
    )
    .meanwhile(move |side| {
        // One slot may be the stopped one's: there is room for one more, and what is finished can be taken.
        side.queue.try_put(&kind.make(&side.arena, 3)?).map_err(words("put beside a stopped put"))?;
        side.put.push(3);
        for _ in 0..2 {
            let message = side.queue.try_get().map_err(words("get beside a stopped put"))?;
            side.taken.push(kind.read(message)?);
        }
        Ok(())
    })
}

/// Three messages there; the victim takes the first by value.
fn get<K: Kind>(kind: K) -> Case<Side<K>, (Queue<K::Message>,)> {
    case(
        format!("get.{}", kind.name()),
        move |world| {
            let side = side(world, kind, &[1, 2, 3])?;
            let queue = side.queue.clone();
            Ok((side, (queue,)))
        },
        move |(queue,), trigger, _| {
            trigger.pull();
            let message = queue.get().expect("get");
            trigger.release();
            let id = kind.read(message).expect("whole");
            trigger.board.set(FREE, id);
        },
        move |side: Side<K>, seen| {
            let found = drain(&side.queue, kind, &seen, 3)?;
            let victims = seen.board.get(FREE);
            if seen.completed && !seen.stopped && victims != 1 {
                return Err(format!("the victim got {victims}, not 1"));
            }
            let late = if seen.completed { victims } else { 1 };
            let mut all: Vec<_> = side.taken.iter().map(|id| (*id, false)).collect();
            all.extend(found);
            let gone = all_but(&all, &[1, 2, 3], late)?;
            if seen.completed && !gone {
                return Err(format!("the victim got {late}, and so did the survivor"));
            }
            still_works(&side.queue, kind, &side.arena)?;
            Ok(Some(gone))
        },
    )
    .meanwhile(move |side| {
        // The first is perhaps in the stopped one's hands; another can be taken.
        let message = side.queue.try_get().map_err(words("get beside a stopped get"))?;
        side.taken.push(kind.read(message)?);
        Ok(())
    })
}

type Waiting = (Queue<u64>, Waiter<Queue<u64>>, Arena);

/// A queue, and a process that waits for its first message.
fn with_waiter(world: &World, strategy: WaitStrategy, board: Board) -> Outcome<(Waiting, (Queue<u64>,))> {
    let arena = world.arena.clone();
    let queue =
        Queue::builder().capacity(CAPACITY).arena(&arena).wait(strategy).build().map_err(words("queue"))?;
    let waiter = Waiter::start(&queue, Word, board)?;
    let theirs = queue.clone();
    Ok(((queue, waiter, arena), (theirs,)))
}

/// The victim closes a queue at which another sleeps.
fn close() -> Case<Waiting, (Queue<u64>,)> {
    let board = Board::new();
    case(
        "close",
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
            match queue.try_put(&1) {
                Err(error) if error.is_closed() => Ok(Some(effect)),
                other => Err(format!("a closed queue answers {other:?}")),
            }
        },
    )
}

/// The victim puts a message for which another sleeps: it gets it, though the victim may not have woken it.
fn wake(strategy: WaitStrategy) -> Case<Waiting, (Queue<u64>,)> {
    let board = Board::new();
    let name = format!("put.wakes-{strategy:?}").to_lowercase();
    case(
        name,
        move |world| with_waiter(world, strategy, board),
        |(queue,), trigger, world| {
            let message = Word.make(&here(world), 7).expect("message");
            trigger.pull();
            queue.put(&message).expect("put");
            trigger.release();
        },
        move |(queue, waiter, arena), seen| {
            // Published: it must be found without another put. Else one follows.
            let published = seen.completed || !queue.is_empty() || waiter.has_answered();
            if !published {
                queue.put_timeout(&Word.make(&arena, 8)?, BOUND).map_err(words("put"))?;
            }
            let mut all = vec![waiter.end()?];
            while let Some((id, _)) = take(&queue, Word, false, Duration::ZERO)? {
                all.push(id);
            }
            let effect = all.contains(&7);
            let expected: &[u64] = match (effect, published) {
                (true, true) => &[7],
                (true, false) => &[7, 8],
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

/// The victim waits in `put`; when it sleeps, the survivor makes room. It dies before, asleep, or after.
fn put_into_full() -> Case<Side<Word>, (Queue<u64>,)> {
    case(
        "put.full",
        |world| {
            let side = side(world, Word, &[1, 2, 3, 4])?;
            let queue = side.queue.clone();
            Ok((side, (queue,)))
        },
        |(queue,), trigger, world| {
            let message = Word.make(&here(world), 7).expect("message");
            trigger.pull();
            queue.put(&message).expect("put");
            trigger.release();
        },
        |side: Side<Word>, seen| {
            let found = drain(&side.queue, Word, &seen, 0)?;
            let mut all = side.taken.clone();
            all.extend(ids(&found));
            if all != [1, 2, 3, 4] && all != [1, 2, 3, 4, 7] {
                return Err(format!("1 to 4 and perhaps 7 were put, {all:?} came out"));
            }
            still_works(&side.queue, Word, &side.arena)?;
            Ok(Some(all.contains(&7)))
        },
    )
    .during(make_room)
    .wavers()
}

fn make_room(side: &mut Side<Word>, victim: &Child) -> Outcome<()> {
    victim.settle()?;
    let message = side.queue.try_get().map_err(words("making room"))?;
    side.taken.push(Word.read(message)?);
    Ok(())
}

/// Two wait in `get`, the victim and another; one message comes, and goes to the other if the victim dies of it. A
/// second message follows if the victim was able to take the first.
fn get_from_empty() -> Case<Waiting, (Queue<u64>,)> {
    let board = Board::new();
    case(
        "get.empty",
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
            // 1 and 2 were put. What the victim did not take, the waiter gets one of, without any further put.
            let waiters = waiter.end()?;
            all.push(waiters);
            let wait =
                if seen.unswept && all.len() < 2 { Duration::from_millis(300) } else { Duration::ZERO };
            while let Some((id, _)) = take(&queue, Word, false, wait)? {
                all.push(id);
            }
            all.sort_unstable();
            let whole = if seen.completed { all == [1, 2] } else { matches!(*all, [1, 2] | [1] | [2]) };
            if !whole {
                return Err(format!("1 and 2 were put, {all:?} came out"));
            }
            still_works(&queue, Word, &arena)?;
            Ok(Some(all.len() < 2 || victims != 0))
        },
    )
    .during(|(queue, _, arena), victim| {
        victim.settle()?;
        for id in [1, 2] {
            queue.put_timeout(&Word.make(arena, id)?, BOUND).map_err(words("put"))?;
        }
        Ok(())
    })
    .wavers()
}
