//! Making a named region, and giving it its name.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::layout::CHUNK;
use crate::layout::header::{NAMED_AT, NAMED_END};
use crate::region::files::Files;
use crate::region::named::Record;
use crate::region::named::errors::{no_entry, no_folder, no_space, object};
use crate::region::{Geometry, Region, registry};
use crate::sys::beacon::Beacon;
use crate::sys::map::Mapping;
use crate::sys::shm::{self, ShmName};
use crate::sys::{membarrier, memfd, random};

impl Region {
    /// Creates a region of at most `limit` bytes that can be given a name, and joins it. It has none yet: nobody else
    /// can see it, and if it is dropped or its creator dies, nothing is left.
    ///
    /// # Errors
    /// `OutOfMemory` if the address space or the memory cannot be had, `InvalidInput` for an impossible limit,
    /// `Unsupported` if there is no folder of shared memory, `Os`.
    pub fn create_named(limit: u64) -> Result<Arc<Self>> {
        membarrier::register();
        let failed = |call: &'static str| move |cause: io::Error| Error::os("named region", call, cause);
        let id = random::nonzero().map_err(failed("getrandom"))?;
        let file = shm::create().map_err(no_folder)?;
        let limit = limit.max(CHUNK).checked_next_multiple_of(CHUNK);
        let Some(geometry) = limit.and_then(Geometry::named) else {
            let what = format!("a limit of {} bytes is not possible", limit.unwrap_or(u64::MAX));
            return Err(Error::new(ErrorKind::InvalidInput, "named region", what));
        };
        let map = memfd::set_len(file.as_fd(), geometry.total)
            .and_then(|()| Mapping::new(file.as_fd(), geometry.total))
            .map_err(|cause| no_space(&geometry, cause))?;
        let file = Beacon::adopt(file).map_err(failed("fstat"))?;
        Self::found(map, Files::named(file, None)?, geometry, id)
    }

    /// Gives the region its name, when everything is in it. False: there is such a name already.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn publish(&self, name: &ShmName, record: &Record) -> Result<bool> {
        let Files::Named { name: own, .. } = self.files() else {
            return Err(Error::new(ErrorKind::InvalidState, object(name), "the region was made without one"));
        };
        self.me()?;
        record.store(&self.header().named);
        // Alone: another thread that looks at the name must not meet a file of which it does not know that it is ours.
        let _alone = registry::lock();
        let linked = shm::link(self.memfd(), name).map_err(|cause| no_entry(name, cause))?;
        if linked {
            // The one caller sets it once.
            let _ = own.set(name.clone());
        }
        Ok(linked)
    }

    /// What a named region says of itself.
    ///
    /// # Errors
    /// `InvalidRegion` if it has no name or says nonsense.
    pub fn record(&self) -> Result<Record> {
        let mut bytes = [0; NAMED_END];
        memfd::read_at(self.memfd(), &mut bytes, 0)
            .map_err(|cause| Error::os("named region", "read", cause))?;
        Record::read(&bytes[NAMED_AT..])
    }

    /// The name, if the region has one.
    pub fn name(&self) -> Option<&str> {
        self.files().name().map(ShmName::as_str)
    }
}
