//! How a process comes into being.

use std::fmt;
use std::str::FromStr;

use crate::{Error, ErrorKind, Result};

/// How a process comes into being. All three run any target with any arguments.
///
/// In a process that was not forked from its creator (the first two), `std::env::args` has the program's name only.
///
/// Chosen for each process by [`ProcessBuilder::start_method`](crate::ProcessBuilder::start_method), or for
/// all that do not say by the environment variable `PROCESSING_START` (`spawn`, `fork`, `forkserver`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StartMethod {
    /// A small, single-threaded copy of this executable, started with the first process, forks when asked,
    /// and keeps one child forked ahead. Environment, working folder and standard streams are those of the
    /// moment when it was started. Costs little more than a bare `fork`.
    #[default]
    ForkServer,
    /// The executable is started again, and caught before `main`. About a millisecond.
    Spawn,
    /// A copy of this process, with all it has in memory. Only for a process that has one thread; an error
    /// otherwise.
    Fork,
}

/// The variable that chooses.
const VARIABLE: &str = "PROCESSING_START";

impl StartMethod {
    /// The method of processes that do not choose one.
    pub(crate) fn of_environment() -> Result<Self> {
        match std::env::var_os(VARIABLE) {
            // What is no text names no method.
            Some(value) if !value.is_empty() => value.to_string_lossy().parse(),
            _ => Ok(Self::default()),
        }
    }
}

impl FromStr for StartMethod {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.to_ascii_lowercase().as_str() {
            "forkserver" | "fork_server" | "fork-server" => Ok(Self::ForkServer),
            "spawn" => Ok(Self::Spawn),
            "fork" => Ok(Self::Fork),
            _ => Err(Error::new(
                ErrorKind::InvalidInput,
                VARIABLE,
                format!("there is no start method {text:?}"),
            )
            .hint("use forkserver, spawn or fork")),
        }
    }
}

impl fmt::Display for StartMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ForkServer => "forkserver",
            Self::Spawn => "spawn",
            Self::Fork => "fork",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back() {
        for method in [StartMethod::ForkServer, StartMethod::Spawn, StartMethod::Fork] {
            assert_eq!(method.to_string().parse::<StartMethod>().expect("own name"), method);
        }
        let error = "thread".parse::<StartMethod>().expect_err("no such method");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("thread"), "{error}");
    }
}
