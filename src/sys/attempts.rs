//! Waiting by attempts: for what has no wait with a limit on the monotonic clock.

use super::clock;

/// The first pause between two attempts; it doubles.
const FIRST: u64 = 20_000;
/// The longest one.
const LONGEST: u64 = 4_000_000;

/// Repeats `attempt` until it says true, fails, or the time is `until` (CLOCK_MONOTONIC nanoseconds); what it said last.
///
/// It is late by the longest pause, 4 ms, and never early. A signal makes the next attempt come sooner, and nothing else.
pub fn repeat<E>(until: u64, mut attempt: impl FnMut() -> Result<bool, E>) -> Result<bool, E> {
    let mut pause = FIRST;
    loop {
        if attempt()? {
            return Ok(true);
        }
        let now = clock::now();
        if now >= until {
            return Ok(false);
        }
        clock::pause_until(now.saturating_add(pause).min(until));
        pause = (pause * 2).min(LONGEST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_by_success_failure_or_time() {
        let mut left = 3;
        let success = repeat(u64::MAX, || {
            left -= 1;
            Ok::<_, ()>(left == 0)
        });
        assert_eq!((success, left), (Ok(true), 0));
        assert_eq!(repeat(u64::MAX, || Err(7)), Err(7));
        let until = clock::now() + 10_000_000;
        assert_eq!(repeat(until, || Ok::<_, ()>(false)), Ok(false));
        assert!(clock::now() >= until);
        let mut times = 0;
        let once = repeat(0, || {
            times += 1;
            Ok::<_, ()>(false)
        });
        assert_eq!((once, times), (Ok(false), 1));
    }
}
