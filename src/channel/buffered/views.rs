//! From segment to segment, as one client gets: with a claim, or only looking.

use super::structure::Structure;
use crate::channel::errors::GetError;
use crate::channel::queue::Memory;
use crate::layout::ParticipantId;
use crate::layout::object::ObjectId;
use crate::prim::event_count::EventCount;
use crate::prim::limits::{Limits, now};
use crate::prim::watch::Watch;
use crate::ring::kept::Kept;
use crate::ring::series::{Glance, Known, Look, View, glance, look};

/// Segments that a client gets from, the oldest first.
pub(super) type Views = Vec<View<Memory>>;

/// What a look without a claim comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// A get would say something else than `Empty`.
    Something,
    Nothing,
    /// Nothing so far; another is just making the queue grow or shrink, and what is behind the newest segment cannot be seen.
    Hidden,
}

/// How going on to the next segment ended.
enum Step {
    /// It is there.
    Next,
    /// There is none.
    End,
    /// The lock is not to be had.
    Locked,
}

/// So many nanoseconds who only looks waits for the lock, which is held for a few operations.
const BRIEFLY: u64 = 50_000;

/// For who does not wait at all, not even for a stopped owner of the lock.
pub(super) fn briefly() -> Limits<'static> {
    Limits { deadline: Some(now().saturating_add(BRIEFLY)), cancel: None }
}

impl Structure {
    pub(super) fn not_empty(&self) -> EventCount<'_> {
        EventCount::new(&self.body.not_empty)
    }

    /// Claims the next message: one look at all segments that this client must look at. `limits` are for the lock.
    ///
    /// # Errors
    /// `Empty`, `Closed`; `Other` if a segment cannot be attached.
    #[cold]
    pub(super) fn claim(
        &self,
        views: &mut Views,
        me: ParticipantId,
        limits: &Limits<'_>,
    ) -> Result<Kept<Memory>, GetError> {
        loop {
            let past = match look(views, me) {
                Look::Found(index, taken) => {
                    let ring = views.get(index).map(|view| &view.ring);
                    return ring.and_then(|ring| Kept::new(ring, taken)).ok_or(GetError::Empty);
                }
                Look::Empty => false,
                Look::Past => true,
            };
            match self.go_on(views, past, limits)? {
                Step::Next => {}
                Step::End | Step::Locked => return Err(GetError::Empty),
            }
        }
    }

    /// What [`claim`](Self::claim) would find, without a claim and without waiting. As exact: it finds what was published before the call.
    #[cold]
    pub(super) fn sight(&self, views: &mut Views) -> Sight {
        let limits = briefly();
        loop {
            let past = match glance(views) {
                Glance::Something => return Sight::Something,
                Glance::Nothing => false,
                Glance::Past => true,
            };
            match self.go_on(views, past, &limits) {
                Ok(Step::Next) => {}
                Ok(Step::End) => return Sight::Nothing,
                Ok(Step::Locked) => return Sight::Hidden,
                // The end; or a get says what is wrong.
                Err(_) => return Sight::Something,
            }
        }
    }

    /// Announces one that sleeps, elsewhere, until there is something. None: so it may be.
    pub(super) fn watch(&self, views: &mut Views) -> Option<Watch> {
        let mut sight = Sight::Something;
        let watch = self.not_empty().watch(|| {
            sight = self.sight(views);
            sight != Sight::Something
        });
        // Who goes on in front of us may put nothing, and tells nobody of what is there already.
        watch.map(|watch| Watch { unordered: watch.unordered || sight == Sight::Hidden, ..watch })
    }

    /// Nothing can be taken: lets drained segments go, and (`past`) goes to the next one.
    fn go_on(&self, views: &mut Views, past: bool, limits: &Limits<'_>) -> Result<Step, GetError> {
        let drained: Vec<ObjectId> =
            views.iter().filter(|view| view.learn() == Known::Drained).map(|view| view.id).collect();
        if !past && drained.is_empty() {
            return Ok(Step::End);
        }
        let closed = self.is_closed();
        let Some(locked) = self.lock(limits) else {
            return Ok(if past { Step::Locked } else { Step::End });
        };
        let next = match views.last() {
            _ if !past => None,
            None => locked.after(0),
            Some(newest) => locked.after(newest.number),
        };
        let next = next.map(|id| locked.view(id)).transpose()?;
        locked.remove(drained);
        drop(locked);
        // Those that are let go of are dropped after the lock.
        let newest = views.len().wrapping_sub(usize::from(next.is_none()));
        let mut index = 0;
        views.retain(|view| {
            index += 1;
            view.known() != Known::Drained || index > newest
        });
        let found = next.is_some();
        views.extend(next);
        // `closed` was read before: then no segment came after the newest one.
        let over = past && !found && closed && views.iter().all(|view| view.known() == Known::Drained);
        match (over, found) {
            (true, _) => Err(GetError::Closed),
            (false, true) => Ok(Step::Next),
            (false, false) => Ok(Step::End),
        }
    }
}
