//! Runs cases for every k, and tells.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

use processing::Message;

use crate::Outcome;
use crate::board::Board;
use crate::case::{Case, Fate};
use crate::child;
use crate::folders::own_folders;
use crate::round::{Plan, Played, Repair, play};
use crate::world::World;

/// The k at which a reaper dies, and at which a victim is stopped, unless all are asked for.
const SAMPLE: u64 = 2;
/// Long calls are long loops of copying: from here on not every k is tried, unless all are asked for.
const DENSE: u64 = 100;
const SPARSE: u64 = 20;
/// No call has so many shared operations.
const MOST: u64 = 20_000;
/// Rounds of a reaper for each of these k, unless all are asked for.
const REAPERS: u64 = 6;

/// The tests of one program.
pub struct Suite {
    filter: Option<String>,
    list: bool,
    full: bool,
    rests: bool,
    board: Board,
    passed: u32,
    failed: u32,
}

impl Suite {
    /// From the program's arguments.
    pub fn new() -> Self {
        own_folders();
        child::adopt_orphans();
        let mut suite = Self {
            filter: None,
            list: false,
            full: std::env::var_os("PROCESSING_KILL_FULL").is_some_and(|value| value != "0"),
            rests: false,
            board: Board::new(),
            passed: 0,
            failed: 0,
        };
        for argument in std::env::args().skip(1) {
            match argument.as_str() {
                "--list" => suite.list = true,
                "--full" => suite.full = true,
                // What cargo and people pass to libtest.
                other if other.starts_with('-') => {}
                other => suite.filter = Some(other.to_owned()),
            }
        }
        suite
    }

    /// In no case does anybody else work while the victim does: the arena is checked at once after each death that was repaired.
    pub fn at_rest(self) -> Self {
        Self { rests: true, ..self }
    }

    /// Whether everything is asked for.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// A page for tests that do without a case.
    pub fn board(&self) -> Board {
        self.board
    }

    fn wanted(&self, name: &str) -> bool {
        self.filter.as_ref().is_none_or(|part| name.contains(part.as_str()))
    }

    /// One test; `f` says in words how much it did.
    pub fn test(&mut self, name: &str, f: impl FnOnce() -> Outcome<String>) {
        if !self.wanted(name) {
            return;
        }
        if self.list {
            println!("{name}: test");
            return;
        }
        let start = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            Err(text.or_else(|| Some((*panic.downcast_ref::<&str>()?).to_owned())).unwrap_or_default())
        });
        let took = start.elapsed().as_millis();
        match outcome {
            Ok(much) => {
                self.passed += 1;
                println!("test {name} ... ok ({much}, {took} ms)");
            }
            Err(what) => {
                self.failed += 1;
                println!("test {name} ... FAILED ({took} ms)\n    {what}");
            }
        }
    }

    /// All tests of a case: killed at every k; the reaper too; stopped.
    pub fn run<S, A: Message>(&mut self, mut case: Case<S, A>) {
        case.rests |= self.rests;
        let (board, full) = (self.board, self.full);
        let name = case.name.clone();
        // What each k came to, for the two others.
        let mut known = Vec::new();
        self.test(&name, || {
            known = kill_everywhere(&case, full, board)?;
            let points = known.last().and_then(|(_, played)| played.completed).unwrap_or(0);
            Ok(format!("{points} points, {} rounds", known.len()))
        });
        self.test(&format!("{name}/reaper"), || {
            let known = if known.is_empty() { kill_everywhere(&case, full, board)? } else { known.clone() };
            kill_reapers(&case, &known, full, board)
        });
        if !case.stops {
            return;
        }
        self.test(&format!("{name}/stopped"), || {
            let points = probe(&case, board)?;
            stop_everywhere(&case, points, full, board)
        });
    }

    /// The last line, and the exit code.
    pub fn finish(self) -> ExitCode {
        if self.list {
            return ExitCode::SUCCESS;
        }
        println!("{} passed, {} failed", self.passed, self.failed);
        if self.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

impl Default for Suite {
    fn default() -> Self {
        Self::new()
    }
}

/// Twice unharmed: hints and pages settle. Then the number of points.
fn warm_up<S, A: Message>(world: &World, case: &Case<S, A>, board: Board) -> Outcome<u64> {
    let plan = Plan { fate: Fate::Lives, repair: Repair::AtOnce };
    let mut points = 0;
    for _ in 0..2 {
        let played = play(world, case, plan, board).map_err(|what| format!("unharmed: {what}"))?;
        points = played.completed.ok_or("it did not complete")?;
    }
    if points < case.least {
        return Err(format!("{points} shared operations counted, at least {} expected", case.least));
    }
    Ok(points)
}

fn probe<S, A: Message>(case: &Case<S, A>, board: Board) -> Outcome<u64> {
    warm_up(&World::new()?, case, board)
}

/// Dies at 0, 1, 2, .. until it completes. The last of the answers is that of the completed call.
fn kill_everywhere<S, A: Message>(
    case: &Case<S, A>,
    full: bool,
    board: Board,
) -> Outcome<Vec<(u64, Played)>> {
    let world = World::new()?;
    warm_up(&world, case, board)?;
    let committed = world.committed()?;
    let mut all = Vec::new();
    let mut k = 0;
    while k < MOST {
        let repair = if k % 2 == 0 { Repair::AtOnce } else { Repair::WhoNeedsIt };
        let plan = Plan { fate: Fate::DiesAt(k), repair };
        let played = play(&world, case, plan, board).map_err(|what| format!("{plan:?}: {what}"))?;
        all.push((k, played));
        if played.completed.is_some() {
            check_effects(case, &all)?;
            check_growth(&world, committed)?;
            return Ok(all);
        }
        // Ever farther; odd, so that both ways of repair take turns.
        k += if full || k < DENSE { 1 } else { (k / SPARSE) | 1 };
    }
    Err(format!("more than {MOST} shared operations"))
}

/// No before, yes after, and one change between.
fn check_effects<S, A: Message>(case: &Case<S, A>, all: &[(u64, Played)]) -> Outcome<()> {
    let effects: Vec<bool> = all.iter().filter_map(|(_, played)| played.effect).collect();
    let (Some(first), Some(last)) = (effects.first(), effects.last()) else { return Ok(()) };
    if *first || !*last {
        return Err(format!("effect at the first point: {first}; of the completed call: {last}"));
    }
    if !case.wavers && !effects.is_sorted() {
        return Err(format!("the call takes effect, and then does not any more: {effects:?}"));
    }
    Ok(())
}

/// What the dead had of the system's memory came back, but for what is kept for the next.
fn check_growth(world: &World, committed: u64) -> Outcome<()> {
    let now = world.committed()?;
    let allowed = committed + (2 << 20);
    if now > allowed {
        return Err(format!("the region grew from {committed} to {now} bytes"));
    }
    Ok(())
}

/// `count` of `0..points`, spread evenly; all if there are not more.
fn sample(points: u64, count: u64) -> Vec<u64> {
    if points <= count {
        return (0..points).collect();
    }
    (0..count).map(|i| (2 * i + 1) * points / (2 * count)).collect()
}

fn kill_reapers<S, A: Message>(
    case: &Case<S, A>,
    known: &[(u64, Played)],
    full: bool,
    board: Board,
) -> Outcome<String> {
    let world = World::new()?;
    warm_up(&world, case, board)?;
    let points = known.len() as u64 - 1;
    let mut rounds = 0;
    for at in sample(points, if full { u64::MAX } else { SAMPLE }) {
        let (k, alone) = known[at as usize];
        let mut j = 0;
        // The number of a reaper's operations is not known before: first in the middle of everything, then each.
        let step = if full { 1 } else { stride(&world, case, k, board)? };
        loop {
            let plan = Plan { fate: Fate::DiesAt(k), repair: Repair::ByOneThatDiesAt(j) };
            let played = play(&world, case, plan, board).map_err(|what| format!("{plan:?}: {what}"))?;
            rounds += 1;
            let expected = alone.effect;
            if !case.wavers && played.effect != expected {
                return Err(format!(
                    "{plan:?}: effect {:?}, but {expected:?} with one repair",
                    played.effect
                ));
            }
            if played.repaired {
                break;
            }
            j += step;
        }
    }
    Ok(format!("{rounds} rounds"))
}

/// So that about [`REAPERS`] rounds are played for this k; odd, so that pairs of operations are met in both halves.
fn stride<S, A: Message>(world: &World, case: &Case<S, A>, k: u64, board: Board) -> Outcome<u64> {
    let mut high = 1;
    loop {
        let plan = Plan { fate: Fate::DiesAt(k), repair: Repair::ByOneThatDiesAt(high) };
        if play(world, case, plan, board).map_err(|what| format!("{plan:?}: {what}"))?.repaired {
            return Ok((high / REAPERS) | 1);
        }
        high *= 2;
    }
}

fn stop_everywhere<S, A: Message>(
    case: &Case<S, A>,
    points: u64,
    full: bool,
    board: Board,
) -> Outcome<String> {
    let world = World::new()?;
    warm_up(&world, case, board)?;
    let ks = sample(points, if full { u64::MAX } else { 2 * SAMPLE });
    for k in &ks {
        let plan = Plan { fate: Fate::StopsAt(*k), repair: Repair::AtOnce };
        let played = play(&world, case, plan, board).map_err(|what| format!("{plan:?}: {what}"))?;
        if played.completed.is_none() {
            return Err(format!("{plan:?}: it did not complete after SIGCONT"));
        }
        if played.effect == Some(false) {
            return Err(format!("{plan:?}: it completed without effect"));
        }
    }
    Ok(format!("{} rounds", ks.len()))
}
