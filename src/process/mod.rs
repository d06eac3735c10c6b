//! L6: processes.
//!
//! A process is started in one of three ways ([`StartMethod`]) and is then the same, whichever it was: it has
//! a private socket to its creator, over which its orders came ([`boot`]) and into which it puts what it leaves
//! ([`outcome`]), and it holds its creator's lifeline (`sys::lifeline`). The creator has a pidfd and the other
//! end of the socket, and starts no thread.
//!
//! ```text
//! builder -> Spawn:       posix_spawn of this executable --hook--> catch -> run
//!         -> ForkServer:  fork_server --ask--> server: forks ahead -> run       (server: Spawn, once)
//!         -> Fork:        fork -> run
//! ```
//! What travels is `cargo`'s business alone.

mod body;
mod boot;
mod builder;
mod cargo;
mod catch;
mod child;
mod fork_server;
mod handle;
mod join_handle;
mod me;
mod outcome;
mod panic_text;
#[cfg(feature = "internals")]
pub mod probe;
mod report;
mod run;
mod seat;
mod server;
mod start_method;
mod target;
mod task;
#[cfg(feature = "internals")]
pub mod testing;
mod text;
mod tree;

pub use builder::ProcessBuilder;
pub use cargo::Cargo;
pub use catch::freeze_support;
pub use handle::{Process, active_children, cpu_count, current_process};
pub use join_handle::{Builder, JoinHandle, spawn};
pub use report::Report;
pub use start_method::StartMethod;
pub use target::Target;
pub use task::Task;
