//! The two halves of a queue, each of which sees when the other is gone.
//!
//! For each half the arena has an object of its own, a *half*, without content, which counts who has handles of it and holds the queue. Whoever lets go
//! of the last reference to a half (the process that drops its last handle, or the reaper of a dead one) tears the half down, and so
//! closes the queue: before the half's own reference to it goes, and again if that process dies in it. There is no other state: a
//! queue without producers is closed, and one without consumers is, too.
//!
//! | a death of d | leaves | repair |
//! |---|---|---|
//! | with handles | HELD(d) of the half | its last step drops it: after d's claims in the ring were undone, so that nothing published is behind the close |
//! | after the count went to 0 | half DYING(d) | torn down: closed |
//! | after the close | half DYING(d), body BODY or DYING(d) | the rest, closing once more |

use std::fmt;

use rkyv::rancor::{Fallible, Source};
use rkyv::{Archive, Deserialize, Place, Serialize};

use super::Queue;
use crate::arena::ObjectRef;
use crate::channel::kind;
use crate::channel::message::Message;
use crate::channel::transfer::{self, Child};
use crate::error::{Error, ErrorKind, Result};
use crate::prim::spin::WaitStrategy;
use crate::ring::handle::ArchivedHandle;

/// Who has a half, as its type.
const PRODUCERS: u64 = 1;
const CONSUMERS: u64 = 2;

/// A handle that puts into a queue, from [`QueueBuilder::build_halves`](super::QueueBuilder::build_halves).
///
/// While there is one in any process, the consumers wait for messages; when the last one is gone (dropped, or dead with its process), they get what is left and then
/// `Closed`. When the last [`Consumer`] is gone, puts fail with `Closed`; what was put and not yet taken is lost with the queue then.
///
/// Cheap to clone; it goes to other threads, to processes as an argument, and into messages, as a [`Queue`] does. A death is noticed as all deaths are: by the parent, and by who waits,
/// at the latest a second later.
pub struct Producer<T> {
    /// Before the queue: when it goes with the last of its kind, it closes the queue.
    half: ObjectRef,
    pub(super) queue: Queue<T>,
}

impl<T> Clone for Producer<T> {
    fn clone(&self) -> Self {
        Self { half: self.half.clone(), queue: self.queue.clone() }
    }
}

impl<T> fmt::Debug for Producer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<Producer of {:?}>", self.queue)
    }
}

impl<T> Archive for Producer<T> {
    type Archived = ArchivedHandle<Producer<T>>;
    type Resolver = u32;

    fn resolve(&self, index: u32, out: Place<Self::Archived>) {
        ArchivedHandle::emplace(index, out);
    }
}

impl<T, S: Fallible<Error: Source> + ?Sized> Serialize<S> for Producer<T> {
    fn serialize(&self, _: &mut S) -> Result<u32, S::Error> {
        export(&self.half, &self.queue).map_err(S::Error::new)
    }
}

impl<T: Message, D: Fallible<Error: Source> + ?Sized> Deserialize<Producer<T>, D>
    for ArchivedHandle<Producer<T>>
{
    fn deserialize(&self, _: &mut D) -> Result<Producer<T>, D::Error> {
        let (half, queue) = import(self.index(), PRODUCERS).map_err(D::Error::new)?;
        Ok(Producer { half, queue })
    }
}

/// A handle that gets from a queue, from [`QueueBuilder::build_halves`](super::QueueBuilder::build_halves).
///
/// When the last [`Producer`] is gone, in whatever process, gets drain the queue and then answer `Closed`; a lease that is given back, or whose
/// holder dies, is waited for before. When the last consumer is gone, puts fail with `Closed`.
///
/// Cheap to clone; it goes where a [`Queue`] goes.
pub struct Consumer<T> {
    /// Before the queue: when it goes with the last of its kind, it closes the queue.
    half: ObjectRef,
    pub(super) queue: Queue<T>,
}

impl<T> Clone for Consumer<T> {
    fn clone(&self) -> Self {
        Self { half: self.half.clone(), queue: self.queue.clone() }
    }
}

impl<T> fmt::Debug for Consumer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<Consumer of {:?}>", self.queue)
    }
}

impl<T> Archive for Consumer<T> {
    type Archived = ArchivedHandle<Consumer<T>>;
    type Resolver = u32;

    fn resolve(&self, index: u32, out: Place<Self::Archived>) {
        ArchivedHandle::emplace(index, out);
    }
}

impl<T, S: Fallible<Error: Source> + ?Sized> Serialize<S> for Consumer<T> {
    fn serialize(&self, _: &mut S) -> Result<u32, S::Error> {
        export(&self.half, &self.queue).map_err(S::Error::new)
    }
}

impl<T: Message, D: Fallible<Error: Source> + ?Sized> Deserialize<Consumer<T>, D>
    for ArchivedHandle<Consumer<T>>
{
    fn deserialize(&self, _: &mut D) -> Result<Consumer<T>, D::Error> {
        let (half, queue) = import(self.index(), CONSUMERS).map_err(D::Error::new)?;
        Ok(Consumer { half, queue })
    }
}

/// The halves of a queue that nobody else has a handle of.
pub(super) fn of<T: Message>(queue: &Queue<T>) -> Result<(Producer<T>, Consumer<T>)> {
    let domain = &queue.shared.domain;
    let half = |role, name| {
        let create = || domain.store().create_holder(kind::HALF, role, name, &queue.shared.object);
        domain.with_room(create)
    };
    let producers = half(PRODUCERS, "producers")?;
    let consumers = half(CONSUMERS, "consumers")?;
    Ok((
        Producer { half: producers, queue: queue.clone() },
        Consumer { half: consumers, queue: queue.clone() },
    ))
}

/// Two handles, one behind the other: of the queue, and of the half.
fn export<T>(half: &ObjectRef, queue: &Queue<T>) -> Result<u32> {
    let child = |object: &ObjectRef| Child::whole(object.clone());
    let index = transfer::export(child(&queue.shared.object))?;
    transfer::export(child(half))?;
    Ok(index)
}

fn import<T: Message>(index: u32, role: u64) -> Result<(ObjectRef, Queue<T>)> {
    let queue = transfer::import(index)?.object;
    let half = transfer::import(index.saturating_add(1))?.object;
    if half.kind() != kind::HALF || half.type_hash() != role {
        let what = "it is not the half of a queue that the type says";
        return Err(Error::new(ErrorKind::TypeMismatch, format!("object {}", half.id().index), what));
    }
    Ok((half, transfer::noted(Queue::open(queue, WaitStrategy::default()))?))
}
