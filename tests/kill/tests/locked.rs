//! Killed while it changes a `Locked`: the old value or the new one.

use std::process::ExitCode;

use processing::Locked;
use processing_kill_tests::case::{Case, case};
use processing_kill_tests::suite::Suite;
use processing_kill_tests::{BOUND, words};

type Value = (u64, Vec<u64>);

fn main() -> ExitCode {
    let mut suite = Suite::new();
    suite.run(change("guard", |locked| {
        let mut guard = locked.lock().expect("lock");
        *guard = new();
    }));
    suite.run(change("commit", |locked| {
        let mut guard = locked.lock().expect("lock");
        *guard = new();
        guard.commit().expect("commit");
    }));
    suite.run(change("set", |locked| locked.set(new()).expect("set")));
    suite.finish()
}

fn old() -> Value {
    (1, vec![1; 9])
}

fn new() -> Value {
    (2, vec![2; 14])
}

/// The victim changes a value, in this way.
fn change(name: &str, way: fn(&Locked<Value>)) -> Case<Locked<Value>, (Locked<Value>,)> {
    case(
        name,
        |world| {
            let locked = Locked::builder().arena(&world.arena).build(&old(), 0).map_err(words("locked"))?;
            Ok((locked.clone(), (locked,)))
        },
        move |(locked,), trigger, _| {
            trigger.pull();
            way(&locked);
            trigger.release();
        },
        |locked, seen| {
            let guard = locked.lock_timeout(BOUND).map_err(words("lock"))?;
            let mut guard = guard.ok_or("the lock is not to be had")?;
            let value = (guard.0, guard.1.clone());
            if value != old() && value != new() {
                return Err(format!("torn: {value:?}"));
            }
            if seen.completed && guard.died_before().is_some() {
                return Err("told of a death that took place after the release".into());
            }
            // An heir's own change starts from a whole value, and is one.
            guard.1.push(value.0);
            guard.commit().map_err(words("commit"))?;
            drop(guard);
            let (number, list) = locked.get().map_err(words("get"))?;
            if number != value.0 || list.len() != value.1.len() + 1 || list.iter().any(|n| *n != number) {
                return Err(format!("the heir's change is {number}, {list:?}"));
            }
            Ok(Some(value == new()))
        },
    )
}
