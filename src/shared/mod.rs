//! L5: shared data as programs use it: typed handles over the algorithms of `data`.
//!
//! Each is an object of the arena: threads and processes use it alike, a handle travels as an argument or in a message, and the memory goes with the
//! last handle of all processes, also when they were killed. What is done about the dead in them is in `channel::repair`, which the arena calls.

pub mod data;
pub mod dict;
pub mod list;
mod names;

pub use data::SharedData;
pub use list::{SharedList, SharedListBuilder, SharedListIter};
