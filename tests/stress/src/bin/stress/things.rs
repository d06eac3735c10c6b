//! What is used: one of each primitive.

use processing::rkyv::{self, Archive, Deserialize, Serialize};
use processing::{BoundedSemaphore, Condition, Event, Lock, Locked, RLock, Result, Semaphore};

/// A number, and a list that says it: torn if they differ.
pub type Pair = (u64, Vec<u64>);

#[derive(Clone, Archive, Serialize, Deserialize)]
#[rkyv(crate = rkyv)]
pub struct Things {
    pub lock: Lock,
    pub rlock: RLock,
    pub locked: Locked<Pair>,
    pub semaphore: Semaphore,
    pub bounded: BoundedSemaphore,
    pub condition: Condition,
    pub event: Event,
}

/// Permits of the semaphore, and of the bounded one.
pub const PERMITS: [u32; 2] = [3, 2];

impl Things {
    pub fn new() -> Result<Self> {
        let lock = Lock::new()?;
        Ok(Self {
            rlock: RLock::new()?,
            locked: Locked::new((0, Vec::new()))?,
            semaphore: Semaphore::new(PERMITS[0])?,
            bounded: BoundedSemaphore::new(PERMITS[1])?,
            condition: Condition::new()?,
            event: Event::new()?,
            lock,
        })
    }
}

/// The list that says `number`.
pub fn list_of(number: u64) -> Vec<u64> {
    vec![number; (number % 20) as usize]
}
