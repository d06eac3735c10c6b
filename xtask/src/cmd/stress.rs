//! `cargo xtask stress`: every primitive at once, while processes are killed and stopped at random.

use anyhow::Result;
use clap::Args;

use crate::cargo::cargo;

#[derive(Args)]
pub struct Options {
    /// How long
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Of an earlier run
    #[arg(long)]
    seed: Option<u64>,
}

pub fn run(options: &Options) -> Result<()> {
    let job = cargo("run --release -p processing-stress --bin stress -- --seconds")
        .arg(options.seconds.to_string());
    match options.seed {
        Some(seed) => job.arg("--seed").arg(seed.to_string()),
        None => job,
    }
    .run()
}
