//! A queue of the kernel as this process has it: one for each object, shared by all handles.

use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::limits;
use super::mechanism::{Letter, Mechanism};
use crate::arena::{Arena, ObjectRef};
use crate::channel::domain::Domain;
use crate::channel::errors::{GetError, PutError};
use crate::error::{Error, ErrorKind, Result};
use crate::layout::object::ObjectId;
use crate::region::Me;
use crate::sys::{memfd, parcel};

/// See the module. Its descriptors are closed with the last handle; with the last one of all, the record in the depot goes, too.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) mechanism: Mechanism,
    /// The longest message that is not a parcel.
    pub(super) longest: usize,
    pub(super) capacity: usize,
    /// What became of a message that a batch took out and could make nothing of: the next get says it.
    owed: Mutex<Option<GetError>>,
    id: ObjectId,
    me: Me,
    store: Arc<Arena>,
}

/// Those of this process. Opening one again does not take descriptors again.
static OPEN: Mutex<Vec<Weak<Endpoint>>> = Mutex::new(Vec::new());

impl Endpoint {
    /// That of a new object, in which `noted` is noted as its capacity; leaves its descriptors in the depot.
    pub(super) fn create(object: &ObjectRef, mechanism: Mechanism, noted: usize) -> Result<Arc<Self>> {
        let store = object.arena();
        let depot = store.region().open_depot()?.ok_or_else(no_depot)?;
        let leave = || depot.leave(object.id().bits(), &mechanism.fds());
        leave().or_else(|_full| {
            purge(&depot, store);
            leave()
        })?;
        drop(depot);
        Self::remember(object, mechanism, noted)
    }

    /// That of an object whose handle this process got.
    pub(super) fn of(object: &ObjectRef, noted: usize) -> Result<Arc<Self>> {
        if let Some(known) = Self::known(object)? {
            return Ok(known);
        }
        let lost = || {
            Error::new(
                ErrorKind::InvalidState,
                name(object),
                "its descriptors are not in the depot of its arena",
            )
        };
        let depot = object.arena().region().open_depot()?.ok_or_else(no_depot)?;
        let fds = depot.find(object.id().bits())?.ok_or_else(lost)?;
        drop(depot);
        let mechanism = Mechanism::of(object.kind(), fds).ok_or_else(lost)?;
        Self::remember(object, mechanism, noted)
    }

    fn known(object: &ObjectRef) -> Result<Option<Arc<Self>>> {
        let me = object.arena().region().me()?;
        let region = object.arena().region().id();
        let open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        // One of a former life (before a fork) is another participant's. Dropped after the lock, which a drop takes.
        let all: Vec<_> = open.iter().filter_map(Weak::upgrade).collect();
        drop(open);
        let is_it = |e: &Arc<Self>| e.id == object.id() && e.me == me && e.store.region().id() == region;
        Ok(all.into_iter().find(is_it))
    }

    fn remember(object: &ObjectRef, mechanism: Mechanism, noted: usize) -> Result<Arc<Self>> {
        let asked = |cause| Error::os(name(object), "asking for its limits", cause);
        let store = object.arena().clone();
        let capacity = limits::capacity(&mechanism, noted).map_err(asked)?;
        let endpoint = Arc::new(Self {
            longest: limits::longest(&mechanism, capacity).map_err(asked)?,
            capacity,
            owed: Mutex::default(),
            id: object.id(),
            me: store.region().me()?,
            store,
            mechanism,
        });
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|known| known.strong_count() > 0);
        open.push(Arc::downgrade(&endpoint));
        Ok(endpoint)
    }

    /// Keeps the error of a message that is gone, for the next get of this process.
    #[cold]
    pub(super) fn owe(&self, error: GetError) {
        // Of two the first is said.
        self.owed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    /// Such an error, which is said now.
    pub(super) fn owed(&self) -> Option<GetError> {
        self.owed.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The message as it is sent.
    pub(super) fn letter<'a>(&self, bytes: &'a [u8]) -> Result<Letter<'a>, PutError> {
        if bytes.is_empty() {
            return Ok(Letter::Bytes(&[0])); // see `trimmed`
        }
        if bytes.len() <= self.longest {
            return Ok(Letter::Bytes(bytes));
        }
        if !matches!(self.mechanism, Mechanism::Socket(_)) {
            return Err(PutError::TooLarge { len: bytes.len() as u64, max: self.longest as u64 });
        }
        let file = parcel::pack_sealed(bytes).map_err(|cause| {
            Error::os("queue", "making the memory file of a long message", cause).hint(
                "raise the limit of the machine's or the cgroup's memory, of open files or of file sizes",
            )
        })?;
        Ok(Letter::Parcel(file, bytes.len() as u64))
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        // Others find the record later if somebody is in the depot right now.
        if self.store.me().is_ok()
            && !self.store.is_live(self.id)
            && let Some(depot) = self.store.region().try_open_depot()
        {
            purge(&depot, &self.store);
        }
    }
}

/// Drops from the depot what belongs to objects that are gone.
pub(in crate::channel) fn purge_depot(domain: &Domain) {
    if domain.me().is_ok()
        && let Some(depot) = domain.region().try_open_depot()
    {
        purge(&depot, domain.store());
    }
}

fn purge(depot: &crate::region::depot::OpenDepot<'_>, store: &Arena) {
    // What is left over then is found the next time.
    let _ = depot.purge(|key| ObjectId::from_bits(key).is_some_and(|id| store.is_live(id)));
}

/// The bytes of a parcel, for `into` to make room for.
pub(super) fn unpack<B>(
    file: impl AsFd,
    into: impl FnOnce(usize) -> B,
    bytes_of: impl FnOnce(&mut B) -> &mut [u8],
) -> std::io::Result<B> {
    let len = usize::try_from(memfd::stat(file.as_fd())?.len).unwrap_or(0);
    let mut buffer = into(len);
    memfd::read_at(file.as_fd(), bytes_of(&mut buffer), 0)?;
    Ok(buffer)
}

pub(super) fn name(object: &ObjectRef) -> String {
    format!("queue {}", object.id().index)
}

#[cold]
pub(super) fn no_depot() -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "queue",
        "its arena has no depot for descriptors, which only arenas without a name have",
    )
    .hint("use the ring, or an arena that is passed on to children")
}
