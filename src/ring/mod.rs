//! L4: rings. Algorithms over borrowed memory; who owns the memory and what the bytes mean is a layer's above.

#[cfg(not(loom))]
pub mod blocks;
mod cells;
mod census;
pub mod chain;
#[cfg(not(loom))]
pub mod clients;
mod count;
mod cursor;
mod dead_letters;
mod elsewhere;
pub mod ends;
#[cfg(not(loom))]
pub mod frozen;
mod get;
#[cfg(not(loom))]
pub mod handle;
#[cfg(not(loom))]
pub mod held;
#[cfg(not(loom))]
pub mod kept;
#[cfg(not(loom))]
pub mod lent;
mod look;
mod memory;
mod mpmc;
mod oldest;
#[cfg(not(loom))]
pub mod pipe;
pub mod plain;
pub mod policy;
mod put;
mod repair;
#[cfg(not(loom))]
pub mod rings;
pub mod series;
mod shape;
mod slot;
pub mod stream;
#[cfg(all(test, not(loom)))]
mod tests;
pub mod wire;

pub use cells::{CellLease, Detaching};
pub use census::Census;
pub use count::Rest;
pub use cursor::ClientCursor;
pub use elsewhere::{Brought, Sent};
pub use get::{GetClaim, GetFail, Message, Taken};
pub use memory::RingMemory;
#[cfg(not(loom))]
pub use memory::{Body, Mapped};
pub use mpmc::Ring;
pub use oldest::Oldest;
pub use put::{PutClaim, PutFail};
pub use slot::{CellState, CellWord, SlotState, SlotWord};

/// A participant's id as words carry it: 1..=MAX_PARTICIPANTS.
pub type ParticipantId = u16;
