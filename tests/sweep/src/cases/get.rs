//! Killed in `get`.

use processing_kill_tests::kinds::{Bytes, Handle, Kind, Text, Word};
use processing_kill_tests::oracle::{all_but, drain, still_works};

use super::{Side, Victims, sides};
use crate::case::{Case, case, told};
use crate::round::Scenario;

pub fn all() -> Vec<Box<dyn Scenario>> {
    vec![
        Box::new(get(Handle)),
        Box::new(get(Bytes(5 << 10))),
        Box::new(get(Text)),
        Box::new(get(Word)),
        Box::new(get_from_empty()),
    ]
}

/// Three messages there; the victim takes the first by value.
fn get<K: Kind>(kind: K) -> Case<Side<K>, Victims<K>> {
    case(
        format!("get.{}", kind.name()),
        move |world| sides(world, kind, &[1, 2, 3]),
        move |(queue,), stage, _| {
            stage.begin();
            let message = queue.get();
            stage.end();
            stage.tell(kind.read(message.expect("get")).expect("whole"));
        },
        move |side: Side<K>, seen| {
            let found = drain(&side.queue, kind, &seen, 3 - side.taken.len())?;
            let late = if seen.completed { told(&seen) } else { 1 };
            if seen.completed && !seen.stopped && late != 1 {
                return Err(format!("the victim got {late}, not 1"));
            }
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
    // The first is perhaps in the stopped one's hands; another can be taken.
    .beside(move |side| side.take_beside(kind))
}

/// Nothing there: the victim is told so, and changes nothing.
fn get_from_empty() -> Case<Side<Word>, Victims<Word>> {
    const EMPTY: u64 = 1;
    case(
        "get.empty",
        |world| sides(world, Word, &[]),
        |(queue,), stage, _| {
            stage.begin();
            let answer = queue.try_get();
            stage.end();
            if answer.is_err_and(|error| error.is_empty()) {
                stage.tell(EMPTY);
            }
        },
        |side: Side<Word>, seen| {
            if seen.completed && !seen.stopped && told(&seen) != EMPTY {
                return Err("the queue was empty, and the get answers something else".into());
            }
            still_works(&side.queue, Word, &side.arena)?;
            Ok(None)
        },
    )
    .only_looks()
}
