//! Signals.
//!
//! # Safety
//!
//! Only calls that take plain integers.
#![allow(unsafe_code)]

/// Ends the calling process as SIGKILL from outside would, between two instructions.
#[cfg_attr(not(feature = "kill-points"), allow(dead_code, reason = "for the kill tests"))]
pub fn kill_self() -> ! {
    loop {
        // SAFETY: kill(2) on the own pid.
        unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
    }
}
