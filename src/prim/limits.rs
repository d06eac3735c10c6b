//! How long a call may wait, and who may call it off.

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
}
