//! Waiting without a thread for each wait: futures, and one thread that sleeps for all of them.
//!
//! Bound to no runtime: a future hands its `Waker` to the [`registry`], and the [`helper`], one thread of this process,
//! sleeps by the futexes of all that is waited for. They are the same words that blocking calls sleep by, so that who wakes,
//! in whatever process, need not know.
//!
//! # Who does what
//!
//! - A future tries; if it must wait, it enters the registry with its waker. It announces nothing itself.
//! - The helper announces, looks once more, and sleeps: for each word once, however many futures wait for it. So an
//!   announcement, which changes some words, does not end the sleep of the others.
//! - When a word is woken or has changed, the helper looks whether what is waited for may be there. If so it wakes *all*
//!   futures that wait for it: one sleep in the kernel stands for many, and two wake-ups may have found one sleeper. Those that
//!   come too late enter again.
//! - At the backstop the helper looks for the dead.
//!
//! # No wake-up is lost
//!
//! - Who makes something true changes the word first. The helper compares each word with what it was when it was announced,
//!   whatever the kernel says about wake-ups.
//! - A future that was woken and is dropped before it was polled again, or cannot take what it was woken for, wakes one
//!   more sleeper of the word. The helper does the same with a wake-up that it took for a future which left meanwhile.
//! - What lies in the registry keeps its object alive, and leaves it while a future, which borrows a handle, is still there:
//!   no object goes later than its last handle.

mod event;
mod helper;
mod lock;
mod registry;
mod semaphore;
mod source;
#[cfg(test)]
mod tests;
mod ticket;
mod wait;

pub(super) use event::EventAttempt;
pub(super) use lock::LockAttempt;
pub(super) use semaphore::SemaphoreAttempt;
pub(super) use source::{Key, Source};
pub(super) use wait::Wait;
