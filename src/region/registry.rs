//! The regions of this process, so that attaching twice gives the same one.
//!
//! Two mappings of one region would be two participants with one beacon: closing either would drop the locks
//! of both.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use crate::region::Region;
use crate::sys::shm::FileId;

/// A region, until the last field of it is dropped.
struct Listed {
    id: u64,
    /// Where it has a name.
    file: Option<FileId>,
    region: Weak<Region>,
}

static REGIONS: Mutex<Vec<Listed>> = Mutex::new(Vec::new());

type Regions = MutexGuard<'static, Vec<Listed>>;

/// The list, locked: joins of this process run one at a time.
pub fn lock() -> Registry {
    Registry(REGIONS.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))
}

/// The locked list.
pub struct Registry(Regions);

/// What the list knows about a region.
pub enum Known {
    No,
    Attached(Arc<Region>),
    /// The last handle is being dropped: its beacon must be closed before another one is used.
    Closing,
}

impl Registry {
    pub fn find(&self, region: u64) -> Known {
        self.first(|listed| listed.id == region)
    }

    /// The region with a name whose file this is.
    pub fn find_file(&self, file: FileId) -> Known {
        self.first(|listed| listed.file == Some(file))
    }

    fn first(&self, is: impl Fn(&Listed) -> bool) -> Known {
        match self.0.iter().find(|listed| is(listed)) {
            None => Known::No,
            Some(listed) => listed.region.upgrade().map_or(Known::Closing, Known::Attached),
        }
    }

    /// Keeps those descriptors open that are of the beacon of a region of this process.
    pub fn keep<const N: usize>(self, fds: [OwnedFd; N]) {
        let regions: Vec<_> = self.0.iter().filter_map(|listed| listed.region.upgrade()).collect();
        for fd in fds {
            if let Some(region) = regions.iter().find(|region| region.is_beacon(&fd)) {
                region.keep_beacon(fd);
            }
        }
        // The lock first: dropping a region takes it.
        drop(self);
    }

    /// A region that is about to be joined: `Closing` for all others, until it is [added](Self::add), or dropped because nothing came of
    /// that. Its drop closes the beacon after the lock is open, and so takes all locks of this process on it along: nobody may have
    /// taken one by then.
    pub fn announce(&mut self, id: u64, file: Option<FileId>) {
        self.0.push(Listed { id, file, region: Weak::new() });
    }

    /// A region that was joined.
    pub fn add(&mut self, id: u64, file: Option<FileId>, region: Weak<Region>) {
        self.0.retain(|listed| listed.id != id || listed.region.strong_count() > 0);
        self.0.push(Listed { id, file, region });
    }
}

/// Takes a region off the list when it is dropped. The last field of a region, so that the beacon's
/// descriptors are closed by then.
#[derive(Debug)]
pub struct Entry(pub u64);

impl Drop for Entry {
    fn drop(&mut self) {
        lock().0.retain(|listed| listed.id != self.0 || listed.region.strong_count() > 0);
    }
}
