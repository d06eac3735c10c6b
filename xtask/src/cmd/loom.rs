//! `cargo xtask loom`: the models and the explicit-state checks, deeper than CI has time for.

use anyhow::{Result, ensure};
use clap::Args;

use crate::loom_tests::{self, Bounds};

#[derive(Args)]
pub struct Options {
    /// How often a thread may be interrupted where it would not yield by itself
    #[arg(long, default_value_t = 3)]
    preemptions: u32,
    /// The longest that one model may explore
    #[arg(long, default_value_t = 20)]
    max_minutes: u64,
    /// Only models whose `program::test` name contains this
    #[arg(default_value = "")]
    filter: String,
}

pub fn run(options: &Options) -> Result<()> {
    let mut models = loom_tests::all_cases(&loom_tests::build_loom()?, &options.filter)?;
    models.extend(loom_tests::all_cases(&loom_tests::build_states()?, &options.filter)?);
    ensure!(!models.is_empty(), "no model's name contains `{}`", options.filter);
    let explore = options.max_minutes * 60;
    let bounds = Bounds { preemptions: options.preemptions, explore, deep: true };
    loom_tests::explore(models, &bounds)
}
