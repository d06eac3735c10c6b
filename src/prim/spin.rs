//! Spinning before sleeping.

#[cfg(not(loom))]
use crate::prim::pace::Pace;

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

/// The adaptive state of one endpoint, private to its process; usable from several threads.
///
/// Under loom a spin is one look: the model explores every delay anyhow.
#[derive(Debug, Default)]
pub struct Spinner {
    strategy: WaitStrategy,
    #[cfg(not(loom))]
    pace: Pace,
}

impl Spinner {
    pub fn new(strategy: WaitStrategy) -> Self {
        Self {
            strategy,
            #[cfg(not(loom))]
            pace: Pace::default(),
        }
    }

    pub fn strategy(&self) -> WaitStrategy {
        self.strategy
    }

    /// Spins until `ready` or until the budget is used; says whether `ready` came true. For `Spin` the budget
    /// is one round of a bounded number of turns: the caller checks its deadline and calls again.
    #[inline]
    pub fn spin(&self, mut ready: impl FnMut() -> bool) -> bool {
        #[cfg(loom)]
        return ready();
        #[cfg(not(loom))]
        match self.strategy {
            WaitStrategy::Block => ready(),
            WaitStrategy::Adaptive => self.pace.spin(ready),
            WaitStrategy::Spin => self.pace.round(ready),
        }
    }

    /// The waker put the time stamp `event` (of [`event_stamp`]) into the word on which this endpoint slept, and
    /// it has just woken: that long takes a wake-up here.
    #[inline]
    pub fn woken(&self, event: u32) {
        #[cfg(not(loom))]
        self.pace.woken(event);
        #[cfg(loom)]
        let _ = event;
    }

    /// As [`woken`](Self::woken), for a sleep whose waker left no stamp: a successful sleep has just ended.
    #[inline]
    pub fn slept(&self) {
        #[cfg(not(loom))]
        self.pace.slept();
    }
}

/// The next value of an event word: never `old`, and outside loom a time stamp for [`Spinner::woken`].
#[inline]
pub fn event_stamp(old: u32) -> u32 {
    #[cfg(not(loom))]
    let new = crate::prim::pace::stamp();
    #[cfg(loom)]
    let new = old;
    if new == old { old.wrapping_add(1) } else { new }
}
