//! The object that a region with a name stands for: held by nobody, so that it lives as long as the region.
//!
//! Participant 0 is nobody: it has a table of references, like everyone, and no reaper ever goes through it. Who opens the
//! region by its name finds the object there, whoever of the others has come or gone meanwhile.
use std::sync::Arc;

use super::count;
use super::object::too_many;
use super::{Arena, ObjectRef, ObjectView};
use crate::error::{Error, ErrorKind, Result};
use crate::layout::object::{ObjectId, ObjectState, ObjectWord};
use crate::layout::reference::FIRST_REFERENCE;
use crate::layout::{ParticipantId, REFERENCE_SIZE};
use crate::sync::atomic::Ordering::{Acquire, Release};

/// Who holds the reference.
pub(super) const NOBODY: ParticipantId = 0;

impl Arena {
    /// Keeps `object` as long as the region. For the one who made the region, once, before anybody else can see it.
    ///
    /// # Errors
    /// `OutOfMemory`, `WrongProcess`.
    pub fn keep_for_good(&self, object: &ObjectRef) -> Result<()> {
        self.me()?;
        let (first, last) = (FIRST_REFERENCE, FIRST_REFERENCE + 1);
        self.region.commit(self.reference_place(NOBODY, 0), u64::from(last) * REFERENCE_SIZE)?;
        self.reference_control(NOBODY).end.store(u64::from(last), Release);
        let place = self.reference_place(NOBODY, first);
        count::add(self, NOBODY, place, object.id()).map_err(|_| too_many(object.id()))
    }

    /// A reference of this process to an object that is [kept for good](Self::keep_for_good).
    ///
    /// # Errors
    /// `InvalidRegion` if there is no such object; `Limit`, `OutOfMemory`, `WrongProcess`.
    pub fn root(self: &Arc<Self>, bits: u64) -> Result<ObjectRef> {
        self.me()?;
        let missing = || {
            let what = format!("its record names object {bits:#x}, which is not there");
            Error::new(ErrorKind::InvalidRegion, "named region", what)
        };
        let id = ObjectId::from_bits(bits).ok_or_else(missing)?;
        self.ensure_object(id.index)?;
        let word = ObjectWord::unpack(self.object(id.index).word.load(Acquire));
        if word.state != ObjectState::Live {
            return Err(missing());
        }
        // The file may have been damaged: nobody sealed it.
        let total = self.region.geometry().total;
        let inside = |view: &ObjectView| {
            view.body_offset().checked_add(view.body_len()).is_some_and(|end| end <= total)
        };
        let view = self.object_view(id).filter(inside).ok_or_else(missing)?;
        self.share(view)
    }
}
