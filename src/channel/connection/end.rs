//! One end of a pipe: who has it, and where its rooms are.

use std::sync::Arc;

use crate::arena::ObjectRef;
use crate::channel::domain::Domain;
use crate::channel::kind;
use crate::channel::transfer::{Child, Part};
use crate::error::{Error, ErrorKind, Result};
use crate::prim::limits::Limits;
use crate::region::Presence;
use crate::ring::pipe::PipeMemory;
#[cfg(feature = "async")]
use crate::ring::stream::RxMemory;
use crate::ring::stream::{MappedRx, MappedTx, TxMemory};
use crate::sync::atomic::{AtomicU32, Ordering};

pub(crate) use crate::ring::pipe::PipeMemory as PipeBody;

/// One end of a pipe in this process; closed when the last half is dropped.
#[derive(Debug)]
pub(crate) struct End {
    object: ObjectRef,
    memory: PipeMemory,
    index: u8,
    presence: Presence,
    /// 1: one of the halves closed it. Of this process, so that no call looks at shared memory for it.
    closed: AtomicU32,
    /// Last: the object goes before the domain, of which a process has one for each region.
    domain: Arc<Domain>,
}

impl End {
    /// An end of a new pipe, which is this process's already.
    pub(crate) fn opened(domain: Arc<Domain>, object: ObjectRef, index: u8) -> Result<Arc<Self>> {
        let presence = domain.region().presence()?;
        let memory = memory(&object)?;
        Ok(Arc::new(Self { object, memory, index, presence, closed: AtomicU32::new(0), domain }))
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

    /// The word that changes when the other end wakes the reader of this one.
    pub(super) fn peer_writes(&self) -> u32 {
        self.memory.tx(1 - self.index).header().end.event.load(Ordering::Acquire)
    }

    /// The word that changes when the other end wakes the writer of this one.
    #[cfg(feature = "async")]
    pub(super) fn peer_reads(&self) -> u32 {
        self.memory.rx(1 - self.index).header().end.event.load(Ordering::Acquire)
    }

    pub(super) fn domain(&self) -> &Arc<Domain> {
        &self.domain
    }

    pub(crate) fn presence(&self) -> &Presence {
        &self.presence
    }

    /// Whether this process may use the end.
    #[cold]
    pub(crate) fn check(&self) -> Result<()> {
        self.check_process()?;
        if self.is_closed() { Err(self.closed_error()) } else { Ok(()) }
    }

    /// Whether the end is this process's, closed or not.
    pub(crate) fn check_process(&self) -> Result<()> {
        self.domain.me().map(|_| ())
    }

    /// One of the halves closed it.
    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        // Relaxed: nothing is read on the strength of it.
        self.closed.load(Ordering::Relaxed) != 0
    }

    /// Closes the end if it is still this process's.
    pub(crate) fn close(&self) -> Result<()> {
        let me = self.domain.me()?;
        self.closed.store(1, Ordering::Relaxed);
        self.memory.close(self.index, me);
        Ok(())
    }

    /// Asked while asleep: looks for the dead, and says whether the other end is gone without having closed
    /// its streams, or the other half has closed this end.
    pub(crate) fn peer_is_gone(&self) -> bool {
        if self.is_closed() {
            return true;
        }
        self.domain.look_for_dead();
        self.other_end_is_gone()
    }

    /// After a look for the dead: whether the other end is gone. If so its streams are closed.
    pub(super) fn other_end_is_gone(&self) -> bool {
        self.memory.check_transit(1 - self.index, |carrier| self.domain.store().block(carrier).is_some());
        self.memory.is_closed(1 - self.index)
    }

    /// Whether the other end's owner died, as opposed to having closed it.
    pub(crate) fn peer_died(&self) -> bool {
        self.memory.is_lost(1 - self.index)
    }

    /// The end is in the middle of a call of this same thread.
    #[cold]
    pub(crate) fn busy_error(&self) -> Error {
        Error::new(
            ErrorKind::InvalidState,
            self.name(),
            "it is used by the (de)serialisation of its own message",
        )
        .hint("receive the value first, then use the connection")
    }

    #[cold]
    pub(crate) fn closed_error(&self) -> Error {
        if self.is_closed() {
            return Error::new(ErrorKind::Closed, self.name(), "this end was closed by its own process");
        }
        if self.peer_died() {
            return Error::new(ErrorKind::PeerDied, self.name(), "the process at the other end died");
        }
        Error::new(ErrorKind::Closed, self.name(), "the other end is closed")
    }

    /// The deadline of a call passed, or it may not wait.
    #[cold]
    pub(crate) fn late_error(&self, limits: &Limits<'_>, kind: ErrorKind, what: &'static str) -> Error {
        // Who never sleeps long never asks at a backstop.
        if self.domain.look_now_and_then() {
            self.other_end_is_gone();
        }
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
