//! L5: locks, semaphores, conditions and events that survive their owners, over the algorithms of `prim`.
//!
//! Each is an object of the arena: threads and processes use it alike, and a handle travels as an argument or in a
//! message. What is done about the dead in them is in `channel::repair`, which the arena calls.

#[cfg(feature = "async")]
mod asynch;
mod backend;
mod builder;
mod condition;
pub(crate) mod core;
mod errors;
mod event;
pub(crate) mod handle;
mod lock;
mod locked;
mod rlock;
mod semaphore;

pub use backend::{Capabilities, LockBackend};
pub use builder::SyncBuilder;
pub use condition::{Condition, ConditionBuilder, ConditionGuard};
pub use errors::{AcquireError, OwnerDied};
pub use event::Event;
pub use lock::{Lock, LockGuard};
pub use locked::{Locked, LockedGuard};
pub use rlock::{RLock, RLockGuard};
pub use semaphore::{BoundedSemaphore, Permit, Semaphore, SemaphoreBuilder, SemaphoreError};
