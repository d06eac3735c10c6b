//! Two deaths at once: two processes are each in the middle of a call of one queue when both are killed.
//!
//! The first is stopped before its j-th shared operation, the second, beside it, before its k-th; then both are killed,
//! and repaired in either order, or together by somebody who looks. For every j and k, or a sample of them where calls are long.

use std::process::ExitCode;

use processing::Queue;
use processing::sync::kill;
use processing::testing::{self, Ticket};
use processing_kill_tests::board::Board;
use processing_kill_tests::case::{FREE, Seen};
use processing_kill_tests::child::{Child, End};
use processing_kill_tests::kinds::{Bytes, Kind, Word};
use processing_kill_tests::oracle::{Found, drain, ids, still_works};
use processing_kill_tests::suite::Suite;
use processing_kill_tests::world::World;
use processing_kill_tests::{Outcome, words};

/// What a victim does. All but `Put` are about the oldest message that nobody has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Put,
    Get,
    /// Takes a lease and has it when it dies.
    Lease,
    Release,
    GiveBack,
}

const PAIRS: [(Call, Call); 10] = [
    (Call::Put, Call::Get),
    (Call::Get, Call::Put),
    (Call::Put, Call::Put),
    (Call::Get, Call::Get),
    (Call::Lease, Call::Get),
    (Call::Release, Call::Put),
    (Call::Release, Call::Release),
    (Call::Lease, Call::Lease),
    (Call::GiveBack, Call::Get),
    (Call::GiveBack, Call::Release),
];

const CAPACITY: usize = 6;
const FIRST: [u64; 4] = [1, 2, 3, 4];
/// What the two victims put.
const THEIRS: [u64; 2] = [7, 8];
/// So many places of a call, unless all are asked for.
const SAMPLE: u64 = 9;

/// Words of the board, of each victim.
const DONE: usize = FREE;
const POINTS: usize = FREE + 2;
const HAD: usize = FREE + 4;

fn main() -> ExitCode {
    let mut suite = Suite::new();
    kinds(&mut suite, Word);
    kinds(&mut suite, Bytes(16));
    kinds(&mut suite, Bytes(5 << 10));
    suite.finish()
}

fn kinds<K: Kind>(suite: &mut Suite, kind: K) {
    for (first, second) in PAIRS {
        let (full, board) = (suite.is_full(), suite.board());
        let name = format!("pair.{first:?}-{second:?}.{}", kind.name()).to_lowercase();
        suite.test(&name, || everywhere(kind, [first, second], full, board));
    }
}

/// All places of one call with all places of the other.
fn everywhere<K: Kind>(kind: K, calls: [Call; 2], full: bool, board: Board) -> Outcome<String> {
    let world = World::new()?;
    // Twice unharmed: hints and pages settle.
    play(&world, kind, calls, [u64::MAX; 2], board)?;
    play(&world, kind, calls, [u64::MAX; 2], board)?;
    let points = [board.get(POINTS), board.get(POINTS + 1)];
    if points.contains(&0) {
        return Err(format!("no shared operations were counted: {points:?}"));
    }
    let mut rounds = 0;
    for j in places(points[0], full) {
        for k in places(points[1], full) {
            play(&world, kind, calls, [j, k], board).map_err(|what| format!("at {j} and {k}: {what}"))?;
            rounds += 1;
        }
    }
    Ok(format!("{} and {} points, {rounds} rounds", points[0], points[1]))
}

/// The places 0 to `points` (then the call is complete), or some of them, the ends among them.
fn places(points: u64, full: bool) -> Vec<u64> {
    if full || points <= SAMPLE {
        return (0..=points).collect();
    }
    (0..=SAMPLE).map(|i| i * points / SAMPLE).collect()
}

fn play<K: Kind>(world: &World, kind: K, calls: [Call; 2], at: [u64; 2], board: Board) -> Outcome<()> {
    let before = world.snapshot()?;
    play_inside(world, kind, calls, at, board)?;
    let after = world.snapshot()?;
    if !before.is_like(&after) {
        return Err(format!("something changed\n    before {before:?}\n    after  {after:?}"));
    }
    Ok(())
}

fn play_inside<K: Kind>(world: &World, kind: K, calls: [Call; 2], at: [u64; 2], board: Board) -> Outcome<()> {
    board.clear();
    let queue = Queue::builder().capacity(CAPACITY).arena(&world.arena).build().map_err(words("queue"))?;
    for id in FIRST {
        queue.try_put(&kind.make(&world.arena, id)?).map_err(words("setup"))?;
    }
    let mut first = Victim::start(world, kind, &queue, (calls[0], at[0], 0), board)?;
    let mut second = Victim::start(world, kind, &queue, (calls[1], at[1], 1), board)?;
    first.child.signal(libc::SIGKILL);
    second.child.signal(libc::SIGKILL);
    for victim in [&mut first, &mut second] {
        let end = victim.child.wait()?;
        if !end.is_killed() {
            return Err(format!("a victim ended with {end:?}"));
        }
    }
    bury(world, &mut first.ticket, &mut second.ticket, at[0].wrapping_add(at[1]))?;
    // k = 0: whatever is found is found by leases, which know the mark.
    let seen = Seen { k: 0, completed: true, stopped: false, unswept: false, board };
    let found = drain(&queue, kind, &seen, 0)?;
    judge(calls, board, &found).map_err(|what| format!("{what}: found {found:?}"))?;
    still_works(&queue, kind, &world.arena)
}

/// One after the other, in either order, or both by who looks.
fn bury<A: processing::Cargo>(
    world: &World,
    first: &mut Ticket<A>,
    second: &mut Ticket<A>,
    which: u64,
) -> Outcome<()> {
    match which % 3 {
        0 => {
            first.over();
            second.over();
        }
        1 => {
            second.over();
            first.over();
        }
        _ => {
            first.withdraw();
            second.withdraw();
            testing::sweep(&world.arena).map_err(words("sweep"))?;
        }
    }
    Ok(())
}

/// A process in the middle of its call, or through with it: stopped in either case.
struct Victim<K: Kind> {
    ticket: Ticket<(Queue<K::Message>,)>,
    child: Child,
}

impl<K: Kind> Victim<K> {
    fn start(
        world: &World,
        kind: K,
        queue: &Queue<K::Message>,
        (call, at, number): (Call, u64, usize),
        board: Board,
    ) -> Outcome<Self> {
        let mut ticket = Ticket::issue((queue.clone(),), "victim").map_err(words("packing"))?;
        let mut child = Child::fork(|| {
            let (queue,): (Queue<K::Message>,) = ticket.board().expect("arguments");
            let arena = testing::arena_here(&world.arena).expect("attached");
            act(kind, &queue, &arena, (call, at, number), board);
            // SAFETY: stops this process, until it is killed.
            unsafe { libc::raise(libc::SIGSTOP) };
        });
        match child.wait_or_stop()? {
            End::Stopped => Ok(Self { ticket, child }),
            end => Err(format!("a victim ended by itself with {end:?}")),
        }
    }
}

fn act<K: Kind>(
    kind: K,
    queue: &Queue<K::Message>,
    arena: &processing::Arena,
    (call, at, number): (Call, u64, usize),
    board: Board,
) {
    let over = || {
        board.set(POINTS + number, kill::disarm());
        board.set(DONE + number, 1);
    };
    match call {
        Call::Put => {
            let message = kind.make(arena, THEIRS[number]).expect("message");
            kill::arm_stop(at);
            queue.try_put(&message).expect("put");
            over();
        }
        Call::Get => {
            kill::arm_stop(at);
            let message = queue.try_get().expect("get");
            over();
            board.set(HAD + number, kind.read(message).expect("whole"));
        }
        Call::Lease => {
            kill::arm_stop(at);
            let lease = queue.try_get_ref().expect("lease");
            over();
            std::mem::forget(lease);
        }
        Call::Release | Call::GiveBack => {
            let lease = queue.try_get_ref().expect("lease");
            let id = kind.read(lease.to_owned().expect("whole")).expect("whole");
            board.set(HAD + number, id);
            kill::arm_stop(at);
            if call == Call::Release {
                drop(lease)
            } else {
                lease.put_back()
            }
            over();
        }
    }
}

/// Whether what is left fits what the two did, or may have done.
fn judge(calls: [Call; 2], board: Board, found: &[Found]) -> Outcome<()> {
    let all = ids(found);
    let mut may_be_gone = 0;
    let mut gone = Vec::new();
    let mut perhaps_gone = Vec::new();
    let mut expected: Vec<u64> = FIRST.to_vec();
    let mut perhaps = Vec::new();
    let mut holders = 0;
    for (number, call) in calls.into_iter().enumerate() {
        let (done, had) = (board.get(DONE + number) != 0, board.get(HAD + number));
        holders += usize::from(call != Call::Put);
        match (call, done) {
            (Call::Put, true) => expected.push(THEIRS[number]),
            (Call::Put, false) => perhaps.push(THEIRS[number]),
            (Call::Get | Call::Release, true) => gone.push(had),
            (Call::Get, false) => may_be_gone += 1,
            (Call::Release, false) => perhaps_gone.push(had),
            (Call::Lease | Call::GiveBack, _) => {}
        }
    }
    for id in &all {
        let known = expected.contains(id) || perhaps.contains(id);
        if !known || gone.contains(id) || all.iter().filter(|other| *other == id).count() > 1 {
            return Err(format!("message {id} must not be there, or not so often"));
        }
    }
    let missing = expected.iter().filter(|id| !all.contains(id) && !gone.contains(id));
    let lost = missing.filter(|id| !perhaps_gone.contains(id)).count();
    if lost > may_be_gone {
        return Err(format!("{lost} messages are lost, {may_be_gone} may be gone"));
    }
    let marked = found.iter().filter(|(_, marked)| *marked).count();
    if marked > holders {
        return Err(format!("{marked} are marked as redelivered, {holders} processes had any"));
    }
    let unmarked = found.iter().filter(|(id, marked)| !marked && FIRST.contains(id));
    if !unmarked.map(|(id, _)| *id).is_sorted() {
        return Err("out of order".into());
    }
    Ok(())
}
