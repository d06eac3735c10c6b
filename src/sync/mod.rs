//! L0: the one door to shared memory operations.
//!
//! Every atomic word, fence, futex and spin hint of the library comes from here, so that the same
//! source runs in three worlds: on the machine's atomics, under `cfg(loom)` on loom's, and with the
//! feature `kill-points` on atomics that count their stores and can end the process at any of them.
//! Nothing else names `core::sync::atomic`.

pub mod atomic;
pub mod fence;
pub mod futex;
pub mod hint;
pub mod kill;
pub mod mutant;
