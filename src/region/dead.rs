//! A participant that the kernel declared dead, and what the layers above do about it.

use crate::layout::ParticipantId;
#[cfg(not(loom))]
use crate::region::Region;

/// One tenancy that is over and not yet cleared away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Dead {
    pub id: ParticipantId,
    pub incarnation: u32,
}

#[cfg(not(loom))]
impl Dead {
    /// The second look: the slot is still REAPING with this incarnation.
    ///
    /// Words above name an owner by id alone. Repair code loads such a word (Acquire), *then* asks here, *then*
    /// changes it by CAS of the whole word: what was seen before the slot was still REAPING cannot have been
    /// written by the slot's next tenant. The CAS comes later, so a value must not come back either: each
    /// change of owner has to change something else in the word (a lap, a generation, a count), or a slow
    /// helper robs a next tenant that made the very same word.
    #[inline]
    pub fn still_reaping(&self, region: &Region) -> bool {
        region.table().still_reaping(*self)
    }
}

/// What the layers above undo for a dead participant.
///
/// `repair` runs in the process that found out, in the middle of its own call. It may run several times for
/// one death, by several processes, at once: everything in it is idempotent, and every word is changed by
/// CAS. With `exclusive` the caller is the only process that may do what cannot be done twice (dropping
/// counts, freeing); without it the caller helps because the reaper is slow. A reaper that is killed in it is
/// followed by another one, which starts from the beginning.
///
/// It must not call `meet_dead`, `sweep` or `leave`, must not sleep, and must not panic: a panic leaves the
/// slot REAPING until this process ends.
#[cfg(not(loom))]
pub trait Recover: Sync {
    /// See the trait.
    fn repair(&self, region: &Region, dead: Dead, exclusive: bool);
}

/// Nothing to undo: for regions that hold participants only.
#[cfg(not(loom))]
impl Recover for () {
    fn repair(&self, _region: &Region, _dead: Dead, _exclusive: bool) {}
}
