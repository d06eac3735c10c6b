//! Queues whose messages the kernel carries.
//!
//! The object in the arena is a ring that carries no messages (`ring/elsewhere.rs`): its words say who is about to put, who sleeps, and
//! whether it was closed, and a reaper repairs them as any ring's. The messages travel through a [`Mechanism`], whose
//! descriptors each process finds in the depot of the arena (`region/depot.rs`).
//!
//! # Contract of a mechanism
//!
//! - A message is there whole, or not; it goes to one receiver; messages leave in the order in which they came.
//! - `send` and `receive` do not wait. Who waits sleeps by the ring's words and never inside the kernel's object: one that is killed asleep in a
//!   `read` takes a message with it that was sent after its death.
//! - No lock of a process is held in it, so that nobody waits for the dead, and nobody's death closes it: each user has both ends.
//!
//! # What the kernel does not give
//!
//! - A message that `receive` brought is its process's: it dies with it, though `get` has not returned.
//! - A reference count of what is in flight: so no handles.

mod endpoint;
mod get;
mod limits;
mod mechanism;
mod put;
mod setup;

use std::sync::Arc;

use endpoint::Endpoint;
pub(in crate::channel) use endpoint::purge_depot;
use mechanism::{Mechanism, PARCEL_RECORD, Waiting};
pub(super) use put::no_handles;
pub(super) use setup::build;

use super::backend::Backend;
use super::capabilities::QueueCapabilities;
use crate::arena::ObjectRef;
use crate::channel::message::Message;
use crate::error::Result;
use crate::ring::Ring;
use crate::ring::plain::plain_len;

/// What a handle of such a queue has besides its ring.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    endpoint: Arc<Endpoint>,
    /// Bytes of all messages, if they are all alike.
    len: Option<usize>,
    /// Bytes that the kernel counts for each of them.
    unit: Option<u64>,
}

impl Kernel {
    /// That of a queue whose handle this process got.
    pub(super) fn of<T: Message>(object: &ObjectRef) -> Result<Self> {
        let noted = Ring::attach(object.clone())?.capacity_elsewhere() as usize;
        Ok(Self::over::<T>(Endpoint::of(object, noted.max(1))?))
    }

    fn over<T: Message>(endpoint: Arc<Endpoint>) -> Self {
        let unit = plain_len::<T>().map(|len| match len {
            len if len > endpoint.longest => PARCEL_RECORD as u64,
            len => len.max(1) as u64,
        });
        Self { endpoint, len: plain_len::<T>(), unit }
    }

    pub(super) fn exact_len(&self) -> Option<usize> {
        self.len
    }

    pub(super) fn backend(&self) -> Backend {
        match self.endpoint.mechanism {
            Mechanism::Pipe(_) | Mechanism::Socket(_) => Backend::Pipe,
            Mechanism::Mq(_) => Backend::PosixMq,
        }
    }

    pub(super) fn capacity(&self) -> usize {
        self.endpoint.capacity
    }

    /// Messages that wait, or 1 for "some". 0 where the kernel refuses to say: its descriptors were closed behind the library's back.
    pub(super) fn len(&self) -> usize {
        match (self.endpoint.mechanism.waiting(), self.unit) {
            (Ok(Waiting::Messages(count)), _) => count,
            (Ok(Waiting::Bytes(bytes)), Some(unit)) => (bytes / unit) as usize,
            (Ok(Waiting::Bytes(bytes)), None) => usize::from(bytes > 0),
            (Err(_), _) => 0,
        }
    }

    /// A message waits.
    pub(super) fn has_some(&self) -> bool {
        match self.endpoint.mechanism.waiting() {
            Ok(Waiting::Messages(count)) => count > 0,
            Ok(Waiting::Bytes(bytes)) => bytes > 0,
            Err(_) => false,
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.endpoint.mechanism.is_full().unwrap_or(false)
    }

    pub(super) fn capabilities(&self, max_message: u64) -> QueueCapabilities {
        let buffer = match &self.endpoint.mechanism {
            Mechanism::Socket(socket) => socket.buffer().ok(),
            Mechanism::Pipe(_) | Mechanism::Mq(_) => None,
        };
        let is_socket = matches!(self.endpoint.mechanism, Mechanism::Socket(_));
        QueueCapabilities {
            redelivers: false,
            leases: false,
            handles: false,
            exact_capacity: !is_socket,
            exact_len: self.unit.is_some() || matches!(self.endpoint.mechanism, Mechanism::Mq(_)),
            wakes_exactly: !is_socket,
            in_memory: false,
            capacity: self.capacity(),
            max_message,
            buffer,
        }
    }

    /// Whether the room that one message leaves may be room for several.
    fn hands_on(&self) -> bool {
        matches!(self.endpoint.mechanism, Mechanism::Socket(_))
    }
}
