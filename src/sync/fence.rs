//! Fences, among them the asymmetric pair: [`light`] on the side that publishes, [`heavy`] on the side
//! that goes to sleep.
//!
//! A publisher that stores data and then looks whether somebody sleeps needs a store-load fence, 5 to
//! 7 ns on every message. With `membarrier(GLOBAL_EXPEDITED)` the sleeper pays instead, some microseconds
//! before each sleep, by running a fence on every core that runs a registered process.
//!
//! Guarantee: if a thread runs `store A; light(); load B` and another `store B; heavy(); load A`, where
//! `heavy` returned true, then at least one of them sees the other's store. It holds between processes that
//! attached a region, whether or not they could register: one that could not makes its own
//! `light` a full fence. `heavy` returning false means that this process cannot order others; its
//! caller must then bound its sleep (see `prim::park`).

use super::atomic::Ordering;

#[cfg(loom)]
pub use loom::sync::atomic::fence;

#[cfg(not(loom))]
pub use core::sync::atomic::fence;

/// The publisher's half.
#[inline(always)]
pub fn light() {
    #[cfg(not(loom))]
    if crate::sys::membarrier::registered() {
        core::sync::atomic::compiler_fence(Ordering::SeqCst);
        return;
    }
    fence(Ordering::SeqCst);
}

/// The sleeper's half. True: the pair holds against every publisher. False: only against those that fence
/// for themselves.
#[cold]
pub fn heavy() -> bool {
    fence(Ordering::SeqCst);
    #[cfg(not(loom))]
    return crate::sys::membarrier::barrier();
    #[cfg(loom)]
    true
}
