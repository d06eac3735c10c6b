//! A pthread mutex, shared between processes, in borrowed words: that of the crate `raw_sync`, with its faults fenced.
//!
//! What is done here about `raw_sync` 0.1.5:
//!
//! - Its mutex is not robust: who waits for one of the dead waits for ever. So nobody waits in it: there are attempts alone, and
//!   whoever makes them asks after the owner in between.
//! - Its time limits go by the wall clock and overflow their nanoseconds (`EINVAL` about every second time), and its way to try is a time
//!   limit of zero, by that clock. So neither is used: an attempt is `pthread_mutex_trylock` on the mutex that it made.
//! - Its errors are texts: the errno is read from their end.
//! - Its guard panics where the release fails: none is made.
//!
//! **Never across a trust boundary**: the C library believes what stands in a mutex. One that says it is robust has it write through
//! pointers that it finds there. All who can write to the words belong to one program.
//!
//! # Safety
//!
//! The words are borrowed as long as the value lives, as many and as aligned as a mutex takes, and atomics. They hold what `init`
//! made of them: a mutex that is neither robust nor of priorities, whose calls touch nothing but it. It has nothing that
//! would have to be destroyed.
#![allow(unsafe_code)]

use std::error::Error;
use std::fmt;
use std::marker::PhantomData;
use std::ptr;

use raw_sync::locks::{LockImpl, LockInit, Mutex};

use super::attempts;
use super::failed_call::FailedCall;
use crate::sync::atomic::AtomicU64;
use crate::sync::kill;

/// Words that it may take.
pub const WORDS: usize = 8;

const _: () = {
    assert!(size_of::<libc::pthread_mutex_t>() <= WORDS * 8);
    // Otherwise `raw_sync` would leave a gap, which depends on the address.
    assert!(align_of::<AtomicU64>() == size_of::<*mut u8>());
};

/// See the module.
pub struct RawMutex<'a> {
    mutex: Box<dyn LockImpl>,
    words: PhantomData<&'a [AtomicU64; WORDS]>,
}

// SAFETY: a pointer to atomics, which several processes use anyhow.
unsafe impl Send for RawMutex<'_> {}
// SAFETY: as above.
unsafe impl Sync for RawMutex<'_> {}

impl<'a> RawMutex<'a> {
    /// The one in these words, which [`init`](Self::init) made.
    ///
    /// # Errors
    /// What `raw_sync` says.
    pub fn of(words: &'a [AtomicU64; WORDS]) -> Result<Self, FailedCall> {
        // SAFETY: see the module. It protects no data.
        let made = unsafe { Mutex::from_existing(start(words), ptr::null_mut()) };
        Self::over(made)
    }

    /// Makes a new one in these words, which nobody else uses yet.
    ///
    /// # Errors
    /// What `raw_sync` says.
    pub fn init(words: &'a [AtomicU64; WORDS]) -> Result<Self, FailedCall> {
        // SAFETY: see the module. It protects no data.
        let made = unsafe { Mutex::new(start(words), ptr::null_mut()) };
        Self::over(made)
    }

    fn over(made: Result<(Box<dyn LockImpl>, usize), Box<dyn Error>>) -> Result<Self, FailedCall> {
        match made {
            Ok((mutex, _used)) => Ok(Self { mutex, words: PhantomData }),
            Err(error) => Err(FailedCall::of_text("pthread_mutex_init", &error.to_string())),
        }
    }

    /// Takes it if it is free.
    ///
    /// # Errors
    /// What `pthread_mutex_trylock` says, but for "not now".
    pub fn try_take(&self) -> Result<bool, FailedCall> {
        kill::point();
        // SAFETY: see the module.
        match unsafe { libc::pthread_mutex_trylock(self.mutex.as_raw().cast()) } {
            0 => Ok(true),
            libc::EBUSY => Ok(false),
            errno => Err(FailedCall::new("pthread_mutex_trylock", errno)),
        }
    }

    /// The same again and again until then (CLOCK_MONOTONIC nanoseconds).
    ///
    /// # Errors
    /// As [`try_take`](Self::try_take).
    pub fn take_until(&self, until: u64) -> Result<bool, FailedCall> {
        attempts::repeat(until, || self.try_take())
    }

    /// Gives it back. For who has it.
    ///
    /// # Errors
    /// What `pthread_mutex_unlock` says.
    pub fn give_back(&self) -> Result<(), FailedCall> {
        kill::point();
        let released = self.mutex.release();
        released.map_err(|error| FailedCall::of_text("pthread_mutex_unlock", &error.to_string()))
    }
}

fn start(words: &[AtomicU64; WORDS]) -> *mut u8 {
    words.as_ptr().cast_mut().cast()
}

impl fmt::Debug for RawMutex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RawMutex")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::atomic::Ordering;
    use crate::sys::clock;

    #[test]
    fn it_excludes_and_its_waits_end() {
        let words = [const { AtomicU64::new(0) }; WORDS];
        let mutex = RawMutex::init(&words).expect("new");
        assert_eq!(mutex.try_take(), Ok(true));
        let again = RawMutex::of(&words).expect("the same");
        assert_eq!(again.try_take(), Ok(false));
        let until = clock::now() + 5_000_000;
        assert_eq!(again.take_until(until), Ok(false));
        assert!(clock::now() >= until);
        mutex.give_back().expect("unlock");
        assert_eq!(again.take_until(0), Ok(true), "an attempt is made in any case");
        again.give_back().expect("unlock");
        let behind = &words[size_of::<libc::pthread_mutex_t>().div_ceil(8)..];
        assert!(behind.iter().all(|word| word.load(Ordering::Relaxed) == 0));
    }
}
