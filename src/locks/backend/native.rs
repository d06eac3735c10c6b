//! The objects of the C library that exclude.

use crate::sys::failed_call::FailedCall;
use crate::sys::posix_semaphore::PosixSemaphore;
use crate::sys::raw_mutex::RawMutex;

/// Excludes, and knows nothing of owners.
pub(in crate::locks) trait Native {
    /// Takes it if it is free.
    fn try_take(&self) -> Result<bool, FailedCall>;
    /// The same until then (CLOCK_MONOTONIC nanoseconds); false may come sooner.
    fn take_until(&self, until: u64) -> Result<bool, FailedCall>;
    /// Gives it back; for who has it.
    fn give_back(&self) -> Result<(), FailedCall>;
}

impl Native for PosixSemaphore<'_> {
    fn try_take(&self) -> Result<bool, FailedCall> {
        PosixSemaphore::try_take(*self)
    }

    fn take_until(&self, until: u64) -> Result<bool, FailedCall> {
        PosixSemaphore::take_until(*self, until)
    }

    fn give_back(&self) -> Result<(), FailedCall> {
        PosixSemaphore::give_back(*self)
    }
}

impl Native for RawMutex<'_> {
    fn try_take(&self) -> Result<bool, FailedCall> {
        RawMutex::try_take(self)
    }

    fn take_until(&self, until: u64) -> Result<bool, FailedCall> {
        RawMutex::take_until(self, until)
    }

    fn give_back(&self) -> Result<(), FailedCall> {
        RawMutex::give_back(self)
    }
}
