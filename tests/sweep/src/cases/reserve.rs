//! Killed while room is reserved, written in place, committed, or given up.

use processing::Queue;
use processing_kill_tests::kinds::{Bytes, Kind};
use processing_kill_tests::oracle::{drain, ids, still_works};
use processing_kill_tests::seen::Seen;
use processing_kill_tests::{Outcome, words};

use super::{Side, Victims, here, sides};
use crate::case::{Case, case};
use crate::round::Scenario;

pub fn all() -> Vec<Box<dyn Scenario>> {
    vec![Box::new(commit(Bytes(500))), Box::new(give_up(Bytes(500))), Box::new(reserved_bytes())]
}

/// One message there, and 7 if that was committed: whether it was.
fn check(side: &Side<Bytes>, kind: Bytes, seen: &Seen) -> Outcome<bool> {
    let found = drain(&side.queue, kind, seen, 0)?;
    let mut all = side.taken.clone();
    all.extend(ids(&found));
    let others: Vec<u64> = all.iter().copied().filter(|id| *id != 7).collect();
    let own: Vec<u64> = [1].iter().chain(&side.put).copied().collect();
    if others != own || all.len() > own.len() + 1 || found.iter().any(|(_, marked)| *marked) {
        return Err(format!(
            "{own:?} and perhaps 7 were put, {found:?} came out, {:?} beside it",
            side.taken
        ));
    }
    still_works(&side.queue, kind, &side.arena)?;
    Ok(all.contains(&7))
}

/// Reserves, serialises, commits: the message is there whole, or nothing of it is.
fn commit(kind: Bytes) -> Case<Side<Bytes>, Victims<Bytes>> {
    case(
        format!("reserve.commit.{}", kind.name()),
        move |world| sides(world, kind, &[1]),
        move |(queue,), stage, world| {
            let message = kind.make(&here(world), 7).expect("message");
            stage.begin();
            let mut room = queue.reserve(kind.0 + 64).expect("reserve");
            room.serialize(&message).expect("serialize");
            let answer = room.commit();
            stage.end();
            answer.expect("commit");
        },
        move |side: Side<Bytes>, seen| {
            let effect = check(&side, kind, &seen)?;
            if seen.completed && !effect {
                return Err("the commit returned, and its message is gone".into());
            }
            Ok(Some(effect))
        },
    )
    .beside(move |side| {
        side.put_beside(kind, 3)?;
        side.take_beside(kind)
    })
}

/// Reserves, writes, and drops it: nothing is put, and nothing stays.
fn give_up(kind: Bytes) -> Case<Side<Bytes>, Victims<Bytes>> {
    case(
        format!("reserve.give-up.{}", kind.name()),
        move |world| sides(world, kind, &[1]),
        move |(queue,), stage, _| {
            stage.begin();
            let mut room = queue.reserve(kind.0).expect("reserve");
            room.fill(7);
            drop(room);
            stage.end();
        },
        move |side: Side<Bytes>, seen| match check(&side, kind, &seen)? {
            true => Err("a message that nobody committed is there".into()),
            false => Ok(None),
        },
    )
    .beside(move |side| side.take_beside(kind))
}

const LEN: usize = 200;

/// Bytes that are written where they are got.
fn reserved_bytes() -> Case<Queue<Vec<u8>>, (Queue<Vec<u8>>,)> {
    case(
        "reserve.bytes",
        |world| {
            let queue = Queue::<Vec<u8>>::builder().capacity(4).arena(&world.arena).build();
            let queue = queue.map_err(words("queue"))?;
            let theirs = queue.clone();
            Ok((queue, (theirs,)))
        },
        |(queue,), stage, _| {
            stage.begin();
            let mut room = queue.reserve_bytes(LEN).expect("reserve");
            room.fill(7);
            let answer = room.commit();
            stage.end();
            answer.expect("commit");
        },
        |queue: Queue<Vec<u8>>, seen| {
            let effect = match queue.try_get() {
                Ok(bytes) if bytes == [7; LEN] => true,
                Ok(bytes) => return Err(format!("{} bytes that nobody committed", bytes.len())),
                Err(error) if error.is_empty() => false,
                Err(error) => return Err(format!("get: {error}")),
            };
            if seen.completed && !effect {
                return Err("the commit returned, and its bytes are gone".into());
            }
            for n in 0..4 {
                queue.try_put(&vec![n; LEN]).map_err(words("filling"))?;
            }
            for n in 0..4 {
                let bytes = queue.try_get().map_err(words("draining"))?;
                if bytes != [n; LEN] {
                    return Err(format!("{LEN} times {n} was put, {bytes:?} came out"));
                }
            }
            Ok(Some(effect))
        },
    )
}
