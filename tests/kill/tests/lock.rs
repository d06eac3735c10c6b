//! Killed in acquire, release, recover and in giving up, of a `Lock` and of an `RLock` that is held twice.
//!
//! Beside what each case checks: nobody is inside while another is, and of a death in which the lock was held exactly one is told.

use std::process::ExitCode;

use processing::testing::Ticket;
use processing::{AcquireError, Lock, Message, OwnerDied, RLock};
use processing_kill_tests::board::Board;
use processing_kill_tests::case::{Case, FREE, Trigger, case};
use processing_kill_tests::child::{Child, Doing};
use processing_kill_tests::suite::Suite;
use processing_kill_tests::world::World;
use processing_kill_tests::{BOUND, Outcome, words};

fn main() -> ExitCode {
    let mut suite = Suite::new();
    all::<Lock>(&mut suite);
    all::<RLock>(&mut suite);
    suite.finish()
}

fn all<L: Lockable>(suite: &mut Suite) {
    suite.run(acquire_free::<L>());
    suite.run(acquire_contended::<L>());
    suite.run(acquire_inherited::<L>());
    suite.run(acquire_beside_a_sleeper::<L>());
    suite.run(release_free::<L>());
    suite.run(release_to_a_sleeper::<L>());
    suite.run(release_recovered::<L>());
    suite.run(give_up::<L>());
}

/// Who is inside, 0 for nobody: the oracle of mutual exclusion.
const INSIDE: usize = FREE;
/// The victim has the lock and waits for [`GO`].
const READY: usize = FREE + 1;
const GO: usize = FREE + 2;
/// What the waiter met, one of the following.
const WAITER: usize = FREE + 3;
/// The pids of those that may die with it.
const VICTIM_PID: usize = FREE + 4;
const FIRST_PID: usize = FREE + 5;

const FINE: u64 = 1;
const TOLD: u64 = 2;
const POISONED: u64 = 3;
const WRONG: u64 = 9;

const VICTIM: u64 = 1;
const OTHER: u64 = 2;
const SURVIVOR: u64 = 3;

/// `Lock` and `RLock`. What is kept stays acquired [`TIMES`](Self::TIMES) times, without a guard.
trait Lockable: Message + Clone + 'static {
    const NAME: &'static str;
    const TIMES: u32;
    type Guard<'a>;

    fn make(world: &World) -> Outcome<Self>;
    fn take(&self) -> Result<Self::Guard<'_>, AcquireError<Self::Guard<'_>>>;
    fn try_take(&self) -> Result<Self::Guard<'_>, AcquireError<Self::Guard<'_>>>;
    fn take_poisoned(&self) -> processing::Result<OwnerDied<Self::Guard<'_>>>;
    fn recovered<'a>(died: OwnerDied<Self::Guard<'a>>) -> Self::Guard<'a>;
    /// Gives back once.
    fn release_once(&self) -> processing::Result<()>;
}

macro_rules! lockable {
    ($lock:ident, $guard:ident, $name:literal, $times:literal) => {
        impl Lockable for $lock {
            const NAME: &'static str = $name;
            const TIMES: u32 = $times;
            type Guard<'a> = processing::$guard<'a>;

            fn make(world: &World) -> Outcome<Self> {
                Self::builder().arena(&world.arena).build().map_err(words("lock"))
            }
            fn take(&self) -> Result<Self::Guard<'_>, AcquireError<Self::Guard<'_>>> {
                self.acquire_timeout(BOUND)
            }
            fn try_take(&self) -> Result<Self::Guard<'_>, AcquireError<Self::Guard<'_>>> {
                self.try_acquire()
            }
            fn take_poisoned(&self) -> processing::Result<OwnerDied<Self::Guard<'_>>> {
                self.recover_poisoned()
            }
            fn recovered<'a>(died: OwnerDied<Self::Guard<'a>>) -> Self::Guard<'a> {
                died.recover()
            }
            fn release_once(&self) -> processing::Result<()> {
                self.release()
            }
        }
    };
}

lockable!(Lock, LockGuard, "lock", 1);
lockable!(RLock, RLockGuard, "rlock", 2);

/// Goes in, if nobody is there; of the dead it does not matter.
fn enter(board: Board, who: u64, told: bool) -> Outcome<()> {
    match board.get(INSIDE) {
        0 => {}
        VICTIM if told => {}
        other => return Err(format!("{who} comes in (told of a death: {told}) while {other} is inside")),
    }
    board.set(INSIDE, who);
    Ok(())
}

fn go_out(board: Board, who: u64) -> Outcome<()> {
    let inside = board.get(INSIDE);
    board.set(INSIDE, 0);
    if inside == who { Ok(()) } else { Err(format!("{inside} came in while {who} was inside")) }
}

/// Takes it as often as this kind is taken, keeps it, and goes in. In a process that has one thread.
fn keep<L: Lockable>(lock: &L, board: Board, who: u64) -> Outcome<()> {
    let told = match lock.take() {
        Ok(guard) => {
            std::mem::forget(guard);
            false
        }
        Err(AcquireError::OwnerDied(died)) => {
            std::mem::forget(L::recovered(died));
            true
        }
        Err(other) => return Err(other.to_string()),
    };
    for _ in 1..L::TIMES {
        std::mem::forget(lock.take().map_err(words("once more"))?);
    }
    enter(board, who, told)
}

/// Goes out and gives back all.
fn give_back<L: Lockable>(lock: &L, board: Board, who: u64) -> Outcome<()> {
    go_out(board, who)?;
    for _ in 0..L::TIMES {
        lock.release_once().map_err(words("release"))?;
    }
    Ok(())
}

/// The survivor takes it and gives it back: by whom, if it was told of a death.
fn survive<L: Lockable>(lock: &L, board: Board) -> Outcome<Option<u64>> {
    let told = match lock.take() {
        Ok(guard) => {
            enter(board, SURVIVOR, false)?;
            go_out(board, SURVIVOR)?;
            drop(guard);
            None
        }
        Err(AcquireError::OwnerDied(died)) => {
            let pid = u64::from(died.pid());
            enter(board, SURVIVOR, true)?;
            go_out(board, SURVIVOR)?;
            drop(L::recovered(died));
            Some(pid)
        }
        Err(other) => return Err(format!("the survivor does not get it: {other}")),
    };
    // Nobody is told twice, and nobody has it.
    match lock.try_take() {
        Ok(guard) => drop(guard),
        Err(other) => return Err(format!("afterwards: {other:?}")),
    }
    Ok(told)
}

/// Told of the victim's death: yes; of none: no.
fn was_victim(board: Board, told: Option<u64>) -> Outcome<bool> {
    match told {
        None => Ok(false),
        Some(pid) if pid == board.get(VICTIM_PID) => Ok(true),
        Some(pid) => Err(format!("told that {pid} died, and not {}", board.get(VICTIM_PID))),
    }
}

/// In the victim, before anything else.
fn say_who(board: Board) {
    board.set(VICTIM_PID, u64::from(std::process::id()));
}

/// While another is stopped in the middle: it may have the lock or not, and nothing is taken from it.
fn steals_nothing<L: Lockable>(lock: &L, board: Board) -> Outcome<()> {
    match lock.try_take() {
        Ok(guard) => {
            enter(board, SURVIVOR, false)?;
            go_out(board, SURVIVOR)?;
            drop(guard);
            Ok(())
        }
        Err(AcquireError::Busy { .. }) => Ok(()),
        Err(other) => Err(format!("beside a stopped owner: {other:?}")),
    }
}

struct Side<L: Message> {
    lock: L,
    board: Board,
    waiter: Option<Waiter<L>>,
}

fn side<L: Lockable>(world: &World, board: Board) -> Outcome<Side<L>> {
    board.clear();
    Ok(Side { lock: L::make(world)?, board, waiter: None })
}

fn named<L: Lockable>(what: &str) -> String {
    format!("{}.{what}", L::NAME)
}

/// Nobody has it.
fn acquire_free<L: Lockable>() -> Case<Side<L>, (L,)> {
    let board = Board::new();
    case(
        named::<L>("acquire"),
        move |world| {
            let side = side::<L>(world, board)?;
            let lock = side.lock.clone();
            Ok((side, (lock,)))
        },
        move |(lock,), trigger, _| {
            say_who(board);
            trigger.pull();
            keep(&lock, board, VICTIM).expect("free");
            trigger.release();
        },
        move |side: Side<L>, _| was_victim(board, survive(&side.lock, board)?).map(Some),
    )
    .meanwhile(|side| steals_nothing(&side.lock, side.board))
}

/// The survivor has it, and gives it back when the victim sleeps.
fn acquire_contended<L: Lockable>() -> Case<Side<L>, (L,)> {
    let board = Board::new();
    case(
        named::<L>("acquire.contended"),
        move |world| {
            let side = side::<L>(world, board)?;
            keep(&side.lock, board, SURVIVOR)?;
            let lock = side.lock.clone();
            Ok((side, (lock,)))
        },
        move |(lock,), trigger, _| {
            say_who(board);
            trigger.pull();
            keep(&lock, board, VICTIM).expect("its turn comes");
            trigger.release();
        },
        move |side: Side<L>, _| was_victim(board, survive(&side.lock, board)?).map(Some),
    )
    .during(|side, victim| {
        victim.settle()?;
        give_back(&side.lock, side.board, SURVIVOR)
    })
    .wavers()
}

/// One has died with it, and nobody has looked.
fn acquire_inherited<L: Lockable>() -> Case<Side<L>, (L,)> {
    let board = Board::new();
    case(
        named::<L>("acquire.inherited"),
        move |world| {
            let side = side::<L>(world, board)?;
            die_with(&side.lock, board)?;
            let lock = side.lock.clone();
            Ok((side, (lock,)))
        },
        move |(lock,), trigger, _| {
            say_who(board);
            trigger.pull();
            keep(&lock, board, VICTIM).expect("inherited");
            trigger.release();
        },
        move |side: Side<L>, _| match survive(&side.lock, board)? {
            Some(pid) if pid == board.get(FIRST_PID) => Ok(Some(false)),
            Some(pid) if pid == board.get(VICTIM_PID) => Ok(Some(true)),
            other => Err(format!("first died with it, and perhaps the victim; told of {other:?}")),
        },
    )
}

/// A process takes it and ends.
fn die_with<L: Lockable>(lock: &L, board: Board) -> Outcome<()> {
    let mut ticket = Ticket::issue((lock.clone(),), "first").map_err(words("packing"))?;
    let mut child = Child::fork(|| {
        let (lock,): (L,) = ticket.board().expect("arguments");
        std::mem::forget(lock.take().expect("free"));
        board.set(FIRST_PID, u64::from(std::process::id()));
    });
    child.wait()?;
    ticket.withdraw();
    if board.get(FIRST_PID) != 0 { Ok(()) } else { Err("the first did not get it".into()) }
}

/// A second process that waits for the lock.
struct Waiter<L: Message> {
    ticket: Ticket<(L,)>,
    child: Option<Child>,
}

impl<L: Lockable> Waiter<L> {
    /// One that does not run yet.
    fn new(lock: &L) -> Outcome<Self> {
        let ticket = Ticket::issue((lock.clone(),), "waiter").map_err(words("packing"))?;
        Ok(Self { ticket, child: None })
    }

    /// It sleeps when this returns; or has ended, if somebody has died meanwhile.
    fn start(&mut self, board: Board) -> Outcome<Doing> {
        let ticket = &mut self.ticket;
        let child = Child::fork(|| {
            let (lock,): (L,) = ticket.board().expect("arguments");
            board.set(WAITER, wait_once(&lock, board));
        });
        let doing = child.settle();
        self.child = Some(child);
        doing
    }

    /// What it met.
    fn end(mut self, board: Board) -> Outcome<u64> {
        let mut child = self.child.take().ok_or("the waiter was not started")?;
        let end = child.wait()?;
        self.ticket.over();
        match board.get(WAITER) {
            0 | WRONG => Err(format!("the waiter met what should not be, and ended with {end:?}")),
            met => Ok(met),
        }
    }
}

fn wait_once<L: Lockable>(lock: &L, board: Board) -> u64 {
    let (guard, met) = match lock.take() {
        Ok(guard) => (guard, FINE),
        Err(AcquireError::OwnerDied(died)) if u64::from(died.pid()) == board.get(VICTIM_PID) => {
            (L::recovered(died), TOLD)
        }
        Err(AcquireError::Poisoned(_)) => return POISONED,
        Err(_) => return WRONG,
    };
    let alone = enter(board, OTHER, met == TOLD).and_then(|()| go_out(board, OTHER));
    drop(guard);
    if alone.is_ok() { met } else { WRONG }
}

/// Two sleep, the victim first; of the two wake-ups the other gets its own, whatever becomes of the victim's.
fn acquire_beside_a_sleeper<L: Lockable>() -> Case<Side<L>, (L,)> {
    let board = Board::new();
    case(
        named::<L>("acquire.beside-a-sleeper"),
        move |world| {
            let mut side = side::<L>(world, board)?;
            keep(&side.lock, board, SURVIVOR)?;
            side.waiter = Some(Waiter::new(&side.lock)?);
            let lock = side.lock.clone();
            Ok((side, (lock,)))
        },
        move |(lock,), trigger, _| {
            say_who(board);
            trigger.pull();
            keep(&lock, board, VICTIM).expect("its turn comes");
            trigger.release();
        },
        move |side: Side<L>, _| {
            let met = side.waiter.ok_or("no waiter")?.end(board)?;
            let later = was_victim(board, survive(&side.lock, board)?)?;
            match (met, later) {
                (TOLD, false) | (FINE, true) => Ok(Some(true)),
                (FINE, false) => Ok(Some(false)),
                (met, later) => Err(format!("the waiter met {met}, and the survivor was told: {later}")),
            }
        },
    )
    .during(|side, victim| {
        victim.settle()?;
        side.waiter.as_mut().ok_or("no waiter")?.start(side.board)?;
        give_back(&side.lock, side.board, SURVIVOR)
    })
    .wavers()
}

/// The victim has it, and nobody waits.
fn release_free<L: Lockable>() -> Case<Side<L>, (L,)> {
    let board = Board::new();
    case(
        named::<L>("release"),
        move |world| {
            let side = side::<L>(world, board)?;
            let lock = side.lock.clone();
            Ok((side, (lock,)))
        },
        move |(lock,), trigger, _| {
            say_who(board);
            keep(&lock, board, VICTIM).expect("free");
            trigger.pull();
            give_back(&lock, board, VICTIM).expect("its own");
            trigger.release();
        },
        move |side: Side<L>, _| Ok(Some(!was_victim(board, survive(&side.lock, board)?)?)),
    )
    .meanwhile(|side| steals_nothing(&side.lock, side.board))
}

/// In the victim: says that it has it, and waits until the waiter sleeps.
fn until_awaited(board: Board) {
    say_who(board);
    board.set(READY, 1);
    while board.get(GO) == 0 {
        std::thread::sleep(std::time::Duration::from_micros(100));
    }
}

/// In the survivor: lets the waiter go to sleep, then the victim act.
fn await_it<L: Lockable>(side: &mut Side<L>, victim: &Child) -> Outcome<()> {
    let start = std::time::Instant::now();
    while side.board.get(READY) == 0 {
        if start.elapsed() > BOUND || victim.doing() == Doing::Ended {
            return Err("the victim did not get it".into());
        }
        processing_kill_tests::child::pause(start);
    }
    if side.waiter.as_mut().ok_or("no waiter")?.start(side.board)? != Doing::Asleep {
        return Err("the waiter does not wait".into());
    }
    side.board.set(GO, 1);
    Ok(())
}

fn with_waiter<L: Lockable>(world: &World, board: Board) -> Outcome<(Side<L>, (L,))> {
    let mut side = side::<L>(world, board)?;
    side.waiter = Some(Waiter::new(&side.lock)?);
    let lock = side.lock.clone();
    Ok((side, (lock,)))
}

/// The victim has it, and another sleeps for it.
fn release_to_a_sleeper<L: Lockable>() -> Case<Side<L>, (L,)> {
    let board = Board::new();
    case(
        named::<L>("release.wakes"),
        move |world| with_waiter(world, board),
        move |(lock,), trigger, _| {
            keep(&lock, board, VICTIM).expect("free");
            until_awaited(board);
            trigger.pull();
            give_back(&lock, board, VICTIM).expect("its own");
            trigger.release();
        },
        move |side: Side<L>, _| released(side, board),
    )
    .during(await_it)
    .wavers()
}

/// Either the waiter was told of a death, or the lock was free; and then it is free for all.
fn released<L: Lockable>(side: Side<L>, board: Board) -> Outcome<Option<bool>> {
    let met = side.waiter.ok_or("no waiter")?.end(board)?;
    match survive(&side.lock, board)? {
        None if met != POISONED => Ok(Some(met == FINE)),
        told => Err(format!("the waiter met {met}, and then the survivor was told of {told:?}")),
    }
}

/// Takes what the first has died with.
fn inherit<L: Lockable>(lock: &L) -> OwnerDied<L::Guard<'_>> {
    match lock.take() {
        Err(AcquireError::OwnerDied(died)) => died,
        _ => panic!("the first has died with it"),
    }
}

/// The victim has it from a dead one, recovers, and gives it back to a sleeper.
fn release_recovered<L: Lockable>() -> Case<Side<L>, (L,)> {
    let board = Board::new();
    case(
        named::<L>("recover"),
        move |world| {
            let (side, arguments) = with_waiter::<L>(world, board)?;
            die_with(&side.lock, board)?;
            Ok((side, arguments))
        },
        move |(lock,), trigger, _| {
            let died = inherit(&lock);
            enter(board, VICTIM, true).expect("nobody is inside");
            until_awaited(board);
            trigger.pull();
            let guard = L::recovered(died);
            go_out(board, VICTIM).expect("alone");
            drop(guard);
            trigger.release();
        },
        move |side: Side<L>, _| released(side, board),
    )
    .during(await_it)
    .wavers()
}

/// The victim has it from a dead one, and gives up, while another sleeps for it.
fn give_up<L: Lockable>() -> Case<Side<L>, (L,)> {
    let board = Board::new();
    case(
        named::<L>("give-up"),
        move |world| {
            let (side, arguments) = with_waiter::<L>(world, board)?;
            die_with(&side.lock, board)?;
            Ok((side, arguments))
        },
        move |(lock,), trigger: &Trigger, _| {
            let died = inherit(&lock);
            until_awaited(board);
            trigger.pull();
            drop(died);
            trigger.release();
        },
        move |mut side: Side<L>, _| {
            let met = side.waiter.take().ok_or("no waiter")?.end(board)?;
            match met {
                TOLD => {}
                POISONED => drop(L::recovered(side.lock.take_poisoned().map_err(words("poisoned"))?)),
                other => return Err(format!("the waiter met {other}")),
            }
            match survive(&side.lock, board)? {
                None => Ok(Some(met == POISONED)),
                told => Err(format!("told of {told:?}")),
            }
        },
    )
    .during(await_it)
    .wavers()
}
