//! One end of a pipe: who has it, and where its rooms are.

use std::sync::Arc;

use crate::arena::ObjectRef;
use crate::channel::domain::Domain;
use crate::channel::kind;
use crate::channel::transfer::{Child, Part};
use crate::error::{Error, ErrorKind, Result};
use crate::prim::limits::Limits;
use crate::ring::pipe::PipeMemory;
use crate::ring::stream::{MappedRx, MappedTx};

pub(crate) use crate::ring::pipe::PipeMemory as PipeBody;

/// One end of a pipe in this process; closed when the last half is dropped.
#[derive(Debug)]
pub(crate) struct End {
    domain: Arc<Domain>,
    object: ObjectRef,
    memory: PipeMemory,
    index: u8,
}

impl End {
    /// An end of a new pipe, which is this process's already.
    pub(crate) fn opened(domain: Arc<Domain>, object: ObjectRef, index: u8) -> Result<Arc<Self>> {
        domain.me()?;
        let memory = memory(&object)?;
        Ok(Arc::new(Self { domain, object, memory, index }))
    }

    /// An end that came with this process's arguments.
    pub(crate) fn received(child: Child) -> Result<Arc<Self>> {
        let Part::End(index) = child.part else {
            return Err(not_a_pipe(&child.object));
        };
        let domain = Domain::of(&child.object)?;
        let end = Self::opened(domain, child.object, index)?;
        end.memory.take(index, end.domain.me()?);
        Ok(end)
    }

    pub(crate) fn object(&self) -> &ObjectRef {
        &self.object
    }

    pub(crate) fn index(&self) -> u8 {
        self.index
    }

    pub(crate) fn name(&self) -> String {
        format!("pipe {} end {}", self.object.id().index, self.index)
    }

    /// (own writing room, peer's reading room)
    pub(crate) fn tx(&self) -> (MappedTx, MappedRx) {
        (self.memory.tx(self.index), self.memory.rx(1 - self.index))
    }

    /// (peer's writing room, own reading room)
    pub(crate) fn rx(&self) -> (MappedTx, MappedRx) {
        (self.memory.tx(1 - self.index), self.memory.rx(self.index))
    }

    /// Whether this process may use the end.
    #[inline]
    pub(crate) fn check(&self) -> Result<()> {
        self.domain.me().map(|_| ())
    }

    /// Closes the end if it is still this process's.
    pub(crate) fn close(&self) -> Result<()> {
        self.memory.close(self.index, self.domain.me()?);
        Ok(())
    }

    /// Asked while asleep: looks for the dead, and says whether the other end is gone without having closed
    /// its streams.
    pub(crate) fn peer_is_gone(&self) -> bool {
        self.domain.look_for_dead();
        self.memory.check_transit(1 - self.index, |carrier| self.domain.store().block(carrier).is_some());
        self.memory.is_closed(1 - self.index)
    }

    /// Whether the other end's owner died, as opposed to having closed it.
    pub(crate) fn peer_died(&self) -> bool {
        self.memory.is_lost(1 - self.index)
    }

    #[cold]
    pub(crate) fn closed_error(&self) -> Error {
        if self.peer_died() {
            return Error::new(ErrorKind::PeerDied, self.name(), "the process at the other end died");
        }
        Error::new(ErrorKind::Closed, self.name(), "the other end is closed")
    }

    /// The deadline of a call passed, or it may not wait.
    #[cold]
    pub(crate) fn late_error(&self, limits: &Limits<'_>, kind: ErrorKind, what: &'static str) -> Error {
        let kind = if limits.is_try() { kind } else { ErrorKind::Timeout };
        Error::new(kind, self.name(), what)
    }
}

impl Drop for End {
    fn drop(&mut self) {
        // In a forked child the handle stands for nothing.
        let _ = self.close();
    }
}

fn memory(object: &ObjectRef) -> Result<PipeMemory> {
    if object.kind() != kind::PIPE {
        return Err(not_a_pipe(object));
    }
    PipeMemory::of(object)
}

#[cold]
fn not_a_pipe(object: &ObjectRef) -> Error {
    Error::new(ErrorKind::TypeMismatch, format!("object {}", object.id().index), "it is not a pipe's end")
}
