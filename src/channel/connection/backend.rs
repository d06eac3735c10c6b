//! What carries the messages of a connection.

use std::fmt;
use std::str::FromStr;

use crate::channel::choice::Choice;
use crate::error::{Error, ErrorKind, Result};

/// What carries the messages of a [`Connection`](crate::Connection).
///
/// Chosen for one pipe by [`ConnectionBuilder::backend`](crate::ConnectionBuilder::backend), or for all that do not choose by the environment
/// variable `PROCESSING_PIPE=ring|socket`, which a process reads once. The choice belongs to the pipe: a process that is given an end uses what its creator chose.
/// Both keep the same contract (whole messages, in order, types checked, three forms of each call, the end after the last message,
/// the same errors for close and death), and nothing on either is torn, or stuck, or left behind, whoever is killed. How they differ is in
/// [`PipeCapabilities`](crate::PipeCapabilities):
///
/// | | `Ring` | `Socket` |
/// |---|---|---|
/// | a call while nobody sleeps | in shared memory | one system call to send, two to receive |
/// | room in each direction | 8 KiB | what the kernel gives a socket, usually 208 KiB |
/// | a message longer than the room | passes through in pieces, both ends at work | is there at once |
/// | `try_send` | up to the room | any length |
/// | the other process is killed | a call learns of it when somebody has looked | the next call learns of it |
/// | descriptors of an end | none | one |
///
/// Through a socket, what is beyond the first 16 KiB of a message travels as a memory file, whose descriptor the socket carries: of long messages about as many
/// fit as of such that have 16 KiB. They count as open files of the user until they are received.
///
/// ```
/// use processing::{Connection, PipeBackend};
/// let (a, b) = Connection::builder().backend(PipeBackend::Socket).build()?;
/// a.try_send(&vec![7u8; 1 << 20])?;
/// assert_eq!(b.backend(), PipeBackend::Socket);
/// assert_eq!(b.recv::<Vec<u8>>()?.len(), 1 << 20);
/// # Ok::<(), processing::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PipeBackend {
    /// The library's own: two rings in shared memory.
    #[default]
    Ring,
    /// A pair of sockets.
    Socket,
}

/// The variable that chooses.
const VARIABLE: &str = "PROCESSING_PIPE";

impl PipeBackend {
    /// The backend of pipes that do not choose.
    pub(super) fn of_environment() -> Result<Self> {
        static CHOICE: Choice<PipeBackend> = Choice::of(VARIABLE);
        CHOICE.get()
    }
}

impl FromStr for PipeBackend {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.to_ascii_lowercase().as_str() {
            "ring" => Ok(Self::Ring),
            "socket" => Ok(Self::Socket),
            _ => Err(unknown(text)),
        }
    }
}

#[cold]
fn unknown(text: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, VARIABLE, format!("there is no pipe backend {text:?}"))
        .hint("use ring or socket")
}

impl fmt::Display for PipeBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ring => "ring",
            Self::Socket => "socket",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_is_what_its_name_says() {
        for backend in [PipeBackend::Ring, PipeBackend::Socket] {
            assert_eq!(backend.to_string().parse::<PipeBackend>().expect("its name"), backend);
        }
        assert!("mq".parse::<PipeBackend>().is_err_and(|e| e.to_string().contains("ring or socket")));
    }
}
