//! Mutexes of others: the standard library's in one process, and the C library's between processes, shared and robust.
//!
//! # Safety
//!
//! A [`Mutex`] is initialised once, before any process that uses it is forked, stays where it is, and is unlocked by
//! who locked it. What it protects is only touched by who has it.
#![allow(unsafe_code)]

use crate::measure::contest::{turns, turns_for_time};
use crate::measure::{Contest, Crew, Entry, Partner, Plain, Report, shared};
use anyhow::{Context as _, ensure};
use std::cell::UnsafeCell;
use std::sync::Mutex as StdMutex;
use std::sync::atomic::{AtomicU64, Ordering};

pub fn entries() -> Vec<Entry> {
    vec![std_mutex(), robust()]
}

/// `std::sync::Mutex`, which works in one process and knows nothing of death.
pub fn std_mutex() -> Entry {
    Entry::new("std.mutex", |cores| {
        let mutex = StdMutex::new(0u64);
        let partner = Partner::fork(&cores.one()?, move |operations| {
            turns(operations, || {
                let Ok(mut guard) = mutex.lock() else { return Ok(true) };
                *guard = std::hint::black_box(*guard + 1);
                Ok(false)
            })
        })?;
        Ok(Crew::from(partner))
    })
}

/// The C library's, `PTHREAD_PROCESS_SHARED` and `PTHREAD_MUTEX_ROBUST`.
pub fn robust() -> Entry {
    Entry::new("pthread.robust", |cores| {
        let place = Protected::new()?;
        let partner = Partner::fork(&cores.one()?, move |operations| turns(operations, || place.turn()))?;
        Ok(Crew::from(partner))
    })
}

/// The same, wanted by so many processes on two cores.
pub fn robust_contended(processes: u64) -> Entry {
    Entry::new("pthread.robust", move |cores| {
        let place = Protected::new()?;
        let both = cores.shared_by_all()?;
        let side = |_| {
            Partner::fork(&both, move |nanos| -> anyhow::Result<Report> {
                turns_for_time(nanos, || place.turn())
            })
        };
        let sides = (0..processes).map(side).collect::<anyhow::Result<Vec<_>>>()?;
        Ok(Contest::new(Crew::new(sides), processes))
    })
}

/// A mutex and two words that only differ while it is held.
#[repr(C, align(128))]
struct Protected {
    mutex: UnsafeCell<libc::pthread_mutex_t>,
    words: [AtomicU64; 2],
}

// SAFETY: the mutex is the C library's to share; the words are atomics.
unsafe impl Sync for Protected {}
// SAFETY: as above; zero is a value of both (the mutex is initialised all the same).
unsafe impl Plain for Protected {}

impl Protected {
    fn new() -> anyhow::Result<&'static Self> {
        let place: &'static Self = shared()?;
        // SAFETY: see the module; the attributes live for these calls.
        let error = unsafe {
            let mut attributes: libc::pthread_mutexattr_t = std::mem::zeroed();
            let mut error = libc::pthread_mutexattr_init(&raw mut attributes);
            error |= libc::pthread_mutexattr_setpshared(&raw mut attributes, libc::PTHREAD_PROCESS_SHARED);
            error |= libc::pthread_mutexattr_setrobust(&raw mut attributes, libc::PTHREAD_MUTEX_ROBUST);
            error | libc::pthread_mutex_init(place.mutex.get(), &raw const attributes)
        };
        ensure!(error == 0, "pthread_mutex_init");
        Ok(place)
    }

    /// True if somebody else was in there.
    #[inline(always)]
    fn turn(&self) -> anyhow::Result<bool> {
        // SAFETY: see the module.
        let error = unsafe { libc::pthread_mutex_lock(self.mutex.get()) };
        if error != 0 {
            return Err(std::io::Error::from_raw_os_error(error)).context("pthread_mutex_lock");
        }
        let wrong = enter(&self.words);
        // SAFETY: see the module.
        unsafe { libc::pthread_mutex_unlock(self.mutex.get()) };
        Ok(wrong)
    }
}

/// What each does while it has the lock: two words that are equal unless somebody else is in the middle of this.
#[inline(always)]
pub fn enter(words: &[AtomicU64; 2]) -> bool {
    let (first, second) = (words[0].load(Ordering::Relaxed), words[1].load(Ordering::Relaxed));
    words[0].store(first + 1, Ordering::Relaxed);
    words[1].store(second + 1, Ordering::Relaxed);
    first != second
}
