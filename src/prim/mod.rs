//! L3: waiting. Algorithms over borrowed words; none owns memory of a region.

pub mod event_count;
pub mod limits;
#[cfg(not(loom))]
pub mod pace;
pub mod park;
pub mod spin;
