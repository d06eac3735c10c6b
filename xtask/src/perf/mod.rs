//! From the rows that the measuring programs print to PERF.md and its pictures.

pub mod document;
pub mod goals;
pub mod machine;
pub mod rows;
pub mod store;
pub mod svg;
pub mod tails;
