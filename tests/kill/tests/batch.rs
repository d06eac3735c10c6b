//! Killed in `put_many`, `get_many` and `send_many`: each message of a batch is there or not by itself.

use std::process::ExitCode;

use processing::{Arena, Connection, ErrorKind, GetError, Queue, pipe_in};
use processing_kill_tests::case::{Case, FREE, case};
use processing_kill_tests::child::{Child, Doing};
use processing_kill_tests::kinds::{Bytes, Handle, Kind, Word};
use processing_kill_tests::oracle::{drain, ids, still_works};
use processing_kill_tests::suite::Suite;
use processing_kill_tests::world::World;
use processing_kill_tests::{BOUND, Outcome, words};

struct Side<K: Kind> {
    queue: Queue<K::Message>,
    arena: Arena,
    taken: Vec<u64>,
}

fn main() -> ExitCode {
    let mut suite = Suite::new();
    kinds(&mut suite, Word);
    kinds(&mut suite, Bytes(16));
    kinds(&mut suite, Bytes(5 << 10));
    kinds(&mut suite, Handle);
    suite.run(put_past_full());
    suite.run(send());
    suite.finish()
}

fn kinds<K: Kind>(suite: &mut Suite, kind: K) {
    suite.run(put(kind));
    suite.run(get(kind));
}

fn side<K: Kind>(world: &World, kind: K, messages: &[u64]) -> Outcome<Side<K>> {
    let arena = world.arena.clone();
    let queue = Queue::builder().capacity(4).arena(&arena).build().map_err(words("queue"))?;
    for id in messages {
        queue.try_put(&kind.make(&arena, *id)?).map_err(words("setup"))?;
    }
    Ok(Side { queue, arena, taken: Vec::new() })
}

fn batch<K: Kind>(kind: K, world: &World, ids: &[u64]) -> Vec<K::Message> {
    let here = processing::testing::arena_here(&world.arena).expect("attached");
    ids.iter().map(|id| kind.make(&here, *id).expect("message")).collect()
}

/// One message there; the victim puts three more: a first part of them arrives, nothing beyond.
fn put<K: Kind>(kind: K) -> Case<Side<K>, (Queue<K::Message>,)> {
    case(
        format!("put-many.{}", kind.name()),
        move |world| {
            let side = side(world, kind, &[1])?;
            let queue = side.queue.clone();
            Ok((side, (queue,)))
        },
        move |(queue,), trigger, world| {
            let messages = batch(kind, world, &[7, 8, 9]);
            trigger.pull();
            queue.put_many(&messages).expect("put_many");
            trigger.release();
        },
        move |side: Side<K>, seen| {
            let found = drain(&side.queue, kind, &seen, 0)?;
            if found.iter().any(|(_, marked)| *marked) {
                return Err(format!("marked as redelivered, and nobody had it: {found:?}"));
            }
            let all = ids(&found);
            if !(all.len() >= 1 && [1, 7, 8, 9].starts_with(&all)) {
                return Err(format!("1 and a first part of 7, 8, 9 were put, {all:?} came out"));
            }
            still_works(&side.queue, kind, &side.arena)?;
            Ok(Some(all.contains(&9)))
        },
    )
}

/// Three there, and the victim takes them all by one call: what is left is the last part, of which the first may be marked.
fn get<K: Kind>(kind: K) -> Case<Side<K>, (Queue<K::Message>,)> {
    case(
        format!("get-many.{}", kind.name()),
        move |world| {
            let side = side(world, kind, &[1, 2, 3])?;
            let queue = side.queue.clone();
            Ok((side, (queue,)))
        },
        move |(queue,), trigger, _| {
            trigger.pull();
            let messages = queue.get_many(8).expect("get_many");
            trigger.release();
            let ids: Vec<u64> = messages.into_iter().map(|m| kind.read(m).expect("whole")).collect();
            trigger.board.set(FREE, u64::from(ids == [1, 2, 3]));
        },
        move |side: Side<K>, seen| {
            let found = drain(&side.queue, kind, &seen, 3)?;
            if seen.completed && !seen.stopped && seen.board.get(FREE) != 1 {
                return Err("the victim did not get 1, 2 and 3".into());
            }
            let mut all = ids(&found);
            all.sort_unstable(); // one that was claimed comes late
            if ![1, 2, 3].ends_with(&all) || found.iter().filter(|(_, marked)| *marked).count() > 1 {
                return Err(format!("a last part of 1, 2, 3 should be left, {found:?} came out"));
            }
            still_works(&side.queue, kind, &side.arena)?;
            Ok(Some(all.is_empty()))
        },
    )
}

/// More than there is room for: the victim sleeps in the middle of its batch, and what it had put by then can be taken.
fn put_past_full() -> Case<Side<Word>, (Queue<u64>,)> {
    const BATCH: [u64; 7] = [11, 12, 13, 14, 15, 16, 17];
    case(
        "put-many.past-full",
        |world| {
            let side = side(world, Word, &[1])?;
            let queue = side.queue.clone();
            Ok((side, (queue,)))
        },
        |(queue,), trigger, world| {
            let messages = batch(Word, world, &BATCH);
            trigger.pull();
            queue.put_many(&messages).expect("put_many");
            trigger.release();
        },
        |side: Side<Word>, seen| {
            let found = drain(&side.queue, Word, &seen, 0)?;
            let mut all = side.taken.clone();
            all.extend(ids(&found));
            let put = all.strip_prefix(&[1]).unwrap_or(&[0]);
            if !BATCH.starts_with(put) {
                return Err(format!("1 and a first part of {BATCH:?} were put, {all:?} came out"));
            }
            still_works(&side.queue, Word, &side.arena)?;
            Ok(Some(all.contains(&17)))
        },
    )
    .during(make_room)
    .wavers()
}

/// Takes whatever is there each time that the victim sleeps.
fn make_room(side: &mut Side<Word>, victim: &Child) -> Outcome<()> {
    while victim.settle()? != Doing::Ended {
        for message in side.queue.try_get_many(4).or_else(none)? {
            side.taken.push(Word.read(message)?);
        }
    }
    Ok(())
}

fn none(error: GetError) -> Outcome<Vec<u64>> {
    if error.is_empty() { Ok(Vec::new()) } else { Err(format!("making room: {error}")) }
}

struct Ends {
    own: Connection,
}

/// The victim sends 20 numbers at once; a first part of them arrives, then the news of its death.
fn send() -> Case<Ends, (Connection,)> {
    case(
        "send-many",
        |world| {
            let (own, theirs) = pipe_in(&world.arena).map_err(words("pipe"))?;
            Ok((Ends { own }, (theirs,)))
        },
        |(conn,), trigger, _| {
            conn.send_many(&[0u64, 1, 2]).expect("send_many");
            trigger.pull();
            conn.send_many(&(3..23).collect::<Vec<u64>>()).expect("send_many");
            trigger.release();
            // Ends without closing.
            std::mem::forget(conn);
        },
        |ends: Ends, _| {
            let mut found = 0;
            loop {
                match ends.own.recv_timeout::<u64>(BOUND) {
                    Ok(n) if n == found => found += 1,
                    Ok(n) => return Err(format!("{n} came after {found} messages")),
                    Err(error) if error.kind() == ErrorKind::PeerDied => break,
                    Err(error) => return Err(format!("recv: {error}")),
                }
            }
            if !(3..=23).contains(&found) {
                return Err(format!("{found} messages came"));
            }
            Ok(Some(found == 23))
        },
    )
}
