//! How long others are waited for.

use std::time::Duration;

use crate::sys::clock;

/// How long others may be behind the gate, which takes them some microseconds: after that somebody is stopped there.
const PATIENCE: u64 = 2_000_000_000;
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(1);

/// When patience is at an end.
pub fn until() -> u64 {
    clock::now().saturating_add(PATIENCE)
}

/// Others change what was just looked at.
pub fn pause() {
    std::thread::sleep(PAUSE);
}
