//! Memory that forked processes share.
//!
//! # Safety
//!
//! A fresh anonymous mapping is page-aligned, all zero, as long as asked, and stays until the process ends:
//! with [`Plain`] (zero is a value, all access through atomics or the type's own discipline) a shared
//! reference to it is sound in this process and in those it forks. The same holds for the mapping of a file that this
//! program has made, of the type's size, and never cuts.
#![allow(unsafe_code)]

use anyhow::Context as _;
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, mmap_anonymous};
use std::os::fd::{AsRawFd as _, OwnedFd};

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

/// As [`shared`], also for processes that are not forked from this one: they [`open`] it by this name.
///
/// # Errors
/// The kernel's.
pub fn named<T: Plain>() -> anyhow::Result<(&'static T, String)> {
    let file = memfd_create("processing-speed", MemfdFlags::CLOEXEC).context("memfd_create")?;
    rustix::fs::ftruncate(&file, size_of::<T>() as u64).context("ftruncate")?;
    let value = map(&file)?;
    let name = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
    // It stays until the program ends, as the mapping does.
    std::mem::forget(file);
    Ok((value, name))
}

/// What another process of this program has [`named`].
///
/// # Errors
/// The kernel's: it is gone.
pub fn open<T: Plain>(name: &str) -> anyhow::Result<&'static T> {
    let file = std::fs::OpenOptions::new().read(true).write(true).open(name).context("shared memory")?;
    map(&file.into())
}

fn map<T: Plain>(file: &OwnedFd) -> anyhow::Result<&'static T> {
    let flags = MapFlags::SHARED | MapFlags::POPULATE;
    let access = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a new mapping at an address of the kernel's choice.
    let base = unsafe { mmap(std::ptr::null_mut(), size_of::<T>(), access, flags, file, 0) };
    let base = base.with_context(|| format!("mapping {} bytes", size_of::<T>()))?;
    // SAFETY: see the module.
    Ok(unsafe { &*base.cast::<T>() })
}
