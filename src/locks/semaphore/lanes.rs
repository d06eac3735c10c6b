//! Which lanes the calling thread has: found without a search.

use std::cell::Cell;

use crate::layout::semaphore::SemaphoreWord;
use crate::sync::atomic::{AtomicU64, Ordering};

/// How many semaphores a thread may use in turn before it searches for its lane again.
const KNOWN: usize = 4;

thread_local! {
    /// The key of a semaphore and the thread's lane in it; the latest first.
    static LANES: [Cell<(u64, u32)>; KNOWN] = const { [const { Cell::new((0, 0)) }; KNOWN] };
    /// What the word of the latest one was when this thread gave a permit back, and nobody else had been there; zero: not
    /// known.
    static GUESS: Cell<u64> = const { Cell::new(0) };
}

/// What the word of the latest semaphore of this thread may be.
#[inline(always)]
pub(super) fn guess() -> SemaphoreWord {
    SemaphoreWord(GUESS.with(Cell::get))
}

/// For the next acquire of this thread; only if its latest semaphore is this one.
#[inline(always)]
pub(super) fn set_guess(key: u64, word: Option<SemaphoreWord>) {
    let of_latest = LANES.with(|known| known[0].get().0 == key);
    GUESS.with(|guess| guess.set(word.filter(|_| of_latest).map_or(0, |word| word.0)));
}

/// A number that no other semaphore of this process has or had: a lane that is remembered with it is not given to
/// another while the semaphore is open.
pub(super) fn new_key() -> u64 {
    static KEYS: AtomicU64 = AtomicU64::new(1);
    KEYS.fetch_add(1, Ordering::Relaxed)
}

/// The lane of this thread, if it is remembered.
#[inline(always)]
pub(super) fn known(key: u64) -> Option<u32> {
    LANES.with(|known| {
        let (latest, lane) = known[0].get();
        if latest == key { Some(lane) } else { older(known, key) }
    })
}

#[cold]
#[inline(never)]
fn older(known: &[Cell<(u64, u32)>; KNOWN], key: u64) -> Option<u32> {
    let at = known.iter().position(|entry| entry.get().0 == key)?;
    known[at].swap(&known[0]);
    GUESS.with(|guess| guess.set(0));
    Some(known[0].get().1)
}

/// Remembers the lane of this thread.
pub(super) fn remember(key: u64, lane: u32) {
    LANES.with(|known| {
        for at in (1..KNOWN).rev() {
            known[at].set(known[at - 1].get());
        }
        known[0].set((key, lane));
    });
    GUESS.with(|guess| guess.set(0));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_remembered() {
        let keys: Vec<u64> = (0..=KNOWN).map(|_| new_key()).collect();
        for (lane, key) in keys.iter().enumerate() {
            assert_eq!(known(*key), None);
            remember(*key, lane as u32);
        }
        assert_eq!(known(keys[0]), None, "pushed out");
        for _ in 0..2 {
            for (lane, key) in keys.iter().enumerate().skip(1) {
                assert_eq!(known(*key), Some(lane as u32));
            }
        }
        assert!(std::thread::spawn(move || known(keys[1])).join().expect("the other thread").is_none());
    }
}
