//! Killed in the calls of a buffered queue: with and without another segment, and while one is taken out.

use processing::{Arena, BufferedQueue};
use processing_kill_tests::kinds::{Kind, Mixed, Word};
use processing_kill_tests::oracle::{all_but, drain, ids, still_grows};
use processing_kill_tests::seen::Seen;
use processing_kill_tests::world::World;
use processing_kill_tests::{Outcome, words};

use super::batch::{digits, last_part, number};
use super::here;
use crate::case::{Case, case, told};
use crate::round::Scenario;

pub fn all() -> Vec<Box<dyn Scenario>> {
    vec![
        Box::new(shrink(Mixed)),
        Box::new(get_many(Mixed)),
        Box::new(grow(Mixed)),
        Box::new(grow(Word)),
        Box::new(put(Word)),
        Box::new(get(Word)),
    ]
}

/// Messages of a segment.
const SEGMENT: usize = 2;

/// The survivor's side.
struct Side<K: Kind> {
    queue: BufferedQueue<K::Message>,
    arena: Arena,
    taken: Vec<u64>,
}

/// What the victim gets.
type Victims<K> = (BufferedQueue<<K as Kind>::Message>,);

/// A queue that holds messages 1 to `messages`; the survivor knows its segments.
fn sides<K: Kind>(world: &World, kind: K, messages: u64) -> Outcome<(Side<K>, Victims<K>)> {
    let arena = world.arena.clone();
    let queue = BufferedQueue::builder().segment(SEGMENT).arena(&arena).build().map_err(words("queue"))?;
    queue.put(&kind.make(&arena, 0)?).map_err(words("setup"))?;
    queue.try_get().map_err(words("setup"))?;
    for id in 1..=messages {
        queue.put(&kind.make(&arena, id)?).map_err(words("setup"))?;
    }
    let theirs = queue.clone();
    Ok((Side { queue, arena, taken: Vec::new() }, (theirs,)))
}

impl<K: Kind> Side<K> {
    /// Takes what lies in the first segment beside a victim that stands still, perhaps with the lock.
    fn take_beside(&mut self, kind: K, messages: u64) -> Outcome<()> {
        for _ in 0..messages {
            let message = self.queue.try_get().map_err(words("get beside a stopped one"))?;
            self.taken.push(kind.read(message)?);
        }
        Ok(())
    }

    fn still_works(&self, kind: K) -> Outcome<()> {
        still_grows(&self.queue, kind, &self.arena, SEGMENT)
    }
}

/// `before` messages there; the victim puts one more.
fn putting<K: Kind>(name: &str, kind: K, before: u64) -> Case<Side<K>, Victims<K>> {
    case(
        format!("buffered.{name}-{}", kind.name()),
        move |world| sides(world, kind, before),
        move |(queue,), stage, world| {
            let message = kind.make(&here(world), 7).expect("message");
            stage.begin();
            let answer = queue.put(&message);
            stage.end();
            answer.expect("put");
        },
        move |side: Side<K>, seen| {
            let found = drain(&side.queue, kind, &seen, 0)?;
            let mut all = side.taken.clone();
            all.extend(ids(&found));
            let own: Vec<u64> = (1..=before).collect();
            let effect = all.contains(&7);
            if all.strip_prefix(&*own) != Some(if effect { &[7] } else { &[] })
                || found.iter().any(|(_, marked)| *marked)
            {
                return Err(format!(
                    "{own:?} and perhaps 7 were put, {found:?} came out, {:?} beside it",
                    side.taken
                ));
            }
            if seen.completed && !effect {
                return Err("the put returned, and its message is gone".into());
            }
            side.still_works(kind)?;
            Ok(Some(effect))
        },
    )
    .beside(move |side| side.take_beside(kind, before))
}

/// There is room in the segment.
fn put<K: Kind>(kind: K) -> Case<Side<K>, Victims<K>> {
    putting("put", kind, 1)
}

/// There is none: another segment comes behind it.
fn grow<K: Kind>(kind: K) -> Case<Side<K>, Victims<K>> {
    putting("grow", kind, SEGMENT as u64)
}

/// What is left when the victim took `late` by value, perhaps.
fn one_taken<K: Kind>(side: &Side<K>, kind: K, seen: &Seen, all: &[u64], late: u64) -> Outcome<bool> {
    let found = drain(&side.queue, kind, seen, all.len() - side.taken.len())?;
    if seen.completed && !seen.stopped && told(seen) != late {
        return Err(format!("the victim got {}, not {late}", told(seen)));
    }
    let late = if seen.completed { told(seen) } else { late };
    let mut rest: Vec<_> = side.taken.iter().map(|id| (*id, false)).collect();
    rest.extend(found);
    let gone = all_but(&rest, all, late)?;
    if seen.completed && !gone {
        return Err(format!("the victim got {late}, and so did the survivor"));
    }
    side.still_works(kind)?;
    Ok(gone)
}

/// Three messages there, in two segments; the victim takes the first by value.
fn get<K: Kind>(kind: K) -> Case<Side<K>, Victims<K>> {
    case(
        format!("buffered.get-{}", kind.name()),
        move |world| sides(world, kind, 3),
        move |(queue,), stage, _| {
            stage.begin();
            let message = queue.get();
            stage.end();
            stage.tell(kind.read(message.expect("get")).expect("whole"));
        },
        move |side: Side<K>, seen| one_taken(&side, kind, &seen, &[1, 2, 3], 1).map(Some),
    )
    // The first is perhaps in the stopped one's hands; another can be taken.
    .beside(move |side| side.take_beside(kind, 1))
}

/// The first segment is drained by the victim, which then takes it out, and the next message from the one behind it.
fn shrink<K: Kind>(kind: K) -> Case<Side<K>, Victims<K>> {
    case(
        format!("buffered.shrink-{}", kind.name()),
        move |world| sides(world, kind, 4),
        move |(queue,), stage, _| {
            for id in [1, 2] {
                assert_eq!(kind.read(queue.get().expect("get")).expect("whole"), id);
            }
            stage.begin();
            let message = queue.get();
            stage.end();
            stage.tell(kind.read(message.expect("get")).expect("whole"));
        },
        move |side: Side<K>, seen| one_taken(&side, kind, &seen, &[3, 4], 3).map(Some),
    )
}

/// The victim takes three of four messages by one call, out of two segments.
fn get_many<K: Kind>(kind: K) -> Case<Side<K>, Victims<K>> {
    case(
        format!("buffered.get-many-{}", kind.name()),
        move |world| sides(world, kind, 4),
        move |(queue,), stage, _| {
            stage.begin();
            let messages = queue.get_many(3);
            stage.end();
            stage.tell(digits(messages.expect("get_many"), kind));
        },
        move |side: Side<K>, seen| {
            let found = drain(&side.queue, kind, &seen, 4)?;
            let gone = last_part(&found, &side.taken, 4)?;
            if seen.completed && told(&seen) != number(&gone) {
                return Err(format!("the victim got {}, and {gone:?} are gone", told(&seen)));
            }
            side.still_works(kind)?;
            Ok(Some(gone.len() == 3))
        },
    )
}
