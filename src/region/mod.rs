//! L1: one region of shared memory and the processes attached to it.
//!
//! A region is a sealed, sparse memory file, mapped whole by every participant, and a second file, the
//! *beacon*, whose record locks tell which participants live. `table` holds the protocol of the participant
//! slots as an algorithm over borrowed words; everything else here is mapping and bookkeeping. A region with a name
//! ([`named`]) is one file, which is its own beacon.

pub mod dead;
pub mod kernel;
pub mod named;
pub mod seat;
pub mod table;
pub mod word;

#[cfg(not(loom))]
mod announce;
#[cfg(not(loom))]
mod attendance;
#[cfg(not(loom))]
pub mod check;
#[cfg(not(loom))]
pub mod depot;
#[cfg(not(loom))]
mod files;
#[cfg(not(loom))]
pub mod geometry;
#[cfg(not(loom))]
mod handle;
#[cfg(not(loom))]
mod limit;
#[cfg(not(loom))]
pub mod participant;
#[cfg(not(loom))]
mod presence;
#[cfg(not(loom))]
mod registry;
#[cfg(not(loom))]
pub mod shared;

pub use dead::Dead;
#[cfg(not(loom))]
pub use dead::Recover;
#[cfg(not(loom))]
pub use geometry::Geometry;
#[cfg(not(loom))]
pub use handle::Region;
#[cfg(not(loom))]
pub use participant::{Participant, ParticipantState};
#[cfg(not(loom))]
pub use presence::Presence;
pub use seat::{Me, Seat};
#[cfg(not(loom))]
pub use shared::Shared;
