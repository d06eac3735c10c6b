//! The C library's semaphore, shared between processes.
//!
//! # Safety
//!
//! A [`Semaphore`] is initialised once, before any process that uses it is forked, and stays where it is.
#![allow(unsafe_code)]

use crate::measure::contest::turns;
use crate::measure::{Crew, Entry, Partner, Plain, shared};
use anyhow::{Context as _, ensure};
use std::cell::UnsafeCell;

pub fn entries() -> Vec<Entry> {
    vec![uncontended()]
}

/// `sem_wait` and `sem_post` by the only process that uses it.
pub fn uncontended() -> Entry {
    Entry::new("sem_t", |cores| {
        let semaphore = Semaphore::new(1)?;
        let partner = Partner::fork(&cores.one()?, move |operations| {
            turns(operations, || {
                semaphore.acquire()?;
                semaphore.release()?;
                Ok(false)
            })
        })?;
        Ok(Crew::from(partner))
    })
}

#[repr(C, align(128))]
struct Semaphore(UnsafeCell<libc::sem_t>);

// SAFETY: the C library's to share.
unsafe impl Sync for Semaphore {}
// SAFETY: as above; zero is a value (it is initialised all the same).
unsafe impl Plain for Semaphore {}

impl Semaphore {
    fn new(value: u32) -> anyhow::Result<&'static Self> {
        let semaphore: &'static Self = shared()?;
        // SAFETY: see the module.
        ensure!(unsafe { libc::sem_init(semaphore.0.get(), 1, value) } == 0, "sem_init");
        Ok(semaphore)
    }

    #[inline(always)]
    fn acquire(&self) -> anyhow::Result<()> {
        // SAFETY: see the module.
        match unsafe { libc::sem_wait(self.0.get()) } {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()).context("sem_wait"),
        }
    }

    #[inline(always)]
    fn release(&self) -> anyhow::Result<()> {
        // SAFETY: see the module.
        match unsafe { libc::sem_post(self.0.get()) } {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()).context("sem_post"),
        }
    }
}
