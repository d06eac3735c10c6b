//! L0: the kernel. The only raw system calls of the library, one concern a file.

pub mod beacon;
pub mod boot_payload;
pub mod child;
pub mod clock;
pub mod cpu;
pub mod exit;
pub mod fdpass;
pub mod fork;
pub mod futex;
pub mod hook;
pub mod image;
pub mod lifeline;
pub mod map;
pub mod membarrier;
pub mod memfd;
pub mod parcel;
pub mod pidfd;
pub mod random;
pub mod signal;
pub mod spawn;
pub mod thread;
pub mod trampoline;
pub mod tsc;
pub mod verdict;
pub mod wipe;
