//! What is done for a dead participant; the steps are lettered in [`super`].
use std::collections::HashMap;

use super::object::{ObjectRef, ObjectView};
use super::{Arena, count, own};
use crate::layout::block::{BlockRef, OwnState, OwnWord, Position};
use crate::layout::object::ObjectId;
use crate::layout::reference::{ReferenceState, ReferenceWord};
use crate::layout::{PAGE, ParticipantId};
use crate::region::Dead;
use crate::sync::atomic::Ordering::{Acquire, Relaxed};
use crate::sync::mutant;

/// The queues that may be touched for a dead participant.
struct Attached {
    views: HashMap<u64, ObjectView>,
    /// What keeps a helper's queues alive.
    _held: Vec<ObjectRef>,
}

impl Arena {
    /// Repairs what `dead` left, as its reaper (`exclusive`) or as a helper. Called from [`Recover::repair`](crate::region::Recover::repair).
    ///
    /// Killed in it, the next reaper does it again. Cost: a look at every block and object there is; nothing waits.
    pub fn repair(&self, dead: Dead, exclusive: bool) {
        let still = || exclusive || mutant::on("arena.no_second_look") || dead.still_reaping(&self.region);
        let d = dead.id;
        // One that made no reference yet has no page for them. A refusal costs the page fault, no more.
        let _ = self.region.commit(self.reference_place(d, 0), PAGE);
        if exclusive {
            // Before anything that others may wait for is repaired: they look here when they are woken.
            self.region.clear_announcements(d);
            // (a) Before all else: later operations as `d` would hide whether this one was done. An object
            // that this takes the last reference of is DYING(d), and found in (h).
            count::finish(self, d);
        }
        let attached = if exclusive { self.attached_of(d) } else { self.attached_with(d) };
        if mutant::on("arena.slots_first") {
            self.repair_rings(d, &attached, &still);
        }
        let blocks = self.repair_blocks(d, &attached, &still);
        self.repair_rings(d, &attached, &still);
        if exclusive {
            for view in attached.views.values() {
                self.rings.repair_alone(self, view, d);
            }
            self.repair_chunks(d);
            self.bury_all(d, &blocks);
            self.repair_objects(d);
            self.repair_references(d);
        }
    }

    /// (c) to (e).
    fn repair_rings(&self, dead: ParticipantId, attached: &Attached, still: &dyn Fn() -> bool) {
        for view in attached.views.values() {
            self.rings.repair(self, view, dead, still);
        }
        for view in attached.views.values() {
            self.rings.repair_whole(self, view);
        }
    }

    /// For the reaper: what the dead one's own references keep alive.
    fn attached_of(&self, dead: ParticipantId) -> Attached {
        let views = self.held_by(dead).filter_map(|id| Some((id.bits(), self.object_view(id)?))).collect();
        Attached { views, _held: Vec::new() }
    }

    /// For a helper: of those only what its own references keep alive too.
    fn attached_with(&self, dead: ParticipantId) -> Attached {
        let theirs: Vec<ObjectId> = self.held_by(dead).collect();
        let held: Vec<ObjectRef> =
            self.all_attached().into_iter().filter(|mine| theirs.contains(&mine.id())).collect();
        Attached { views: held.iter().map(|mine| (mine.id().bits(), mine.view())).collect(), _held: held }
    }

    /// The objects that a participant's entries hold.
    pub(super) fn held_by(&self, who: ParticipantId) -> impl Iterator<Item = ObjectId> + '_ {
        self.reference_places(who).filter_map(|place| {
            let entry = count::Book::entry(self, place)?;
            let held = ReferenceWord::unpack(entry.word.load(Acquire)).state == ReferenceState::Held;
            held.then(|| ObjectId::from_bits(entry.object.load(Relaxed))).flatten()
        })
    }

    /// (b) The blocks that name the dead one; those that it leaves DYING(d) are freed in (g).
    fn repair_blocks(
        &self,
        dead: ParticipantId,
        attached: &Attached,
        still: &dyn Fn() -> bool,
    ) -> Vec<Position> {
        let mut named = Vec::new();
        self.each_block(|position, header| {
            let Some(seen) = own::look(header, dead) else { return };
            named.push(position);
            let ring = attached.views.get(&seen.ring);
            match seen.own.state {
                OwnState::Private => {
                    if still() {
                        own::condemn(header, seen.own, dead);
                    }
                }
                OwnState::Sent => {
                    let writing =
                        ring.is_some_and(|ring| self.rings.slot_is_writing(self, ring, seen.ticket, dead));
                    if writing && still() {
                        own::condemn(header, seen.own, dead);
                    }
                }
                OwnState::Dying => {
                    if let Some(ring) = ring.filter(|_| !mutant::on("arena.no_unlink")) {
                        let block = BlockRef::new(position, seen.own.generation).0;
                        self.rings.unlink(self, ring, seen.ticket, dead, block, still);
                    }
                }
                // What an object names goes with the object, or is settled by the next owner of its lock.
                OwnState::Free | OwnState::Body | OwnState::Value | OwnState::Invalid => {}
            }
        });
        named
    }

    /// (g)
    fn bury_all(&self, dead: ParticipantId, named: &[Position]) {
        for position in named {
            let Some(view) = self.block_at(*position) else { continue };
            let own = OwnWord::unpack(view.header().own.load(Acquire));
            if own.state == OwnState::Dying && own.who == dead {
                // What its children took along is DYING(d), and found in (h).
                self.bury(view, dead, Some(&mut Vec::new()));
            }
        }
    }
}
