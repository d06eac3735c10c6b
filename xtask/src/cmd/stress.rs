//! `cargo xtask stress`: every primitive at once, while processes are killed and stopped at random.

use anyhow::Result;
use clap::Args;

use crate::cargo::cargo;

/// They take a small part of it.
const LARGE_SECONDS: u64 = 600;

#[derive(Args)]
pub struct Options {
    /// How long
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Of an earlier run
    #[arg(long)]
    seed: Option<u64>,
    /// The tests that are too large for every run, and nothing else
    #[arg(long, conflicts_with_all = ["seconds", "seed"])]
    large: bool,
}

pub fn run(options: &Options) -> Result<()> {
    if options.large {
        let job = cargo("test --release -p processing-ipc --test shared_dict -- --ignored --nocapture");
        return job.bound(LARGE_SECONDS).run();
    }
    let job = cargo("run --release -p processing-stress --bin stress -- --seconds")
        .arg(options.seconds.to_string());
    match options.seed {
        Some(seed) => job.arg("--seed").arg(seed.to_string()),
        None => job,
    }
    .run()
}
