//! Killed in `put_many` and `get_many`: each message of a batch is there or not by itself.

use processing_kill_tests::Outcome;
use processing_kill_tests::kinds::{Kind, Mixed, Word};
use processing_kill_tests::oracle::{Found, drain, ids, still_works};

use super::{Side, Victims, here, sides};
use crate::case::{Case, case, told};
use crate::round::Scenario;

pub fn all() -> Vec<Box<dyn Scenario>> {
    vec![
        Box::new(put_many(Mixed)),
        Box::new(get_many(Mixed)),
        Box::new(put_many(Word)),
        Box::new(get_many(Word)),
    ]
}

/// What a victim puts: of mixed messages the first and the last are in blocks, the other in its slot.
const BATCH: [u64; 3] = [7, 8, 9];

/// One message there; the victim puts three more.
fn put_many<K: Kind>(kind: K) -> Case<Side<K>, Victims<K>> {
    case(
        format!("put-many.{}", kind.name()),
        move |world| sides(world, kind, &[1]),
        move |(queue,), stage, world| {
            let arena = here(world);
            let messages = BATCH.map(|id| kind.make(&arena, id).expect("message"));
            stage.begin();
            let answer = queue.put_many(&messages);
            stage.end();
            answer.expect("put_many");
        },
        move |side: Side<K>, seen| {
            let found = drain(&side.queue, kind, &seen, 0)?;
            let mut all = side.taken.clone();
            all.extend(ids(&found));
            let own: Vec<u64> = [1].iter().chain(&side.put).copied().collect();
            let batch = first_part(&all, &own, &found)?;
            if seen.completed && batch < BATCH.len() {
                return Err(format!("put_many returned, and only {batch} of its messages are there"));
            }
            still_works(&side.queue, kind, &side.arena)?;
            Ok(Some(batch == BATCH.len()))
        },
    )
    .beside(move |side| {
        // There is room for the whole batch even so.
        side.take_beside(kind)?;
        side.put_beside(kind, 3)
    })
}

/// A first part of the batch is there, in order, beside `own`, in order, and nothing is marked; how much of it.
fn first_part(all: &[u64], own: &[u64], found: &[Found]) -> Outcome<usize> {
    let (batch, others): (Vec<u64>, Vec<u64>) = all.iter().partition(|id| BATCH.contains(id));
    if others != own || !BATCH.starts_with(&batch) {
        return Err(format!("{own:?} and a first part of {BATCH:?} were put, {all:?} came out"));
    }
    if found.iter().any(|(_, marked)| *marked) {
        return Err(format!("marked as redelivered, and nobody had it: {found:?}"));
    }
    Ok(batch.len())
}

/// Four messages there; the victim takes three by one call.
fn get_many<K: Kind>(kind: K) -> Case<Side<K>, Victims<K>> {
    case(
        format!("get-many.{}", kind.name()),
        move |world| sides(world, kind, &[1, 2, 3, 4]),
        move |(queue,), stage, _| {
            stage.begin();
            let messages = queue.get_many(3);
            stage.end();
            stage.tell(digits(messages.expect("get_many"), kind));
        },
        move |side: Side<K>, seen| {
            let found = drain(&side.queue, kind, &seen, 4 - side.taken.len())?;
            let gone = last_part(&found, &side.taken, 4)?;
            if seen.completed && told(&seen) != number(&gone) {
                return Err(format!("the victim got {}, and {gone:?} are gone", told(&seen)));
            }
            still_works(&side.queue, kind, &side.arena)?;
            Ok(Some(gone.len() == 3))
        },
    )
    .beside(move |side| side.take_beside(kind))
}

/// What a victim got, as one number.
pub fn digits<K: Kind>(messages: Vec<K::Message>, kind: K) -> u64 {
    let ids: Vec<u64> = messages.into_iter().map(|message| kind.read(message).expect("whole")).collect();
    number(&ids)
}

pub fn number(ids: &[u64]) -> u64 {
    ids.iter().fold(0, |number, id| 10 * number + id)
}

/// Which of the messages 1 to `last` are gone, that are neither `found` nor `taken`: as the victim takes them, from the first on. What it
/// had claimed and not taken is marked (if that is to be seen) and comes late; all others come in order.
pub fn last_part(found: &[Found], taken: &[u64], last: u64) -> Outcome<Vec<u64>> {
    let mut left = ids(found);
    left.extend(taken);
    let gone: Vec<u64> = (1..=last).filter(|id| !left.contains(id)).collect();
    let wrong =
        |what: &str| Err(format!("{found:?} came out and {taken:?} beside it, {gone:?} are gone: {what}"));
    left.sort_unstable();
    if left.iter().any(|id| *id > last) || left.windows(2).any(|pair| pair[0] == pair[1]) {
        return wrong("not each once");
    }
    // Beside a stopped one others take what it then goes past.
    let order: Vec<u64> = (1..=last).filter(|id| !taken.contains(id)).collect();
    if !order.starts_with(&gone) && !(1..=last).collect::<Vec<_>>().starts_with(&gone) {
        return wrong("not a first part");
    }
    let claimed = order.get(gone.len());
    let others: Vec<u64> = ids(found).into_iter().filter(|id| Some(id) != claimed).collect();
    if !others.is_sorted() {
        return wrong("out of order");
    }
    if found.iter().any(|(id, marked)| *marked && Some(id) != claimed) {
        return wrong("one is marked that nobody had");
    }
    Ok(gone)
}
