//! Making one.

use std::sync::Once;

use super::endpoint::{Endpoint, no_depot};
use super::{Kernel, limits};
use crate::channel::message::Message;
use crate::channel::queue::backend::Backend;
use crate::channel::queue::{Queue, QueueBuilder};
use crate::channel::{codec, kind};
use crate::error::{Error, ErrorKind, Result};
use crate::layout::ring::Geometry;
use crate::ring::plain::plain_len;
use crate::ring::{Ring, rings};
use crate::sys::packet_pipe::PACKET;

/// Puts that may be on their way at the same time.
const CLAIMS: u32 = 256;

/// A queue of the kernel, if that is what was chosen; `None`: a ring.
///
/// What was chosen for this queue is made, or an error. What the environment chose and the system does not have is replaced by the ring.
pub(in crate::channel::queue) fn build<T: Message>(builder: &QueueBuilder<T>) -> Result<Option<Queue<T>>> {
    let chosen = builder.backend.map_or_else(Backend::of_environment, Ok)?;
    if chosen == Backend::Ring {
        return Ok(None);
    }
    match create(builder, chosen) {
        Err(error) if error.kind() == ErrorKind::Unsupported && builder.backend.is_none() => {
            say_once(chosen, &error);
            Ok(None)
        }
        answer => answer.map(Some),
    }
}

fn create<T: Message>(builder: &QueueBuilder<T>, backend: Backend) -> Result<Queue<T>> {
    let domain = builder.arena.clone().unwrap_or_default().domain()?;
    if domain.region().depot().is_none() {
        return Err(no_depot());
    }
    let policy = builder.policy()?;
    if policy.dead_letters_after != 0 {
        return Err(no_dead_letters(backend));
    }
    let len = plain_len::<T>().map(|len| len as u64).or(builder.max_message);
    let kind = match backend {
        Backend::PosixMq => kind::MQ_QUEUE,
        _ if len.is_some_and(|len| len <= PACKET as u64) => kind::PIPE_QUEUE,
        _ => kind::SOCKET_QUEUE,
    };
    let geometry = Geometry::fixed(CLAIMS, 0, 0);
    let make = || rings::create(domain.store(), kind, codec::fingerprint::<T>(), &geometry, u64::MAX, policy);
    // The object first: of one that dies while it makes a message queue, the reaper knows by it that a name may be left.
    let object = domain.with_room(make)?;
    let ring = Ring::attach(object.clone())?;
    let mechanism = match kind {
        kind::MQ_QUEUE => limits::mq(builder.capacity, len)?,
        kind::PIPE_QUEUE => limits::pipe(builder.capacity)?,
        _ => {
            let (socket, capacity) = limits::socket(builder.capacity, len)?;
            ring.set_capacity_elsewhere(capacity as u64);
            socket
        }
    };
    let endpoint = Endpoint::create(&object, mechanism, ring.capacity_elsewhere() as usize)?;
    let longest = if kind == kind::SOCKET_QUEUE { u64::MAX } else { endpoint.longest as u64 };
    ring.set_max_message(builder.max_message.unwrap_or(u64::MAX).min(longest));
    Queue::over(object, builder.strategy, Some(Kernel::over::<T>(endpoint)))
}

#[cold]
fn no_dead_letters(backend: Backend) -> Error {
    let what = format!("dead letters are messages that came back, and none does with the backend {backend}");
    Error::new(ErrorKind::Unsupported, "queue", what).hint("use the ring for them")
}

/// The environment's choice is not to be had, and the program goes on.
#[cold]
fn say_once(backend: Backend, why: &Error) {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        tracing::warn!(wanted = %backend, taken = %Backend::Ring, %why, "queues use another backend than PROCESSING_QUEUE says");
    });
}
