//! Killed in `set`, `clear` and `wait` of an event.

use std::process::ExitCode;

use processing::testing::Ticket;
use processing::{Event, WaitStrategy};
use processing_kill_tests::board::Board;
use processing_kill_tests::case::{Case, FREE, case};
use processing_kill_tests::child::{Child, Doing};
use processing_kill_tests::suite::Suite;
use processing_kill_tests::world::World;
use processing_kill_tests::{BOUND, Outcome, words};

fn main() -> ExitCode {
    let mut suite = Suite::new();
    suite.run(set(WaitStrategy::Block));
    suite.run(set(WaitStrategy::Adaptive));
    suite.run(pulse());
    suite.run(wait());
    suite.finish()
}

/// A second process that waits for the event, and writes down that it came.
struct Waiter {
    ticket: Ticket<(Event,)>,
    child: Child,
}

/// Where it writes.
const WAITER: usize = FREE + 8;
const CAME: u64 = 1;
const LATE: u64 = 2;

impl Waiter {
    fn start(event: &Event, board: Board) -> Outcome<Self> {
        let mut ticket = Ticket::issue((event.clone(),), "waiter").map_err(words("packing"))?;
        let child = Child::fork(|| {
            let (event,): (Event,) = ticket.board().expect("arguments");
            let came = event.wait_timeout(BOUND).expect("wait");
            board.set(WAITER, if came { CAME } else { LATE });
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
            CAME => Ok(()),
            found => Err(format!("the waiter wrote {found}, and ended with {end:?}")),
        }
    }
}

fn with_waiter(world: &World, strategy: WaitStrategy, board: Board) -> Outcome<((Event, Waiter), (Event,))> {
    board.clear();
    let event = Event::builder().arena(&world.arena).wait(strategy).build().map_err(words("event"))?;
    let waiter = Waiter::start(&event, board)?;
    let theirs = event.clone();
    Ok(((event, waiter), (theirs,)))
}

/// The victim sets an event for which another waits.
fn set(strategy: WaitStrategy) -> Case<(Event, Waiter), (Event,)> {
    let board = Board::new();
    case(
        format!("set.{strategy:?}").to_lowercase(),
        move |world| with_waiter(world, strategy, board),
        |(event,), trigger, _| {
            trigger.pull();
            event.set().expect("set");
            trigger.release();
        },
        move |(event, waiter), _| {
            let effect = event.is_set();
            if !effect {
                event.set().map_err(words("set"))?;
            }
            waiter.end(board)?;
            if !event.is_set() {
                return Err("it is not set any more".into());
            }
            Ok(Some(effect))
        },
    )
}

/// The victim sets and clears it at once: the waiter goes on if it was set at all.
fn pulse() -> Case<(Event, Waiter), (Event,)> {
    let board = Board::new();
    case(
        "pulse",
        move |world| with_waiter(world, WaitStrategy::Block, board),
        |(event,), trigger, _| {
            trigger.pull();
            event.set().expect("set");
            event.clear().expect("clear");
            trigger.release();
        },
        move |(event, waiter), seen| {
            // Killed before it had set it: nobody has. After that, what it did must be enough.
            if !seen.completed && !event.is_set() && seen.k == 0 {
                event.set().map_err(words("set"))?;
            }
            waiter.end(board)?;
            Ok(None)
        },
    )
}

/// The victim waits; the survivor sets it.
fn wait() -> Case<Event, (Event,)> {
    case(
        "wait",
        |world| {
            let event = Event::builder().arena(&world.arena).wait(WaitStrategy::Block).build();
            let event = event.map_err(words("event"))?;
            let theirs = event.clone();
            Ok((event, (theirs,)))
        },
        |(event,), trigger, _| {
            trigger.pull();
            event.wait().expect("wait");
            trigger.release();
        },
        |event: Event, _| {
            if !event.is_set() {
                return Err("it was set, and is not any more".into());
            }
            event.clear().map_err(words("clear"))?;
            let waited = event.wait_timeout(std::time::Duration::from_nanos(1)).map_err(words("wait"))?;
            if waited { Err("it was cleared".into()) } else { Ok(None) }
        },
    )
    .during(|event, victim| {
        victim.settle()?;
        event.set().map_err(words("set"))
    })
    .wavers()
}
