//! The kill tests: for every shared operation of a call, a process that is killed just before it.
//!
//! A [`Case`](case::Case) says what a victim does; the [suite](suite) runs it once for each k: a forked process takes part in the
//! arena as any child does, is armed, and dies before its k-th shared operation (store, read-modify-write, futex call, or
//! system call that changes something), until the call completes. Then the survivors finish their work in
//! bounded time and the oracle of the case looks at what came out; last, the arena, the descriptors and the folders of
//! named objects must be as before.
//!
//! Beside that, for a sample of the k (all of them with `--full` or `PROCESSING_KILL_FULL=1`): the process that repairs
//! dies at each of *its* operations (`reaper`), and a process that is stopped instead of killed, of which nothing is
//! taken (`stopped`).
//!
//! Of calls with more than a hundred shared operations (long messages over a connection) only a sample is killed at beyond
//! these, unless all are asked for.
//!
//! Without the feature `kill-points` only what other tests use is here: worlds, messages, oracles.
//!
//! A test binary takes a part of a name as filter, `--list` and `--full`.
#![allow(clippy::missing_errors_doc, clippy::missing_panics_doc, reason = "for this package's tests alone")]

pub mod board;
pub mod carrier;
#[cfg(feature = "kill-points")]
pub mod case;
pub mod child;
pub mod folders;
pub mod kinds;
pub mod oracle;
#[cfg(feature = "kill-points")]
pub mod round;
pub mod seen;
#[cfg(feature = "kill-points")]
pub mod suite;
#[cfg(feature = "kill-points")]
pub mod waiter;
pub mod world;

/// Why a round failed, in words.
pub type Outcome<T> = Result<T, String>;

/// How long anything may take that must come to an end: far beyond the longest backstop, so that a busy machine
/// does not matter.
pub const BOUND: std::time::Duration = std::time::Duration::from_secs(15);

/// Shows an error of the library.
pub fn words<E: std::fmt::Display>(doing: &str) -> impl FnOnce(E) -> String + '_ {
    move |error| format!("{doing}: {error}")
}
