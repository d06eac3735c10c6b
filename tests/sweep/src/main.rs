//! Kills a process at every machine instruction of a call, and who repairs after it at every instruction of that.
//!
//! A [`Case`](case::Case) says what a victim does. A [round](round) is played in a process of its own, which makes an arena,
//! forks the victim, steps it by ptrace to an instruction of its call, kills it there with SIGKILL, and is the survivor: it
//! repairs, finishes its work in bounded time, and the oracles of `tests/kill` look at what came out: every message whole, in order,
//! once, or marked; the region clean by `fsck`; queues that work; descriptors and names as before. The library is the release build
//! that users have.
//!
//! # What is swept
//!
//! Killing at instruction n takes n steps, so that all of a call of n take n squared. But what a killed process leaves is
//! the bytes of the region, the memory its file has, and what the kernel takes back (locks, descriptors); the last is the same
//! all through a call. So one run is stepped through and [looked at](watch) after *every* instruction: the state of the region is a number over
//! all of its words and its memory. Instructions that leave the same state leave the same to the survivors, to whom nothing else of the
//! dead is visible. So there are kills
//!
//! - at each *distinct* state: repaired at once, as by a parent that joins, and by who needs it; the rest taken by leases and by values; and
//!   with others that go on beside the victim before it dies;
//! - at each instruction of a call of up to 700, and at up to 200 of a longer one, whatever the state there;
//! - of the process that *repairs*, for up to six situations of the victim (states that differ in more than how much of a payload was
//!   copied), at each state that its repair goes through, also after others have gone past the dead; then the survivor repairs after both.
//!
//! And at up to eight situations a victim is stopped instead: it keeps its place, holds up nobody, and completes.
//!
//! # How a process comes to where it dies
//!
//! It is stepped there. Of ways beyond 1,500 instructions (the copying of a payload, and repairs) not every one is: each situation of a
//! victim once, of other states one in 50. For the rest the words that had changed by then are written over the region while the process stands at its begin,
//! and it is killed there: the same bytes, memory, locks and descriptors. Where the file's memory has changed on the way it is always stepped.
//!
//! That a round is like the recorded run is made likely (the heap and the stack lie where they lay, the clock's own instructions do not
//! count), and is not assumed: states are compared. Where one differs (a *stray*), the round has been played for that state all the same, and
//! words of another run are never written over a region that does not begin as that one did.
//!
//! # What is not
//!
//! Calls while others sleep in the queue: waking is no state of the region (`tests/kill` has them). Processes whose stores
//! come late: a process that is stopped after each instruction has none (the models have them).
#![allow(clippy::missing_errors_doc, clippy::missing_panics_doc, reason = "a program")]

mod case;
mod cases;
mod heap;
mod image;
mod os;
mod program;
mod record;
mod round;
mod sweep;
mod watch;

use std::io::{BufRead, BufReader, Write};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use processing_kill_tests::folders::own_folders;
use processing_kill_tests::words;
use processing_kill_tests::world::World;

use os::{Helper, pin};
use program::Program;
use round::{Plan, Repair, Scenario, Way};
use sweep::{Extent, HEAD, Report, Sweep, ask};

#[derive(Parser)]
#[command(about = "Kills a process at every machine instruction of a call, and who repairs after it")]
struct Options {
    /// Only scenarios whose name contains this; with `--step` the one of this name
    #[arg(long, default_value = "")]
    scenario: String,
    /// Names the scenarios and runs nothing
    #[arg(long)]
    list: bool,
    /// A few seconds: a small sample of everything, of a few scenarios or those named
    #[arg(long)]
    quick: bool,
    /// Every instruction of each call, all situations of all repairs; takes long
    #[arg(long)]
    full: bool,
    /// Only this: killed after so many instructions
    #[arg(long)]
    step: Option<u64>,
    /// .. and who repairs after so many of its own
    #[arg(long, requires = "step")]
    reaper_step: Option<u64>,
    /// Scenarios at once, each on a core of its own
    #[arg(long, default_value_t = std::thread::available_parallelism().map_or(1, usize::from))]
    jobs: usize,
}

/// What there is time for in every run.
const QUICK: &[&str] = &["put.8b", "get.8b", "lease.take.8b", "put.full"];

fn main() -> ExitCode {
    let options = Options::parse();
    if !own_folders() {
        eprintln!("no namespaces here: what other programs make in /dev/shm meanwhile may look like a leak");
    }
    // On a stack that begins at a page, whatever the environment and the arguments are: it decides, too, how bytes are copied. All else is
    // forked from there, and so has this thread alone.
    let all = std::thread::Builder::new().stack_size(STACK).spawn(move || run(&options));
    let done = all.map_err(anyhow::Error::from).and_then(|all| match all.join() {
        Ok(done) => done,
        Err(_) => bail!("it panicked"),
    });
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        // Not a failure of the library: the sweep itself could not be done.
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

const STACK: usize = 16 << 20;

fn run(options: &Options) -> Result<bool> {
    let mut scenarios = cases::all();
    if options.list {
        scenarios.iter().for_each(|scenario| println!("{}", scenario.name()));
        return Ok(true);
    }
    if cfg!(debug_assertions) {
        eprintln!("not the release build: this is not what users have, and takes far longer");
    }
    match options.step {
        Some(_) => scenarios.retain(|scenario| scenario.name() == options.scenario),
        None if options.quick && options.scenario.is_empty() => {
            scenarios.retain(|scenario| QUICK.contains(&scenario.name()));
        }
        None => scenarios.retain(|scenario| scenario.name().contains(&options.scenario)),
    }
    ensure!(!scenarios.is_empty(), "no scenario `{}`; --list names them", options.scenario);
    heap::reserve();
    let program = Program::find().map_err(anyhow::Error::msg)?;
    warm_up().map_err(anyhow::Error::msg)?;
    match options.step {
        Some(step) => one(&*scenarios[0], step, options.reaper_step, &program),
        None => all(&scenarios, options, &program),
    }
}

/// What the library finds out once in a process is known to all that are forked from here.
fn warm_up() -> processing_kill_tests::Outcome<()> {
    let world = World::new()?;
    world.anchor.try_put(&1).map_err(words("put"))?;
    world.anchor.try_get().map_err(words("get"))?;
    world.snapshot().map(drop)
}

/// One place, every way to look after the dead.
fn one(scenario: &dyn Scenario, step: u64, reaper_step: Option<u64>, program: &Program) -> Result<bool> {
    pin(0);
    let mut well = true;
    let repairs = match reaper_step {
        Some(step) => vec![Repair::ByOneThatDies(Way::Steps(step))],
        None => vec![Repair::AtOnce, Repair::WhoNeedsIt],
    };
    for (goes_on, beside) in [(false, false), (false, true), (true, true)] {
        for repair in &repairs {
            for number in [0, 2] {
                let plan = Plan { number, victim: Way::Steps(step), beside, goes_on, repair: *repair };
                match ask(scenario, &plan, program) {
                    Ok(played) => println!("ok      {plan} (state {:x})", played.states[1]),
                    Err(what) => {
                        well = false;
                        println!("FAILED  {plan}\n    {what}");
                    }
                }
            }
        }
    }
    Ok(well)
}

fn all(scenarios: &[Box<dyn Scenario>], options: &Options, program: &Program) -> Result<bool> {
    let extent = match (options.quick, options.full) {
        (true, true) => bail!("--quick and --full contradict each other"),
        (true, false) => Extent::QUICK,
        (false, true) => Extent::FULL,
        (false, false) => Extent::USUAL,
    };
    let start = Instant::now();
    println!("{HEAD}");
    let reports = in_parallel(scenarios, options.jobs, &extent, program)?;
    ensure!(
        reports.len() == scenarios.len(),
        "{} of {} scenarios came to an end",
        reports.len(),
        scenarios.len()
    );
    let mut total = Report { name: "all".to_owned(), ..Report::default() };
    reports.iter().for_each(|report| total.add(report));
    println!("{total}");
    total.failures.iter().for_each(|failure| println!("\nFAILED {failure}"));
    println!(
        "{} instructions, {} distinct states, {} kills, {} failures, in {:.0} s",
        total.instructions + total.repair_instructions,
        total.states + total.repair_states,
        total.kills,
        total.failures.len(),
        start.elapsed().as_secs_f64()
    );
    Ok(total.failures.is_empty())
}

/// A worker for each core; each takes the next scenario when it is done with one.
fn in_parallel(
    scenarios: &[Box<dyn Scenario>],
    jobs: usize,
    extent: &Extent,
    program: &Program,
) -> Result<Vec<Report>> {
    let (orders, mut giver) = std::io::pipe()?;
    let numbers: Vec<u8> = (0..scenarios.len()).map(u8::try_from).collect::<Result<_, _>>()?;
    giver.write_all(&numbers)?;
    drop(giver);
    let (answers, pipe) = std::io::pipe()?;
    let mut workers = Vec::new();
    for core in 0..jobs.clamp(1, scenarios.len()) {
        let worker = Helper::start(|_| {
            pin(core);
            work(scenarios, &orders, &pipe, extent, program).expect("the worker's pipes");
        });
        workers.push(worker.context("a worker")?);
    }
    drop((orders, pipe));
    let mut reports = Vec::new();
    for line in BufReader::new(answers).lines() {
        let report: Report = serde_json::from_str(&line?)?;
        println!("{report}");
        reports.push(report);
    }
    for worker in workers {
        worker.finish().map_err(|what| anyhow::anyhow!("a worker: {what}"))?;
    }
    Ok(reports)
}

fn work(
    scenarios: &[Box<dyn Scenario>],
    mut orders: impl std::io::Read,
    mut answers: impl Write,
    extent: &Extent,
    program: &Program,
) -> Result<()> {
    let mut number = [0];
    while orders.read(&mut number)? == 1 {
        let scenario = &*scenarios[usize::from(number[0])];
        let report = Sweep::new(scenario, program, *extent).run();
        // One write, so that lines of two workers do not mix.
        answers.write_all((serde_json::to_string(&report)? + "\n").as_bytes())?;
    }
    Ok(())
}
