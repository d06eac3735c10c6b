//! Spin hints.

/// One turn of a spin loop. Under loom the thread yields, so that the model makes progress.
#[inline(always)]
pub fn spin_loop() {
    #[cfg(not(loom))]
    core::hint::spin_loop();
    #[cfg(loom)]
    loom::thread::yield_now();
}
