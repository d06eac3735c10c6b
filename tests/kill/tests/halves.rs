//! Killed while halves of a queue are made, and while the last one of a kind goes.

use std::process::ExitCode;

use processing::testing::Ticket;
use processing::{Consumer, Producer, Queue};
use processing_kill_tests::board::Board;
use processing_kill_tests::case::{Case, FREE, case};
use processing_kill_tests::child::{Child, Doing};
use processing_kill_tests::kinds::{Kind, Word};
use processing_kill_tests::suite::Suite;
use processing_kill_tests::world::World;
use processing_kill_tests::{BOUND, Outcome, words};

fn main() -> ExitCode {
    let mut suite = Suite::new();
    suite.run(make());
    suite.run(drop_producer());
    suite.run(drop_consumer());
    suite.run(put_and_die());
    suite.finish()
}

type Halves = (Producer<u64>, Consumer<u64>);

fn halves(world: &World) -> Outcome<Halves> {
    let queue = Queue::builder().capacity(2).arena(&world.arena);
    queue.build_halves().map_err(words("halves"))
}

/// The victim makes a queue in halves, and lets go of them: nothing of it may stay.
fn make() -> Case<Queue<u64>, (Queue<u64>,)> {
    case(
        "halves.make",
        |world| {
            // With the arena in it, which the victim joins by its argument.
            let queue = Queue::builder().capacity(1).arena(&world.arena).build().map_err(words("queue"))?;
            Ok((queue.clone(), (queue,)))
        },
        |_queue, trigger, world| {
            let here = processing::testing::arena_here(&world.arena).expect("attached");
            trigger.pull();
            let queue = Queue::<u64>::builder().capacity(2).arena(&here);
            let (producer, consumer) = queue.build_halves().expect("halves");
            producer.put(&Word.make(&here, 7).expect("message")).expect("put");
            drop(producer);
            assert_eq!(Word.read(consumer.get().expect("get")), Ok(7));
            assert!(consumer.get().is_err_and(|error| error.is_closed()));
            drop(consumer);
            trigger.release();
        },
        // The snapshots before and after are the test.
        |_, _| Ok(None),
    )
}

/// Another process that waits at its half, and says what came of it.
struct Waiter<A: processing::Message> {
    ticket: Ticket<(A,)>,
    child: Child,
}

/// What a waiter writes for the end, and for anything that must not be; and where.
const CLOSED: u64 = u64::MAX;
const WRONG: u64 = u64::MAX - 1;
const WAITER: usize = FREE + 8;

impl<A: processing::Message> Waiter<A> {
    fn start(half: A, board: Board, wait: impl Fn(A) -> u64) -> Outcome<Self> {
        let mut ticket = Ticket::issue((half,), "waiter").map_err(words("packing"))?;
        let child = Child::fork(|| {
            let (half,): (A,) = ticket.board().expect("arguments");
            board.set(WAITER, wait(half));
        });
        if child.settle()? == Doing::Ended {
            return Err("the waiter ended before there was anything".into());
        }
        Ok(Self { ticket, child })
    }

    /// What it says.
    fn end(mut self, board: Board) -> Outcome<u64> {
        let end = self.child.wait()?;
        self.ticket.over();
        match board.get(WAITER) {
            0 | WRONG => Err(format!("the waiter ended with {end:?}, and nothing sound")),
            found => Ok(found),
        }
    }
}

/// The survivor waits, and the victim has the other half.
type Waiting<Theirs, Ours> = Case<(Waiter<Theirs>, Board), (Ours,)>;

/// The victim has the last producer and drops it; another process sleeps in `get`: it must see the end.
fn drop_producer() -> Waiting<Consumer<u64>, Producer<u64>> {
    let board = Board::new();
    case(
        "halves.drop-producer",
        move |world| {
            board.clear();
            let (producer, consumer) = halves(world)?;
            let waiter = Waiter::start(consumer, board, |consumer| match consumer.get_timeout(BOUND) {
                Err(error) if error.is_closed() => CLOSED,
                _ => WRONG,
            })?;
            Ok(((waiter, board), (producer,)))
        },
        |(producer,), trigger, _| {
            trigger.pull();
            drop(producer);
            trigger.release();
        },
        |(waiter, board), _| waiter.end(board).map(|_| None),
    )
}

/// The victim has the last consumer and drops it; another process sleeps in `put`: it must fail.
fn drop_consumer() -> Waiting<Producer<u64>, Consumer<u64>> {
    let board = Board::new();
    case(
        "halves.drop-consumer",
        move |world| {
            board.clear();
            let (producer, consumer) = halves(world)?;
            producer.put_many(&[1, 2]).map_err(words("setup"))?;
            let waiter = Waiter::start(producer, board, |producer| match producer.put_timeout(&3, BOUND) {
                Err(error) if error.is_closed() => CLOSED,
                _ => WRONG,
            })?;
            Ok(((waiter, board), (consumer,)))
        },
        |(consumer,), trigger, _| {
            trigger.pull();
            drop(consumer);
            trigger.release();
        },
        |(waiter, board), _| waiter.end(board).map(|_| None),
    )
}

/// The victim puts two messages and drops its half, the last one: what was put comes, then the end.
fn put_and_die() -> Case<(Consumer<u64>,), (Producer<u64>,)> {
    case(
        "halves.put-and-drop",
        |world| {
            let (producer, consumer) = halves(world)?;
            Ok(((consumer,), (producer,)))
        },
        |(producer,), trigger, world| {
            let message = |id| Word.make(&world.arena, id).expect("message");
            trigger.pull();
            producer.put(&message(1)).expect("put");
            producer.put(&message(2)).expect("put");
            drop(producer);
            trigger.release();
        },
        |(consumer,), _| {
            let mut found = Vec::new();
            loop {
                match consumer.get_timeout(BOUND) {
                    Ok(message) => found.push(Word.read(message)?),
                    Err(error) if error.is_closed() => break,
                    Err(error) => return Err(format!("get: {error}")),
                }
            }
            if ![1, 2].starts_with(&found) {
                return Err(format!("1 and 2 were put, {found:?} came"));
            }
            Ok(Some(found.len() == 2))
        },
    )
}
