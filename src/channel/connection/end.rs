//! One end of a pipe: who has it, and where its rooms are.

use std::sync::Arc;

use super::body::{PipeBody, not_a_pipe};
use super::capabilities::PipeCapabilities;
use super::socket::Wired;
use super::{LONGEST_TRY, PIPE_LINES};
use crate::arena::ObjectRef;
use crate::channel::domain::Domain;
use crate::channel::transfer::{Child, Part};
use crate::error::{Error, ErrorKind, Result};
use crate::layout::LINE;
use crate::prim::limits::Limits;
use crate::region::Presence;
use crate::ring::pipe::PipeMemory;
#[cfg(feature = "async")]
use crate::ring::stream::RxMemory;
use crate::ring::stream::TxMemory;
use crate::ring::wire::Wire;
use crate::sync::atomic::{AtomicU32, Ordering};
use crate::sys::packet_socket::PacketSocket;

/// One end of a pipe in this process; closed when the last half is dropped.
#[derive(Debug)]
pub(crate) struct End {
    object: ObjectRef,
    body: PipeBody,
    /// Of a pipe over sockets. Shared with who carries it, while the end is given away.
    socket: Option<Arc<PacketSocket>>,
    index: u8,
    presence: Presence,
    /// 1: one of the halves closed it. Of this process, so that no call looks at shared memory for it.
    closed: AtomicU32,
    /// Last: the object goes before the domain, of which a process has one for each region.
    domain: Arc<Domain>,
}

impl End {
    /// An end of a new pipe, which is this process's already.
    pub(super) fn opened(
        domain: Arc<Domain>,
        object: ObjectRef,
        index: u8,
        socket: Option<Arc<PacketSocket>>,
    ) -> Result<Arc<Self>> {
        let presence = domain.region().presence()?;
        let body = PipeBody::of(&object)?;
        if matches!(body, PipeBody::Socket(_)) != socket.is_some() {
            return Err(not_a_pipe(&object));
        }
        let closed = AtomicU32::new(0);
        Ok(Arc::new(Self { object, body, socket, index, presence, closed, domain }))
    }

    /// An end that came with this process's arguments.
    pub(crate) fn received(child: Child) -> Result<Arc<Self>> {
        let Part::End(index) = child.part else {
            return Err(not_a_pipe(&child.object));
        };
        let domain = Domain::of(&child.object)?;
        let end = Self::opened(domain, child.object, index, child.socket)?;
        end.body.ends().take(index, end.domain.me()?);
        Ok(end)
    }

    /// This end, as it leaves this process.
    pub(super) fn child(&self) -> Child {
        Child { object: self.object.clone(), part: Part::End(self.index), socket: self.socket.clone() }
    }

    pub(crate) fn name(&self) -> String {
        format!("pipe {} end {}", self.object.id().index, self.index)
    }

    /// The rooms of its streams; `None`: it has none, but a [socket](Self::wired).
    pub(super) fn rings(&self) -> Option<&PipeMemory> {
        match &self.body {
            PipeBody::Rings(memory) => Some(memory),
            PipeBody::Socket(_) => None,
        }
    }

    /// Its words and its socket, if it has one.
    #[inline]
    pub(super) fn wired(&self) -> Option<Wired<'_>> {
        match (&self.body, &self.socket) {
            (PipeBody::Socket(body), Some(socket)) => Some(Wired::new(Wire::new(body, self.index), socket)),
            _ => None,
        }
    }

    /// For who has no stream.
    pub(super) fn through(&self) -> Result<Wired<'_>> {
        self.wired().ok_or_else(|| not_a_pipe(&self.object))
    }

    pub(super) fn index(&self) -> u8 {
        self.index
    }

    /// The word that changes when the other end wakes the reader of this one.
    pub(super) fn peer_writes(&self) -> u32 {
        match &self.body {
            PipeBody::Rings(memory) => memory.tx(1 - self.index).header().end.event.load(Ordering::Acquire),
            PipeBody::Socket(body) => Wire::new(body, self.index).message_word().load(Ordering::Acquire),
        }
    }

    /// The word that changes when the other end wakes the writer of this one.
    #[cfg(feature = "async")]
    pub(super) fn peer_reads(&self) -> u32 {
        match &self.body {
            PipeBody::Rings(memory) => memory.rx(1 - self.index).header().end.event.load(Ordering::Acquire),
            PipeBody::Socket(body) => Wire::new(body, self.index).room_word().load(Ordering::Acquire),
        }
    }

    pub(super) fn capabilities(&self) -> PipeCapabilities {
        match self.wired() {
            Some(wired) => PipeCapabilities {
                in_memory: false,
                whole: true,
                told_at_once: true,
                buffer: wired.buffer(),
                longest_try: u64::MAX,
                descriptors: 1,
            },
            None => PipeCapabilities {
                in_memory: true,
                whole: false,
                told_at_once: false,
                buffer: PIPE_LINES as usize * LINE,
                longest_try: LONGEST_TRY,
                descriptors: 0,
            },
        }
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
        self.body.close(self.index, me);
        Ok(())
    }

    /// Asked while asleep: looks for the dead, and says whether the other end is gone without having said so,
    /// or the other half has closed this end.
    pub(crate) fn peer_is_gone(&self) -> bool {
        if self.is_closed() {
            return true;
        }
        self.domain.look_for_dead();
        self.other_end_is_gone()
    }

    /// After a look for the dead: whether the other end is gone. If so its streams are closed, and sleepers are awake.
    pub(super) fn other_end_is_gone(&self) -> bool {
        let alive = |carrier| self.domain.store().block(carrier).is_some();
        self.body.ends().check_transit(1 - self.index, alive, |end| self.body.closed(end));
        self.body.ends().is_closed(1 - self.index)
    }

    /// Whether the other end's owner died, as opposed to having closed it.
    pub(crate) fn peer_died(&self) -> bool {
        self.body.ends().is_lost(1 - self.index)
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

    /// The kernel says that nobody has the other end. Its word says whether it was closed; who has not come to say so is dead.
    #[cold]
    pub(super) fn gone_error(&self) -> Error {
        if !self.body.ends().is_closed(1 - self.index) {
            self.domain.look_for_dead();
            self.other_end_is_gone();
        }
        if self.is_closed() || self.body.ends().is_closed(1 - self.index) {
            return self.closed_error();
        }
        Error::new(ErrorKind::PeerDied, self.name(), "the process at the other end died")
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
