//! One module a command.

pub mod fuzz;
pub mod kill_sweep;
pub mod linear;
pub mod loom;
pub mod mutants;
pub mod perf;
pub mod sanitize;
pub mod soak;
pub mod stress;
pub mod test;
pub mod tidy;
