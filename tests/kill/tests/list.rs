//! Killed while it changes a `SharedList`: the list before, or after.

use std::process::ExitCode;

use processing::{Arena, SharedData, SharedList, testing};
use processing_kill_tests::case::{Case, case};
use processing_kill_tests::kinds::{Bytes, Kind, Text, Word};
use processing_kill_tests::suite::Suite;
use processing_kill_tests::{Outcome, words};

/// A number and a list that says it once more.
#[derive(Clone, Copy)]
struct Nested;

impl Kind for Nested {
    type Message = (u64, SharedList<u64>);
    fn name(self) -> String {
        "nested".into()
    }
    fn make(self, arena: &Arena, id: u64) -> Outcome<Self::Message> {
        let inner = SharedList::builder().arena(arena).build_from([id]).map_err(words("inner list"))?;
        Ok((id, inner))
    }
    fn read(self, (id, inner): Self::Message) -> Outcome<u64> {
        let inner = inner.to_vec().map_err(words("inner to_vec"))?;
        if inner == [id] { Ok(id) } else { Err(format!("the list in element {id} holds {inner:?}")) }
    }
}

/// What a victim does, to elements that say these numbers.
struct Job {
    name: &'static str,
    before: &'static [u64],
    after: &'static [u64],
    act: fn(&dyn Calls),
}

/// The calls of a list of any kind of elements, by numbers.
trait Calls {
    fn push(&self, id: u64);
    fn extend(&self, ids: &[u64]);
    fn pop(&self);
    fn set(&self, index: usize, id: u64);
    fn update(&self, index: usize, id: u64);
    fn insert(&self, index: usize, id: u64);
    fn remove(&self, index: usize);
    fn set_slice(&self, from: usize, to: usize, ids: &[u64]);
    fn reverse(&self);
    fn truncate(&self, len: usize);
}

/// A list, and the elements that the victim is going to need: made before it is armed.
struct Armed<K: Kind> {
    list: SharedList<K::Message>,
    made: std::cell::RefCell<Vec<(u64, K::Message)>>,
}

impl<K: Kind> Armed<K> {
    fn take(&self, id: u64) -> K::Message {
        let mut made = self.made.borrow_mut();
        let at = made.iter().position(|(known, _)| *known == id).expect("it was made");
        made.swap_remove(at).1
    }

    fn take_all(&self, ids: &[u64]) -> Vec<K::Message> {
        ids.iter().map(|id| self.take(*id)).collect()
    }
}

impl<K: Kind> Calls for Armed<K>
where
    K::Message: SharedData,
{
    fn push(&self, id: u64) {
        self.list.push(&self.take(id)).expect("push");
    }
    fn extend(&self, ids: &[u64]) {
        self.list.extend(self.take_all(ids)).expect("extend");
    }
    fn pop(&self) {
        assert!(self.list.pop().expect("pop").is_some());
    }
    fn set(&self, index: usize, id: u64) {
        self.list.set(index, &self.take(id)).expect("set");
    }
    fn update(&self, index: usize, id: u64) {
        self.list.update(index, |value| *value = self.take(id)).expect("update");
    }
    fn insert(&self, index: usize, id: u64) {
        self.list.insert(index, &self.take(id)).expect("insert");
    }
    fn remove(&self, index: usize) {
        drop(self.list.remove(index).expect("remove"));
    }
    fn set_slice(&self, from: usize, to: usize, ids: &[u64]) {
        self.list.set_slice(from..to, &self.take_all(ids)).expect("set_slice");
    }
    fn reverse(&self) {
        self.list.reverse().expect("reverse");
    }
    fn truncate(&self, len: usize) {
        self.list.truncate(len).expect("truncate");
    }
}

/// The numbers that jobs add.
const NEW: [u64; 3] = [77, 78, 79];

const JOBS: &[Job] = &[
    Job { name: "push", before: &[1, 2], after: &[1, 2, 77], act: |list| list.push(77) },
    Job { name: "push.first", before: &[], after: &[77], act: |list| list.push(77) },
    Job {
        name: "push.grow",
        before: &[1, 2, 3, 4, 5, 6, 7, 8],
        after: &[1, 2, 3, 4, 5, 6, 7, 8, 77],
        act: |list| list.push(77),
    },
    Job {
        name: "extend",
        before: &[1, 2, 3, 4, 5, 6, 7],
        after: &[1, 2, 3, 4, 5, 6, 7, 77, 78, 79],
        act: |list| list.extend(&NEW),
    },
    Job { name: "pop", before: &[1, 2, 3], after: &[1, 2], act: |list| list.pop() },
    Job {
        name: "pop.shrink",
        before: &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25],
        after: &[1, 2, 3, 4, 5, 6, 7, 8],
        act: |list| list.truncate(8),
    },
    Job { name: "clear", before: &[1, 2, 3, 4], after: &[], act: |list| list.truncate(0) },
    Job { name: "set", before: &[1, 2, 3], after: &[1, 77, 3], act: |list| list.set(1, 77) },
    Job { name: "update", before: &[1, 2, 3], after: &[77, 2, 3], act: |list| list.update(0, 77) },
    Job { name: "insert", before: &[1, 2, 3], after: &[1, 77, 2, 3], act: |list| list.insert(1, 77) },
    Job {
        name: "insert.grow",
        before: &[1, 2, 3, 4, 5, 6, 7, 8],
        after: &[77, 1, 2, 3, 4, 5, 6, 7, 8],
        act: |list| list.insert(0, 77),
    },
    Job { name: "remove", before: &[1, 2, 3], after: &[2, 3], act: |list| list.remove(0) },
    Job {
        name: "set_slice",
        before: &[1, 2, 3, 4, 5, 6, 7, 8, 9],
        after: &[1, 77, 78, 5, 6, 7, 8, 9],
        act: |list| list.set_slice(1, 4, &[77, 78]),
    },
    Job { name: "reverse", before: &[1, 2, 3], after: &[3, 2, 1], act: |list| list.reverse() },
];

fn main() -> ExitCode {
    let mut suite = Suite::new().at_rest();
    for job in JOBS {
        suite.run(change(Word, job));
        suite.run(change(Text, job));
    }
    for job in JOBS.iter().filter(|job| ["push", "pop", "set", "insert", "remove"].contains(&job.name)) {
        suite.run(change(Nested, job));
    }
    for job in JOBS.iter().filter(|job| ["push", "set"].contains(&job.name)) {
        suite.run(change(Bytes(5 << 10), job));
    }
    suite.finish()
}

/// The survivor's list.
struct Side<K: Kind> {
    list: SharedList<K::Message>,
    arena: Arena,
}

/// The numbers that its elements say.
fn content<K: Kind>(kind: K, list: &SharedList<K::Message>) -> Outcome<Vec<u64>>
where
    K::Message: SharedData,
{
    let all = list.to_vec().map_err(words("to_vec"))?;
    all.into_iter().map(|element| kind.read(element)).collect()
}

fn change<K: Kind>(kind: K, job: &'static Job) -> Case<Side<K>, (SharedList<K::Message>,)>
where
    K::Message: SharedData,
{
    case(
        format!("{}.{}", job.name, kind.name()),
        move |world| {
            let arena = world.arena.clone();
            let list = SharedList::builder().arena(&arena).build().map_err(words("list"))?;
            for id in job.before {
                list.push(&kind.make(&arena, *id)?).map_err(words("setup"))?;
            }
            Ok((Side { list: list.clone(), arena }, (list,)))
        },
        move |(list,), trigger, world| {
            let here = testing::arena_here(&world.arena).expect("attached");
            let make = |id| (id, kind.make(&here, id).expect("element"));
            let armed = Armed::<K> { list, made: std::cell::RefCell::new(NEW.map(make).into()) };
            trigger.pull();
            (job.act)(&armed);
            trigger.release();
        },
        move |side: Side<K>, seen| {
            let whole = |found: &[u64]| match found == job.before || found == job.after {
                true => Ok(()),
                false => Err(format!("{found:?}, and not {:?} or {:?}", job.before, job.after)),
            };
            // Who only reads repairs nothing, and needs nobody who does. An element with handles is read under the lock.
            let found = content(kind, &side.list)?;
            whole(&found)?;
            if seen.completed && found != job.after {
                return Err(format!("the call returned, and the list is {found:?}"));
            }
            // An heir's own change starts from a whole list, and is one.
            side.list.push(&kind.make(&side.arena, 80)?).map_err(words("push"))?;
            let mut all = content(kind, &side.list)?;
            if all.pop() != Some(80) || all != found {
                return Err(format!("{found:?} became {all:?} and 80"));
            }
            let fsck = side.arena.fsck().map_err(words("fsck"))?;
            if !fsck.is_clean() {
                return Err(format!("fsck with the list: {fsck}"));
            }
            side.list.insert(0, &kind.make(&side.arena, 81)?).map_err(words("insert"))?;
            let first = kind.read(side.list.remove(0).map_err(words("remove"))?)?;
            let last = side.list.pop().map_err(words("pop"))?.map(|last| kind.read(last)).transpose()?;
            if (first, last) != (81, Some(80)) || content(kind, &side.list)?.len() != found.len() {
                return Err(format!("{first} and {last:?} came out, not 81 and 80"));
            }
            // The rest goes with the list.
            Ok(Some(found == job.after))
        },
    )
    .meanwhile(move |side| {
        // A stopped process may have the lock, which only handles are read under.
        if kind.name() == Nested.name() {
            return Ok(());
        }
        let found = content(kind, &side.list)?;
        match found == job.before || found == job.after {
            true => Ok(()),
            false => Err(format!("{found:?} beside a stopped one")),
        }
    })
}
