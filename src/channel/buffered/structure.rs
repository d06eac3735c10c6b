//! The segments of a buffered queue in its arena: making them, finding them, letting them go. What may die where stands in
//! [`crate::ring::chain`].

use std::sync::Arc;

use crate::arena::links::LINKS;
use crate::arena::{Arena as Store, Body, ObjectRef, ObjectView};
use crate::channel::domain::Domain;
use crate::channel::errors::PutError;
use crate::channel::kind;
use crate::channel::queue::Memory;
use crate::error::{Error, ErrorKind, Result};
use crate::layout::ParticipantId;
use crate::layout::buffered::BufferedBody;
use crate::layout::lock::{LockState, LockWord};
use crate::layout::object::ObjectId;
use crate::layout::ring::{Charge, Geometry, Header};
use crate::prim::limits::{BACKSTOP_MIN, Limits, now};
use crate::prim::lock::{Owners, RawLock, Taken};
use crate::prim::spin::{Spinner, WaitStrategy};
use crate::region::Me;
use crate::ring::chain::{Chain, Links};
use crate::ring::rings::{Rented, create_segment, ring_of};
use crate::ring::series::View;
use crate::ring::{Mapped, Rest, Ring};
use crate::sync::atomic::AtomicU64;
use crate::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use crate::sync::fence;
use crate::sys::thread;

/// What a queue is made with.
pub(super) struct Settings {
    pub(super) geometry: Geometry,
    pub(super) max_message: u64,
    /// 0: none.
    pub(super) limit: u64,
}

/// Makes a queue with one segment.
pub(super) fn create(domain: &Domain, type_hash: u64, settings: &Settings) -> Result<ObjectRef> {
    let store = domain.store();
    let first = domain.with_room(|| create_segment(store, kind::SEGMENT, &settings.geometry, 1))?;
    let make = || {
        store.create_with_links(
            kind::BUFFERED,
            type_hash,
            "buffered queue",
            size_of::<BufferedBody>() as u64,
            |_zeros| {},
        )
    };
    let queue = domain.with_room(make)?;
    let body = Body::<BufferedBody>::of(queue.clone())?;
    for (word, value) in body.geometry.iter().zip(settings.geometry.encode()) {
        word.store(value, Relaxed);
    }
    body.max_message.store(settings.max_message, Relaxed);
    body.limit.store(settings.limit, Relaxed);
    body.last.store(first.id().bits(), Relaxed);
    body.segments.store(1, Relaxed);
    body.peak_bytes.store(first.body_len(), Relaxed);
    store.set_link(&queue.view(), 0, first.id())?;
    Ok(queue)
}

/// The shared side of one queue in this process.
pub(super) struct Structure {
    pub(super) body: Body<BufferedBody>,
    pub(super) geometry: Geometry,
    /// 0: none.
    pub(super) limit: u64,
    me: LockWord,
    pub(super) domain: Arc<Domain>,
}

/// The right to change the chain, and to look at segments that only it holds.
pub(super) struct Locked<'a> {
    structure: &'a Structure,
    word: LockWord,
}

/// What a queue has, when it was counted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted {
    pub(super) messages: u64,
    pub(super) bytes: u64,
    pub(super) segments: u64,
    pub(super) peak_messages: u64,
    pub(super) peak_bytes: u64,
}

impl Structure {
    pub(super) fn open(object: ObjectRef, me: Me) -> Result<Self> {
        let body = Body::<BufferedBody>::of(object)?;
        let words = [0, 1, 2, 3].map(|i| body.geometry.get(i).map_or(0, |word| word.load(Relaxed)));
        let geometry = Geometry::decode(words, u64::MAX)?;
        let domain = Domain::of(body.object())?;
        let limit = body.limit.load(Relaxed);
        Ok(Self { body, geometry, limit, me: LockWord::owned(me.id, me.incarnation), domain })
    }

    /// The same for another user of this process.
    pub(super) fn again(&self) -> Result<Self> {
        let body = Body::of(self.object().clone())?;
        let (geometry, limit, me) = (self.geometry, self.limit, self.me);
        Ok(Self { body, geometry, limit, me, domain: self.domain.clone() })
    }

    /// Somebody closed the queue.
    pub(super) fn is_closed(&self) -> bool {
        self.body.closed.load(SeqCst) != 0
    }

    pub(super) fn max_message(&self) -> u64 {
        self.body.max_message.load(Relaxed)
    }

    pub(super) fn object(&self) -> &ObjectRef {
        self.body.object()
    }

    pub(super) fn store(&self) -> &Arc<Store> {
        self.domain.store()
    }

    fn raw(&self) -> RawLock<'_> {
        RawLock::new(&self.body.lock)
    }

    /// Takes the chain's lock within `limits`; who never waits waits for 20 ms, since it is held for a few operations.
    /// `None`: it is not to be had in that time.
    ///
    /// An owner that is *stopped* holds up all that need another segment; one that died is repaired by who waits.
    #[cold]
    pub(super) fn lock(&self, limits: &Limits<'_>) -> Option<Locked<'_>> {
        let word = self.me.by(thread::tag());
        if self.raw().try_fast(word) {
            return Some(Locked { structure: self, word });
        }
        let soon = Limits { deadline: Some(now().saturating_add(BACKSTOP_MIN)), cancel: limits.cancel };
        let limits = if limits.is_try() { &soon } else { limits };
        let spinner = Spinner::new(WaitStrategy::Adaptive);
        let mut met = false;
        loop {
            match self.raw().take(word, limits, &spinner, &Patient(&self.domain)) {
                Taken::Owned => return Some(Locked { structure: self, word }),
                Taken::Inherited(_) => {
                    let locked = Locked { structure: self, word };
                    locked.settle();
                    self.raw().recover(word);
                    return Some(locked);
                }
                Taken::TimedOut if !met => {
                    // Once: it may be the dead's.
                    met = true;
                    let owner = match self.raw().look().state() {
                        LockState::Owned(who, _) => who,
                        _ => continue,
                    };
                    if !self.domain.meet(owner) {
                        return None;
                    }
                }
                Taken::TimedOut | Taken::Cancelled | Taken::Poisoned | Taken::Mine => return None,
            }
        }
    }
}

/// Who waits for the lock takes it from nobody: the reaper of its owner hands it on, when all that the owner had under way is
/// finished. At the backstops it looks for the dead, and so becomes that reaper if nobody is.
struct Patient<'a>(&'a Domain);

impl Owners for Patient<'_> {
    fn is_dead(&self, _: ParticipantId, _: u32) -> bool {
        false
    }

    fn look_for_dead(&self) {
        self.0.look_for_dead();
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        self.structure.raw().release(self.word);
    }
}

impl Links for Structure {
    type Id = ObjectId;

    fn link(&self, node: Option<ObjectId>, i: u32) -> Option<ObjectId> {
        self.store().link(&self.node(node)?, i)
    }

    fn add(&self, node: Option<ObjectId>, i: u32, to: ObjectId) -> Result<()> {
        let node = self.node(node).ok_or_else(damaged)?;
        self.store().set_link(&node, i, to)
    }

    fn drop_link(&self, node: Option<ObjectId>, i: u32) {
        if let Some(node) = self.node(node) {
            // An error only in a forked child, which did not come so far.
            let _ = self.store().clear_link(&node, i);
        }
    }

    fn number(&self, segment: ObjectId) -> u64 {
        self.ring(segment).map_or(0, |(ring, _)| ring.header().number.load(Relaxed))
    }

    fn seal(&self, segment: ObjectId) {
        let Some((ring, view)) = self.ring(segment) else { return };
        ring.seal();
        let charge = Charge { messages: ring.len(), bytes: view.body_len() + ring.bytes_in_blocks() };
        ring.header().charge.store(charge.pack(), Relaxed);
    }
}

impl Structure {
    fn node(&self, node: Option<ObjectId>) -> Option<ObjectView> {
        match node {
            None => Some(self.object().view()),
            Some(id) => self.store().linked(id),
        }
    }

    fn ring(&self, segment: ObjectId) -> Option<(Ring<Mapped<Rented<'_>>>, ObjectView)> {
        let view = self.store().linked(segment)?;
        Some((ring_of(self.store(), &view).ok()?, view))
    }
}

impl Locked<'_> {
    fn chain(&self) -> Chain<'_, Structure> {
        Chain(self.structure)
    }

    /// After a death: finishes what was under way, and counts again.
    #[cold]
    fn settle(&self) {
        self.chain().settle();
        let body = &self.structure.body;
        let (mut count, mut bytes, mut messages, mut last) = (0, 0, 0, None);
        for id in self.chain().segments() {
            if let Some(sealed) = last.replace(id).and_then(|id| self.structure.ring(id)) {
                let charge = charge(sealed.0.header());
                bytes += charge.bytes;
                messages += charge.messages;
            }
            count += 1;
        }
        body.last.store(last.map_or(0, ObjectId::bits), Relaxed);
        body.segments.store(count, Relaxed);
        body.bytes.store(bytes, Relaxed);
        body.messages.store(messages, Relaxed);
    }

    /// Somebody closed the queue.
    pub(super) fn is_closed(&self) -> bool {
        self.structure.is_closed()
    }

    /// The last segment.
    pub(super) fn last(&self) -> Result<ObjectId> {
        ObjectId::from_bits(self.structure.body.last.load(Relaxed)).ok_or_else(damaged)
    }

    /// A view of a segment of the chain, with a reference of this process's own.
    pub(super) fn view(&self, id: ObjectId) -> Result<View<Memory>> {
        let attach = || self.structure.store().attach_linked(id);
        view_of(self.structure.domain.with_room(attach)?)
    }

    /// Adds a segment behind the last one, which is full or sealed.
    ///
    /// # Errors
    /// `Limit`; `Other` with what the arena says.
    pub(super) fn grow(&self) -> Result<View<Memory>, PutError> {
        let (structure, body) = (self.structure, &self.structure.body);
        let last = self.last()?;
        let (ring, view) = structure.ring(last).ok_or_else(damaged)?;
        let need = structure.geometry.body_len();
        if structure.limit != 0 {
            let idle = ring.is_closed() && ring.rest() == Rest::Drained;
            let of_last = if idle { 0 } else { view.body_len() + ring.bytes_in_blocks() };
            let used = body.bytes.load(Relaxed) + of_last;
            if used + need > structure.limit {
                return Err(PutError::Limit { used, limit: structure.limit });
            }
        }
        let number = ring.header().number.load(Relaxed) + 1;
        let make = || create_segment(structure.store(), kind::SEGMENT, &structure.geometry, number);
        // Before the last one is sealed: without room for another one it still serves.
        let new = structure.domain.with_room(make)?;
        self.chain().push(last, new.id())?;
        body.last.store(new.id().bits(), Release);
        body.segments.store(body.segments.load(Relaxed) + 1, Relaxed);
        let charge = charge(ring.header());
        let bytes = body.bytes.load(Relaxed) + charge.bytes;
        let messages = body.messages.load(Relaxed) + charge.messages;
        body.bytes.store(bytes, Relaxed);
        body.messages.store(messages, Relaxed);
        raise(&body.peak_bytes, bytes + need);
        raise(&body.peak_messages, messages);
        Ok(view_of(new)?)
    }

    /// Takes drained segments out.
    pub(super) fn remove(&self, drained: impl IntoIterator<Item = ObjectId>) {
        let body = &self.structure.body;
        for id in drained {
            // The chain, and not the caller's reference, says whether it is in it: so before.
            let charged = self.structure.ring(id).map(|(ring, _)| charge(ring.header()));
            if let (Ok(true), Some(charge)) = (self.chain().remove(id), charged) {
                body.segments.store(body.segments.load(Relaxed).saturating_sub(1), Relaxed);
                body.bytes.store(body.bytes.load(Relaxed).saturating_sub(charge.bytes), Relaxed);
                body.messages.store(body.messages.load(Relaxed).saturating_sub(charge.messages), Relaxed);
            }
        }
    }

    /// The first segment with a number above this one.
    pub(super) fn after(&self, number: u64) -> Option<ObjectId> {
        self.chain().after(number)
    }

    /// Seals the last segment for good.
    pub(super) fn close(&self) -> Result<()> {
        let last = self.last()?;
        // First the seal: killed in between, it is not closed, and the next put goes on in a new segment.
        self.structure.seal(last);
        self.structure.body.closed.store(1, SeqCst);
        // Pairs with the light fence of who commits, and then looks at `closed`.
        fence::heavy();
        Ok(())
    }

    /// Counts everything.
    pub(super) fn count(&self) -> Counted {
        let body = &self.structure.body;
        let mut counted = Counted::default();
        for (ring, view) in self.chain().segments().filter_map(|id| self.structure.ring(id)) {
            counted.messages += ring.len();
            counted.bytes += view.body_len() + ring.bytes_in_blocks();
            counted.segments += 1;
        }
        raise(&body.peak_messages, counted.messages);
        raise(&body.peak_bytes, counted.bytes);
        counted.peak_messages = body.peak_messages.load(Relaxed);
        counted.peak_bytes = body.peak_bytes.load(Relaxed);
        counted
    }

    /// Messages that wait to be taken.
    pub(super) fn len(&self) -> u64 {
        self.chain().segments().filter_map(|id| self.structure.ring(id)).map(|(ring, _)| ring.len()).sum()
    }

    /// No message waits to be taken.
    pub(super) fn is_empty(&self) -> bool {
        self.chain().segments().filter_map(|id| self.structure.ring(id)).all(|(ring, _)| ring.is_empty())
    }
}

/// What its chain counts for a sealed segment.
fn charge(header: &Header) -> Charge {
    Charge::unpack(header.charge.load(Relaxed))
}

/// Only under the lock.
fn raise(peak: &AtomicU64, to: u64) {
    if peak.load(Relaxed) < to {
        peak.store(to, Relaxed);
    }
}

fn view_of(object: ObjectRef) -> Result<View<Memory>> {
    let id = object.id();
    let ring = Ring::attach(object)?;
    let number = ring.header().number.load(Acquire);
    Ok(View::new(Arc::new(ring), id, number))
}

#[cold]
fn damaged() -> Error {
    Error::new(ErrorKind::Corrupt, "buffered queue", "its chain of segments leads nowhere")
}

const _: () = assert!(LINKS >= 2);
