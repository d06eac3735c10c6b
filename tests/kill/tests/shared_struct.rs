//! Killed in the calls of a `SharedStruct`: the old value or the new one, nobody is told, and nothing stays behind.
//!
//! Beside what each case checks, the arena's `fsck` names every block that nothing leads to.

use std::process::ExitCode;
use std::time::Instant;

use processing::rkyv::vec::ArchivedVec;
use processing::testing::Ticket;
use processing::{Queue, SharedStruct};
use processing_kill_tests::board::Board;
use processing_kill_tests::case::{Case, FREE, case};
use processing_kill_tests::child::Child;
use processing_kill_tests::suite::Suite;
use processing_kill_tests::world::World;
use processing_kill_tests::{BOUND, Outcome, words};

/// A number, 32 KiB of it, so that eight of them are looked through together, and more as it says; a handle where there is one.
type Value = (u64, Vec<u64>, Option<Queue<u64>>);
type Struct = SharedStruct<Value>;

fn main() -> ExitCode {
    let mut suite = Suite::new().at_rest();
    suite.run(replace("set", 0, |shared, world| shared.set(&value(2, world, false)).expect("set")));
    suite.run(replace("set.handle", 0, |shared, world| shared.set(&value(2, world, true)).expect("set")));
    suite.run(replace("set.large", 0, |shared, _| shared.set(&(2, vec![2; 9_000], None)).expect("set")));
    // Seven are retired: with the next one they are looked through.
    suite.run(replace("set.reclaim", 7, |shared, world| shared.set(&value(2, world, false)).expect("set")));
    suite.run(replace("write", 0, |shared, _| {
        let mut guard = shared.write().expect("write");
        change(&mut guard);
    }));
    suite.run(replace("write.commit", 7, |shared, _| {
        let mut guard = shared.write().expect("write");
        change(&mut guard);
        guard.commit().expect("commit");
    }));
    suite.run(reclaim_beside_a_reader());
    suite.run(inherit());
    suite.run(read());
    suite.run(get());
    suite.run(build());
    suite.run(drop_last());
    suite.finish()
}

fn value(n: u64, world: &World, handle: bool) -> Value {
    let queue = || {
        let here = processing::testing::arena_here(&world.arena).expect("attached");
        Queue::builder().capacity(1).arena(&here).build().expect("queue")
    };
    (n, vec![n; 4096 + n as usize * 20], handle.then(queue))
}

/// The same number everywhere, or why it is torn.
fn number(shared: &Struct) -> Outcome<u64> {
    let guard = shared.read().map_err(words("read"))?;
    let (n, list) = (guard.0.to_native(), &guard.1);
    if list.is_empty() || list.iter().any(|one| one.to_native() != n) {
        return Err(format!("torn: {n} and {list:?}"));
    }
    Ok(n)
}

fn change(guard: &mut processing::StructWriteGuard<'_, Value>) {
    processing::rkyv::munge::munge!(let processing::rkyv::tuple::ArchivedTuple3(mut n, list, _) = guard.seal());
    *n = 2.into();
    ArchivedVec::as_slice_seal(list).unseal().iter_mut().for_each(|one| *one = 2.into());
}

/// With the value 1, after so many others.
fn shared(world: &World, retired: usize) -> Outcome<Struct> {
    let shared = SharedStruct::builder().arena(&world.arena).build(&value(1, world, false));
    let shared = shared.map_err(words("shared struct"))?;
    for _ in 0..retired {
        shared.set(&value(1, world, true)).map_err(words("setup"))?;
    }
    Ok(shared)
}

/// Old or new; then a survivor changes it, often enough to look through what was replaced.
fn still_works(shared: &Struct, world: &World) -> Outcome<bool> {
    let now = number(shared)?;
    if now != 1 && now != 2 {
        return Err(format!("the value is {now}"));
    }
    for n in 3..15 {
        shared.set(&value(n, world, n % 3 == 0)).map_err(words("an heir sets"))?;
        if number(shared)? != n {
            return Err(format!("an heir has set {n}, and {} is there", number(shared)?));
        }
    }
    let left = world.arena.fsck().map_err(words("fsck"))?.value;
    if left > 10 {
        return Err(format!("{left} blocks are left, and nobody reads"));
    }
    Ok(now == 2)
}

struct Side {
    shared: Struct,
    world: World,
}

/// The survivor's and the victim's handles.
fn sides(world: &World, retired: usize) -> Outcome<(Side, (Struct,))> {
    let shared = shared(world, retired)?;
    let world = World { arena: world.arena.clone(), anchor: world.anchor.clone() };
    Ok((Side { shared: shared.clone(), world }, (shared,)))
}

/// The victim makes 2 of it, in this way, after so many others.
fn replace(name: &str, retired: usize, way: fn(&Struct, &World)) -> Case<Side, (Struct,)> {
    case(
        name,
        move |world| sides(world, retired),
        move |(shared,), trigger, world| {
            trigger.pull();
            way(&shared, world);
            trigger.release();
        },
        |side, _| still_works(&side.shared, &side.world).map(Some),
    )
    .meanwhile(|side| number(&side.shared).map(drop))
    .least(12)
}

/// Where the reader is, and where it may go.
const AT: usize = FREE;
const GO: usize = FREE + 1;
const WRONG: u64 = 99;

/// A process that reads what was the value, and another that was later, at the same time.
struct Reader {
    child: Child,
    ticket: Ticket<(Struct,)>,
    board: Board,
}

impl Reader {
    fn start(shared: &Struct, board: Board) -> Outcome<Self> {
        board.clear();
        let mut ticket = Ticket::issue((shared.clone(),), "reader").map_err(words("packing"))?;
        let child = Child::fork(|| {
            let (shared,): (Struct,) = ticket.board().expect("arguments");
            let first = shared.read().expect("read");
            board.set(AT, 1);
            until(board, GO, 1).expect("told to go on");
            let second = shared.read().expect("read");
            board.set(AT, 2);
            until(board, GO, 2).expect("told to go on");
            let whole = [first, second].iter().all(|guard| guard.1.iter().all(|one| one.to_native() == 1));
            board.set(AT, if whole { 3 } else { WRONG });
            until(board, GO, 3).expect("killed meanwhile");
        });
        let reader = Self { child, ticket, board };
        until(board, AT, 1)?;
        Ok(reader)
    }

    fn go_on(&self, to: u64) -> Outcome<()> {
        self.board.set(GO, to);
        until(self.board, AT, to + 1)
    }

    fn kill(mut self) -> Outcome<()> {
        self.child.signal(libc::SIGKILL);
        self.child.wait()?;
        self.ticket.over();
        Ok(())
    }
}

fn until(board: Board, word: usize, value: u64) -> Outcome<()> {
    let start = Instant::now();
    while board.get(word) != value {
        if start.elapsed() > BOUND || board.get(word) == WRONG {
            return Err(format!("word {word} is {} and not {value}", board.get(word)));
        }
        std::thread::yield_now();
    }
    Ok(())
}

/// The fewest blocks that there are between some changes: what nobody reads is freed in one of them.
fn fewest(side: &Side) -> Outcome<u64> {
    let mut fewest = u64::MAX;
    for _ in 0..20 {
        side.shared.set(&value(2, &side.world, false)).map_err(words("set"))?;
        fewest = fewest.min(side.world.arena.fsck().map_err(words("fsck"))?.value);
    }
    Ok(fewest)
}

/// A reader has announced some of what was replaced: the victim frees the others. Then it is killed, too.
fn reclaim_beside_a_reader() -> Case<(Side, Reader), (Struct,)> {
    let board = Board::new();
    case(
        "set.beside-a-reader",
        move |world| {
            let (side, theirs) = sides(world, 0)?;
            let set = |times: u32| -> Outcome<()> {
                (0..times).try_for_each(|_| side.shared.set(&value(1, world, false)).map_err(words("setup")))
            };
            set(2)?;
            let reader = Reader::start(&side.shared, board)?;
            set(2)?;
            reader.go_on(1)?;
            set(3)?;
            Ok(((side, reader), theirs))
        },
        |(shared,), trigger, world| {
            trigger.pull();
            shared.set(&value(2, world, false)).expect("set");
            trigger.release();
        },
        |(side, reader), _| {
            let effect = still_works(&side.shared, &side.world)?;
            if fewest(&side)? != 3 {
                return Err(format!("{} blocks, and a reader has two", fewest(&side)?));
            }
            reader.go_on(2)?;
            reader.kill()?;
            match fewest(&side)? {
                1 => Ok(Some(effect)),
                left => Err(format!("{left} blocks, and nobody reads")),
            }
        },
    )
    .least(30)
}

/// Another died inside of a change before: the victim is the heir.
fn inherit() -> Case<Side, (Struct,)> {
    case(
        "inherit",
        |world| {
            let (side, theirs) = sides(world, 7)?;
            let ticket = Ticket::issue((side.shared.clone(),), "first");
            let mut ticket = ticket.map_err(words("packing"))?;
            let mut first = Child::fork(|| {
                let (shared,): (Struct,) = ticket.board().expect("arguments");
                let mut guard = shared.write().expect("write");
                change(&mut guard);
                // It ends here, with the lock and a block.
                std::mem::forget(guard);
            });
            first.wait()?;
            ticket.withdraw();
            Ok((side, theirs))
        },
        |(shared,), trigger, world| {
            trigger.pull();
            shared.set(&value(2, world, false)).expect("set");
            trigger.release();
        },
        |side, _| still_works(&side.shared, &side.world).map(Some),
    )
}

/// The victim reads: what it had announced is freed all the same.
fn read() -> Case<Side, (Struct,)> {
    case(
        "read",
        |world| sides(world, 2),
        |(shared,), trigger, _| {
            trigger.pull();
            let guard = shared.read().expect("read");
            assert_eq!(guard.0.to_native(), 1);
            drop(guard);
            trigger.release();
        },
        |side, seen| {
            number(&side.shared)?;
            match fewest(&side)? {
                1 => Ok(None),
                left => Err(format!("{left} blocks, and nobody reads any more ({})", seen.k)),
            }
        },
    )
    .least(2)
}

/// The victim takes a handle out.
fn get() -> Case<Side, (Struct,)> {
    case(
        "get.handle",
        |world| sides(world, 1),
        |(shared,), trigger, _| {
            trigger.pull();
            let (n, _, queue) = shared.get().expect("get");
            queue.expect("a handle").try_put(&n).expect("put");
            trigger.release();
        },
        |side, _| {
            let (_, _, queue) = side.shared.get().map_err(words("get"))?;
            let put = queue.ok_or("the handle is gone")?.try_get().is_ok();
            still_works(&side.shared, &side.world)?;
            Ok(Some(put))
        },
    )
}

/// The victim makes one.
fn build() -> Case<(), (Queue<u64>,)> {
    case(
        "build",
        |world| Ok(((), (world.anchor.clone(),))),
        |_anchor, trigger, world| {
            let here = processing::testing::arena_here(&world.arena).expect("attached");
            trigger.pull();
            let shared = SharedStruct::builder().arena(&here).build(&value(1, world, true));
            trigger.release();
            drop(shared.expect("shared struct"));
        },
        |(), _| Ok(None),
    )
}

/// The victim has the last handle: all blocks go with it, or with the victim.
fn drop_last() -> Case<(), (Struct,)> {
    case(
        "drop",
        |world| Ok(((), (shared(world, 5)?,))),
        |(shared,), trigger, _| {
            trigger.pull();
            drop(shared);
            trigger.release();
        },
        |(), _| Ok(None),
    )
    .least(20)
}
