//! L5: what travels between processes: queues, pipes, and the values in them.
//!
//! No `unsafe` from here on: the layers below hand out claims whose bytes are frozen.

mod array_repair;
pub(crate) mod bare_lock;
pub mod buffered;
pub(crate) mod byte_root;
pub(crate) mod choice;
pub(crate) mod codec;
pub mod connection;
mod contents;
pub(crate) mod domain;
pub mod errors;
pub(crate) mod in_place;
pub(crate) mod kind;
pub mod many_errors;
pub(crate) mod message;
pub mod named;
pub(crate) mod obituary;
pub(crate) mod parcel;
pub mod queue;
pub mod ready;
pub(crate) mod repair;
pub(crate) mod transfer;
pub(crate) mod waiters;
