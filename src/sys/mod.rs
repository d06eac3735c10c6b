//! L0: the kernel. The only raw system calls of the library, one concern a file.

pub mod clock;
pub mod futex;
pub mod membarrier;
pub mod signal;
