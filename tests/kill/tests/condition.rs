//! Killed in `wait`, `notify` and `release` of a condition: those who wait go on, and the lock is told of.

use std::process::ExitCode;
use std::time::Duration;

use processing::testing::Ticket;
use processing::{AcquireError, Condition, ConditionGuard, ErrorKind, WaitStrategy};
use processing_kill_tests::board::Board;
use processing_kill_tests::case::{Case, FREE, case};
use processing_kill_tests::child::{Child, Doing};
use processing_kill_tests::suite::Suite;
use processing_kill_tests::world::World;
use processing_kill_tests::{BOUND, Outcome, words};

fn main() -> ExitCode {
    let mut suite = Suite::new();
    suite.run(notify(WaitStrategy::Block));
    suite.run(notify(WaitStrategy::Adaptive));
    suite.run(wait());
    suite.run(wait_timeout());
    suite.finish()
}

/// The board says whether there is something to go on for: the survivor and the waiters look there.
const GOODS: usize = FREE + 8;
/// Where a waiter writes.
const WAITER: usize = FREE + 9;
const WENT_ON: u64 = 1;
const LATE: u64 = 2;

/// The lock, whether or not its last owner died with it.
fn acquire(condition: &Condition) -> Outcome<ConditionGuard<'_>> {
    match condition.acquire_timeout(BOUND) {
        Ok(guard) => Ok(guard),
        Err(AcquireError::OwnerDied(died)) => Ok(died.recover()),
        Err(other) => Err(format!("acquire: {other}")),
    }
}

/// Waits while there is nothing, whoever dies meanwhile. False: the time is up.
fn wait_for_goods(guard: &mut ConditionGuard<'_>, board: Board) -> Outcome<bool> {
    loop {
        match guard.wait_while_timeout(|| board.get(GOODS) == 0, BOUND) {
            Ok(came) => return Ok(came),
            Err(error) if error.kind() == ErrorKind::OwnerDied => {
                guard.recover().map_err(words("recover"))?;
            }
            Err(error) => return Err(format!("wait: {error}")),
        }
    }
}

/// A second process that waits.
struct Waiter {
    ticket: Ticket<(Condition,)>,
    child: Child,
}

impl Waiter {
    fn start(condition: &Condition, board: Board) -> Outcome<Self> {
        let mut ticket = Ticket::issue((condition.clone(),), "waiter").map_err(words("packing"))?;
        let child = Child::fork(|| {
            let (condition,): (Condition,) = ticket.board().expect("arguments");
            let mut guard = acquire(&condition).expect("acquire");
            let came = wait_for_goods(&mut guard, board).expect("wait");
            board.set(WAITER, if came { WENT_ON } else { LATE });
        });
        if child.settle()? == Doing::Ended {
            return Err("the waiter ended before there was anything".into());
        }
        Ok(Self { ticket, child })
    }

    fn end(mut self, board: Board) -> Outcome<()> {
        let end = self.child.wait()?;
        self.ticket.over();
        match board.get(WAITER) {
            WENT_ON => Ok(()),
            found => Err(format!("the waiter wrote {found}, and ended with {end:?}")),
        }
    }
}

type Waiting = (Condition, Waiter);

fn condition(world: &World, strategy: WaitStrategy) -> Outcome<Condition> {
    Condition::builder().arena(&world.arena).wait(strategy).waiters(4).build().map_err(words("condition"))
}

/// Everything goes on: the lock, a wait that nobody ends, and all cells.
fn still_works(condition: &Condition) -> Outcome<()> {
    let mut guard = acquire(condition)?;
    for _ in 0..5 {
        match guard.wait_timeout(Duration::from_nanos(1)) {
            Ok(false) => {}
            other => return Err(format!("nobody notifies, and the wait says {other:?}")),
        }
    }
    match guard.notify_all() {
        Ok(0) => Ok(()),
        other => Err(format!("nobody waits, and notify says {other:?}")),
    }
}

/// The victim has something for another that waits, and notifies it.
fn notify(strategy: WaitStrategy) -> Case<Waiting, (Condition,)> {
    let board = Board::new();
    case(
        format!("notify.{strategy:?}").to_lowercase(),
        move |world| {
            board.clear();
            let condition = condition(world, strategy)?;
            let waiter = Waiter::start(&condition, board)?;
            let theirs = condition.clone();
            Ok(((condition, waiter), (theirs,)))
        },
        move |(condition,), trigger, _| {
            trigger.pull();
            let guard = condition.acquire().expect("acquire");
            board.set(GOODS, 1);
            guard.notify_one().expect("notify");
            drop(guard);
            trigger.release();
        },
        move |(condition, waiter), _| {
            let effect = board.get(GOODS) != 0;
            if !effect {
                let guard = acquire(&condition)?;
                board.set(GOODS, 1);
                guard.notify_one().map_err(words("notify"))?;
            }
            // What the victim brought must be found without anybody else's notification.
            waiter.end(board)?;
            still_works(&condition)?;
            Ok(Some(effect))
        },
    )
}

/// The victim waits before another does; one notification comes for the first, and is good for the other if the victim
/// dies of it.
fn wait() -> Case<(Condition, Option<Waiter>), (Condition,)> {
    let board = Board::new();
    case(
        "wait",
        move |world| {
            board.clear();
            let condition = condition(world, WaitStrategy::Block)?;
            let theirs = condition.clone();
            Ok(((condition, None), (theirs,)))
        },
        move |(condition,), trigger, _| {
            trigger.pull();
            let mut guard = condition.acquire().expect("acquire");
            assert!(wait_for_goods(&mut guard, board).expect("wait"));
            // It hands on what it does not need.
            guard.notify_one().expect("notify");
            drop(guard);
            trigger.release();
        },
        move |(condition, waiter): (Condition, Option<Waiter>), _| {
            waiter.map_or(Ok(()), |waiter| waiter.end(board))?;
            still_works(&condition)?;
            Ok(None)
        },
    )
    .during(move |(condition, waiter), victim| {
        victim.settle()?;
        *waiter = Some(Waiter::start(condition, board)?);
        let guard = acquire(condition)?;
        board.set(GOODS, 1);
        guard.notify_one().map_err(words("notify"))?;
        Ok(())
    })
    .wavers()
}

/// The victim's time is up.
fn wait_timeout() -> Case<Waiting, (Condition,)> {
    let board = Board::new();
    case(
        "wait_timeout",
        move |world| {
            board.clear();
            let condition = condition(world, WaitStrategy::Block)?;
            let waiter = Waiter::start(&condition, board)?;
            let theirs = condition.clone();
            Ok(((condition, waiter), (theirs,)))
        },
        |(condition,), trigger, _| {
            let mut guard = condition.acquire().expect("acquire");
            trigger.pull();
            guard.wait_timeout(Duration::from_millis(1)).expect("wait");
            drop(guard);
            trigger.release();
        },
        move |(condition, waiter), _| {
            let guard = acquire(&condition)?;
            board.set(GOODS, 1);
            guard.notify_all().map_err(words("notify"))?;
            drop(guard);
            waiter.end(board)?;
            still_works(&condition)?;
            Ok(None)
        },
    )
    .wavers()
}
