//! How much a region may grow to, when nobody says.

use crate::error::{Error, ErrorKind, Result};
use crate::layout::CHUNK;
use crate::region::geometry::LIMIT_MAX;

/// Least default limit, and the least that a default falls back to.
pub const LEAST: u64 = 64 << 20;
/// Largest default limit.
const MOST: u64 = 64 << 30;

/// Half of the machine's memory, within bounds.
pub fn default() -> u64 {
    let info = rustix::system::sysinfo();
    let memory = (info.totalram as u64).saturating_mul(u64::from(info.mem_unit));
    (memory / 2).clamp(LEAST, MOST).next_multiple_of(CHUNK)
}

/// A limit that the caller chose, rounded up to whole chunks.
pub fn chosen(limit: u64) -> Result<u64> {
    if limit > LIMIT_MAX {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "region",
            format!("a limit of {limit} bytes is above the largest possible, {LIMIT_MAX}"),
        )
        .hint("choose a smaller limit, or 0 for half of the machine's memory"));
    }
    Ok(limit.next_multiple_of(CHUNK))
}
