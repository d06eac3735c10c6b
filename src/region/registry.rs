//! The regions of this process, so that attaching twice gives the same one.
//!
//! Two mappings of one region would be two participants with one beacon: closing either would drop the locks
//! of both.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use crate::region::Region;

static REGIONS: Mutex<Vec<(u64, Weak<Region>)>> = Mutex::new(Vec::new());

type Regions = MutexGuard<'static, Vec<(u64, Weak<Region>)>>;

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
        match self.0.iter().find(|(id, _)| *id == region) {
            None => Known::No,
            Some((_, weak)) => weak.upgrade().map_or(Known::Closing, Known::Attached),
        }
    }

    /// Keeps a descriptor open if it is the beacon of a region of this process.
    pub fn keep(self, fd: OwnedFd) {
        let regions: Vec<_> = self.0.iter().filter_map(|(_, weak)| weak.upgrade()).collect();
        if let Some(region) = regions.iter().find(|region| region.is_beacon(&fd)) {
            region.keep_beacon(fd);
        }
        // The lock first: dropping a region takes it.
        drop(self);
    }

    pub fn add(&mut self, region: u64, weak: Weak<Region>) {
        self.0.push((region, weak));
    }
}

/// Takes a region off the list when it is dropped. The last field of a region, so that the beacon's
/// descriptors are closed by then.
#[derive(Debug)]
pub struct Entry(pub u64);

impl Drop for Entry {
    fn drop(&mut self) {
        lock().0.retain(|(id, weak)| *id != self.0 || weak.strong_count() > 0);
    }
}
