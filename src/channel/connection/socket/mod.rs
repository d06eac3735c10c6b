//! Pipes whose messages travel through a pair of sockets.
//!
//! The object in the arena says who has which end, and who sleeps ([`Wire`]); each end's process has one descriptor. It is that of the process that has
//! the end and of nobody else's: in the depot a copy would keep the peer from being told of a death. So it travels beside the end, in the
//! arguments of a process.
//!
//! # Contract of what carries the messages
//!
//! - A record is there whole or not, and records come in the order in which they were sent; no call waits.
//! - What was sent stays until it is received, also when its sender has died.
//! - When the last descriptor of an end goes, the other one is told by its next call. That may be late (a forked copy of the process has
//!   descriptors, too), and says nothing of how: so the words have the last say.
//!
//! # Nothing is lost for lack of anything
//!
//! A message is looked at in its place first: its type, its length, and if it is long a descriptor of its file. Memory is had and the file is read before it is
//! taken out. That makes two system calls a message.

mod receive;
mod record;
mod send;
mod setup;
mod wired;

pub(super) use receive::Missed;
pub(super) use setup::create;
pub(super) use wired::Wired;

#[cfg(doc)]
use crate::ring::wire::Wire;

/// No message over a pipe is longer.
const LONGEST: u64 = super::LONGEST;
