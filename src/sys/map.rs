//! The mapping of a region.
//!
//! The file of a region is mapped by its descriptor; one that has a name and is finished may be mapped by the name, with the
//! crate `shared_memory`. Of that crate's faults none is met there: the length is final and the pages are committed by
//! whoever touches them (it truncates barely, and its opener may find a length of zero); the mode was set and is checked by
//! who creates the file; it owns nothing, so that neither its drop nor a forked copy's removes the name.
//!
//! # Safety
//!
//! The crate's value is a pointer to bytes that stay mapped as long as it lives, a length, and a descriptor that it
//! closes; it is changed by nobody after it was made. So it may be sent and shared, as the mapping of `memmap2` may.
#![allow(unsafe_code)]

use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use memmap2::{MmapOptions, MmapRaw};
use shared_memory::{Shmem, ShmemConf, ShmemError};

use super::shm::ShmName;

/// A whole file, mapped shared, read and write; unmapped on drop.
pub struct Mapping {
    base: *mut u8,
    len: usize,
    /// Which of the two keeps it mapped.
    _owner: Owner,
}

/// Kept for its drop.
#[allow(dead_code, reason = "what keeps the bytes mapped")]
enum Owner {
    Descriptor(MmapRaw),
    Segment(Box<Shmem>),
}

// SAFETY: see the module.
unsafe impl Send for Mapping {}
// SAFETY: see the module.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps `len` bytes. No memory is used, or promised by the kernel, for pages that are never touched.
    pub fn new(fd: BorrowedFd<'_>, len: u64) -> io::Result<Self> {
        let len = usize::try_from(len).map_err(|_| io::Error::from_raw_os_error(libc::ENOMEM))?;
        let map = MmapOptions::new().len(len).no_reserve_swap().map_raw(fd.as_raw_fd())?;
        Ok(Self { base: map.as_mut_ptr(), len, _owner: Owner::Descriptor(map) })
    }

    /// Maps the file that a name has now, all of it: it may be another one than the caller knows. It keeps a
    /// descriptor of its own, whose closing drops the record locks that this process has on the file.
    pub fn segment(name: &ShmName) -> io::Result<Self> {
        let mut segment = ShmemConf::new().os_id(name.os_id()).open().map_err(|cause| match cause {
            ShmemError::MapOpenFailed(errno) | ShmemError::UnknownOsError(errno) => {
                io::Error::from_raw_os_error(errno as i32)
            }
            other => io::Error::other(other.to_string()),
        })?;
        segment.set_owner(false);
        Ok(Self { base: segment.as_ptr(), len: segment.len(), _owner: Owner::Segment(Box::new(segment)) })
    }

    /// The first byte; stays valid, and mapped, as long as this value.
    #[inline(always)]
    pub fn base(&self) -> *mut u8 {
        self.base
    }

    /// Bytes mapped.
    #[inline(always)]
    pub fn size(&self) -> u64 {
        self.len as u64
    }
}

impl fmt::Debug for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mapping").field("base", &self.base).field("len", &self.len).finish_non_exhaustive()
    }
}
