//! Which of several objects are ready.

/// What [`select`](crate::select) found: the places, in its list, of the objects that are ready, in ascending order.
///
/// Empty: the time was up, and none was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ready {
    places: Vec<usize>,
}

impl Ready {
    pub(super) fn of(places: Vec<usize>) -> Self {
        Self { places }
    }

    /// None is ready: the time was up.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// How many are ready.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether the object at this place is ready.
    pub fn contains(&self, place: usize) -> bool {
        self.places.binary_search(&place).is_ok()
    }

    /// The first place whose object is ready. Who serves only that one starves those behind it.
    pub fn first(&self) -> Option<usize> {
        self.places.first().copied()
    }

    /// The places.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        self.places.iter().copied()
    }
}

impl IntoIterator for Ready {
    type Item = usize;
    type IntoIter = std::vec::IntoIter<usize>;

    fn into_iter(self) -> Self::IntoIter {
        self.places.into_iter()
    }
}
