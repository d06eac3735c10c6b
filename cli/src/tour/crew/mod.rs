//! The worker processes, seen from their parent.

mod foreman;
mod message;
mod prey;
mod worker;

pub use foreman::count;

use super::tally::Tally;
use std::time::Duration;

/// What the workers counted, and what happened on the way.
pub struct CrewCount {
    pub tally: Tally,
    pub took: Duration,
    pub workers: u32,
    /// Who was killed, with pid and what it held.
    pub killed: Vec<String>,
    /// Leases that were given to another worker because their holder died.
    pub redelivered: u64,
    /// Results of tasks that had one already.
    pub duplicates: u64,
}
