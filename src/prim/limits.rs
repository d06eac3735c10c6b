//! How long a call may wait, who may call it off, and how a wait ended.

use crate::sync::atomic::{AtomicU32, Ordering};

/// One monotonic deadline and one cancel word for all phases of a call.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits<'a> {
    /// CLOCK_MONOTONIC nanoseconds; `None` waits for ever, 0 never waits.
    pub deadline: Option<u64>,
    /// Non-zero: the call returns "cancelled". Whoever sets it wakes the sleeper (or its backstop does).
    pub cancel: Option<&'a AtomicU32>,
}

/// First backstop of a sleep; doubles up to [`BACKSTOP_MAX`].
pub const BACKSTOP_MIN: u64 = 20_000_000;
/// Longest time that a sleeper does not look for dead owners.
pub const BACKSTOP_MAX: u64 = 1_000_000_000;
/// Longest sleep, in nanoseconds, of a process that cannot order the publishers (`fence::heavy` was false).
pub const UNORDERED_SLEEP: u64 = 1_000_000;

impl Limits<'_> {
    /// Waits for ever.
    pub const NONE: Limits<'static> = Limits { deadline: None, cancel: None };
    /// Never waits.
    pub const TRY: Limits<'static> = Limits { deadline: Some(0), cancel: None };

    /// The cancel word was set.
    #[inline]
    pub fn cancelled(&self) -> bool {
        self.cancel.is_some_and(|word| word.load(Ordering::Relaxed) != 0)
    }

    /// The call may not wait at all.
    #[inline]
    pub fn is_try(&self) -> bool {
        self.deadline == Some(0)
    }

    /// The deadline lies at or before `now` (CLOCK_MONOTONIC nanoseconds).
    #[inline]
    pub fn expired(&self, now: u64) -> bool {
        self.deadline.is_some_and(|at| now >= at)
    }

    /// Why a wait must end though nothing came.
    pub fn ended(&self) -> Option<WaitEnd> {
        if self.cancelled() {
            Some(WaitEnd::Cancelled)
        } else if self.is_try() || self.deadline.is_some_and(|at| now() >= at) {
            Some(WaitEnd::TimedOut)
        } else {
            None
        }
    }

    /// The end of a sleep that must not outlast `backstop`.
    pub fn until(&self, backstop: u64) -> u64 {
        self.deadline.map_or(backstop, |at| at.min(backstop))
    }
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitEnd {
    /// What was waited for came true.
    Ready,
    /// The deadline passed.
    TimedOut,
    /// The cancel word was set.
    Cancelled,
    /// The question at the backstop was answered with "nobody is left who could make it true".
    PeerGone,
}

/// The growing distance between two questions after the dead: 20 ms, doubling to 1 s.
#[derive(Clone, Copy, Debug)]
pub struct Backstop {
    step: u64,
    at: u64,
}

impl Backstop {
    /// The first question is due one step after `now`.
    pub fn new(now: u64) -> Self {
        Self { step: BACKSTOP_MIN, at: now.saturating_add(BACKSTOP_MIN) }
    }

    /// When the next question is due (CLOCK_MONOTONIC nanoseconds).
    pub fn at(&self) -> u64 {
        self.at
    }

    /// True once for each question that is due; the next one is twice as far away.
    pub fn due(&mut self, now: u64) -> bool {
        if now < self.at {
            return false;
        }
        self.step = (self.step * 2).min(BACKSTOP_MAX);
        self.at = now.saturating_add(self.step);
        true
    }
}

/// CLOCK_MONOTONIC, in nanoseconds.
#[cfg(not(loom))]
pub fn now() -> u64 {
    crate::sys::clock::now()
}

/// Time does not pass in a model.
#[cfg(loom)]
pub fn now() -> u64 {
    0
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn backstop_doubles_up_to_a_second() {
        let mut backstop = Backstop::new(0);
        let mut gaps = Vec::new();
        let mut now = 0;
        for _ in 0..9 {
            gaps.push(backstop.at() - now);
            assert!(!backstop.due(backstop.at() - 1));
            now = backstop.at();
            assert!(backstop.due(now));
        }
        assert_eq!(gaps[..3], [20_000_000, 40_000_000, 80_000_000]);
        assert_eq!(gaps[8], BACKSTOP_MAX);
    }

    #[test]
    fn limits_that_never_wait_have_expired() {
        assert!(Limits::TRY.is_try() && Limits::TRY.expired(1));
        assert!(!Limits::NONE.expired(u64::MAX));
    }
}
