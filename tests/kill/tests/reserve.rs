//! Killed while a message is written in place, committed, or given up.

use std::process::ExitCode;

use processing::{Arena, Queue};
use processing_kill_tests::case::{Case, case};
use processing_kill_tests::kinds::{Bytes, Kind};
use processing_kill_tests::oracle::{drain, ids, still_works};
use processing_kill_tests::suite::Suite;
use processing_kill_tests::world::World;
use processing_kill_tests::{Outcome, words};

struct Side {
    queue: Queue<(u64, Vec<u8>)>,
    arena: Arena,
}

/// The victim writes into a queue of the survivor's.
type Writing = Case<Side, (Queue<(u64, Vec<u8>)>,)>;

fn main() -> ExitCode {
    let mut suite = Suite::new();
    for len in [16, 5 << 10, 300 << 10] {
        suite.run(commit(len));
        suite.run(give_up(len));
        suite.run(put_again(len));
    }
    suite.finish()
}

fn side(world: &World, kind: Bytes) -> Outcome<Side> {
    let arena = world.arena.clone();
    let queue = Queue::builder().capacity(4).arena(&arena).build().map_err(words("queue"))?;
    queue.try_put(&kind.make(&arena, 1)?).map_err(words("setup"))?;
    Ok(Side { queue, arena })
}

fn check(side: &Side, kind: Bytes, seen: processing_kill_tests::case::Seen) -> Outcome<bool> {
    let all = ids(&drain(&side.queue, kind, &seen, 0)?);
    if all != [1] && all != [1, 7] {
        return Err(format!("1 and perhaps 7 were put, {all:?} came out"));
    }
    still_works(&side.queue, kind, &side.arena)?;
    Ok(all.contains(&7))
}

/// Reserves, serialises, commits: the message is there whole, or nothing of it is.
fn commit(len: usize) -> Writing {
    let kind = Bytes(len);
    case(
        format!("reserve.commit.{}", kind.name()),
        move |world| {
            let side = side(world, kind)?;
            let queue = side.queue.clone();
            Ok((side, (queue,)))
        },
        move |(queue,), trigger, world| {
            let message = kind.make(&world.arena, 7).expect("message");
            trigger.pull();
            let mut room = queue.reserve(len + 64).expect("reserve");
            room.serialize(&message).expect("serialize");
            room.commit().expect("commit");
            trigger.release();
        },
        move |side: Side, seen| Ok(Some(check(&side, kind, seen)?)),
    )
}

/// Reserves, and drops it.
fn give_up(len: usize) -> Writing {
    let kind = Bytes(len);
    case(
        format!("reserve.give-up.{}", kind.name()),
        move |world| {
            let side = side(world, kind)?;
            let queue = side.queue.clone();
            Ok((side, (queue,)))
        },
        move |(queue,), trigger, _| {
            trigger.pull();
            let mut room = queue.reserve(len + 64).expect("reserve");
            room.fill(7);
            drop(room);
            // Whatever lies there now is no message.
            queue.reserve(len).expect("reserve").commit().expect_err("no archive");
            // A small one lies in private memory: so that something is counted.
            queue.is_closed();
            trigger.release();
        },
        move |side: Side, seen| match check(&side, kind, seen)? {
            true => Err("a message that nobody committed is there".into()),
            false => Ok(None),
        },
    )
    .least(0)
}

/// A second long message goes into a block that was guessed to fit.
fn put_again(len: usize) -> Writing {
    let kind = Bytes(len);
    case(
        format!("put.again.{}", kind.name()),
        move |world| {
            let side = side(world, kind)?;
            let queue = side.queue.clone();
            Ok((side, (queue,)))
        },
        move |(queue,), trigger, world| {
            // Only in this process: the guess is each one's own.
            let message = kind.make(&world.arena, 7).expect("message");
            queue.put(&kind.make(&world.arena, 1).expect("message")).expect("put");
            queue.get().expect("get");
            trigger.pull();
            queue.put(&message).expect("put");
            trigger.release();
        },
        move |side: Side, seen| Ok(Some(check(&side, kind, seen)?)),
    )
}
