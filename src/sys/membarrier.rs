//! `membarrier(2)`, global expedited: a fence on every core that runs a registered process.
//!
//! # Safety
//!
//! The call takes no pointers and has no effect on memory but ordering.
#![allow(unsafe_code)]

use crate::sync::atomic::{AtomicU32, Ordering};

const CMD_GLOBAL_EXPEDITED: i32 = 1 << 1;
const CMD_REGISTER_GLOBAL_EXPEDITED: i32 = 1 << 2;

/// UNKNOWN -> YES | NO, once a process. A registration survives fork, not exec.
static STATE: AtomicU32 = AtomicU32::new(UNKNOWN);
const UNKNOWN: u32 = 0;
const YES: u32 = 1;
const NO: u32 = 2;

fn call(command: i32) -> bool {
    // SAFETY: see the module.
    unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
}

/// Registers this process; called before it touches a region. Idempotent.
pub fn register() -> bool {
    if STATE.load(Ordering::Relaxed) == UNKNOWN {
        let answer = if call(CMD_REGISTER_GLOBAL_EXPEDITED) { YES } else { NO };
        STATE.store(answer, Ordering::Relaxed);
    }
    registered()
}

/// Whether other processes' [`barrier`] reaches this one.
#[inline(always)]
pub fn registered() -> bool {
    STATE.load(Ordering::Relaxed) == YES
}

/// A fence on all cores that run a registered process. False where the kernel refuses it.
pub fn barrier() -> bool {
    call(CMD_GLOBAL_EXPEDITED)
}
