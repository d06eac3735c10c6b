//! Memory that forked processes share.
//!
//! # Safety
//!
//! A fresh anonymous mapping is page-aligned, all zero, as long as asked, and stays until the process ends:
//! with [`Plain`] (zero is a value, all access through atomics or the type's own discipline) a shared
//! reference to it is sound in this process and in those it forks.
#![allow(unsafe_code)]

use anyhow::Context as _;
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};

/// Types that live in memory shared by processes.
///
/// # Safety
/// All bytes zero are a value; whatever another process may write is atomic or in an `UnsafeCell`; the
/// alignment is at most a page's.
pub unsafe trait Plain: Sync {}

/// A zeroed `T` that this process and those it will fork share. It stays until the program ends.
///
/// # Errors
/// The kernel's: no memory.
pub fn shared<T: Plain>() -> anyhow::Result<&'static T> {
    let bytes = size_of::<T>();
    // POPULATE: page faults are not part of what is measured.
    let flags = MapFlags::SHARED | MapFlags::POPULATE;
    // SAFETY: a new mapping at an address of the kernel's choice.
    let base =
        unsafe { mmap_anonymous(std::ptr::null_mut(), bytes, ProtFlags::READ | ProtFlags::WRITE, flags) };
    let base = base.with_context(|| format!("mapping {bytes} bytes"))?;
    // SAFETY: see the module.
    Ok(unsafe { &*base.cast::<T>() })
}
