//! Rounds with one object: four processes use it at once, one of them may be stopped or killed, and the history is checked.
#![allow(clippy::disallowed_types, reason = "what is checked must not be what checks")]

use crate::board::{Board, CALLS, PROCESSES, after, before};
use crate::check::check;
use crate::model::{Call, Model};
use crate::object::Object;
use anyhow::{Context, Result, anyhow, bail, ensure};
use processing::Process;
use processing_stress::disturb;
use processing_stress::random::Random;
use processing_stress::shared_file::SharedFile;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::time::{Duration, Instant};

/// How long a round may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the instrument waits at once.
const WAIT: Duration = Duration::from_millis(10);

pub struct Rounds<'a> {
    board: SharedFile<Board>,
    object: &'a dyn Object,
    processes: Vec<Process>,
    random: Random,
    seed: u64,
    round: u64,
    lives: u64,
    kills: u64,
    stops: u64,
}

impl<'a> Rounds<'a> {
    pub fn start(object: &'a dyn Object, name: &str, seed: u64) -> Result<Self> {
        let board = SharedFile::create(&format!("linear-{name}"))?;
        let random = Random::new(seed);
        let mut rounds = Self {
            board,
            object,
            processes: Vec::new(),
            random,
            seed,
            round: 0,
            lives: 0,
            kills: 0,
            stops: 0,
        };
        for place in 0..PROCESSES {
            let process = rounds.start_process(place)?;
            rounds.processes.push(process);
        }
        Ok(rounds)
    }

    fn start_process(&mut self, place: usize) -> Result<Process> {
        self.lives += 1;
        // The life before may have been cut off in the middle of a round.
        self.board.words().lanes[place].done.store(self.round, Release);
        let who = (self.board.path(), place as u64, self.seed ^ self.lives << 40);
        self.object.start(who).context("a process")
    }

    /// One round, whose history must be linearizable.
    pub fn play<M: Model>(&mut self) -> Result<()> {
        self.object.reset()?;
        self.round += 1;
        let round = self.round;
        let board = self.board.words();
        board.lanes.iter().for_each(|lane| lane.len.store(0, Release));
        board.round.store(round, Release);
        board.called.ring();
        self.wait(|board| board.lanes.iter().all(|lane| lane.ready.load(Acquire) == round))?;
        self.board.words().go.store(round, Release);
        let dead = self.disturb()?;
        self.wait(|board| {
            let mut lanes = board.lanes.iter().enumerate();
            lanes.all(|(place, lane)| Some(place) == dead || lane.done.load(Acquire) == round)
        })?;
        check::<M>(&self.history::<M>()?).map_err(|story| anyhow!("round {round}: {story}"))?;
        if let Some(place) = dead {
            self.processes[place] = self.start_process(place)?;
        }
        Ok(())
    }

    /// What all have written down, and what is there when they are done.
    fn history<M: Model>(&self) -> Result<Vec<Call>> {
        let mut history = Vec::new();
        for (place, lane) in self.board.words().lanes.iter().enumerate() {
            history
                .extend(lane.read(place).with_context(|| format!("what process {place} has written down"))?);
        }
        for op in M::last_look() {
            let start = before();
            let answer = self.object.apply(&op)?;
            history.push(Call { process: PROCESSES, op, start, end: Some((answer, after())) });
        }
        Ok(history)
    }

    /// Kills or stops one of them when it has done a part of its work, in half of the rounds. Says whom it has killed.
    fn disturb(&mut self) -> Result<Option<usize>> {
        let kills = match self.random.below(4) {
            0 => true,
            1 => false,
            _ => return Ok(None),
        };
        let place = self.random.below(PROCESSES as u64) as usize;
        let calls = self.random.below(CALLS as u64);
        // Nobody rings for that.
        let lane = &self.board.words().lanes[place];
        while lane.len.load(Acquire) < calls && lane.done.load(Acquire) != self.round {
            ensure!(self.processes[place].is_alive(), "{} has ended by itself", self.processes[place]);
            std::thread::yield_now();
        }
        let process = &self.processes[place];
        if !kills {
            disturb::pause(process, Duration::from_micros(self.random.below(1000)))?;
            self.stops += 1;
            return Ok(None);
        }
        process.kill()?;
        process.join_timeout(PATIENCE).with_context(|| format!("{process} was killed"))?;
        self.kills += 1;
        Ok(Some(place))
    }

    fn wait(&self, mut is_so: impl FnMut(&Board) -> bool) -> Result<()> {
        let start = Instant::now();
        loop {
            let board = self.board.words();
            let answered = board.answered.count();
            if is_so(board) {
                return Ok(());
            }
            if start.elapsed() > PATIENCE {
                bail!("somebody hangs in round {}", self.round);
            }
            let alive = |process: &Process| process.is_alive() || process.exit_code() == Some(-9);
            ensure!(self.processes.iter().all(alive), "a process has ended by itself");
            board.answered.wait(answered, WAIT);
        }
    }

    /// Ends all, and says how it was.
    pub fn finish(mut self) -> Result<String> {
        self.board.words().stop.store(1, Release);
        self.board.words().called.ring();
        for process in self.processes.drain(..) {
            process.join_timeout(PATIENCE).with_context(|| format!("{process} is to stop"))?;
        }
        Ok(format!("{} rounds, {} kills, {} stops", self.round, self.kills, self.stops))
    }
}

impl Drop for Rounds<'_> {
    fn drop(&mut self) {
        // Whoever is left after a failure.
        for process in &self.processes {
            let _ = process.kill();
            let _ = process.join_timeout(PATIENCE);
        }
    }
}
