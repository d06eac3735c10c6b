//! `cargo xtask linear`: histories of several processes, some of them killed, checked against the sequential types.
//!
//! Faults that they must show stand among the other [`mutants`], with `linear` for the test program and an object for the filter.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use clap::Args;

use super::mutants::{self, Mutant};
use crate::cargo::{cargo, programs};
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
    /// Faults seeded in the library, each of which a history must show; nothing else
    #[arg(long, conflicts_with_all = ["seed", "object", "list"])]
    mutants: bool,
}

/// What every run of all tests has time for.
const STEP_SECONDS: u64 = 6;
/// A fault shows in the first seconds, or as good as never; without one there is nothing to be seen in that time.
const HUNT_SECONDS: &str = "20";
/// A fault may also be a hang, which the program ends by itself.
const MOST_SECONDS: u64 = 120;
/// What the program says when a history was wrong; anything else is no answer.
const NOTICED: i32 = 1;

pub fn run(options: &Options) -> Result<()> {
    if options.mutants {
        let mut listed = mutants::load()?;
        listed.retain(is_linear);
        return hunt_all(&listed);
    }
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

/// Whether a history is what must show it.
pub fn is_linear(mutant: &Mutant) -> bool {
    mutant.program == "linear"
}

/// Each must be noticed in the histories of its object; without the fault those must be right.
pub fn hunt_all(listed: &[Mutant]) -> Result<()> {
    let built = programs(cargo("build --release -p processing-stress --bin linear --features mutants"))?;
    let program = built.iter().find(|program| program.name == "linear").context("cargo built no program")?;
    let mut passed = BTreeSet::new();
    let mut survivors = 0;
    for mutant in listed {
        let job =
            Job::new(&program.path).words("--seconds").arg(HUNT_SECONDS).arg("--object").arg(&mutant.filter);
        let job = job.bound(MOST_SECONDS).env("RUST_BACKTRACE", "0");
        let answer = job.clone().env("PROCESSING_MUTANT", mutant.name.as_str()).capture()?;
        let noticed = answer.status.and_then(|status| status.code()) == Some(NOTICED);
        if noticed && passed.insert(mutant.filter.clone()) {
            let clean = job.capture()?;
            ensure!(clean.passed(), "{job} fails without a mutant\n{}{}", clean.stdout, clean.stderr);
        }
        eprintln!("  {:26} {}", mutant.name, if noticed { how(&answer.stderr) } else { "SURVIVED" });
        survivors += usize::from(!noticed);
    }
    ensure!(
        survivors == 0,
        "{survivors} mutants survived: histories that do not show them prove less than they say"
    );
    Ok(())
}

/// What was wrong, in the words of the program.
fn how(text: &str) -> &str {
    let wrong = |line: &&str| line.contains("not linearizable") || line.contains("hangs");
    text.lines().find(wrong).map_or("noticed", str::trim)
}
