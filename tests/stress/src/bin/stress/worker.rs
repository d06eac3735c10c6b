//! What each thread of each process does until it is told to stop, or is killed.
#![allow(clippy::disallowed_types, reason = "what is checked must not be what checks")]

use crate::board::{Board, Common, Slot, THREADS, WORKERS};
use crate::things::{PERMITS, Things, list_of};
use anyhow::{Result, bail};
use processing::{AcquireError, ErrorKind};
use processing_stress::random::Random;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::time::Duration;

/// The target of a worker process.
pub fn work(path: String, worker: u64, threads: u64, seed: u64, things: Things) -> processing::Result<()> {
    let board = match Board::open(Path::new(&path)) {
        Ok(board) => board,
        Err(error) => {
            eprintln!("stress: {error:#}");
            std::process::exit(1);
        }
    };
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (words, things) = (board.words(), &things);
            let id = worker * THREADS as u64 + thread;
            let mut hand = Hand {
                words,
                slot: &words.slots[worker as usize][thread as usize],
                things,
                id: id + 1,
                random: Random::new(seed ^ id << 32),
            };
            scope.spawn(move || hand.run());
        }
    });
    Ok(())
}

/// One thread.
struct Hand<'a> {
    words: &'a Common,
    slot: &'a Slot,
    things: &'a Things,
    id: u64,
    random: Random,
}

/// Short waits end in a timeout now and then.
const SHORT: Duration = Duration::from_micros(300);
const LONG: Duration = Duration::from_millis(50);

impl Hand<'_> {
    fn run(&mut self) {
        while self.words.stop.load(Relaxed) == 0 {
            if let Err(error) = self.one() {
                self.violation(&format!("{error:#}"));
            }
            self.slot.progress.fetch_add(1, Relaxed);
        }
    }

    fn violation(&self, what: &str) {
        self.words.violations.fetch_add(1, SeqCst);
        eprintln!("stress: thread {}: {what}", self.id);
    }

    fn one(&mut self) -> Result<()> {
        let kind = self.random.below(8);
        match kind {
            0 => self.lock()?,
            1 => self.rlock()?,
            2 => self.locked()?,
            3 => self.permit(0)?,
            4 => self.permit(1)?,
            5 => self.put()?,
            6 => self.take()?,
            _ => self.event()?,
        }
        self.words.done[kind as usize].fetch_add(1, Relaxed);
        Ok(())
    }

    fn lock(&mut self) -> Result<()> {
        let lock = &self.things.lock;
        let acquired = match self.random.below(3) {
            0 => lock.acquire(),
            1 => lock.try_acquire(),
            _ => lock.acquire_timeout(SHORT),
        };
        match acquired {
            Ok(_guard) => self.be_inside(0, false),
            Err(AcquireError::OwnerDied(died)) => {
                self.met_a_death();
                self.be_inside(0, true)?;
                drop(died.recover());
                Ok(())
            }
            Err(AcquireError::Busy { .. }) => return Ok(()),
            Err(error) => bail!("lock: {error}"),
        }?;
        self.slot.confirmed.fetch_add(1, Relaxed);
        Ok(())
    }

    fn rlock(&mut self) -> Result<()> {
        let lock = &self.things.rlock;
        match lock.acquire() {
            Ok(_first) => {
                let again = lock.try_acquire();
                if again.is_err() {
                    bail!("the recursive lock was not had again: {:?}", again.err());
                }
                self.be_inside(1, false)
            }
            Err(AcquireError::OwnerDied(died)) => {
                self.met_a_death();
                self.be_inside(1, true)?;
                drop(died.recover());
                Ok(())
            }
            Err(error) => bail!("recursive lock: {error}"),
        }
    }

    /// What a dead one may have left is only there for its heir.
    fn be_inside(&self, which: usize, inherited: bool) -> Result<()> {
        let (inside, turns) = (&self.words.inside[which], &self.words.turns[which]);
        let found = inside.load(Relaxed);
        if found != 0 && !inherited {
            bail!("lock {which}: {found} is in there");
        }
        inside.store(self.id, Relaxed);
        let before = turns.load(Relaxed);
        // Now and then long enough to be killed in here.
        if before.is_multiple_of(32) {
            std::thread::yield_now();
        }
        turns.store(before + 1, Relaxed);
        let found = inside.load(Relaxed);
        inside.store(0, Relaxed);
        if found != self.id {
            bail!("lock {which}: {found} came in");
        }
        Ok(())
    }

    fn met_a_death(&self) {
        self.words.done[8].fetch_add(1, Relaxed);
    }

    fn locked(&mut self) -> Result<()> {
        let Some(mut guard) = self.things.locked.lock_timeout(LONG)? else { return Ok(()) };
        let (number, list) = &*guard;
        if *list != list_of(*number) {
            bail!("torn: {number} {list:?}");
        }
        let next = number + 1;
        *guard = (next, list_of(next));
        Ok(())
    }

    fn permit(&mut self, which: usize) -> Result<()> {
        let (limit, short) = (u64::from(PERMITS[which]), self.random.below(2) == 0);
        let wait = if short { SHORT } else { LONG };
        let permit = match which {
            0 => self.things.semaphore.acquire_timeout(wait),
            _ => self.things.bounded.acquire_timeout(wait),
        };
        let permit = match permit {
            Ok(permit) => permit,
            Err(error) if error.is_busy() => return Ok(()),
            Err(error) => bail!("permit {which}: {error}"),
        };
        let mine = &self.slot.permits[which];
        mine.store(1, SeqCst);
        let holders = self.holders(which);
        std::hint::spin_loop();
        mine.store(0, SeqCst);
        drop(permit);
        match holders {
            Some(holders) if holders > limit => bail!("{holders} hold one of {limit} permits"),
            _ => Ok(()),
        }
    }

    /// How many say that they hold a permit; `None` if a process was killed meanwhile, whose word may be stale.
    fn holders(&self, which: usize) -> Option<u64> {
        let lives = || -> [u64; WORKERS] { std::array::from_fn(|i| self.words.lives[i].load(SeqCst)) };
        let before = lives();
        let of =
            |slots: &[Slot; THREADS]| slots.iter().map(|slot| slot.permits[which].load(SeqCst)).sum::<u64>();
        let alive = self.words.slots.iter().zip(before).filter(|(_, life)| *life != 0);
        let sum = alive.map(|(slots, _)| of(slots)).sum();
        (lives() == before).then_some(sum)
    }

    fn put(&mut self) -> Result<()> {
        let condition = &self.things.condition;
        let guard = match condition.acquire() {
            Ok(guard) => guard,
            Err(AcquireError::OwnerDied(died)) => {
                self.met_a_death();
                self.words.inside[2].store(0, Relaxed);
                died.recover()
            }
            Err(error) => bail!("condition: {error}"),
        };
        self.be_inside(2, false)?;
        let items = &self.words.items;
        items.store((items.load(Relaxed) + 1).min(100), Relaxed);
        guard.notify(1)?;
        Ok(())
    }

    fn take(&mut self) -> Result<()> {
        let condition = &self.things.condition;
        let items: &AtomicU64 = &self.words.items;
        let mut guard = match condition.acquire() {
            Ok(guard) => guard,
            Err(AcquireError::OwnerDied(died)) => {
                self.met_a_death();
                self.words.inside[2].store(0, Relaxed);
                died.recover()
            }
            Err(error) => bail!("condition: {error}"),
        };
        match guard.wait_while_timeout(|| items.load(Relaxed) == 0, LONG) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::OwnerDied => {
                self.met_a_death();
                self.words.inside[2].store(0, Relaxed);
                guard.recover()?;
            }
            Err(error) => bail!("wait: {error}"),
        }
        self.be_inside(2, false)?;
        items.store(items.load(Relaxed).saturating_sub(1), Relaxed);
        Ok(())
    }

    fn event(&mut self) -> Result<()> {
        let event = &self.things.event;
        match self.random.below(3) {
            0 => event.set()?,
            1 => event.clear()?,
            _ => {
                event.wait_timeout(SHORT)?;
            }
        }
        Ok(())
    }
}
