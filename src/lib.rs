//! Processes with the API of threads, over one shared-memory region that survives the death of any
//! participant.
#![deny(unsafe_code)]
#![cfg_attr(loom, allow(dead_code, unused_imports))]

#[cfg(any(loom, feature = "internals"))]
#[doc(hidden)]
pub mod sync;
#[cfg(not(any(loom, feature = "internals")))]
mod sync;

#[cfg(not(loom))]
#[cfg_attr(feature = "internals", doc(hidden))]
#[cfg(feature = "internals")]
pub mod sys;
#[cfg(all(not(loom), not(feature = "internals")))]
mod sys;

#[cfg(any(loom, feature = "internals"))]
#[doc(hidden)]
pub mod layout;
#[cfg(not(any(loom, feature = "internals")))]
mod layout;

#[cfg(any(loom, feature = "internals"))]
#[doc(hidden)]
pub mod prim;
#[cfg(not(any(loom, feature = "internals")))]
mod prim;

mod error;

pub use error::{Error, ErrorKind, Result};
pub use prim::spin::WaitStrategy;
pub use rkyv;
