//! The places of a child in the arenas that it shares with its parent.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::Result;
use crate::channel::domain::Domain;
use crate::region;

/// The seats of a child that is being started: one in each arena whose handles it is given, and one in the process
/// tree's, so that it need not make another.
///
/// A child takes a seat when it unpacks its arguments. Seats that it does not take (it could not be started, it ended
/// before) are given back with all that was handed to them, when [`over`](Self::over) is called or this is dropped.
pub struct Seat {
    name: String,
    places: Mutex<Vec<Place>>,
}

/// A seat in one arena.
#[derive(Clone)]
pub(super) struct Place {
    pub domain: Arc<Domain>,
    pub seat: region::Seat,
    pub tree: bool,
}

impl Seat {
    /// The seats of a child to be named so.
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), places: Mutex::default() }
    }

    fn places(&self) -> MutexGuard<'_, Vec<Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves a seat in `domain`.
    pub(super) fn reserve(&self, domain: Arc<Domain>, tree: bool) -> Result<Place> {
        let seat = domain.with_room(|| domain.region().reserve(&self.name))?;
        let place = Place { domain, seat, tree };
        self.places().push(place.clone());
        Ok(place)
    }

    /// The child has ended: what it left in the arenas is repaired now and not when somebody is blocked by it.
    pub(crate) fn over(&self) {
        for place in self.places().drain(..) {
            if !place.domain.region().vacate(place.seat, &*place.domain) {
                place.domain.sweep();
            }
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // Without the sweep: the child may well be alive, and others look after the dead, too.
        for place in self.places().drain(..) {
            place.domain.region().vacate(place.seat, &*place.domain);
        }
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat").field("name", &self.name).finish_non_exhaustive()
    }
}
