//! How things are measured here.
//!
//! A [`Row`] is one thing of ours (or one raw limit of the machine) and the peers it is compared with. Each
//! is an [`Entry`]: a name and a way to set up a [`Contender`], which runs batches of operations on request.
//! Two-process contenders are a [`Crew`] of processes that the instrument forks and pins; between batches
//! they sleep in a `read`, so that they do not disturb whatever is measured meanwhile.
//!
//! - **Interleaved**: each round runs one batch of each contender, the order rotated from round to round;
//!   the ratio is taken within a round, so that a machine that changes its speed changes both sides.
//! - **Spread**: at least [`MIN_ROUNDS`] rounds; median, minimum and maximum of each figure.
//! - **Tails**: where an operation is long enough for the clock, some are timed one by one and go into a histogram
//!   ([`Tail`]); latency under load is counted from when a message was due, see [`open_loop`].
//! - **A writer beside a reader**, where what is shared is read: by a schedule, and the rate that it reaches is printed,
//!   see [`beside`].
//! - **Real payload**: each message is written in full and checked in full by its receiver, see [`payload`];
//!   one wrong word fails the row.
//! - The instrument itself has one thread, because it forks. Contenders that need threads have them in a
//!   forked process.

pub mod beside;
pub mod clock;
mod contender;
pub mod contest;
pub mod cores;
mod crew;
mod crowd;
pub mod elements;
pub mod entries;
pub mod gathering;
pub mod in_place;
mod indices;
mod line;
pub mod many;
pub mod open_loop;
mod options;
mod partner;
pub mod payload;
mod program;
pub mod round_trip;
mod rounds;
mod row;
mod selection;
pub mod shared;
mod spread;
pub mod stream;
mod table;
mod tail;

pub use beside::{Beside, Pad};
pub use contender::{Batch, Contender};
pub use contest::Contest;
pub use cores::{Cores, Place};
pub use crew::{Crew, Side};
pub use crowd::Crowd;
pub use entries::Kind;
pub use indices::Indices;
pub use line::Line;
pub use options::Options;
pub use partner::{Partner, Report};
pub use program::run;
pub use rounds::MIN_ROUNDS;
pub use row::{Entry, Row};
pub use shared::{Plain, shared};
pub use spread::Spread;
pub use tail::Tail;
