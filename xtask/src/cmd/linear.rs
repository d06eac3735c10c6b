//! `cargo xtask linear`: histories of several processes, some of them killed, checked against the sequential types.

use anyhow::Result;
use clap::Args;

use crate::cargo::cargo;
use crate::job::Job;

#[derive(Args)]
pub struct Options {
    /// For all objects together
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Of an earlier run
    #[arg(long)]
    seed: Option<u64>,
    /// Only objects whose name begins with this
    #[arg(long)]
    object: Option<String>,
    /// Names the objects and runs nothing
    #[arg(long)]
    list: bool,
}

/// What every run of all tests has time for.
const STEP_SECONDS: u64 = 5;

pub fn run(options: &Options) -> Result<()> {
    let values =
        [("--seed", options.seed.map(|seed| seed.to_string())), ("--object", options.object.clone())];
    let given = values.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let job = given.fold(job(options.seconds), |job, (name, value)| job.arg(name).arg(value));
    if options.list { job.arg("--list") } else { job }.run()
}

/// The step of `cargo xtask test`.
pub fn step() -> Job {
    job(STEP_SECONDS)
}

fn job(seconds: u64) -> Job {
    cargo("run --release -p processing-stress --bin linear -- --seconds").arg(seconds.to_string())
}
