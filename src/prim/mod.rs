//! L3: waiting. Algorithms over borrowed words; none owns memory of a region.

pub mod limits;
pub mod spin;
