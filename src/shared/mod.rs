//! L5: shared data as programs use it: typed handles over the algorithms of `data`.
//!
//! Each is an object of the arena: threads and processes use it alike, a handle travels as an argument or in a message, and the memory goes with the
//! last handle of all processes, also when they were killed. What is done about the dead in them is in `channel::repair`, which the arena calls.

mod array;
pub mod data;
pub mod dict;
mod inline;
pub mod list;
mod local_manager;
mod lock;
mod names;
pub(crate) mod namespace;
mod open;
mod read_guard;
mod structure;
#[cfg(test)]
mod tests;
mod value;
mod write_guard;

pub use array::{
    ArrayEditGuard, ArrayIter, ArrayReadGuard, ArrayWriteGuard, SharedArray, SharedArrayBuilder,
};
pub use data::SharedData;
pub use dict::{AsKey, DictIter, DictStats, SharedDict, SharedDictBuilder};
pub use list::{ListIter, SharedList, SharedListBuilder};
pub use local_manager::LocalManager;
pub use namespace::Namespace;
pub use read_guard::StructReadGuard;
pub use structure::SharedStruct;
pub use value::SharedValue;
pub use write_guard::StructWriteGuard;
