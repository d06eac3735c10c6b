//! A POSIX semaphore, shared between processes, in borrowed words.
//!
//! # Safety
//!
//! The words are borrowed as long as the value lives, as many and as aligned as a `sem_t` takes, and atomics, which any
//! process may change. The C library's calls touch nothing but them, whatever they hold. A semaphore has nothing that
//! would have to be destroyed.
#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::sync::OnceLock;

use super::attempts;
use super::failed_call::FailedCall;
use crate::sync::atomic::AtomicU64;
use crate::sync::kill;

/// Words that it may take.
pub const WORDS: usize = 8;

const _: () = {
    assert!(size_of::<libc::sem_t>() <= WORDS * 8);
    assert!(align_of::<libc::sem_t>() <= align_of::<AtomicU64>());
};

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct PosixSemaphore<'a> {
    at: *mut libc::sem_t,
    words: PhantomData<&'a [AtomicU64; WORDS]>,
}

// SAFETY: atomics, which several processes use anyhow.
unsafe impl Send for PosixSemaphore<'_> {}
// SAFETY: as above.
unsafe impl Sync for PosixSemaphore<'_> {}

impl<'a> PosixSemaphore<'a> {
    /// The one in these words.
    pub fn of(words: &'a [AtomicU64; WORDS]) -> Self {
        Self { at: words.as_ptr().cast_mut().cast(), words: PhantomData }
    }

    /// Makes a new one in these words, which nobody else uses yet.
    ///
    /// # Errors
    /// What `sem_init` says.
    pub fn init(words: &'a [AtomicU64; WORDS], value: u32) -> Result<Self, FailedCall> {
        let new = Self::of(words);
        // SAFETY: see the module.
        match unsafe { libc::sem_init(new.at, 1, value) } {
            0 => Ok(new),
            _ => Err(FailedCall::last("sem_init")),
        }
    }

    /// Takes one from its value, if that is not zero.
    ///
    /// # Errors
    /// What `sem_trywait` says, but for "not now".
    pub fn try_take(self) -> Result<bool, FailedCall> {
        kill::point();
        // SAFETY: see the module.
        let answer = unsafe { libc::sem_trywait(self.at) };
        taken(answer, "sem_trywait")
    }

    /// The same, waiting at most until then (CLOCK_MONOTONIC nanoseconds). False: not yet; a signal may have come before.
    ///
    /// # Errors
    /// What `sem_clockwait` says, but for these.
    pub fn take_until(self, until: u64) -> Result<bool, FailedCall> {
        kill::point();
        match clock_wait() {
            Some(clock_wait) => {
                let limit = libc::timespec {
                    tv_sec: (until / 1_000_000_000) as libc::time_t,
                    tv_nsec: (until % 1_000_000_000) as libc::c_long,
                };
                // SAFETY: see the module; the C library's own function, and a structure that lives.
                let answer = unsafe { clock_wait(self.at, libc::CLOCK_MONOTONIC, &raw const limit) };
                taken(answer, "sem_clockwait")
            }
            // `sem_timedwait` goes by the wall clock, which somebody may set back in the middle.
            None => attempts::repeat(until, || self.try_take()),
        }
    }

    /// Adds one to its value, and wakes one who waits.
    ///
    /// # Errors
    /// What `sem_post` says.
    pub fn give_back(self) -> Result<(), FailedCall> {
        kill::point();
        // SAFETY: see the module.
        match unsafe { libc::sem_post(self.at) } {
            0 => Ok(()),
            _ => Err(FailedCall::last("sem_post")),
        }
    }
}

fn taken(answer: libc::c_int, call: &'static str) -> Result<bool, FailedCall> {
    if answer == 0 {
        return Ok(true);
    }
    let failed = FailedCall::last(call);
    match failed.errno {
        Some(libc::EAGAIN | libc::ETIMEDOUT | libc::EINTR) => Ok(false),
        _ => Err(failed),
    }
}

type ClockWait =
    unsafe extern "C" fn(*mut libc::sem_t, libc::clockid_t, *const libc::timespec) -> libc::c_int;

/// `sem_clockwait`, where the C library has it (glibc since 2.30).
fn clock_wait() -> Option<ClockWait> {
    static FOUND: OnceLock<Option<ClockWait>> = OnceLock::new();
    *FOUND.get_or_init(|| {
        // SAFETY: a text that ends with a zero.
        let at = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"sem_clockwait".as_ptr()) };
        // SAFETY: null is `None`; the function of this name has this type.
        unsafe { std::mem::transmute::<*mut libc::c_void, Option<ClockWait>>(at) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::clock;

    #[test]
    fn it_counts_and_its_waits_end() {
        let words = [const { AtomicU64::new(0) }; WORDS];
        let semaphore = PosixSemaphore::init(&words, 1).expect("new");
        assert_eq!(semaphore.try_take(), Ok(true));
        assert_eq!(PosixSemaphore::of(&words).try_take(), Ok(false));
        let until = clock::now() + 5_000_000;
        while clock::now() < until {
            assert_eq!(semaphore.take_until(until), Ok(false));
        }
        assert_eq!(semaphore.take_until(0), Ok(false));
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| semaphore.take_until(u64::MAX));
            std::thread::yield_now();
            semaphore.give_back().expect("post");
            assert_eq!(waiter.join().expect("the waiter"), Ok(true));
        });
    }
}
