//! `processing-peers`: what other projects have, beside ours. The method, the options and the output are those
//! of `processing speed`.

mod crossbeam;
mod folder;
mod heed;
mod iceoryx2;
mod ipc_channel;
mod mmap_sync;
mod python;
mod ringfire;
mod rows;
mod rtrb;
mod threads;

use clap::Parser;
use processing_cli::measure;
use std::process::ExitCode;

/// Measures what other projects have beside what processing-ipc has.
#[derive(Parser)]
#[command(name = "processing-peers", version)]
struct Arguments {
    #[command(flatten)]
    options: measure::Options,
}

fn main() -> ExitCode {
    measure::run(&Arguments::parse().options, &rows::rows())
}
