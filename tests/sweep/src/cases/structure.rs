//! Killed while it changes a shared struct: replaced, with and without something to free, and in place; and while it reads.

use processing::rkyv::munge::munge;
use processing::rkyv::tuple::ArchivedTuple2;
use processing::rkyv::vec::ArchivedVec;
use processing::{Arena, SharedStruct};
use processing_kill_tests::world::World;
use processing_kill_tests::{Outcome, words};

use crate::case::{Case, case, told};
use crate::round::Scenario;

pub fn all() -> Vec<Box<dyn Scenario>> {
    // Seven are retired: with the next one they are looked through, and freed.
    vec![Box::new(set(7)), Box::new(write()), Box::new(set(0)), Box::new(read())]
}

/// A number, and as many more as it says.
type Value = (u64, Vec<u64>);
type Struct = SharedStruct<Value>;

fn value(n: u64) -> Value {
    (n, vec![n; 20])
}

/// 32 KiB: eight of these are looked through together.
fn long(n: u64) -> Value {
    (n, vec![n; 4096])
}

/// The survivor's side.
struct Side {
    shared: Struct,
    arena: Arena,
}

/// The value is 1, and has been so often before.
fn sides(world: &World, retired: usize) -> Outcome<(Side, (Struct,))> {
    let arena = world.arena.clone();
    // What is stepped through copies it, where nothing is retired.
    let first = if retired == 0 { value(1) } else { long(1) };
    let shared = SharedStruct::builder().arena(&arena).build(&first).map_err(words("shared struct"))?;
    for _ in 0..retired {
        shared.set(&long(1)).map_err(words("setup"))?;
    }
    Ok((Side { shared: shared.clone(), arena }, (shared,)))
}

impl Side {
    /// 1 or 2, whole.
    fn look(&self) -> Outcome<u64> {
        let guard = self.shared.read().map_err(words("read"))?;
        let n = guard.0.to_native();
        let whole = [20, 4096].contains(&guard.1.len()) && guard.1.iter().all(|one| one.to_native() == n);
        if whole && (n == 1 || n == 2) { Ok(n) } else { Err(format!("torn: {n}, {:?}", guard.1)) }
    }

    /// It can be changed, and what was replaced goes.
    fn still_works(&self) -> Outcome<()> {
        let mut fewest = u64::MAX;
        for n in 0..18 {
            self.shared.set(&long(2 - n % 2)).map_err(words("an heir sets"))?;
            if self.look()? != 2 - n % 2 {
                return Err(format!("an heir has set {}, and {} is there", 2 - n % 2, self.look()?));
            }
            fewest = fewest.min(self.arena.fsck().map_err(words("fsck"))?.value);
        }
        if fewest == 1 { Ok(()) } else { Err(format!("{fewest} blocks are left, and nobody reads")) }
    }
}

/// The victim makes 2 of 1, in this way.
fn changing(name: &str, retired: usize, way: fn(&Struct) -> processing::Result<()>) -> Case<Side, (Struct,)> {
    case(
        name,
        move |world| sides(world, retired),
        move |(shared,), stage, _| {
            stage.begin();
            let answer = way(&shared);
            stage.end();
            answer.expect("changed");
        },
        |side: Side, seen| {
            let effect = side.look()? == 2;
            if seen.completed && !effect {
                return Err("the change returned, and is not there".into());
            }
            side.still_works()?;
            Ok(Some(effect))
        },
    )
    .beside(|side| side.look().map(drop))
}

fn set(retired: usize) -> Case<Side, (Struct,)> {
    let name = if retired == 0 { "struct.set" } else { "struct.set-and-free" };
    changing(name, retired, |shared| shared.set(&value(2)))
}

fn write() -> Case<Side, (Struct,)> {
    changing("struct.write", 0, |shared| {
        let mut guard = shared.write()?;
        munge!(let ArchivedTuple2(mut n, list) = guard.seal());
        *n = 2.into();
        ArchivedVec::as_slice_seal(list).unseal().iter_mut().for_each(|one| *one = 2.into());
        guard.commit()
    })
}

/// The victim reads, and lets go.
fn read() -> Case<Side, (Struct,)> {
    case(
        "struct.read",
        |world| sides(world, 2),
        |(shared,), stage, _| {
            stage.begin();
            let guard = shared.read();
            let n = guard.as_ref().map_or(0, |guard| guard.0.to_native());
            drop(guard);
            stage.end();
            stage.tell(n);
        },
        |side: Side, seen| {
            let n = side.look()?;
            if seen.completed && told(&seen) != n {
                return Err(format!("{n} is there, and {} was read", told(&seen)));
            }
            side.still_works()?;
            Ok(None)
        },
    )
    .beside(|side| side.look().map(drop))
}
