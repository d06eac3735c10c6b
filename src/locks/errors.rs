//! Why a lock was not simply acquired.

use std::fmt;

use crate::error::{Error, ErrorKind};

/// Why an acquire did not just succeed.
///
/// `?` in a function that returns [`processing::Result`](crate::Result) turns each into an [`Error`] that names the
/// lock; a guard that comes with [`OwnerDied`](Self::OwnerDied) is dropped by that, and the lock is poisoned.
#[non_exhaustive]
pub enum AcquireError<G> {
    /// Others have it: from `try_acquire`, or the time was up.
    Busy {
        /// The number of the lock in its arena.
        lock: u32,
    },
    /// Its owner died with it. This thread has it now, and the guard is in the error.
    OwnerDied(OwnerDied<G>),
    /// An heir dropped it without [`recover`](OwnerDied::recover): what it protects may be half-changed.
    Poisoned(Error),
    /// This very thread has it already, and would wait for itself for ever.
    Deadlock(Error),
    /// The wait was cancelled.
    Cancelled {
        /// The number of the lock in its arena.
        lock: u32,
    },
    /// Anything else: the handle was inherited through a fork; or the owner died, and the lock's
    /// [`LockBackend`](crate::LockBackend) cannot hand it on (of kind `OwnerDied`, naming the dead; the lock is lost).
    Other(Error),
}

impl<G> AcquireError<G> {
    /// The same with another guard.
    pub(super) fn map<H>(self, f: impl FnOnce(G) -> H) -> AcquireError<H> {
        match self {
            Self::Busy { lock } => AcquireError::Busy { lock },
            Self::OwnerDied(died) => {
                AcquireError::OwnerDied(OwnerDied { guard: f(died.guard), pid: died.pid, name: died.name })
            }
            Self::Poisoned(error) => AcquireError::Poisoned(error),
            Self::Deadlock(error) => AcquireError::Deadlock(error),
            Self::Cancelled { lock } => AcquireError::Cancelled { lock },
            Self::Other(error) => AcquireError::Other(error),
        }
    }

    /// Others have it, or had it until the time was up.
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Busy { .. })
    }

    /// The owner died; the guard is in the error.
    pub fn is_owner_died(&self) -> bool {
        matches!(self, Self::OwnerDied(_))
    }

    /// An heir gave up.
    pub fn is_poisoned(&self) -> bool {
        matches!(self, Self::Poisoned(_))
    }

    /// The guard that came with [`OwnerDied`](Self::OwnerDied), recovered: for who has nothing to repair.
    ///
    /// # Errors
    ///
    /// The error itself, if it is another one.
    pub fn recover(self) -> Result<G, Self>
    where
        G: Recover,
    {
        match self {
            Self::OwnerDied(died) => Ok(died.recover()),
            other => Err(other),
        }
    }
}

/// A guard that may have been inherited.
pub trait Recover: sealed::Sealed {
    /// All is well again.
    #[doc(hidden)]
    fn recovered(&self);
    /// The name of what it guards, as errors say it.
    #[doc(hidden)]
    fn object(&self) -> String;
}

pub(super) mod sealed {
    pub trait Sealed {}
}

/// The guard of a lock whose owner died with it, and who that was.
///
/// What the lock protects may be half-changed. Look, repair, and say [`recover`](Self::recover): then the guard is like any
/// other. Dropped without it, the lock is *poisoned*: every acquire fails from then on, until somebody calls
/// `recover_poisoned`. If the heir dies too, the next one is told again.
#[must_use = "dropping it without recover() poisons the lock"]
pub struct OwnerDied<G> {
    guard: G,
    pid: u32,
    name: String,
}

impl<G> OwnerDied<G> {
    pub(super) fn new(guard: G, pid: u32, name: String) -> Self {
        Self { guard, pid, name }
    }

    /// The pid of the dead owner, in its own pid namespace; 0 if nobody knows it any more.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The name of the process that died; empty if nobody knows it any more.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The guard, to look at what it protects before it is declared sound.
    pub fn guard(&self) -> &G {
        &self.guard
    }

    /// The same, to repair it.
    pub fn guard_mut(&mut self) -> &mut G {
        &mut self.guard
    }
}

impl<G: Recover> OwnerDied<G> {
    /// What the lock protects is sound again: the guard is like any other from here on.
    pub fn recover(self) -> G {
        self.guard.recovered();
        self.guard
    }
}

impl<G> fmt::Debug for OwnerDied<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnerDied").field("pid", &self.pid).field("name", &self.name).finish_non_exhaustive()
    }
}

impl<G> fmt::Display for OwnerDied<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.pid, self.name.as_str()) {
            (0, _) => f.write_str("its owner died with it"),
            (pid, "") => write!(f, "its owner (pid {pid}) died with it"),
            (pid, name) => write!(f, "its owner {name} (pid {pid}) died with it"),
        }
    }
}

const BUSY: &str = "others have it";
const CANCELLED: &str = "the wait was cancelled";

impl<G> fmt::Debug for AcquireError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy { lock } => write!(f, "Busy(lock {lock})"),
            Self::OwnerDied(died) => fmt::Debug::fmt(died, f),
            Self::Cancelled { lock } => write!(f, "Cancelled(lock {lock})"),
            Self::Poisoned(error) | Self::Deadlock(error) | Self::Other(error) => fmt::Debug::fmt(error, f),
        }
    }
}

impl<G> fmt::Display for AcquireError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy { lock } => write!(f, "lock {lock}: {BUSY}"),
            Self::OwnerDied(died) => fmt::Display::fmt(died, f),
            Self::Cancelled { lock } => write!(f, "lock {lock}: {CANCELLED}"),
            Self::Poisoned(error) | Self::Deadlock(error) | Self::Other(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl<G> std::error::Error for AcquireError<G> {}

impl<G> From<Error> for AcquireError<G> {
    #[cold]
    fn from(error: Error) -> Self {
        match error.kind() {
            ErrorKind::Poisoned => Self::Poisoned(error),
            ErrorKind::Deadlock => Self::Deadlock(error),
            _ => Self::Other(error),
        }
    }
}

impl<G: Recover> From<AcquireError<G>> for Error {
    #[cold]
    fn from(error: AcquireError<G>) -> Self {
        match error {
            AcquireError::Busy { lock } => Error::new(ErrorKind::Timeout, format!("lock {lock}"), BUSY),
            AcquireError::Cancelled { lock } => {
                Error::new(ErrorKind::Cancelled, format!("lock {lock}"), CANCELLED)
            }
            AcquireError::OwnerDied(died) => {
                Error::new(ErrorKind::OwnerDied, died.guard.object(), died.to_string())
                    .hint("match AcquireError::OwnerDied, repair what the lock protects, and call recover()")
            }
            AcquireError::Poisoned(error) | AcquireError::Deadlock(error) | AcquireError::Other(error) => {
                error
            }
        }
    }
}
