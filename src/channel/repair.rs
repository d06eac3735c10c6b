//! What the arena asks about queues and pipes when somebody died, and at teardown.

use super::kind;
use crate::arena::{Arena, ObjectView, Rings};
use crate::layout::ParticipantId;
use crate::ring::pipe::PipeMemory;
use crate::ring::rings::ring_of;

/// Queues and pipes, by their bodies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rooms;

impl Rings for Rooms {
    fn slot_is_writing(&self, arena: &Arena, object: &ObjectView, ticket: u64, who: ParticipantId) -> bool {
        object.kind() == kind::QUEUE && ring_of(arena, object).is_ok_and(|ring| ring.is_writing(ticket, who))
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
        if object.kind() != kind::QUEUE {
            return;
        }
        if let Ok(ring) = ring_of(arena, object) {
            ring.unlink(ticket, who, still);
        }
    }

    fn repair(&self, arena: &Arena, object: &ObjectView, who: ParticipantId, still: &dyn Fn() -> bool) {
        match object.kind() {
            kind::QUEUE => {
                if let Ok(ring) = ring_of(arena, object) {
                    ring.repair(who, still);
                }
            }
            kind::PIPE => {
                if let Ok(pipe) = PipeMemory::attach(object.body(arena.region()), object.body_len()) {
                    pipe.repair(who, still);
                }
            }
            _ => {}
        }
    }

    fn messages(&self, arena: &Arena, object: &ObjectView, each: &mut dyn FnMut(u64)) {
        if object.kind() != kind::QUEUE {
            return;
        }
        if let Ok(ring) = ring_of(arena, object) {
            ring.for_each_block(|_, reference| each(reference));
        }
    }
}
