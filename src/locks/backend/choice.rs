//! Which backend a lock has.

use std::fmt;
use std::str::FromStr;

use super::Capabilities;
use crate::channel::choice::Choice;
use crate::error::{Error, ErrorKind, Result};
use crate::layout::lock::BackendWord;
use crate::sys::c_library;

/// What excludes in a [`Lock`](crate::Lock) or [`RLock`](crate::RLock).
///
/// Chosen for one lock by [`SyncBuilder::backend`](crate::SyncBuilder), or for all locks that do not choose by the environment variable
/// `PROCESSING_LOCK=futex|semaphore|pthread`, which a process reads once. The choice belongs to the lock: processes that get a handle
/// use what its creator chose. A [`Locked`](crate::Locked) value always has the futex.
///
/// | | `Futex` | `Semaphore` | `Pthread` |
/// |---|---|---|---|
/// | the lock of a dead owner | inherited | lost, with an error | lost, with an error |
/// | a kill at any instruction | covered | two gaps | two gaps |
/// | time limits | never early | never early | never early, up to 4 ms late |
/// | a release wakes a sleeper | yes | yes | no, it looks again |
///
/// [`Capabilities`] says this for programs. The other two exist for comparison, and for what has to meet the C library's objects; they
/// are slower in all that they do. They are **not for processes that do not trust each other**: the C library believes what stands in
/// its objects, and may write through pointers that it finds in a mutex. Nor for builds with another C library: to open such a lock is an
/// error there.
///
/// ```
/// use processing::{Lock, LockBackend};
/// let lock = Lock::builder().backend(LockBackend::Semaphore).build()?;
/// assert_eq!(lock.backend().to_string(), "semaphore");
/// assert!(!lock.capabilities().robust);
/// assert!(LockBackend::Futex.capabilities().robust);
/// # Ok::<(), processing::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LockBackend {
    /// The library's own: one word, on which the kernel lets threads sleep.
    #[default]
    Futex,
    /// A POSIX semaphore (`sem_t`, shared between processes).
    Semaphore,
    /// A mutex of the C library's threads (shared between processes), through the crate `raw_sync`.
    Pthread,
}

/// The variable that chooses.
const VARIABLE: &str = "PROCESSING_LOCK";

impl LockBackend {
    /// What a lock with this backend can do.
    pub const fn capabilities(self) -> Capabilities {
        let is_own = matches!(self, Self::Futex);
        Capabilities {
            robust: is_own,
            told: true,
            gapless: is_own,
            timeouts: true,
            adaptive: true,
            wakes: !matches!(self, Self::Pthread),
            inlined: is_own,
        }
    }

    /// The backend of locks that do not choose.
    pub(in crate::locks) fn of_environment() -> Result<Self> {
        static CHOICE: Choice<LockBackend> = Choice::of(VARIABLE);
        CHOICE.get()
    }

    /// As a body says it.
    pub(in crate::locks) fn word(self) -> BackendWord {
        match self {
            Self::Futex => BackendWord { backend: 0, library: 0 },
            Self::Semaphore => BackendWord { backend: 1, library: c_library::LAYOUT },
            Self::Pthread => BackendWord { backend: 2, library: c_library::LAYOUT },
        }
    }

    /// What a body says; why this build cannot use it otherwise.
    pub(in crate::locks) fn of_word(word: BackendWord) -> Result<Self, &'static str> {
        let found = match word.backend {
            0 => Self::Futex,
            1 => Self::Semaphore,
            2 => Self::Pthread,
            _ => return Err("this version of the library does not know its backend"),
        };
        if found.word() == word { Ok(found) } else { Err("it was made with another C library") }
    }
}

impl FromStr for LockBackend {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.to_ascii_lowercase().as_str() {
            "futex" => Ok(Self::Futex),
            "semaphore" => Ok(Self::Semaphore),
            "pthread" => Ok(Self::Pthread),
            _ => Err(unknown(text)),
        }
    }
}

#[cold]
fn unknown(text: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, VARIABLE, format!("there is no lock backend {text:?}"))
        .hint("use futex, semaphore or pthread")
}

impl fmt::Display for LockBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Futex => "futex",
            Self::Semaphore => "semaphore",
            Self::Pthread => "pthread",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_is_what_its_name_and_its_word_say() {
        for backend in [LockBackend::Futex, LockBackend::Semaphore, LockBackend::Pthread] {
            assert_eq!(backend.to_string().parse::<LockBackend>().expect("its name"), backend);
            assert_eq!(LockBackend::of_word(backend.word()), Ok(backend));
        }
        // All zero is a futex.
        assert_eq!(LockBackend::of_word(BackendWord::unpack(0)), Ok(LockBackend::Futex));
        assert!(LockBackend::of_word(BackendWord { backend: 3, library: 0 }).is_err());
        let strange = BackendWord { library: 7, ..LockBackend::Pthread.word() };
        assert!(LockBackend::of_word(strange).is_err_and(|why| why.contains("C library")));
        assert!("mutex".parse::<LockBackend>().is_err());
    }
}
