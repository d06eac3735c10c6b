//! The body of a pipe, whatever carries its messages.

use crate::arena::{Body, ObjectRef};
use crate::channel::kind;
use crate::error::{Error, ErrorKind, Result};
use crate::layout::socket_pipe::SocketPipeBody;
use crate::ring::ends::Ends;
use crate::ring::pipe::PipeMemory;
use crate::ring::wire::Wire;

/// See the module. Who has it keeps a reference to the object.
#[derive(Debug)]
pub(crate) enum PipeBody {
    Rings(PipeMemory),
    Socket(Body<SocketPipeBody>),
}

impl PipeBody {
    /// That of an object.
    ///
    /// # Errors
    ///
    /// `TypeMismatch` if it is not a pipe; `InvalidRegion` if its body is not a pipe's.
    pub(crate) fn of(object: &ObjectRef) -> Result<Self> {
        match object.kind() {
            kind::PIPE => PipeMemory::of(object).map(Self::Rings),
            kind::SOCKET_PIPE => Body::of(object.clone()).map(Self::Socket),
            _ => Err(not_a_pipe(object)),
        }
    }

    /// Who has which end.
    pub(crate) fn ends(&self) -> Ends<'_> {
        match self {
            Self::Rings(memory) => memory.ends(),
            Self::Socket(body) => Ends::new(&body.head),
        }
    }

    /// What follows when an end was closed: the other one is told.
    pub(crate) fn closed(&self, end: u8) {
        match self {
            Self::Rings(memory) => memory.closed(end),
            Self::Socket(body) => Wire::closed(body),
        }
    }

    /// `me` closes its end, if it is still its own.
    pub(crate) fn close(&self, end: u8, me: u16) {
        match self {
            Self::Rings(memory) => memory.ends().close(end, me, |end| memory.closed(end)),
            Self::Socket(body) => Wire::new(body, end).close(me),
        }
    }
}

#[cold]
pub(super) fn not_a_pipe(object: &ObjectRef) -> Error {
    Error::new(ErrorKind::TypeMismatch, format!("object {}", object.id().index), "it is not a pipe's end")
}
