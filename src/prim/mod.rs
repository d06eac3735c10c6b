//! L3: waiting. Algorithms over borrowed words; none owns memory of a region.

pub mod condition;
pub mod event;
pub mod event_count;
pub mod latch;
pub mod limits;
pub mod lock;
#[cfg(not(loom))]
pub mod pace;
pub mod park;
pub mod semaphore;
pub mod spin;
pub mod twin;
#[cfg(not(loom))]
pub mod watch;
pub mod words;
