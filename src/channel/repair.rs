//! What the arena asks about queues, pipes and locks when somebody died, and at teardown.

use super::waiters::Waiters;
use super::{contents, kind, obituary};
use crate::arena::{Arena, ObjectView, Rings};
use crate::layout::ParticipantId;
use crate::layout::buffered::BufferedBody;
use crate::layout::event::EventBody;
use crate::layout::lock::LockBody;
use crate::layout::semaphore::{Lane, SemaphoreBody, max_of};
use crate::layout::socket_pipe::SocketPipeBody;
use crate::prim::condition::RawCondition;
use crate::prim::event::RawEvent;
use crate::prim::event_count::EventCount;
use crate::prim::lock::RawLock;
use crate::prim::semaphore::{Lanes, RawSemaphore};
use crate::ring::pipe::PipeMemory;
use crate::ring::rings::ring_of;
use crate::ring::wire::Wire;
use crate::sync::atomic::Ordering;
use crate::sync::mutant;
use crate::sys::mqueue;

/// Queues and pipes, by their bodies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rooms;

impl Rings for Rooms {
    fn slot_is_writing(&self, arena: &Arena, object: &ObjectView, ticket: u64, who: ParticipantId) -> bool {
        is_ring(object) && ring_of(arena, object).is_ok_and(|ring| ring.is_writing(ticket, who))
    }

    fn unlink(
        &self,
        arena: &Arena,
        object: &ObjectView,
        ticket: u64,
        who: ParticipantId,
        _block: u64,
        still: &dyn Fn() -> bool,
    ) {
        if !is_ring(object) {
            return;
        }
        if let Ok(ring) = ring_of(arena, object) {
            ring.unlink(ticket, who, still);
        }
    }

    fn repair(&self, arena: &Arena, object: &ObjectView, who: ParticipantId, still: &dyn Fn() -> bool) {
        match object.kind() {
            kind::QUEUE | kind::SEGMENT | kind::PIPE_QUEUE | kind::SOCKET_QUEUE | kind::MQ_QUEUE => {
                if let Ok(ring) = ring_of(arena, object) {
                    ring.repair(who, still);
                }
            }
            kind::PIPE => {
                if let Ok(pipe) = PipeMemory::attach(object.body(arena.region()), object.body_len()) {
                    pipe.ends().repair(who, still, |end| pipe.closed(end));
                }
            }
            kind::SOCKET_PIPE if object.body_len() >= size_of::<SocketPipeBody>() as u64 => {
                Wire::repair(arena.region().at(object.body_offset()), who, still);
            }
            kind::LOCK | kind::RLOCK | kind::LOCKED => repair_lock(arena, object, who, still),
            kind if kind::is_data(kind) => {
                repair_lock(arena, object, who, still);
                contents::repair(arena, object, who, still);
            }
            kind::CONDITION => {
                if let Ok(waiters) = Waiters::attach(arena.region(), object) {
                    RawCondition::new(&waiters).repair(who, still);
                }
            }
            kind::EVENT if object.body_len() >= size_of::<EventBody>() as u64 => {
                let body: &EventBody = arena.region().at(object.body_offset());
                RawEvent::new(&body.word).repair();
            }
            _ => {}
        }
    }

    fn repair_whole(&self, arena: &Arena, object: &ObjectView) {
        if let Some(body) = buffered_body(arena, object) {
            // Its segments are repaired; who sleeps at the queue does not sleep by their words.
            EventCount::new(&body.not_empty).wake_all();
        }
    }

    fn repair_alone(&self, arena: &Arena, object: &ObjectView, who: ParticipantId) {
        match object.kind() {
            kind::SEMAPHORE => repair_semaphore(arena, object, who),
            kind::ARRAY => super::array_repair::finish(arena, object),
            // It may have been about to take its name away.
            kind::MQ_QUEUE => mqueue::remove_leftover(),
            _ => {}
        }
        if let Some(body) = buffered_body(arena, object) {
            // Here and not in `repair`: after the operation on a link that was under way, and by nobody beside the reaper.
            RawLock::new(&body.lock).repair(who, &|| true, &|_| ());
        }
    }

    fn holder_gone(&self, arena: &Arena, holder: &ObjectView, target: &ObjectView) {
        let is_queue = target.kind() == kind::QUEUE || kind::is_kernel_queue(target.kind());
        let half = holder.kind() == kind::HALF && is_queue;
        if half
            && !mutant::on("halves.not_closed")
            && let Ok(ring) = ring_of(arena, target)
        {
            ring.close();
        }
    }

    fn messages(&self, arena: &Arena, object: &ObjectView, each: &mut dyn FnMut(u64)) {
        match object.kind() {
            kind if kind::is_data(kind) => contents::blocks(arena, object, each),
            _ if is_ring(object) => {
                if let Ok(ring) = ring_of(arena, object) {
                    ring.for_each_block(|_, reference| each(reference));
                }
            }
            _ => {}
        }
    }

    fn astray(&self, arena: &Arena, object: &ObjectView, each: &mut dyn FnMut(u64)) {
        if kind::is_data(object.kind()) {
            contents::astray(arena, object, each);
        }
    }
}

/// Its body is a ring with messages.
fn is_ring(object: &ObjectView) -> bool {
    matches!(object.kind(), kind::QUEUE | kind::SEGMENT)
}

fn buffered_body<'a>(arena: &'a Arena, object: &ObjectView) -> Option<&'a BufferedBody> {
    let fits = object.kind() == kind::BUFFERED && object.body_len() >= size_of::<BufferedBody>() as u64;
    fits.then(|| arena.region().at(object.body_offset()))
}

/// What the dead had becomes an orphan, whose next owner is told who it was.
fn repair_lock(arena: &Arena, object: &ObjectView, dead: ParticipantId, still: &dyn Fn() -> bool) {
    if object.body_len() < size_of::<LockBody>() as u64 {
        return;
    }
    let body: &LockBody = arena.region().at(object.body_offset());
    let bury = |word| obituary::write(arena.region(), body, word, dead);
    RawLock::new(&body.word).repair(dead, still, &bury);
}

/// The permits that the dead held are free again.
fn repair_semaphore(arena: &Arena, object: &ObjectView, dead: ParticipantId) {
    let Some(rows) = object.body_len().checked_sub(size_of::<SemaphoreBody>() as u64) else { return };
    let body: &SemaphoreBody = arena.region().at(object.body_offset());
    let count = u64::from(body.lanes.load(Ordering::Relaxed)).min(rows / size_of::<Lane>() as u64);
    let lanes = RegionLanes { arena, object, count: count as u32 };
    let max = max_of(body.bound.load(Ordering::Relaxed));
    RawSemaphore::new(&body.word, &body.event, max, &lanes).repair(dead);
}

/// The lanes of a semaphore that this process need not have open.
struct RegionLanes<'a> {
    arena: &'a Arena,
    object: &'a ObjectView,
    count: u32,
}

impl Lanes for RegionLanes<'_> {
    fn count(&self) -> u32 {
        self.count
    }

    fn lane(&self, number: u32) -> Option<&Lane> {
        let index = number.checked_sub(1).filter(|index| *index < self.count)?;
        let at = size_of::<SemaphoreBody>() + index as usize * size_of::<Lane>();
        Some(self.arena.region().at(self.object.body_offset() + at as u64))
    }
}
