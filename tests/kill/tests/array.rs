//! Killed while it uses a `SharedArray`: a change of many elements is there wholly or not at all, nobody is kept out, and nothing is left over. Who is
//! killed in an edit is told of.

use std::process::ExitCode;
use std::time::Duration;

use processing::testing::arena_here;
use processing::{Arena, ErrorKind, Queue, SharedArray};
use processing_kill_tests::case::{Case, Seen, case};
use processing_kill_tests::suite::Suite;
use processing_kill_tests::{BOUND, Outcome, words};

const LEN: usize = 5;
const OLD: u64 = 1;
const NEW: u64 = 2;
/// Where single stores go.
const AT: usize = 3;
const SHORT: Duration = Duration::from_millis(5);

/// Three words: stored by guards alone.
type Triple = [u64; 3];

fn main() -> ExitCode {
    let mut suite = Suite::new().at_rest();
    for shared in [false, true] {
        let name = |what: &str| format!("{what}.{}", if shared { "from-shared" } else { "from-open" });
        suite.run(all(name("write"), shared, |a| a.write().expect("write").fill(NEW)));
        suite.run(all(name("commit"), shared, |a| {
            let mut guard = a.write().expect("write");
            guard.fill(NEW);
            guard.commit().expect("commit");
        }));
        suite.run(all(name("fill"), shared, |a| a.fill(NEW).expect("fill")));
        suite.run(all(name("set_slice"), shared, |a| a.set_slice(0, &[NEW; LEN]).expect("set_slice")));
        suite.run(single(name("set"), shared));
        suite.run(read(name("read"), shared));
        suite.run(edit(name("edit"), shared));
    }
    suite.run(range());
    suite.run(triples());
    suite.run(recover());
    suite.run(alone("alone.write", |arena| {
        let a = SharedArray::builder().arena(arena).build_from(&[OLD; LEN]).expect("array");
        a.write().expect("write").fill(NEW);
        std::mem::forget(a);
    }));
    suite.run(alone("alone.last-drop", |arena| {
        drop(SharedArray::builder().arena(arena).build_from(&[OLD; 20_000]).expect("array"));
    }));
    suite.finish()
}

type Words = SharedArray<u64>;

/// An array of old values, in this mode.
fn array(arena: &Arena, shared: bool) -> Outcome<Words> {
    let a = SharedArray::builder().arena(arena).build_from(&[OLD; LEN]).map_err(words("array"))?;
    if shared {
        drop(a.read().map_err(words("read"))?);
    }
    Ok(a)
}

/// What others find, who must be kept out by nobody: and they can do everything.
fn survive(a: &Words) -> Outcome<Vec<u64>> {
    let guard = a.read_timeout(BOUND).map_err(words("read"))?;
    let found = guard.to_vec();
    drop(guard);
    a.write_timeout(BOUND).map_err(words("write"))?[0] = 7;
    a.set(1, 8).map_err(words("set"))?;
    let mut expected = found.clone();
    (expected[0], expected[1]) = (7, 8);
    let now = a.to_vec().map_err(words("to_vec"))?;
    if now != expected {
        return Err(format!("it was {found:?}, and is {now:?}"));
    }
    Ok(found)
}

/// While somebody is stopped anywhere: others get through or run out of time, and single loads wait for nobody.
fn beside(a: &mut Words) -> Outcome<()> {
    let at_most_late = |result: processing::Result<()>| match result {
        Err(error) if !error.is_timeout() => Err(format!("beside a stopped one: {error}")),
        _ => Ok(()),
    };
    a.get(0).map_err(words("get"))?;
    at_most_late(a.read_timeout(SHORT).map(drop))?;
    at_most_late(a.write_timeout(SHORT).map(drop))
}

/// Changes all elements in one step, in this way.
fn all(name: String, shared: bool, way: fn(&Words)) -> Case<Words, (Words,)> {
    case(
        name,
        move |world| array(&world.arena, shared).map(|a| (a.clone(), (a,))),
        move |(a,), trigger, _| {
            trigger.pull();
            way(&a);
            trigger.release();
        },
        |a, seen| {
            // Who repairs after the dead has finished what they had begun, also for who never takes the lock.
            let single = a.iter().map_err(words("iter"))?.collect::<Vec<_>>();
            if !seen.unswept && single != [OLD; LEN] && single != [NEW; LEN] {
                return Err(format!("half of it, by single loads: {single:?}"));
            }
            outcome(&survive(&a)?)
        },
    )
    .meanwhile(beside)
    .least(10)
}

/// The old elements or the new ones.
fn outcome(found: &[u64]) -> Outcome<Option<bool>> {
    match found {
        found if found == [OLD; LEN] => Ok(Some(false)),
        found if found == [NEW; LEN] => Ok(Some(true)),
        found => Err(format!("torn: {found:?}")),
    }
}

/// Stores one element.
fn single(name: String, shared: bool) -> Case<Words, (Words,)> {
    case(
        name,
        move |world| array(&world.arena, shared).map(|a| (a.clone(), (a,))),
        |(a,), trigger, _| {
            trigger.pull();
            a.set(AT, NEW).expect("set");
            trigger.release();
        },
        |a, _| {
            let found = survive(&a)?;
            let others = found.iter().enumerate().any(|(at, value)| at != AT && *value != OLD);
            match found[AT] {
                _ if others => Err(format!("others changed: {found:?}")),
                OLD => Ok(Some(false)),
                NEW => Ok(Some(true)),
                _ => Err(format!("torn: {found:?}")),
            }
        },
    )
    .meanwhile(beside)
    .least(3)
}

/// Reads by a guard, and by one beside it.
fn read(name: String, shared: bool) -> Case<Words, (Words,)> {
    case(
        name,
        move |world| array(&world.arena, shared).map(|a| (a.clone(), (a,))),
        |(a,), trigger, _| {
            trigger.pull();
            let guard = a.read().expect("read");
            let again = a.read().expect("read");
            assert_eq!(*guard, *again);
            drop(guard);
            drop(again);
            trigger.release();
        },
        |a, _| {
            let found = survive(&a)?;
            if found == [OLD; LEN] { Ok(None) } else { Err(format!("a reader changed it: {found:?}")) }
        },
    )
    .meanwhile(beside)
    .least(4)
}

/// Changes all elements in place.
fn edit(name: String, shared: bool) -> Case<Words, (Words,)> {
    case(
        name,
        move |world| array(&world.arena, shared).map(|a| (a.clone(), (a,))),
        |(a,), trigger, _| {
            trigger.pull();
            a.edit().expect("edit").fill(NEW).expect("fill");
            trigger.release();
        },
        |a, seen| edited(&a, seen).map(Some),
    )
    .meanwhile(beside)
    .least(10)
}

/// What is there after an edit: the old elements, or the new ones, or somebody is told that it may be a part of both.
fn edited(a: &Words, seen: Seen) -> Outcome<bool> {
    match a.read_timeout(BOUND).map(|guard| guard.to_vec()) {
        Ok(found) if found == [NEW; LEN] => {
            survive(a)?;
            Ok(true)
        }
        Ok(found) if found == [OLD; LEN] => {
            survive(a)?;
            Ok(false)
        }
        Ok(found) => Err(format!("half of it, and nobody was told: {found:?}")),
        Err(error) if error.kind() == ErrorKind::OwnerDied && !seen.completed => {
            if a.set(0, 9).is_ok() || a.write_timeout(BOUND).is_ok() {
                return Err("only the first one was told".to_owned());
            }
            let mut edit = a.recover().map_err(words("recover"))?;
            let is_new = edit.iter().filter(|word| **word == NEW).count();
            if edit[..is_new] != vec![NEW; is_new] || edit[is_new..] != vec![OLD; LEN - is_new] {
                return Err(format!("never written so: {edit:?}"));
            }
            edit.fill(OLD).map_err(words("fill"))?;
            drop(edit);
            survive(a)?;
            Ok(false)
        }
        Err(error) => Err(error.to_string()),
    }
}

/// Killed while it puts right what another one left.
fn recover() -> Case<Words, (Words,)> {
    case(
        "recover",
        |world| {
            let a = array(&world.arena, false)?;
            let panicked = std::thread::scope(|scope| {
                let edits = || {
                    let _edit = a.edit().expect("edit");
                    // Not a panic with a text for each round.
                    std::panic::resume_unwind(Box::new(()));
                };
                scope.spawn(edits).join().is_err()
            });
            if panicked { Ok((a.clone(), (a,))) } else { Err("it did not panic".to_owned()) }
        },
        |(a,), trigger, _| {
            trigger.pull();
            a.recover().expect("recover").fill(NEW).expect("fill");
            trigger.release();
        },
        |a, seen| edited(&a, seen).map(Some),
    )
    .least(8)
}

/// Changes part of it.
fn range() -> Case<Words, (Words,)> {
    case(
        "write_range",
        |world| array(&world.arena, false).map(|a| (a.clone(), (a,))),
        |(a,), trigger, _| {
            trigger.pull();
            a.write_range(2..4).expect("write").fill(NEW);
            trigger.release();
        },
        |a, _| match survive(&a)?.as_slice() {
            [OLD, OLD, OLD, OLD, OLD] => Ok(Some(false)),
            [OLD, OLD, NEW, NEW, OLD] => Ok(Some(true)),
            found => Err(format!("torn: {found:?}")),
        },
    )
    .meanwhile(beside)
    .least(10)
}

/// Elements that are copied as bytes.
fn triples() -> Case<SharedArray<Triple>, (SharedArray<Triple>,)> {
    case(
        "write.triples",
        |world| {
            let builder = SharedArray::builder().arena(&world.arena);
            let a = builder.build_from(&[[OLD; 3]; LEN]).map_err(words("array"))?;
            Ok((a.clone(), (a,)))
        },
        |(a,), trigger, _| {
            trigger.pull();
            a.write().expect("write").fill([NEW; 3]);
            trigger.release();
        },
        |a, _| {
            let found = a.read_timeout(BOUND).map_err(words("read"))?.to_vec();
            a.fill([9; 3]).map_err(words("fill"))?;
            match found {
                found if found == [[OLD; 3]; LEN] => Ok(Some(false)),
                found if found == [[NEW; 3]; LEN] => Ok(Some(true)),
                found => Err(format!("torn: {found:?}")),
            }
        },
    )
    .least(10)
}

/// Nobody else has the array: it goes with its one process.
fn alone(name: &'static str, way: fn(&Arena)) -> Case<(), (Queue<u64>,)> {
    case(
        name,
        |world| Ok(((), (world.anchor.clone(),))),
        move |_anchor, trigger, world| {
            let here = arena_here(&world.arena).expect("attached");
            trigger.pull();
            way(&here);
            trigger.release();
        },
        // What is there afterwards is compared for every case.
        |(), _| Ok(None),
    )
    .least(10)
}
