//! Starts the executable of this process again, with one descriptor.
//!
//! # Safety
//!
//! `posix_spawn` gets NUL-terminated strings and NULL-terminated arrays that live until it returns; it does
//! what has to happen between clone and exec itself, so that it may be called from any thread.
#![allow(unsafe_code)]

use core::ptr;
use std::ffi::{CString, OsString};
use std::io;
use std::os::unix::ffi::OsStringExt;

use super::fdpass::Link;
use super::signal;
use crate::sync::kill;

/// The one variable that tells the new process which descriptor to look at. It carries nothing else.
pub const VARIABLE: &str = "PROCESSING_CHILD";

/// Starts `/proc/self/exe` (which works for a deleted or renamed file, too); the new process inherits `link`
/// and its number. Its pid.
pub fn start_self(link: &Link) -> io::Result<u32> {
    let arguments = strings(std::env::args_os().take(1))?;
    let inherited = std::env::vars_os().filter(|(key, _)| key != VARIABLE).map(|(mut key, value)| {
        key.push("=");
        key.push(value);
        key
    });
    let variable = OsString::from(format!("{VARIABLE}={}", link.number()));
    let environment = strings(inherited.chain([variable]))?;
    let mut actions = Actions::new()?;
    actions.inherit(link)?;
    let attributes = Attributes::new()?;
    kill::point();
    let mut pid = 0;
    // SAFETY: see the module.
    check(unsafe {
        libc::posix_spawn(
            &raw mut pid,
            c"/proc/self/exe".as_ptr(),
            &raw const actions.0,
            &raw const attributes.0,
            pointers(&arguments).as_ptr(),
            pointers(&environment).as_ptr(),
        )
    })?;
    u32::try_from(pid).map_err(|_| io::Error::from_raw_os_error(libc::ESRCH))
}

fn strings(all: impl Iterator<Item = OsString>) -> io::Result<Vec<CString>> {
    all.map(|s| CString::new(s.into_vec()).map_err(io::Error::from)).collect()
}

fn pointers(strings: &[CString]) -> Vec<*mut libc::c_char> {
    strings.iter().map(|s| s.as_ptr().cast_mut()).chain([ptr::null_mut()]).collect()
}

fn check(errno: libc::c_int) -> io::Result<()> {
    if errno == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(errno)) }
}

struct Actions(libc::posix_spawn_file_actions_t);

impl Actions {
    fn new() -> io::Result<Self> {
        // SAFETY: the C library initialises it; all zero is a valid bit pattern before that.
        let mut actions = Self(unsafe { core::mem::zeroed() });
        // SAFETY: see the module.
        check(unsafe { libc::posix_spawn_file_actions_init(&raw mut actions.0) })?;
        Ok(actions)
    }

    /// Duplicating a number onto itself clears close-on-exec, in the child only.
    fn inherit(&mut self, link: &Link) -> io::Result<()> {
        let number = link.number();
        // SAFETY: see the module.
        check(unsafe { libc::posix_spawn_file_actions_adddup2(&raw mut self.0, number, number) })
    }
}

impl Drop for Actions {
    fn drop(&mut self) {
        // SAFETY: initialised in `new`.
        unsafe { libc::posix_spawn_file_actions_destroy(&raw mut self.0) };
    }
}

struct Attributes(libc::posix_spawnattr_t);

impl Attributes {
    /// No signal blocked; SIGTERM and SIGCHLD heeded whatever the parent does about them.
    fn new() -> io::Result<Self> {
        // SAFETY: the C library initialises it; all zero is a valid bit pattern before that.
        let mut attributes = Self(unsafe { core::mem::zeroed() });
        let (nothing, heeded) = (signal::set_of(&[]), signal::set_of(&[libc::SIGTERM, libc::SIGCHLD]));
        let flags = (libc::POSIX_SPAWN_SETSIGMASK | libc::POSIX_SPAWN_SETSIGDEF) as libc::c_short;
        // SAFETY: see the module; `nothing` and `heeded` live through the calls.
        unsafe {
            check(libc::posix_spawnattr_init(&raw mut attributes.0))?;
            check(libc::posix_spawnattr_setsigmask(&raw mut attributes.0, &raw const nothing))?;
            check(libc::posix_spawnattr_setsigdefault(&raw mut attributes.0, &raw const heeded))?;
            check(libc::posix_spawnattr_setflags(&raw mut attributes.0, flags))?;
        }
        Ok(attributes)
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: initialised in `new`, or all zero, for which the C library's destroy does nothing.
        unsafe { libc::posix_spawnattr_destroy(&raw mut self.0) };
    }
}
