//! The same under one lock, in `Locked`: what must always be linearizable. And the same with a fault, which must be noticed.

mod dict;
mod list;
mod value;

pub use dict::LockedDict;
pub use list::LockedList;
pub use value::LockedValue;
