//! Killed while it changes a `SharedValue`: the old value or the new one, and nobody is told.

use std::process::ExitCode;

use processing::SharedValue;
use processing_kill_tests::case::{Case, case};
use processing_kill_tests::suite::Suite;
use processing_kill_tests::{Outcome, words};

/// 64 bytes: two copies and a lock.
type Long = [u64; 8];

const OLD: Long = [1; 8];
const NEW: Long = [2; 8];

fn main() -> ExitCode {
    let mut suite = Suite::new();
    suite.run(change("set", |long| long.set(NEW).expect("set")));
    suite.run(change("update", |long| {
        let old = long.update(|value| {
            let old = *value;
            value.iter_mut().for_each(|n| *n += 1);
            old
        });
        assert_eq!(old.expect("update"), OLD);
    }));
    suite.run(inherit());
    suite.run(word("word.set", |word| word.set(2).expect("set")));
    suite.run(word("word.update", |word| word.update(|n| *n += 1).expect("update")));
    suite.run(drop_last());
    suite.finish()
}

/// Old or new; then what a survivor writes.
fn whole(long: &SharedValue<Long>) -> Outcome<bool> {
    let value = long.get();
    if value != OLD && value != NEW {
        return Err(format!("torn: {value:?}"));
    }
    let seen = long.update(|now| std::mem::replace(now, [value[0] + 7; 8])).map_err(words("update"))?;
    if seen != value || long.get() != [value[0] + 7; 8] {
        return Err(format!("{value:?} was there, the heir saw {seen:?} and left {:?}", long.get()));
    }
    Ok(value == NEW)
}

/// The victim changes a long value, in this way.
fn change(name: &str, way: fn(&SharedValue<Long>)) -> Case<SharedValue<Long>, (SharedValue<Long>,)> {
    case(
        name,
        |world| {
            let long =
                SharedValue::builder().arena(&world.arena).build(OLD).map_err(words("shared value"))?;
            Ok((long.clone(), (long,)))
        },
        move |(long,), trigger, _| {
            trigger.pull();
            way(&long);
            trigger.release();
        },
        |long, _| whole(&long).map(Some),
    )
    .meanwhile(|long| {
        let value = long.get();
        if value == OLD || value == NEW {
            Ok(())
        } else {
            Err(format!("torn beside a stopped one: {value:?}"))
        }
    })
    .least(12)
}

/// Another died inside of its change before: the victim is the heir.
fn inherit() -> Case<SharedValue<Long>, (SharedValue<Long>,)> {
    case(
        "inherit",
        |world| {
            let long =
                SharedValue::builder().arena(&world.arena).build(OLD).map_err(words("shared value"))?;
            let ticket = processing::testing::Ticket::issue((long.clone(),), "first");
            let mut ticket = ticket.map_err(words("packing"))?;
            let mut first = processing_kill_tests::child::Child::fork(|| {
                let (long,): (SharedValue<Long>,) = ticket.board().expect("arguments");
                // It ends here, with the lock.
                let _ = long.update(|value| {
                    *value = [9; 8];
                    // SAFETY: ends the process.
                    unsafe { libc::_exit(0) }
                });
            });
            first.wait()?;
            ticket.withdraw();
            Ok((long.clone(), (long,)))
        },
        |(long,), trigger, _| {
            trigger.pull();
            long.set(NEW).expect("set");
            trigger.release();
        },
        |long, _| whole(&long).map(Some),
    )
}

/// The victim changes a word, in this way.
fn word(name: &str, way: fn(&SharedValue<u64>)) -> Case<SharedValue<u64>, (SharedValue<u64>,)> {
    case(
        name,
        |world| {
            let word = SharedValue::builder().arena(&world.arena).build(1).map_err(words("shared value"))?;
            Ok((word.clone(), (word,)))
        },
        move |(word,), trigger, _| {
            trigger.pull();
            way(&word);
            trigger.release();
        },
        |word, _| match word.get() {
            value @ (1 | 2) => {
                word.set(5).map_err(words("set"))?;
                Ok(Some(value == 2))
            }
            other => Err(format!("the value is {other}")),
        },
    )
}

/// The victim has the last handles: what they stand for goes with them, or with it.
fn drop_last() -> Case<(), (SharedValue<Long>, SharedValue<u64>)> {
    case(
        "drop",
        |world| {
            let long =
                SharedValue::builder().arena(&world.arena).build(OLD).map_err(words("shared value"))?;
            let word = SharedValue::builder().arena(&world.arena).build(1).map_err(words("shared value"))?;
            Ok(((), (long, word)))
        },
        |handles, trigger, _| {
            trigger.pull();
            drop(handles);
            trigger.release();
        },
        |(), _| Ok(None),
    )
}
