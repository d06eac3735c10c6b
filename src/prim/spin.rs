//! Spinning before sleeping.

use crate::sync::hint;

/// How an endpoint waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WaitStrategy {
    /// Never sleeps: for processes that own their core.
    Spin,
    /// Spins for about the price of a wake-up while that pays, then sleeps.
    #[default]
    Adaptive,
    /// Sleeps at once.
    Block,
}

/// The adaptive state of one endpoint, private to its process.
#[derive(Debug, Default)]
pub struct Spinner {
    strategy: WaitStrategy,
}

impl Spinner {
    pub fn new(strategy: WaitStrategy) -> Self {
        Self { strategy }
    }

    pub fn strategy(&self) -> WaitStrategy {
        self.strategy
    }

    /// Spins until `ready` or until the budget is used; says whether `ready` came true. For `Spin` the budget
    /// is one round of a bounded number of turns: the caller checks its deadline and calls again.
    #[inline]
    pub fn spin(&self, mut ready: impl FnMut() -> bool) -> bool {
        let turns = match self.strategy {
            WaitStrategy::Block => 0,
            WaitStrategy::Adaptive | WaitStrategy::Spin => 2000,
        };
        for _ in 0..turns {
            if ready() {
                return true;
            }
            hint::spin_loop();
        }
        ready()
    }
}
