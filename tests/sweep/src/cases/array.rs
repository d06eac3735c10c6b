//! Killed while it changes a `SharedArray`, or reads it by a guard.

use std::time::Duration;

use processing::SharedArray;
use processing_kill_tests::{BOUND, Outcome, words};

use crate::case::{Case, case};
use crate::round::Scenario;

pub fn all() -> Vec<Box<dyn Scenario>> {
    vec![
        Box::new(change("array.write", |a| a.write().expect("write").fill(NEW))),
        Box::new(change("array.fill", |a| a.fill(NEW).expect("fill"))),
        Box::new(change("array.set", |a| a.set(1, NEW).expect("set"))),
        Box::new(change("array.read", |a| drop(a.read().expect("read")))),
    ]
}

type Words = SharedArray<u64>;

const LEN: usize = 3;
const OLD: u64 = 1;
const NEW: u64 = 2;
const SHORT: Duration = Duration::from_millis(5);

/// The victim changes it in this way, or only looks.
fn change(name: &'static str, way: fn(&Words)) -> Case<Words, (Words,)> {
    case(
        name,
        |world| {
            let builder = SharedArray::builder().arena(&world.arena);
            let a = builder.build_from(&[OLD; LEN]).map_err(words("array"))?;
            Ok((a.clone(), (a,)))
        },
        move |(a,), stage, _| {
            // What it does once in its life is not the call's.
            a.set(0, OLD).expect("set");
            drop(a.write().expect("write"));
            stage.begin();
            way(&a);
            stage.end();
            // It ends with its handle.
            std::mem::forget(a);
        },
        move |a, seen| {
            let found = survive(&a)?;
            let one = [OLD, NEW, OLD];
            let new = if name == "array.set" { one } else { [NEW; LEN] };
            match found {
                found if name == "array.read" && found == [OLD; LEN] => Ok(None),
                found if found == [OLD; LEN] && !seen.completed => Ok(Some(false)),
                found if found == new => Ok(Some(true)),
                found => Err(format!("{found:?}")),
            }
        },
    )
    .beside(beside)
}

/// Others get through, or run out of time.
fn beside(a: &mut Words) -> Outcome<()> {
    a.get(0).map_err(words("get"))?;
    match a.read_timeout(SHORT) {
        Err(error) if !error.is_timeout() => Err(format!("beside a stopped one: {error}")),
        _ => Ok(()),
    }
}

/// What others find, who can do everything.
fn survive(a: &Words) -> Outcome<Vec<u64>> {
    let found = a.read_timeout(BOUND).map_err(words("read"))?.to_vec();
    a.write_timeout(BOUND).map_err(words("write"))?[0] = 7;
    a.set(2, 8).map_err(words("set"))?;
    let now = a.to_vec().map_err(words("to_vec"))?;
    if now != [7, found[1], 8] {
        return Err(format!("it was {found:?}, and is {now:?}"));
    }
    Ok(found)
}
