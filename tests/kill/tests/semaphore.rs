//! Killed in `acquire`, in the drop of a permit, in `forget` and in `release` of a semaphore.

use std::process::ExitCode;
use std::time::Duration;

use processing::testing::Ticket;
use processing::{Arena, BoundedSemaphore, Semaphore, WaitStrategy};
use processing_kill_tests::board::Board;
use processing_kill_tests::case::{Case, FREE, Seen, case};
use processing_kill_tests::child::{Child, Doing};
use processing_kill_tests::suite::Suite;
use processing_kill_tests::world::World;
use processing_kill_tests::{BOUND, Outcome, words};

fn main() -> ExitCode {
    let mut suite = Suite::new();
    suite.run(acquire());
    suite.run(first_acquire());
    suite.run(drop_permit());
    suite.run(drop_wakes(WaitStrategy::Block));
    suite.run(drop_wakes(WaitStrategy::Adaptive));
    suite.run(forget());
    suite.run(give());
    suite.run(give_wakes());
    suite.run(woken());
    suite.run(bounded());
    suite.run(leak());
    suite.finish()
}

/// The survivor's side: the semaphore, and how many permits there were.
type Side = (Semaphore, u32);

fn side(world: &World, value: u32) -> Outcome<(Side, (Semaphore,))> {
    let arena = world.arena.clone();
    let semaphore = Semaphore::builder(value).threads(4).arena(&arena).build().map_err(words("semaphore"))?;
    // Its stamp is overwritten by the victim's, and the other way round.
    drop(semaphore.acquire().map_err(words("acquire"))?);
    let theirs = semaphore.clone();
    Ok(((semaphore, value), (theirs,)))
}

/// So many permits can be had, and no more; then all are there.
fn has(semaphore: &Semaphore, permits: u32) -> Outcome<()> {
    let all: Vec<_> = (0..permits)
        .map(|_| semaphore.acquire_timeout(BOUND).map_err(words("a permit that is missing")))
        .collect::<Outcome<_>>()?;
    if let Ok(permit) = semaphore.try_acquire() {
        return Err(format!("{permits} permits and one too many: {permit:?}"));
    }
    drop(all);
    match semaphore.value() {
        value if value == permits => Ok(()),
        value => Err(format!("{permits} permits were given back, and {value} are there")),
    }
}

/// One permit fewer or as many: says whether it is fewer.
fn has_or_one_less(semaphore: &Semaphore, permits: u32, seen: &Seen) -> Outcome<bool> {
    let wait = if seen.unswept { Duration::from_millis(300) } else { Duration::ZERO };
    let mut all = Vec::new();
    while (all.len() as u32) < permits
        && let Ok(permit) = semaphore.acquire_timeout(wait)
    {
        all.push(permit);
    }
    let found = all.len() as u32;
    drop(all);
    if found + 1 < permits {
        return Err(format!("{found} permits of {permits}"));
    }
    has(semaphore, found)?;
    Ok(found < permits)
}

/// The victim takes one, and ends with it.
fn acquire() -> Case<Side, (Semaphore,)> {
    case(
        "semaphore.acquire",
        |world| side(world, 2),
        |(semaphore,), trigger, _| {
            drop(semaphore.acquire().expect("a lane"));
            trigger.pull();
            let permit = semaphore.acquire().expect("acquire");
            trigger.release();
            std::mem::forget(permit);
            std::mem::forget(semaphore);
        },
        |(semaphore, value), _| has(&semaphore, value).map(|()| None),
    )
    .meanwhile(|(semaphore, _)| {
        // One is perhaps in the stopped one's hands.
        semaphore.try_acquire().map(drop).map_err(words("beside a stopped acquire"))
    })
}

/// Its thread has no lane yet.
fn first_acquire() -> Case<Side, (Semaphore,)> {
    case(
        "semaphore.acquire.first",
        |world| side(world, 1),
        |(semaphore,), trigger, _| {
            trigger.pull();
            let permit = semaphore.acquire().expect("acquire");
            trigger.release();
            std::mem::forget(permit);
            std::mem::forget(semaphore);
        },
        |(semaphore, value), _| has(&semaphore, value).map(|()| None),
    )
}

/// The victim gives one back while it has another.
fn drop_permit() -> Case<Side, (Semaphore,)> {
    case(
        "semaphore.drop",
        |world| side(world, 3),
        |(semaphore,), trigger, _| {
            let (permit, other) = (semaphore.acquire().expect("acquire"), semaphore.acquire());
            trigger.pull();
            drop(permit);
            trigger.release();
            std::mem::forget(other);
            std::mem::forget(semaphore);
        },
        |(semaphore, value), _| has(&semaphore, value).map(|()| None),
    )
    .meanwhile(|(semaphore, _)| semaphore.try_acquire().map(drop).map_err(words("beside a stopped release")))
}

/// The victim forgets one: it is gone, or not.
fn forget() -> Case<Side, (Semaphore,)> {
    case(
        "semaphore.forget",
        |world| side(world, 3),
        |(semaphore,), trigger, _| {
            let permit = semaphore.acquire().expect("acquire");
            trigger.pull();
            permit.forget();
            trigger.release();
        },
        |(semaphore, value), seen| has_or_one_less(&semaphore, value, &seen).map(Some),
    )
}

/// The victim gives one that nobody had.
fn give() -> Case<Side, (Semaphore,)> {
    case(
        "semaphore.give",
        |world| side(world, 1),
        |(semaphore,), trigger, _| {
            trigger.pull();
            semaphore.release().expect("release");
            trigger.release();
        },
        |(semaphore, value), seen| {
            has_or_one_less(&semaphore, value + 1, &seen).map(|missing| Some(!missing))
        },
    )
}

/// A second process that waits for a permit, and then ends with it.
struct Waiter {
    ticket: Ticket<(Semaphore,)>,
    child: Child,
    board: Board,
}

/// Where the waiter says that it has its permit.
const GOT: usize = FREE + 8;
/// Where the victim is told that the waiter sleeps.
const ASLEEP: usize = FREE + 9;

impl Waiter {
    fn start(semaphore: &Semaphore, board: Board) -> Outcome<Self> {
        let mut ticket = Ticket::issue((semaphore.clone(),), "waiter").map_err(words("packing"))?;
        let child = Child::fork(|| {
            let (semaphore,): (Semaphore,) = ticket.board().expect("arguments");
            if let Ok(permit) = semaphore.acquire_timeout(BOUND) {
                board.set(GOT, 1);
                std::mem::forget(permit);
            }
            std::mem::forget(semaphore);
        });
        if child.settle()? == Doing::Ended {
            return Err("the waiter ended before there was anything".into());
        }
        Ok(Self { ticket, child, board })
    }

    /// It must have got one.
    fn end(mut self) -> Outcome<()> {
        let end = self.child.wait()?;
        self.ticket.over();
        match self.board.get(GOT) {
            1 => Ok(()),
            _ => Err(format!("the waiter got no permit, and ended with {end:?}")),
        }
    }
}

type Waiting = (Semaphore, Option<Waiter>, Arena, Board);

fn waiting(
    world: &World,
    value: u32,
    strategy: WaitStrategy,
    board: Board,
) -> Outcome<(Waiting, (Semaphore,))> {
    let arena = world.arena.clone();
    let builder = Semaphore::builder(value).threads(4).wait(strategy);
    let semaphore = builder.arena(&arena).build().map_err(words("semaphore"))?;
    let theirs = semaphore.clone();
    Ok(((semaphore, None, arena, board), (theirs,)))
}

/// The victim has the only permit and gives it back, or dies with it, while another sleeps for it.
fn drop_wakes(strategy: WaitStrategy) -> Case<Waiting, (Semaphore,)> {
    let board = Board::new();
    case(
        format!("semaphore.drop.wakes-{strategy:?}").to_lowercase(),
        move |world| {
            board.clear();
            waiting(world, 1, strategy, board)
        },
        move |(semaphore,), trigger, _| {
            let permit = semaphore.acquire().expect("acquire");
            while board.get(ASLEEP) == 0 {
                std::thread::yield_now();
            }
            trigger.pull();
            drop(permit);
            trigger.release();
        },
        |(semaphore, waiter, _arena, _), _| {
            waiter.ok_or("no waiter")?.end()?;
            has(&semaphore, 1).map(|()| None)
        },
    )
    .during(|(semaphore, waiter, _, board), victim| {
        until(victim, || semaphore.value() == 0)?;
        *waiter = Some(Waiter::start(semaphore, *board)?);
        board.set(ASLEEP, 1);
        Ok(())
    })
    .wavers()
}

/// Waits until `done`, or until the child has ended.
fn until(child: &Child, done: impl Fn() -> bool) -> Outcome<()> {
    let start = std::time::Instant::now();
    while !done() && child.doing() != Doing::Ended {
        if start.elapsed() > BOUND {
            return Err("the victim does not begin".into());
        }
        processing_kill_tests::child::pause(start);
    }
    Ok(())
}

/// The victim gives the first permit, for which another sleeps.
fn give_wakes() -> Case<Waiting, (Semaphore,)> {
    let board = Board::new();
    case(
        "semaphore.give.wakes",
        move |world| {
            board.clear();
            let ((semaphore, _, arena, board), theirs) = waiting(world, 0, WaitStrategy::Block, board)?;
            let waiter = Some(Waiter::start(&semaphore, board)?);
            Ok(((semaphore, waiter, arena, board), theirs))
        },
        |(semaphore,), trigger, _| {
            trigger.pull();
            semaphore.release().expect("release");
            trigger.release();
        },
        |(semaphore, waiter, _arena, board), seen| {
            // Seen to be given: it must be found without another. Else one follows.
            let seen_given = seen.completed || semaphore.value() > 0 || board.get(GOT) != 0;
            if !seen_given {
                semaphore.release().map_err(words("release"))?;
            }
            waiter.ok_or("no waiter")?.end()?;
            // It ended with it: it is the survivor's to have. A waiter that had the first one and had not said so when it
            // was looked for leaves the second one over.
            let all = semaphore.value();
            has(&semaphore, if seen_given { 1 } else { all.clamp(1, 2) })?;
            Ok(Some(seen_given || all == 2))
        },
    )
    .wavers()
}

/// Two wait, the victim and another; one permit comes, and is the other's if the victim dies of it.
fn woken() -> Case<Waiting, (Semaphore,)> {
    let board = Board::new();
    case(
        "semaphore.acquire.waits",
        move |world| {
            board.clear();
            let ((semaphore, _, arena, board), theirs) = waiting(world, 0, WaitStrategy::Block, board)?;
            let waiter = Some(Waiter::start(&semaphore, board)?);
            Ok(((semaphore, waiter, arena, board), theirs))
        },
        |(semaphore,), trigger, _| {
            trigger.pull();
            let permit = semaphore.acquire().expect("acquire");
            trigger.release();
            drop(permit);
            std::mem::forget(semaphore);
        },
        |(semaphore, waiter, _arena, _), _| {
            waiter.ok_or("no waiter")?.end()?;
            has(&semaphore, 1).map(|()| None)
        },
    )
    .during(|(semaphore, ..), victim| {
        victim.settle()?;
        semaphore.release().map_err(words("release"))
    })
    .wavers()
}

/// As `acquire` and `drop`, at the bound.
fn bounded() -> Case<BoundedSemaphore, (BoundedSemaphore,)> {
    case(
        "semaphore.bounded",
        |world| {
            let arena = world.arena.clone();
            let builder = BoundedSemaphore::builder(2).threads(2);
            let semaphore = builder.arena(&arena).build().map_err(words("semaphore"))?;
            let theirs = semaphore.clone();
            Ok((semaphore, (theirs,)))
        },
        |(semaphore,), trigger, _| {
            trigger.pull();
            let permit = semaphore.acquire().expect("acquire");
            // In the place of the one that it holds.
            semaphore.release().expect("one is missing");
            drop(permit);
            trigger.release();
            std::mem::forget(semaphore);
        },
        |semaphore, _| {
            let permits = [semaphore.acquire_timeout(BOUND), semaphore.acquire_timeout(BOUND)];
            if permits.iter().any(Result::is_err) {
                return Err(format!("a permit is missing: {permits:?}"));
            }
            if semaphore.try_acquire().is_ok() {
                return Err(format!("a permit too many: {semaphore}"));
            }
            drop(permits);
            match semaphore.release() {
                Err(_) => Ok(None),
                Ok(()) => Err(format!("it was not full: {semaphore}")),
            }
        },
    )
}

/// The victim lets go of its last handle, and leaks two permits.
fn leak() -> Case<Side, (Semaphore,)> {
    case(
        "semaphore.leak",
        |world| side(world, 3),
        |(semaphore,), trigger, _| {
            std::mem::forget((semaphore.acquire().expect("acquire"), semaphore.acquire().expect("acquire")));
            trigger.pull();
            drop(semaphore);
            trigger.release();
        },
        |(semaphore, value), _| has(&semaphore, value).map(|()| None),
    )
}
