//! Killed in `select`, and in a `put` for which a `select` sleeps.

use std::process::ExitCode;
use std::time::Duration;

use processing::testing::Ticket;
use processing::{
    Arena, BufferedQueue, Cargo, Connection, ErrorKind, Queue, Selectable, WaitStrategy, pipe_in, select,
};
use processing_kill_tests::board::Board;
use processing_kill_tests::carrier::Carrier;
use processing_kill_tests::case::{Case, FREE, case};
use processing_kill_tests::child::{Child, Doing};
use processing_kill_tests::kinds::{Kind, Word};
use processing_kill_tests::oracle::{still_grows, still_works, take};
use processing_kill_tests::suite::Suite;
use processing_kill_tests::world::World;
use processing_kill_tests::{BOUND, Outcome, words};

fn main() -> ExitCode {
    let mut suite = Suite::new();
    suite.run(select_beside_a_getter());
    suite.run(select_over_both());
    suite.run(put_for_a_selector());
    suite.run(select_at_a_buffered_queue());
    suite.run(put_that_grows_for_a_selector());
    suite.run(close_for_a_selector());
    suite.finish()
}

/// A second process, which gets one message and writes its number down.
struct Getter<Q> {
    ticket: Ticket<(Q,)>,
    child: Child,
}

const GOT: usize = FREE + 8;
const LATE: u64 = u64::MAX;

impl<Q: Carrier<u64> + Selectable> Getter<Q>
where
    (Q,): Cargo,
{
    /// `selects`: it waits by `select`, and then takes it.
    fn start(queue: &Q, board: Board, selects: bool) -> Outcome<Self> {
        board.clear();
        let mut ticket = Ticket::issue((queue.clone(),), "getter").map_err(words("packing"))?;
        let child = Child::fork(|| {
            let (queue,): (Q,) = ticket.board().expect("arguments");
            if selects {
                assert!(!select([&queue], BOUND).expect("select").is_empty(), "nothing came");
            }
            let got = queue.by_value(BOUND);
            board.set(GOT, got.map_or(LATE, |message| Word.read(message).expect("whole")));
        });
        if child.settle()? == Doing::Ended {
            return Err("the getter ended before there was anything".into());
        }
        Ok(Self { ticket, child })
    }

    fn end(mut self, board: Board) -> Outcome<u64> {
        let end = self.child.wait()?;
        self.ticket.over();
        match board.get(GOT) {
            0 | LATE => Err(format!("the getter got nothing, and ended with {end:?}")),
            id => Ok(id),
        }
    }
}

/// The survivor's side, with the getter once it was started.
type Waiting = (Queue<u64>, Option<Getter<Queue<u64>>>, Arena);
/// The same, and it was.
type Watched = (Queue<u64>, Getter<Queue<u64>>, Arena);

fn queue(arena: &Arena) -> Outcome<Queue<u64>> {
    let builder = Queue::builder().capacity(4).arena(arena).wait(WaitStrategy::Block);
    builder.build().map_err(words("queue"))
}

/// The victim sleeps in `select`, behind it another in `get`; one message comes, of which the victim is told first, and which it does not take.
fn select_beside_a_getter() -> Case<Waiting, (Queue<u64>, Queue<u64>)> {
    let board = Board::new();
    case(
        "select.beside-a-getter",
        |world: &World| {
            let (queue, other) = (queue(&world.arena)?, queue(&world.arena)?);
            let theirs = (other, queue.clone());
            Ok(((queue, None, world.arena.clone()), theirs))
        },
        |(other, queue), trigger, _| {
            trigger.pull();
            let ready = select([&other, &queue], BOUND).expect("select");
            trigger.release();
            assert!(ready.contains(1) && !ready.contains(0), "{ready:?}");
        },
        move |(queue, getter, arena): Waiting, _| {
            match getter.ok_or("it was not started")?.end(board)? {
                1 => {}
                other => return Err(format!("1 was put, and {other} came out")),
            }
            still_works(&queue, Word, &arena)?;
            Ok(None)
        },
    )
    .during(move |(queue, getter, arena), victim| {
        victim.settle()?;
        *getter = Some(Getter::start(queue, board, false)?);
        queue.put_timeout(&Word.make(arena, 1)?, BOUND).map_err(words("put"))
    })
    .wavers()
    .never_stops()
}

/// What the survivor has of a queue and a pipe.
struct Both {
    queue: Queue<u64>,
    end: Connection,
    arena: Arena,
}

/// The victim waits for a queue and an end of a pipe; a message comes over the pipe.
fn select_over_both() -> Case<Both, (Queue<u64>, Connection)> {
    case(
        "select.over-both",
        |world: &World| {
            let queue = queue(&world.arena)?;
            let (end, theirs) = pipe_in(&world.arena).map_err(words("pipe"))?;
            let there = (queue.clone(), theirs);
            Ok((Both { queue, end, arena: world.arena.clone() }, there))
        },
        |(queue, end), trigger, _| {
            trigger.pull();
            let ready = select([&queue, &end], BOUND).expect("select");
            trigger.release();
            assert!(ready.contains(1) && !ready.contains(0), "{ready:?}");
            // Ends without closing.
            std::mem::forget(end);
        },
        |both: Both, _| {
            match both.end.recv::<u64>() {
                Err(error) if error.kind() == ErrorKind::PeerDied => {}
                other => return Err(format!("the other end died, and recv answers {other:?}")),
            }
            still_works(&both.queue, Word, &both.arena)?;
            Ok(None)
        },
    )
    .during(|both, victim| {
        victim.settle()?;
        // It may be gone already.
        let _ = both.end.send(&7u64);
        Ok(())
    })
    .wavers()
    .never_stops()
}

/// The victim puts a message for which another sleeps in `select`.
fn put_for_a_selector() -> Case<Watched, (Queue<u64>,)> {
    let board = Board::new();
    case(
        "put.wakes-select",
        move |world: &World| {
            let queue = queue(&world.arena)?;
            let getter = Getter::start(&queue, board, true)?;
            let theirs = queue.clone();
            Ok(((queue, getter, world.arena.clone()), (theirs,)))
        },
        |(queue,), trigger, world| {
            let arena = processing::testing::arena_here(&world.arena).expect("attached");
            let message = Word.make(&arena, 7).expect("message");
            trigger.pull();
            queue.put(&message).expect("put");
            trigger.release();
        },
        move |(queue, getter, arena), seen| {
            // Published: it must be found without another put. Else one follows.
            let published = seen.completed || !queue.is_empty() || board.get(GOT) != 0;
            if !published {
                queue.put_timeout(&Word.make(&arena, 8)?, BOUND).map_err(words("put"))?;
            }
            let mut all = vec![getter.end(board)?];
            while let Some((id, _)) = take(&queue, Word, false, Duration::ZERO)? {
                all.push(id);
            }
            let whole = if published { all == [7] } else { matches!(*all, [8] | [7, 8]) };
            if !whole {
                return Err(format!("published: {published}, and {all:?} came out"));
            }
            still_works(&queue, Word, &arena)?;
            Ok(Some(all.contains(&7)))
        },
    )
}

/// The survivor's side of a buffered queue at which another waits in `select`, and then gets.
type Selecting = (BufferedQueue<u64>, Getter<BufferedQueue<u64>>, Arena);

/// The same, with the getter once it was started.
type Selected = (BufferedQueue<u64>, Option<Getter<BufferedQueue<u64>>>, Arena);

const SEGMENT: usize = 2;

fn with_selector(world: &World, board: Board) -> Outcome<(Selecting, (BufferedQueue<u64>,))> {
    let builder = BufferedQueue::builder().segment(SEGMENT).arena(&world.arena).wait(WaitStrategy::Block);
    let queue = builder.build().map_err(words("queue"))?;
    let getter = Getter::start(&queue, board, true)?;
    let theirs = queue.clone();
    Ok(((queue, getter, world.arena.clone()), (theirs,)))
}

/// The victim looks at a queue whose first segments others drain, goes from one to the next, and sleeps; behind it another sleeps in `get`.
/// Three messages come, of which the victim takes none.
fn select_at_a_buffered_queue() -> Case<Selected, (BufferedQueue<u64>,)> {
    let board = Board::new();
    case(
        "buffered.select",
        |world: &World| {
            let builder =
                BufferedQueue::builder().segment(SEGMENT).arena(&world.arena).wait(WaitStrategy::Block);
            let queue: BufferedQueue<u64> = builder.build().map_err(words("queue"))?;
            let theirs = queue.clone();
            Ok(((queue, None, world.arena.clone()), (theirs,)))
        },
        |(queue,), trigger, world| {
            let arena = processing::testing::arena_here(&world.arena).expect("attached");
            // Knows the first segment of three, which are drained by then.
            for id in 1..=5 {
                queue.put(&Word.make(&arena, id).expect("message")).expect("put");
            }
            assert!(!select([&queue], Duration::ZERO).expect("select").is_empty());
            let beside = queue.clone();
            while beside.try_get().is_ok() {}
            drop(beside);
            trigger.pull();
            let ready = select([&queue], BOUND).expect("select");
            trigger.release();
            assert!(ready.contains(0));
        },
        move |(queue, getter, arena): Selected, seen| {
            let mut all = vec![getter.ok_or("it was not started")?.end(board)?];
            while let Some((id, _)) = take(&queue, Word, seen.k % 4 < 2, Duration::ZERO)? {
                all.push(id);
            }
            if all != [7, 8, 9] {
                return Err(format!("7, 8 and 9 were put, and {all:?} came out"));
            }
            still_grows(&queue, Word, &arena, SEGMENT)?;
            Ok(None)
        },
    )
    .during(move |(queue, getter, arena), victim| {
        victim.settle()?;
        *getter = Some(Getter::start(queue, board, false)?);
        let mut messages = Vec::new();
        for id in [7, 8, 9] {
            messages.push(Word.make(arena, id)?);
        }
        queue.put_many(&messages).map_err(words("put_many"))
    })
    .wavers()
    .never_stops()
}

/// The victim puts more messages than a segment holds, for which another sleeps in `select`; it is told when the last is there.
fn put_that_grows_for_a_selector() -> Case<Selecting, (BufferedQueue<u64>,)> {
    let board = Board::new();
    case(
        "buffered.grow.wakes-select",
        move |world: &World| with_selector(world, board),
        |(queue,), trigger, world| {
            let arena = processing::testing::arena_here(&world.arena).expect("attached");
            let messages = [7, 8, 9].map(|id| Word.make(&arena, id).expect("message"));
            trigger.pull();
            queue.put_many(&messages).expect("put_many");
            trigger.release();
        },
        move |(queue, getter, arena), seen| {
            let published =
                seen.completed || !queue.is_empty().map_err(words("is_empty"))? || board.get(GOT) != 0;
            if !published {
                queue.put(&Word.make(&arena, 10)?).map_err(words("put"))?;
            }
            let mut all = vec![getter.end(board)?];
            while let Some((id, _)) = take(&queue, Word, false, Duration::ZERO)? {
                all.push(id);
            }
            let whole = if published { [7, 8, 9].starts_with(&all) } else { matches!(*all, [10] | [7, 10]) };
            if !whole {
                return Err(format!("published: {published}, and {all:?} came out"));
            }
            still_grows(&queue, Word, &arena, SEGMENT)?;
            Ok(Some(all.contains(&9)))
        },
    )
}

/// The victim closes a queue at which another sleeps in `select`.
fn close_for_a_selector() -> Case<Selecting, (BufferedQueue<u64>,)> {
    let board = Board::new();
    case(
        "buffered.close.wakes-select",
        move |world: &World| with_selector(world, board),
        |(queue,), trigger, _| {
            trigger.pull();
            queue.close().expect("close");
            trigger.release();
        },
        move |(queue, getter, _arena), _| {
            let effect = queue.is_closed();
            if !effect {
                queue.close().map_err(words("close"))?;
            }
            match getter.end(board) {
                // It was told, and found the end.
                Err(_) if board.get(GOT) == LATE => Ok(Some(effect)),
                other => Err(format!("the queue is closed, and the getter says {other:?}")),
            }
        },
    )
}
