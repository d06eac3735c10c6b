//! Processes with threads use every primitive at once, while processes are killed and stopped at random.
//!
//! Checked all the time: nobody is where another one is, no value is torn, no more permits are out than there are,
//! everybody gets on. And at the end: all permits are back, every lock can be had, the region is clean.
#![allow(clippy::disallowed_types, reason = "what is checked must not be what checks")]

mod board;
mod things;
mod worker;

use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use processing::{AcquireError, Arena, Process};
use processing_stress::{disturb, random::Random};

use board::{Board, Common, THREADS, WORKERS};
use things::{PERMITS, Things, list_of};

#[derive(Parser)]
#[command(about = "Uses every primitive at once, from processes that are killed and stopped at random")]
struct Options {
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=WORKERS as u64))]
    processes: u64,
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=THREADS as u64))]
    threads: u64,
    /// Of an earlier run
    #[arg(long)]
    seed: Option<u64>,
}

/// The longest that a thread may be without doing anything.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> Result<()> {
    let options = Options::parse();
    let seed = options.seed.unwrap_or_else(disturb::seed);
    println!("seed {seed}");
    let mut run = Run::start(&options, seed)?;
    let deadline = Instant::now() + Duration::from_secs(options.seconds);
    while Instant::now() < deadline {
        run.disturb()?;
        run.check()?;
    }
    run.finish()
}

struct Run {
    board: Board,
    things: Things,
    workers: Vec<Process>,
    threads: u64,
    random: Random,
    seed: u64,
    kills: u64,
    stops: u64,
    lives: u64,
    /// When each thread did something last, and what its count was.
    seen: Vec<(u64, Instant)>,
}

impl Run {
    fn start(options: &Options, seed: u64) -> Result<Self> {
        let count = (options.processes * options.threads) as usize;
        let mut run = Self {
            board: Board::create("stress")?,
            things: Things::new()?,
            workers: Vec::new(),
            threads: options.threads,
            random: Random::new(seed),
            seed,
            kills: 0,
            stops: 0,
            lives: 0,
            seen: vec![(0, Instant::now()); count],
        };
        for worker in 0..options.processes {
            let process = run.start_worker(worker)?;
            run.workers.push(process);
        }
        Ok(run)
    }

    fn start_worker(&mut self, worker: u64) -> Result<Process> {
        self.lives += 1;
        let seed = self.seed ^ self.lives << 40;
        for slot in &self.words().slots[worker as usize] {
            slot.permits.iter().for_each(|permit| permit.store(0, SeqCst));
        }
        self.words().lives[worker as usize].store(self.lives, SeqCst);
        let arguments = (self.board.path(), worker, self.threads, seed, self.things.clone());
        Process::new(worker::work, arguments).start().context("a worker")
    }

    fn words(&self) -> &Common {
        self.board.words()
    }

    /// Kills or stops one of them, after a while.
    fn disturb(&mut self) -> Result<()> {
        std::thread::sleep(Duration::from_millis(2 + self.random.below(30)));
        let victim = self.random.below(self.workers.len() as u64) as usize;
        if self.random.below(5) == 0 { self.pause(victim) } else { self.kill(victim) }
    }

    fn pause(&mut self, victim: usize) -> Result<()> {
        let time = Duration::from_millis(self.random.below(20));
        disturb::pause(&self.workers[victim], time)?;
        self.stops += 1;
        Ok(())
    }

    fn kill(&mut self, victim: usize) -> Result<()> {
        // From here on its words are stale.
        self.words().lives[victim].store(0, SeqCst);
        let process = &self.workers[victim];
        process.kill()?;
        process.join_timeout(PATIENCE).with_context(|| format!("{process} was killed"))?;
        self.kills += 1;
        self.workers[victim] = self.start_worker(victim as u64)?;
        Ok(())
    }

    fn check(&mut self) -> Result<()> {
        let violations = self.words().violations.load(SeqCst);
        ensure!(violations == 0, "{violations} violations; seed {}", self.seed);
        let threads = self.threads as usize;
        for at in 0..self.seen.len() {
            let now = self.words().slots[at / threads][at % threads].progress.load(Relaxed);
            if now != self.seen[at].0 {
                self.seen[at] = (now, Instant::now());
            } else if self.seen[at].1.elapsed() > PATIENCE {
                bail!("thread {} of {} hangs; seed {}", at % threads, self.workers[at / threads], self.seed);
            }
        }
        for process in &self.workers {
            ensure!(process.is_alive(), "{process} has ended by itself");
        }
        Ok(())
    }

    fn finish(self) -> Result<()> {
        self.words().stop.store(1, SeqCst);
        for process in &self.workers {
            process
                .join_timeout(PATIENCE)
                .with_context(|| format!("{process} is to stop; seed {}", self.seed))?;
        }
        let violations = self.words().violations.load(SeqCst);
        ensure!(violations == 0, "{violations} violations; seed {}", self.seed);
        self.check_locks()?;
        let values = [self.things.semaphore.value(), self.things.bounded.value()];
        ensure!(values == PERMITS, "permits at the end: {values:?} of {PERMITS:?}; seed {}", self.seed);
        let (number, list) = self.things.locked.get()?;
        ensure!(list == list_of(number), "torn at the end");
        ensure!(
            Arena::default().fsck()?.is_clean(),
            "the arena is not clean: {:?}",
            Arena::default().fsck()?
        );
        self.report();
        Ok(())
    }

    /// Each lock can be had, and no turn was lost.
    fn check_locks(&self) -> Result<()> {
        match self.things.lock.acquire_timeout(PATIENCE) {
            Ok(_) => {}
            Err(AcquireError::OwnerDied(died)) => drop(died.recover()),
            Err(error) => bail!("the lock at the end: {error}"),
        }
        match self.things.rlock.acquire_timeout(PATIENCE) {
            Ok(_) => {}
            Err(AcquireError::OwnerDied(died)) => drop(died.recover()),
            Err(error) => bail!("the recursive lock at the end: {error}"),
        }
        let slots = self.words().slots.iter().flatten();
        let confirmed: u64 = slots.map(|slot| slot.confirmed.load(Relaxed)).sum();
        let turns = self.words().turns[0].load(Relaxed);
        let most = confirmed + self.kills * self.threads;
        ensure!((confirmed..=most).contains(&turns), "{turns} turns were counted, {confirmed} confirmed");
        Ok(())
    }

    fn report(&self) {
        let names =
            ["locks", "recursive", "values", "permits", "bounded", "puts", "takes", "events", "deaths met"];
        let done = self.words().done.iter().map(|count| count.load(Relaxed));
        let done: Vec<String> =
            names.iter().zip(done).map(|(name, count)| format!("{name} {count}")).collect();
        println!("{} kills, {} stops; {}", self.kills, self.stops, done.join(", "));
        println!("no violation");
    }
}
