//! Why no permit was acquired.

use std::fmt;

use crate::error::{Error, ErrorKind};

/// Why an acquire brought no permit.
///
/// `?` in a function that returns [`processing::Result`](crate::Result) turns each into an [`Error`] that names the semaphore.
#[derive(Debug)]
#[non_exhaustive]
pub enum SemaphoreError {
    /// None was free: from `try_acquire`, or the time was up.
    Busy {
        /// The number of the semaphore in its arena.
        semaphore: u32,
    },
    /// The wait was cancelled.
    Cancelled {
        /// The number of the semaphore in its arena.
        semaphore: u32,
    },
    /// Anything else: too many threads, or the handle was inherited through a fork.
    Other(Error),
}

impl SemaphoreError {
    /// No permit was free in time.
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Busy { .. })
    }
}

const BUSY: &str = "no permit is free";
const CANCELLED: &str = "the wait was cancelled";

impl fmt::Display for SemaphoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy { semaphore } => write!(f, "semaphore {semaphore}: {BUSY}"),
            Self::Cancelled { semaphore } => write!(f, "semaphore {semaphore}: {CANCELLED}"),
            Self::Other(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl std::error::Error for SemaphoreError {}

impl From<Error> for SemaphoreError {
    #[cold]
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl From<SemaphoreError> for Error {
    #[cold]
    fn from(error: SemaphoreError) -> Self {
        match error {
            SemaphoreError::Busy { semaphore } => {
                Error::new(ErrorKind::Timeout, format!("semaphore {semaphore}"), BUSY)
            }
            SemaphoreError::Cancelled { semaphore } => {
                Error::new(ErrorKind::Cancelled, format!("semaphore {semaphore}"), CANCELLED)
            }
            SemaphoreError::Other(error) => error,
        }
    }
}
