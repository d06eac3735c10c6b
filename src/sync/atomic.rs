//! Atomic words: the machine's, loom's, or counted ones.

#[cfg(all(not(loom), not(feature = "kill-points")))]
#[allow(clippy::disallowed_types, reason = "this is the facade")]
mod imp {
    pub use core::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};
}

#[cfg(loom)]
mod imp {
    pub use loom::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};
}

#[cfg(all(not(loom), feature = "kill-points"))]
#[allow(clippy::disallowed_types, reason = "this is the facade")]
mod imp {
    pub use core::sync::atomic::Ordering;

    use crate::sync::kill;

    macro_rules! counted {
        ($name:ident, $inner:ident, $int:ty) => {
            /// An atomic word that counts each store and read-modify-write as a kill point.
            #[repr(transparent)]
            #[derive(Debug, Default)]
            pub struct $name(core::sync::atomic::$inner);

            impl $name {
                pub const fn new(value: $int) -> Self {
                    Self(core::sync::atomic::$inner::new(value))
                }
                pub fn load(&self, order: Ordering) -> $int {
                    self.0.load(order)
                }
                pub fn store(&self, value: $int, order: Ordering) {
                    kill::point();
                    self.0.store(value, order)
                }
                pub fn swap(&self, value: $int, order: Ordering) -> $int {
                    kill::point();
                    self.0.swap(value, order)
                }
                pub fn compare_exchange(
                    &self,
                    old: $int,
                    new: $int,
                    ok: Ordering,
                    err: Ordering,
                ) -> Result<$int, $int> {
                    kill::point();
                    self.0.compare_exchange(old, new, ok, err)
                }
                pub fn compare_exchange_weak(
                    &self,
                    old: $int,
                    new: $int,
                    ok: Ordering,
                    err: Ordering,
                ) -> Result<$int, $int> {
                    kill::point();
                    self.0.compare_exchange_weak(old, new, ok, err)
                }
                pub fn fetch_add(&self, value: $int, order: Ordering) -> $int {
                    kill::point();
                    self.0.fetch_add(value, order)
                }
                pub fn fetch_sub(&self, value: $int, order: Ordering) -> $int {
                    kill::point();
                    self.0.fetch_sub(value, order)
                }
                pub fn fetch_or(&self, value: $int, order: Ordering) -> $int {
                    kill::point();
                    self.0.fetch_or(value, order)
                }
                pub fn fetch_and(&self, value: $int, order: Ordering) -> $int {
                    kill::point();
                    self.0.fetch_and(value, order)
                }
                pub fn fetch_max(&self, value: $int, order: Ordering) -> $int {
                    kill::point();
                    self.0.fetch_max(value, order)
                }
                pub fn as_ptr(&self) -> *mut $int {
                    self.0.as_ptr()
                }
            }
        };
    }
    counted!(AtomicU8, AtomicU8, u8);
    counted!(AtomicU16, AtomicU16, u16);
    counted!(AtomicU32, AtomicU32, u32);
    counted!(AtomicU64, AtomicU64, u64);
}

pub use imp::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};
