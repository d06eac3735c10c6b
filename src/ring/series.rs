//! Getting from several rings, one after the other: the segments of a buffered queue, as one client sees them.
//!
//! A client has a [`View`] of each segment from which something may still come, in order; all but the newest are sealed. It takes
//! from an older one first, and goes past one that has nothing for it right now.
//!
//! # Order
//!
//! Messages of one producer must leave in the order in which they came, also where one lies in an older and one in a newer
//! segment. A client that finds nothing in the older one and *then* a message in the newer one may have missed the message that was
//! published in the older one in between (its slot was W at the first look). So a message is taken from a newer segment only
//! if a complete look at each older one, *begun after that message was seen*, finds nothing: [`Ring::claim_get_if`] asks between the
//! look at a slot and its claim, as it asks for slots that are being written in the same ring.
//!
//! # What need not be looked at
//!
//! Of a sealed segment in which every message is in the hands of consumers nothing more can come, unless a message comes
//! back; and that is what the ring's redelivery epoch tells. Then the look is one load ([`Known::Held`]). One in which everything
//! is consumed for good ([`Known::Drained`]) is never looked at again.
//!
//! So a claim of a stopped producer holds nobody up but for those looks, and a lease, however long it is held, costs a load for
//! each get.

use std::cell::Cell;
use std::sync::Arc;

use super::ParticipantId;
use super::count::Rest;
use super::cursor::ClientCursor;
use super::get::Taken;
use super::memory::RingMemory;
use super::mpmc::Ring;
use crate::layout::object::ObjectId;
use crate::sync::mutant;

/// What a client knows of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Messages may come.
    Nothing,
    /// It is sealed, and only what comes back after this epoch can be taken.
    Held(u64),
    /// Nothing will ever come.
    Drained,
}

/// A segment as one client sees it.
#[derive(Debug)]
pub struct View<M> {
    pub ring: Arc<Ring<M>>,
    pub id: ObjectId,
    /// Its place in the chain.
    pub number: u64,
    pub cursor: ClientCursor,
    known: Cell<Known>,
}

/// What a look at all segments of a client came to.
#[must_use]
pub enum Look<'v, M: RingMemory> {
    /// A message of the segment with this index.
    Found(usize, Taken<'v, M>),
    /// Nothing can be taken, and the newest segment takes more.
    Empty,
    /// Nothing can be taken, and the newest segment is sealed: if there is another one behind it, look there.
    Past,
}

impl<M: RingMemory> View<M> {
    pub fn new(ring: Arc<Ring<M>>, id: ObjectId, number: u64) -> Self {
        Self { ring, id, number, cursor: ClientCursor::default(), known: Cell::new(Known::Nothing) }
    }

    /// What is known of it.
    pub fn known(&self) -> Known {
        self.known.get()
    }

    /// Looks whether it is at its end. To be asked when nothing could be taken.
    #[cold]
    pub fn learn(&self) -> Known {
        if self.known.get() != Known::Drained && self.ring.is_closed() {
            // Before the look: what comes back during it raises the epoch after this.
            let epoch = self.ring.epoch();
            let rest = self.ring.rest();
            let epoch = if mutant::on("series.epoch_late") { self.ring.epoch() } else { epoch };
            self.known.set(match rest {
                Rest::More => Known::Nothing,
                Rest::Held => Known::Held(epoch),
                Rest::Drained => Known::Drained,
            });
        }
        self.known.get()
    }

    /// Something may be there for a client that looks.
    #[inline]
    pub fn may_hold(&self) -> bool {
        match self.known.get() {
            Known::Nothing => true,
            Known::Held(epoch) => self.ring.epoch() != epoch && !mutant::on("series.no_epoch"),
            Known::Drained => false,
        }
    }

    /// A message can be taken there.
    fn has_some(&self) -> bool {
        self.may_hold() && self.ring.look_get(&self.cursor).is_ok()
    }
}

/// What a look without a claim came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glance {
    /// A message can be taken.
    Something,
    /// As [`Look::Empty`].
    Nothing,
    /// As [`Look::Past`].
    Past,
}

/// What [`look`] would find, without a claim. As exact: it finds what was published before the call.
#[cold]
pub fn glance<M: RingMemory>(views: &[View<M>]) -> Glance {
    let Some((newest, older)) = views.split_last() else { return Glance::Past };
    let older = if mutant::on("series.glance_at_newest") { &[] } else { older };
    if older.iter().chain([newest]).any(View::has_some) {
        return Glance::Something;
    }
    for view in views {
        view.learn();
    }
    // After the look, as there.
    if newest.ring.is_closed() { Glance::Past } else { Glance::Nothing }
}

/// Claims the next message for `me`: of the oldest segment that has one. Never waits.
#[cold]
pub fn look<M: RingMemory>(views: &[View<M>], me: ParticipantId) -> Look<'_, M> {
    let Some((newest, older)) = views.split_last() else { return Look::Past };
    for at in 0..older.len() {
        if let Some((index, taken)) = claim_at(views, at, me) {
            return Look::Found(index, taken);
        }
    }
    match claim_at(views, older.len(), me) {
        Some((index, taken)) => Look::Found(index, taken),
        // After the look: one that was sealed since may hold more, which is found before anything behind it.
        None if newest.ring.is_closed() => Look::Past,
        None => Look::Empty,
    }
}

/// Claims from the view with this index, or from an older one if that has something after all.
fn claim_at<M: RingMemory>(
    views: &[View<M>],
    index: usize,
    me: ParticipantId,
) -> Option<(usize, Taken<'_, M>)> {
    let view = views.get(index).filter(|view| view.may_hold())?;
    let mut earlier = None;
    let taken = view.ring.claim_get_if(&view.cursor, me, &mut || {
        if !mutant::on("series.older_not_asked") {
            earlier = (0..index).find_map(|older| claim_at(views, older, me));
        }
        earlier.is_none()
    });
    match (earlier, taken) {
        (Some(found), _) => Some(found),
        (None, Ok(taken)) => Some((index, taken)),
        (None, Err(_)) => {
            view.learn();
            None
        }
    }
}
