//! Killed in `put`.

use processing::PutError;
use processing_kill_tests::kinds::{Bytes, Handle, Kind, Text, Word};
use processing_kill_tests::oracle::{drain, ids, still_works};
use processing_kill_tests::seen::Seen;

use super::{Side, Victims, here, sides};
use crate::case::{Case, case, told};
use crate::round::Scenario;

pub fn all() -> Vec<Box<dyn Scenario>> {
    vec![
        Box::new(put(Bytes(5 << 10))),
        Box::new(first_of_its_size(Bytes(200))),
        Box::new(put(Handle)),
        Box::new(put(Text)),
        Box::new(put(Word)),
        Box::new(put_into_full()),
    ]
}

/// Two messages there; the victim puts a third.
fn put<K: Kind>(kind: K) -> Case<Side<K>, Victims<K>> {
    putting(format!("put.{}", kind.name()), kind, &[1, 2])
}

/// Nobody has had a block of this size before: the memory for it is made on the way.
fn first_of_its_size<K: Kind>(kind: K) -> Case<Side<K>, Victims<K>> {
    putting(format!("put.first.{}", kind.name()), kind, &[])
}

fn putting<K: Kind>(name: String, kind: K, there: &'static [u64]) -> Case<Side<K>, Victims<K>> {
    case(
        name,
        move |world| sides(world, kind, there),
        move |(queue,), stage, world| {
            let message = kind.make(&here(world), 7).expect("message");
            stage.begin();
            let answer = queue.put(&message);
            stage.end();
            answer.expect("put");
        },
        move |side: Side<K>, seen: Seen| {
            let found = drain(&side.queue, kind, &seen, 0)?;
            let mut all: Vec<u64> = side.taken.clone();
            all.extend(ids(&found));
            let effect = all.contains(&7);
            if found.iter().any(|(_, marked)| *marked) {
                return Err(format!("marked as redelivered, and nobody had it: {found:?}"));
            }
            // The stopped one's message and the survivor's may come in either order.
            let others: Vec<u64> = all.iter().copied().filter(|id| *id != 7).collect();
            let expected: Vec<u64> = there.iter().chain(&side.put).copied().collect();
            if others != expected || all.len() > expected.len() + 1 {
                return Err(format!("{expected:?} and perhaps 7 were put, {all:?} came out"));
            }
            if seen.completed && !effect {
                return Err("the put returned, and its message is gone".into());
            }
            still_works(&side.queue, kind, &side.arena)?;
            Ok(Some(effect))
        },
    )
    .beside(move |side| {
        // One slot may be the stopped one's: there is room for one more, and what is finished can be taken.
        side.put_beside(kind, 3)?;
        there.iter().try_for_each(|_| side.take_beside(kind))
    })
}

/// There is no room: the victim is told so, and changes nothing.
fn put_into_full() -> Case<Side<Word>, Victims<Word>> {
    const FULL: u64 = 1;
    case(
        "put.full",
        |world| {
            let (side, theirs) = sides(world, Word, &[1, 2, 3, 4])?;
            // That it was full once is noted.
            match side.queue.try_put(&Word.make(&side.arena, 5)?) {
                Err(PutError::Full) => Ok((side, theirs)),
                other => Err(format!("it is full, and answers {other:?}")),
            }
        },
        |(queue,), stage, world| {
            let message = Word.make(&here(world), 7).expect("message");
            stage.begin();
            let answer = queue.try_put(&message);
            stage.end();
            if matches!(answer, Err(PutError::Full)) {
                stage.tell(FULL);
            }
        },
        |side: Side<Word>, seen| {
            if seen.completed && !seen.stopped && told(&seen) != FULL {
                return Err("the queue was full, and the put answers something else".into());
            }
            let found = drain(&side.queue, Word, &seen, 0)?;
            if found != [1, 2, 3, 4].map(|id| (id, false)) {
                return Err(format!("1 to 4 were put, {found:?} came out"));
            }
            still_works(&side.queue, Word, &side.arena)?;
            Ok(None)
        },
    )
    .only_looks()
}
