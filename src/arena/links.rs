//! Counted references that objects hold to each other: entries right before a body.
//!
//! They are what the references in messages are: each keeps its object alive, goes when the object that holds it goes, and is
//! seen by `fsck`. Unlike those they may change while others use the object. Who changes them must exclude all others, also beyond
//! its own death: **until its reaper has finished or given up the operation under way** (step (a) of the repair), for
//! that finds the entry by its place alone. A lock that only [`Rings::repair_alone`](super::Rings::repair_alone) takes
//! from the dead does that.

use std::sync::Arc;

use super::Arena;
use super::count::{self, Book, Outcome};
use super::handle::lock;
use super::object::{ObjectRef, ObjectView, too_many};
use crate::error::{Error, ErrorKind, Result};
use crate::layout::object::ObjectId;
use crate::layout::reference::{ReferenceState, ReferenceWord};
use crate::sync::atomic::Ordering::{Acquire, Relaxed};

/// How many links an object has that has any: as many as keep its body aligned to a line.
pub const LINKS: u32 = 4;

impl Arena {
    /// As [`create_object`](Self::create_object), with [`LINKS`] links, all empty.
    ///
    /// # Errors
    /// As there.
    pub fn create_with_links(
        self: &Arc<Self>,
        kind: u32,
        type_hash: u64,
        name: &str,
        body_len: u64,
        init: impl FnOnce(*mut u8),
    ) -> Result<ObjectRef> {
        self.create_linked(kind, type_hash, name, LINKS, body_len, init)
    }

    /// Where link `i` leads; `None` if it is empty.
    pub fn link(&self, object: &ObjectView, i: u32) -> Option<ObjectId> {
        let entry = Book::entry(self, object.link_place(i)?)?;
        let held = ReferenceWord::unpack(entry.word.load(Acquire)).state == ReferenceState::Held;
        held.then(|| ObjectId::from_bits(entry.object.load(Relaxed))).flatten()
    }

    /// Makes the empty link `i` a reference to `to`, which something else keeps alive meanwhile.
    ///
    /// Killed in it: done, or given up, by the reaper.
    ///
    /// # Errors
    /// `Limit` if `to` has too many references, `InvalidInput` if there is no such link, `WrongProcess`.
    pub fn set_link(&self, object: &ObjectView, i: u32, to: ObjectId) -> Result<()> {
        let me = self.me()?;
        let place = object.link_place(i).filter(|_| self.link(object, i).is_none()).ok_or_else(no_link)?;
        let _alone = lock(&self.table);
        count::add(self, me, place, to).map_err(|_| too_many(to))
    }

    /// Empties link `i`. What it led to goes if that was the last reference.
    ///
    /// Killed in it: the reaper goes on with it.
    ///
    /// # Errors
    /// `WrongProcess`.
    pub fn clear_link(&self, object: &ObjectView, i: u32) -> Result<()> {
        let me = self.me()?;
        let Some(place) = object.link_place(i) else { return Ok(()) };
        let alone = lock(&self.table);
        let outcome = count::remove(self, me, place);
        drop(alone);
        if let Some(Outcome::Last(object)) = outcome {
            self.tear_down_all(me, vec![object]);
        }
        Ok(())
    }

    /// An object that a link leads to, while that link cannot change.
    pub fn linked(&self, id: ObjectId) -> Option<ObjectView> {
        self.object_view(id)
    }

    /// A reference of this process's own to an object that a link leads to, while that link cannot change.
    ///
    /// # Errors
    /// `Limit` as for [`create_object`](Self::create_object); `InvalidInput` if there is no such object.
    pub fn attach_linked(self: &Arc<Self>, id: ObjectId) -> Result<ObjectRef> {
        self.me()?;
        self.share(self.object_view(id).ok_or_else(no_link)?)
    }
}

#[cold]
fn no_link() -> Error {
    Error::new(ErrorKind::InvalidInput, "object", "there is no such link, or it is taken")
}
