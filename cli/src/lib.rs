//! The command `processing`: what a person sees of the engine.
//!
//! - [`tour`]: the main job, counting the words of real files with worker processes, one of which is killed.
//! - [`speed`]: the rows that measure the engine, and the raw limits of the machine beside it.
//! - [`measure`]: the method: pinned processes, interleaved rounds, ratios, one JSON object a pair.
//!   The program in `benches/peers` measures the queues of other projects with it.
#![deny(unsafe_code)]

pub mod measure;
pub mod speed;
pub mod tour;
