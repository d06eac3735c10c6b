//! A stream of byte messages from one writer to one reader, over lines of 64 bytes.
//!
//! The writer appends messages within a line and publishes each with one store of the line's header word, so that a
//! message is visible at once and a short one moves with its header in one cache line. The reader publishes its
//! position once a line, or once in sixteen of a long message or of a run that is taken at once, and before it waits or answers. A message over 56 bytes runs through as many lines as it needs, also through a ring smaller
//! than itself. Layout: [`crate::layout::stream`]; words: [`word`]; sleeping: [`crate::prim::park`].
//!
//! **Trust.** Writer and reader write separate memory. What the other side wrote is loaded once into a local, checked,
//! and can cost at most a [`Fault`], after which the end is dead. Payload is copied by relaxed word
//! loads: a peer that changes it meanwhile gets its garbage delivered, no undefined behaviour.
//!
//! **Death.** Every step is one store to memory that only the storing side writes. A message is there or it is not;
//! a long one whose writer died in the middle is discarded at the end of the stream. Whether the peer lives is asked
//! of the caller (`on_backstop`), while asleep.
//!
//! **Moving an end to another process.** Cursors are private, but start from shared memory alone: the writer's from its
//! own lines (the last one of the newest lap, found by bisection), the reader's from its position word, which
//! [`StreamRx::settle`] makes exact. An end moves between messages: `settle` says whether it may.

#[cfg(not(loom))]
mod awaited;
mod bereaved;
mod fault;
mod memory;
mod payload;
mod received;
mod rx;
mod rx_long;
mod rx_many;
#[cfg(all(test, not(loom)))]
mod tests;
mod tx;
mod tx_many;
pub mod word;

#[cfg(not(loom))]
pub use awaited::{Awaited, AwaitedLine, AwaitedRoom};
pub use bereaved::close_for_dead;
pub use fault::Fault;
#[cfg(not(loom))]
pub use memory::{MappedRx, MappedTx};
pub use memory::{RxMemory, TxMemory};
pub use received::{Next, RecvEnd};
pub use rx::StreamRx;
pub use tx::{SendEnd, StreamTx, TrySend};
pub use tx_many::Batch;
