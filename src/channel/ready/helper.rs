//! The thread that sleeps for all futures and descriptors of this process.
//!
//! It starts when the first of them waits, and ends when none has waited for a second. It runs no code of the program but
//! that of `Waker`s.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Waker;

use super::registry::{Plan, Registry};
use crate::error::{Error, Result};
use crate::prim::limits::{UNORDERED_SLEEP, now};
use crate::sync::futex::{self, ANY_MAX, Address, WakeAny};

/// As `ps -T` shows it.
const NAME: &str = "processing-wait";

/// Starts it.
pub(super) fn start(registry: Arc<Registry>) -> Result<()> {
    let run = move || Sleeper { registry, turn: 0, refused: false }.run();
    match std::thread::Builder::new().name(NAME.into()).spawn(run) {
        Ok(_) => Ok(()),
        Err(error) => Err(Error::os("waits", "starting the thread that sleeps for them", error)
            .hint("raise the limit of threads (ulimit -u, pids.max)")),
    }
}

/// What it remembers.
struct Sleeper {
    registry: Arc<Registry>,
    /// With which of the words the next sleep begins, if they are too many for one.
    turn: usize,
    /// The kernel cannot sleep by several words.
    refused: bool,
}

impl Sleeper {
    fn run(mut self) {
        loop {
            for domain in self.registry.due(now()) {
                domain.look_for_dead();
            }
            let (wakers, plan) = self.registry.plan(now());
            wakers.into_iter().for_each(wake);
            match plan {
                Some(plan) => self.sleep(plan),
                None => return,
            }
        }
    }

    /// Sleeps once.
    fn sleep(&mut self, mut plan: Plan) {
        let most = if self.refused { 0 } else { ANY_MAX - 1 };
        let too_many = plan.words.len() > most;
        if too_many {
            // By turns; the others are looked at soon.
            let first = self.turn % plan.words.len();
            plan.words.rotate_left(first);
            plan.words.truncate(most);
            self.turn = first + most;
        }
        if too_many || plan.unordered {
            plan.until = plan.until.min(now() + UNORDERED_SLEEP);
        }
        let mut words = vec![plan.bell];
        words.extend(plan.words.iter().map(|(key, expected)| (key.word, *expected)));
        match self.sleep_by(&words, plan.until) {
            // The first is the bell.
            WakeAny::Woken(index) => self.registry.woken(&plan.words, index.checked_sub(1)),
            WakeAny::Changed | WakeAny::TimedOut => self.registry.awake(),
            WakeAny::Refused => {
                self.refused = true;
                self.registry.awake();
            }
        }
    }

    fn sleep_by(&self, words: &[(Address, u32)], until: u64) -> WakeAny {
        if !self.refused {
            return futex::wait_any(words, until);
        }
        self.registry.wait_for_bell(words[0].1, until);
        WakeAny::Changed
    }
}

/// A waker that panics must not keep the others waiting.
fn wake(waker: Waker) {
    let _ = catch_unwind(AssertUnwindSafe(|| waker.wake()));
}
