//! How a process ended.

use std::fmt;

/// How a process ended, as the kernel tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Exit {
    /// It exited with this code: 0 when its target returned, 1 when the target panicked or returned an
    /// error, anything when it called `std::process::exit`.
    Code(i32),
    /// It was ended by this signal.
    Signal(i32),
}

impl Exit {
    /// The exit code, or the negative number of the signal.
    #[doc(alias = "exitcode")]
    pub fn code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => -signal,
        }
    }

    /// Exit code 0.
    pub fn success(self) -> bool {
        self == Self::Code(0)
    }
}

/// `exit code 1`, `SIGKILL`.
impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            #[cfg(not(loom))]
            Self::Signal(signal) => f.write_str(&crate::sys::signal::name(*signal)),
            #[cfg(loom)]
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}
