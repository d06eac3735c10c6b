//! L4: shared data: algorithms over borrowed words. They own no memory, so that the models run the same source.
//!
//! Two ways to read, and what each rests on:
//!
//! - *By copy*: relaxed loads of words ([`crate::prim::words`]) into memory of one's own, a fence (Acquire), and another look at the word that proves that what
//!   was read was content all the while. No announcement, no read-modify-write; what was read is used only afterwards. So all of it is written word by word.
//! - *In place*: the reader announces the block ([`crate::layout::announcement`]), and whoever would free or change it
//!   looks there first.
//!
//! Who changes something holds a robust lock, records in the body what it is about to do, and does it with one store. Who inherits the lock
//! from the dead finishes or undoes that by the record, before anything else. A stopped writer delays writers, never a reader.

pub mod array;
#[cfg(not(loom))]
pub mod blocks;
pub mod bytes;
pub mod chain_check;
pub mod dict;
#[cfg(not(loom))]
pub mod draft;
pub mod list;
#[cfg(not(loom))]
pub mod pinned;
#[cfg(not(loom))]
pub mod plain;
pub mod stamped;
pub mod swap;
