//! Waiting for locks, permits and events without a thread for each wait: what they are to [`ready`](crate::channel::ready), whose futures wait and
//! whose one thread sleeps for them.

mod event;
mod lock;
mod semaphore;
#[cfg(test)]
mod tests;

pub(super) use crate::channel::ready::{Key, Source, Wait};
pub(super) use event::EventAttempt;
pub(super) use lock::LockAttempt;
pub(super) use semaphore::SemaphoreAttempt;
