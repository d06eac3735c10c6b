//! What carries the messages of a queue.

use std::fmt;
use std::str::FromStr;

use crate::channel::choice::Choice;
use crate::error::{Error, ErrorKind, Result};

/// What carries the messages of a [`Queue`](crate::Queue).
///
/// Chosen for one queue by [`QueueBuilder::backend`](crate::QueueBuilder::backend), or for all that do not choose by the environment
/// variable `PROCESSING_QUEUE=ring|pipe|mq`, which a process reads once. The choice belongs to the queue: processes that get a handle
/// use what its creator chose. All keep the same contract (first in first out, bounded, many to many, three forms of each call,
/// `Closed` only after the last message, types checked) and nothing on any of them is torn, or stuck, or left behind, whoever is killed. What they
/// cannot promise is said in [`QueueCapabilities`](crate::QueueCapabilities):
///
/// | | `Ring` | `Pipe` | `PosixMq` |
/// |---|---|---|---|
/// | a getter killed inside `get` | its message goes to another | may take a message with it | may take a message with it |
/// | `get_ref` | a lease: redelivered | a copy: shares its holder's fate | as `Pipe` |
/// | handles in messages | yes | no | no |
/// | longest message | what the arena holds | any length | `msgsize`, by default 8 KiB |
/// | capacity | exact, up to 2^28 | see below | exact, by default at most 10 |
/// | a call | in shared memory | a system call | a system call |
///
/// `Pipe` is a pipe of packets where messages have at most 4096 bytes (the type says so, or `max_message`), with an exact capacity, a power of
/// two; otherwise it is a pair of sockets, whose room is in bytes. There, messages beyond 4096 bytes (beyond `max_message`, up to 64 KiB, if it
/// is said) travel as memory files, whose descriptors the sockets carry: so any length is possible, and as many fit as were asked for.
///
/// Descriptors of a process that are not the ring's: two of the depot with each arena, and for each queue of the kernel that it
/// holds, two (`Pipe`) or one (`PosixMq`).
///
/// ```
/// use processing::{Backend, Queue};
/// let q = Queue::<u64>::builder().capacity(16).backend(Backend::Pipe).build()?;
/// q.put(&7)?;
/// assert_eq!((q.backend(), q.get()?), (Backend::Pipe, 7));
/// assert!(!q.capabilities().redelivers);
/// # Ok::<(), processing::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Backend {
    /// The library's own: a ring in shared memory.
    #[default]
    Ring,
    /// A pipe of packets, or a pair of sockets.
    Pipe,
    /// A POSIX message queue, without a name.
    PosixMq,
}

/// The variable that chooses.
const VARIABLE: &str = "PROCESSING_QUEUE";

impl Backend {
    /// The backend of queues that do not choose.
    pub(super) fn of_environment() -> Result<Self> {
        static CHOICE: Choice<Backend> = Choice::of(VARIABLE);
        CHOICE.get()
    }
}

impl FromStr for Backend {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.to_ascii_lowercase().as_str() {
            "ring" => Ok(Self::Ring),
            "pipe" => Ok(Self::Pipe),
            "mq" => Ok(Self::PosixMq),
            _ => Err(unknown(text)),
        }
    }
}

#[cold]
fn unknown(text: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, VARIABLE, format!("there is no queue backend {text:?}"))
        .hint("use ring, pipe or mq")
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ring => "ring",
            Self::Pipe => "pipe",
            Self::PosixMq => "mq",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_is_what_its_name_says() {
        for backend in [Backend::Ring, Backend::Pipe, Backend::PosixMq] {
            assert_eq!(backend.to_string().parse::<Backend>().expect("its name"), backend);
        }
        assert!("socket".parse::<Backend>().is_err_and(|e| e.to_string().contains("ring, pipe or mq")));
    }
}
