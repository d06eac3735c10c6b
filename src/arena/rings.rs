//! What the arena asks the layer above about objects that hold messages.
use super::Arena;
use super::object::ObjectView;
use crate::layout::ParticipantId;

/// Knows the insides of objects by their kind.
///
/// None of these may sleep, panic, or call the arena's `alloc`, `create_object` or `repair`. All may be called again for the
/// same arguments, and by several processes at once. Objects of a kind without messages answer nothing.
///
/// `still` is the second look: load the word, then ask it, then change the word by CAS, and only if it said true.
pub trait Rings: Sync {
    /// Whether the slot of `ticket` is W(ticket, who).
    fn slot_is_writing(&self, arena: &Arena, object: &ObjectView, ticket: u64, who: ParticipantId) -> bool;

    /// The dead `who` committed `block`: its slot, if still R(ticket, who), becomes E of the next lap; a lease
    /// cell HELD(who) that names the block becomes FREE.
    fn unlink(
        &self,
        arena: &Arena,
        object: &ObjectView,
        ticket: u64,
        who: ParticipantId,
        block: u64,
        still: &dyn Fn() -> bool,
    );

    /// Lease cells, then slots of `who`, then the redeliver epoch, always, then all sleepers are woken.
    fn repair(&self, arena: &Arena, object: &ObjectView, who: ParticipantId, still: &dyn Fn() -> bool);

    /// After [`repair`](Self::repair) of all objects that `who` was attached to: for what consists of several. Reaper and helpers.
    fn repair_whole(&self, arena: &Arena, object: &ObjectView) {
        let _ = (arena, object);
    }

    /// What one alone may do for `who`: its reaper, or `who` itself when its last reference goes. It follows
    /// [`repair`](Self::repair); helpers do not call it, so that permits which are counted come back once.
    fn repair_alone(&self, arena: &Arena, object: &ObjectView, who: ParticipantId) {
        let _ = (arena, object, who);
    }

    /// Nobody holds `holder` any more, which was [made](Arena::create_holder) to hold `target`. `target` lives until this returns.
    fn holder_gone(&self, arena: &Arena, holder: &ObjectView, target: &ObjectView) {
        let _ = (arena, holder, target);
    }

    /// Every block that the object names (of a queue: by a slot or a lease cell, whatever its state but empty), each once, and what leads to others
    /// after those. At teardown nobody else uses the object, and `each` frees what it is told; killed in it, the next one asks again: so a
    /// block is looked into only if it is content of the object still. `fsck` asks at rest.
    fn messages(&self, arena: &Arena, object: &ObjectView, each: &mut dyn FnMut(u64));

    /// Every block that the object leads its users to and that is no content of it, by where its payload starts. `fsck` asks at rest, also while what a
    /// dead one was doing waits for its heir: what is led to is content before, and freed after nothing leads to it.
    fn astray(&self, arena: &Arena, object: &ObjectView, each: &mut dyn FnMut(u64)) {
        let _ = (arena, object, each);
    }
}

/// For regions whose objects hold no messages.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoRings;

impl Rings for NoRings {
    fn slot_is_writing(&self, _: &Arena, _: &ObjectView, _: u64, _: ParticipantId) -> bool {
        false
    }
    fn unlink(&self, _: &Arena, _: &ObjectView, _: u64, _: ParticipantId, _: u64, _: &dyn Fn() -> bool) {}
    fn repair(&self, _: &Arena, _: &ObjectView, _: ParticipantId, _: &dyn Fn() -> bool) {}
    fn messages(&self, _: &Arena, _: &ObjectView, _: &mut dyn FnMut(u64)) {}
}
