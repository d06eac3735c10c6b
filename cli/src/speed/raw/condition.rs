//! The C library's condition variable, shared between processes.
//!
//! # Safety
//!
//! A [`Mailbox`] is initialised once, before any process that uses it is forked, and stays where it is. Its mutex is
//! unlocked by who locked it.
#![allow(unsafe_code)]

use crate::measure::round_trip::{End, crew};
use crate::measure::{Entry, Plain, shared};
use anyhow::ensure;
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicU64, Ordering};

pub fn entries() -> Vec<Entry> {
    vec![handoff()]
}

/// Round trips between two processes on two cores: each stores a number under the mutex, and signals.
pub fn handoff() -> Entry {
    Entry::new("pthread.cond", |cores| {
        let (a, b) = cores.two()?;
        let (questions, answers) = (Mailbox::new()?, Mailbox::new()?);
        let asks = Both { to: questions, from: answers };
        let answers = Both { to: answers, from: questions };
        crew((asks, answers), (&a, &b))
    })
}

/// A number that is new or was taken.
#[repr(C, align(128))]
struct Mailbox {
    mutex: UnsafeCell<libc::pthread_mutex_t>,
    condition: UnsafeCell<libc::pthread_cond_t>,
    /// 0: taken.
    number: AtomicU64,
}

// SAFETY: the C library's to share, and an atomic.
unsafe impl Sync for Mailbox {}
// SAFETY: as above; zero is a value (it is initialised all the same).
unsafe impl Plain for Mailbox {}

impl Mailbox {
    fn new() -> anyhow::Result<&'static Self> {
        let mailbox: &'static Self = shared()?;
        // SAFETY: see the module; the attributes live for these calls.
        let error = unsafe {
            let mut mutex: libc::pthread_mutexattr_t = std::mem::zeroed();
            let mut condition: libc::pthread_condattr_t = std::mem::zeroed();
            let mut error = libc::pthread_mutexattr_init(&raw mut mutex);
            error |= libc::pthread_mutexattr_setpshared(&raw mut mutex, libc::PTHREAD_PROCESS_SHARED);
            error |= libc::pthread_mutex_init(mailbox.mutex.get(), &raw const mutex);
            error |= libc::pthread_condattr_init(&raw mut condition);
            error |= libc::pthread_condattr_setpshared(&raw mut condition, libc::PTHREAD_PROCESS_SHARED);
            error | libc::pthread_cond_init(mailbox.condition.get(), &raw const condition)
        };
        ensure!(error == 0, "pthread_cond_init");
        Ok(mailbox)
    }

    fn put(&self, number: u64) {
        // SAFETY: see the module.
        unsafe {
            libc::pthread_mutex_lock(self.mutex.get());
            self.number.store(number, Ordering::Relaxed);
            libc::pthread_cond_signal(self.condition.get());
            libc::pthread_mutex_unlock(self.mutex.get());
        }
    }

    fn take(&self) -> u64 {
        // SAFETY: see the module.
        unsafe {
            libc::pthread_mutex_lock(self.mutex.get());
            let number = loop {
                match self.number.swap(0, Ordering::Relaxed) {
                    0 => libc::pthread_cond_wait(self.condition.get(), self.mutex.get()),
                    number => break number,
                };
            };
            libc::pthread_mutex_unlock(self.mutex.get());
            number
        }
    }
}

struct Both {
    to: &'static Mailbox,
    from: &'static Mailbox,
}

impl End<1> for Both {
    fn send(&mut self, &[number]: &[u64; 1]) -> anyhow::Result<()> {
        self.to.put(number);
        Ok(())
    }

    fn receive(&mut self) -> anyhow::Result<[u64; 1]> {
        Ok([self.from.take()])
    }
}
