//! `cargo xtask soak`: a queue under load, whose processes are killed and stopped; the whole history is checked.

use anyhow::Result;
use clap::Args;

use crate::cargo::cargo;

#[derive(Args)]
pub struct Options {
    /// How long
    #[arg(long, default_value = "1")]
    minutes: String,
    /// Of an earlier run
    #[arg(long)]
    seed: Option<u64>,
}

pub fn run(options: &Options) -> Result<()> {
    let job = cargo("run --release -p processing-stress --bin soak -- --minutes").arg(&options.minutes);
    match options.seed {
        Some(seed) => job.arg("--seed").arg(seed.to_string()),
        None => job,
    }
    .run()
}
