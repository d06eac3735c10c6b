//! Killed in acquire and release of a lock of each backend: what its `Capabilities` say, at every instruction that matters.
//!
//! The calls of the C library count as shared operations. For a lock that is not `gapless` there are two points, and no more, of
//! which nobody is told: after the lock was taken and before its owner has signed, and after that is crossed out and before it is given
//! back.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use processing::{AcquireError, ErrorKind, Lock, LockBackend, WaitStrategy};
use processing_kill_tests::case::{Case, Seen, case};
use processing_kill_tests::suite::Suite;
use processing_kill_tests::world::World;
use processing_kill_tests::{Outcome, words};

fn main() -> ExitCode {
    let mut suite = Suite::new();
    for backend in [LockBackend::Futex, LockBackend::Semaphore, LockBackend::Pthread] {
        let phases = Phases::default();
        suite.run(take_and_release(backend, phases.clone()));
        suite.test(&format!("{backend}/phases"), || check_phases(backend, &phases));
        suite.run(acquire_contended(backend));
    }
    suite.finish()
}

/// What the survivor finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// It is free.
    Free,
    /// The survivor is told of a death; whether it has the lock is the backend's affair.
    Told,
    /// Nobody has it, and nobody gets it.
    Gap,
}

/// What was found of a victim that died at this point.
type Phases = Arc<Mutex<BTreeMap<u64, Found>>>;

fn make(world: &World, backend: LockBackend) -> Outcome<Lock> {
    let builder = Lock::builder().arena(&world.arena).backend(backend).wait(WaitStrategy::Block);
    builder.build().map_err(words("lock"))
}

/// Looks twice: with a time limit, too, nobody hangs.
fn find(lock: &Lock) -> Outcome<Found> {
    let (first, recovered) = find_once(lock, Duration::ZERO)?;
    let (second, _) = find_once(lock, Duration::from_millis(2))?;
    let expected = if recovered { Found::Free } else { first };
    if second == expected { Ok(first) } else { Err(format!("at first {first:?}, then {second:?}")) }
}

fn find_once(lock: &Lock, limit: Duration) -> Outcome<(Found, bool)> {
    let robust = lock.capabilities().robust;
    match lock.acquire_timeout(limit) {
        Ok(_guard) => Ok((Found::Free, false)),
        Err(AcquireError::Busy { .. }) if !lock.capabilities().gapless => Ok((Found::Gap, false)),
        Err(AcquireError::OwnerDied(died)) if robust => {
            drop(died.recover());
            Ok((Found::Told, true))
        }
        Err(AcquireError::Other(error)) if error.kind() == ErrorKind::OwnerDied && !robust => {
            Ok((Found::Told, false))
        }
        Err(other) => Err(format!("{other:?}")),
    }
}

/// Nobody else wants it.
fn take_and_release(backend: LockBackend, phases: Phases) -> Case<Lock, (Lock,)> {
    case(
        format!("{backend}.acquire-and-release"),
        move |world| {
            let lock = make(world, backend)?;
            Ok((lock.clone(), (lock,)))
        },
        |(lock,), trigger, _| {
            trigger.pull();
            drop(lock.acquire().expect("free"));
            trigger.release();
        },
        move |lock, seen: Seen| {
            let found = find(&lock)?;
            if seen.stopped || seen.completed {
                return if found == Found::Free { Ok(None) } else { Err(format!("{found:?}")) };
            }
            let mut phases = phases.lock().map_err(words("phases"))?;
            match *phases.entry(seen.k).or_insert(found) {
                known if known == found => Ok(None),
                known => Err(format!("killed at {} before: {known:?}; now: {found:?}", seen.k)),
            }
        },
    )
    .meanwhile(|lock| match lock.acquire_timeout(Duration::from_millis(1)) {
        Ok(_) | Err(AcquireError::Busy { .. }) => Ok(()),
        Err(other) => Err(format!("beside a stopped owner: {other:?}")),
    })
}

/// What was found as the points go by.
fn check_phases(backend: LockBackend, phases: &Phases) -> Outcome<String> {
    let phases: Vec<Found> = phases.lock().map_err(words("phases"))?.values().copied().collect();
    if phases.is_empty() {
        return Err("nobody was killed: run it together with acquire-and-release".into());
    }
    let gaps = phases.iter().filter(|found| **found == Found::Gap).count();
    let mut order = phases.clone();
    order.dedup();
    let expected: &[Found] = if backend.capabilities().gapless {
        &[Found::Free, Found::Told]
    } else {
        &[Found::Free, Found::Gap, Found::Told, Found::Gap]
    };
    // After the last one it is free again; whether there is a point then is not the backend's affair.
    let ends_free = order.last() == Some(&Found::Free);
    let order = &order[..order.len() - usize::from(ends_free)];
    if order != expected || gaps > 2 {
        return Err(format!("{phases:?}"));
    }
    Ok(format!("{} points, {gaps} of them gaps", phases.len()))
}

/// The survivor has it, and gives it back when the victim sleeps.
fn acquire_contended(backend: LockBackend) -> Case<Lock, (Lock,)> {
    case(
        format!("{backend}.acquire-contended"),
        move |world| {
            let lock = make(world, backend)?;
            lock.acquire().map_err(words("acquire"))?.leak();
            Ok((lock.clone(), (lock,)))
        },
        |(lock,), trigger, _| {
            trigger.pull();
            lock.acquire().expect("its turn comes").leak();
            trigger.release();
        },
        |lock, seen: Seen| match find(&lock)? {
            // It ended with it, without clearing up.
            Found::Free | Found::Gap if seen.completed => Err("nobody is told".into()),
            _ => Ok(None),
        },
    )
    .during(|lock, victim| {
        victim.settle()?;
        lock.release().map_err(words("release"))
    })
    .wavers()
}
