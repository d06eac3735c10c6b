//! What each process does: rounds of operations, until it is told to stop, or is killed.
#![allow(clippy::disallowed_types, reason = "what is checked must not be what checks")]

use crate::board::{Board, CALLS};
use crate::model::{Answer, Model, Op};
use processing_stress::random::Random;
use processing_stress::shared_file::SharedFile;
use std::hint::spin_loop;
use std::path::Path;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::Duration;

/// Who it is, for its operations.
pub struct Worker<'a> {
    pub board: &'a Board,
    pub place: usize,
    random: Random,
}

/// How long it waits at once for the next round.
const WAIT: Duration = Duration::from_millis(100);

/// The life of such a process; `apply` does one operation, or says in words why it cannot.
pub fn live<M: Model>(
    (path, place, seed): (String, u64, u64),
    mut apply: impl FnMut(&mut Worker<'_>, &Op) -> Result<Answer, String>,
) {
    let shared = match SharedFile::<Board>::open(Path::new(&path)) {
        Ok(shared) => shared,
        Err(error) => give_up(&format!("{error:#}")),
    };
    let place = place as usize;
    let mut worker =
        Worker { board: shared.words(), place, random: Random::new(seed ^ (place as u64) << 32) };
    while let Some(round) = worker.next_round() {
        worker.round::<M>(round, &mut apply);
    }
}

fn give_up(what: &str) -> ! {
    eprintln!("linear: process {}: {what}", std::process::id());
    std::process::exit(1);
}

impl Worker<'_> {
    /// Waits for a round, and for the others.
    fn next_round(&self) -> Option<u64> {
        let lane = &self.board.lanes[self.place];
        loop {
            let called = self.board.called.count();
            if self.board.stop.load(Acquire) != 0 {
                return None;
            }
            let round = self.board.round.load(Acquire);
            if round == lane.done.load(Relaxed) {
                self.board.called.wait(called, WAIT);
                continue;
            }
            if lane.ready.load(Relaxed) != round {
                lane.ready.store(round, Release);
                self.board.answered.ring();
            }
            if self.board.go.load(Acquire) == round {
                return Some(round);
            }
            std::thread::yield_now();
        }
    }

    fn round<M: Model>(
        &mut self,
        round: u64,
        apply: &mut impl FnMut(&mut Self, &Op) -> Result<Answer, String>,
    ) {
        let board = self.board;
        for at in 0..CALLS {
            // Unlike any other of this round, and never zero.
            let value = (self.place as u64 + 1) << 16 | at as u64;
            let op = M::draw(&mut self.random, value);
            board.lanes[self.place].begin(at, op);
            let answer = apply(self, &op);
            board.lanes[self.place]
                .end(at, answer.unwrap_or_else(|error| give_up(&format!("{op}: {error}"))));
            board.operations.fetch_add(1, Relaxed);
            self.dawdle();
        }
        board.lanes[self.place].done.store(round, Release);
        board.answered.ring();
    }

    /// So that the others come in between, in another way each time.
    fn dawdle(&mut self) {
        match self.random.below(16) {
            0 => std::thread::yield_now(),
            1..4 => (0..self.random.below(400)).for_each(|_| spin_loop()),
            _ => {}
        }
    }

    /// For faults: until others have done something, if there is anybody who can.
    pub fn let_others_in(&self) {
        const LOOKS: u32 = 200;
        let before = self.board.operations.load(Relaxed);
        for _ in 0..LOOKS {
            if self.board.operations.load(Relaxed) >= before + 3 {
                return;
            }
            std::thread::yield_now();
        }
    }
}
