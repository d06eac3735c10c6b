//! The end of the calling process.
//!
//! # Safety
//!
//! Calls without pointers, but for the handler, which is a function of this program.
#![allow(unsafe_code)]

/// Has `handler` called when the process exits normally. It must not unwind. False: there was no memory.
pub fn at_exit(handler: extern "C" fn()) -> bool {
    // SAFETY: see the module.
    unsafe { libc::atexit(handler) == 0 }
}

/// Ends the process without running anything that was registered for its exit: for a forked copy, whose
/// registered handlers belong to its parent.
pub fn now(code: i32) -> ! {
    // SAFETY: see the module.
    unsafe { libc::_exit(code) }
}
