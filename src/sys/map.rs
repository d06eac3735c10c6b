//! The mapping of a region.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use memmap2::{MmapOptions, MmapRaw};

/// A whole file, mapped shared, read and write; unmapped on drop.
#[derive(Debug)]
pub struct Mapping(MmapRaw);

impl Mapping {
    /// Maps `len` bytes. No memory is used, or promised by the kernel, for pages that are never touched.
    pub fn new(fd: BorrowedFd<'_>, len: u64) -> io::Result<Self> {
        let len = usize::try_from(len).map_err(|_| io::Error::from_raw_os_error(libc::ENOMEM))?;
        MmapOptions::new().len(len).no_reserve_swap().map_raw(fd.as_raw_fd()).map(Self)
    }

    /// The first byte; stays valid, and mapped, as long as this value.
    #[inline(always)]
    pub fn base(&self) -> *mut u8 {
        self.0.as_mut_ptr()
    }

    /// Bytes mapped.
    #[inline(always)]
    pub fn size(&self) -> u64 {
        self.0.len() as u64
    }
}
