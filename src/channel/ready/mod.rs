//! Waiting for several things, or without a thread for each wait: `select`, descriptors, futures.
//!
//! [`select()`] sleeps by the words of all its objects at once, on the thread that calls it. For descriptors and futures, which are
//! bound to no runtime, there is one thread of this process, the [`helper`]: a future hands its `Waker` to the [`registry`], and so does a
//! [`descriptor`], whose waker makes it readable. The helper sleeps by the futexes of all that is waited for. They are the same words
//! that blocking calls sleep by, so that who wakes, in whatever process, need not know.
//!
//! # Who does what
//!
//! - A future tries; if it must wait, it enters the registry with its waker. It announces nothing itself (but for an end of a pipe, whose word
//!   has one writer).
//! - The helper announces, looks once more, and sleeps: for each word once, however many futures wait for it. So an
//!   announcement, which changes some words, does not end the sleep of the others.
//! - When a word is woken or has changed, the helper looks whether what is waited for may be there. If so it wakes *all*
//!   futures that wait for it: one sleep in the kernel stands for many, and two wake-ups may have found one sleeper. Those that
//!   come too late enter again.
//! - A descriptor stays readable, and out of the registry, until a call of its process finds nothing there: that takes it down and enters it
//!   again. The order of these two is [`Latch`](crate::prim::latch::Latch)'s.
//! - At the backstop the helper looks for the dead.
//!
//! # No wake-up is lost
//!
//! - Who makes something true changes the word first. The helper compares each word with what it was when it was announced,
//!   whatever the kernel says about wake-ups.
//! - A future that was woken and is dropped before it was polled again, or cannot take what it was woken for, wakes one
//!   more sleeper of the word. So does one that leaves as the last after the helper took a wake-up for it and before the helper looked;
//!   and the helper does it with a wake-up that it took for a future which had left by then.
//! - A descriptor and a `select` take nothing, and whoever looks at them may take long: so they wake one more sleeper
//!   of a queue in which there is something, at once.
//! - What lies in the registry keeps its object alive, and leaves it while a future or a handle with a descriptor is still there:
//!   no object goes later than its last handle.

mod descriptor;
mod helper;
mod ready_set;
mod registry;
mod select;
mod selectable;
mod source;
#[cfg(test)]
mod tests;
mod ticket;
#[cfg(feature = "async")]
mod wait;

pub(crate) use descriptor::Readable;
pub use ready_set::Ready;
pub use select::{select, select_slice};
pub use selectable::Selectable;
pub(crate) use selectable::sealed;
pub(crate) use source::{Key, Source};
#[cfg(feature = "async")]
pub(crate) use wait::{Attempt, Wait, Waiting};
