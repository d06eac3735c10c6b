//! `cargo xtask kill-sweep`: a process is killed at every machine instruction of a call, and then who repairs after it.
//!
//! Faults that it must notice stand among the other [`mutants`], with `kill_sweep` for the test program and a scenario for the filter.
//!
//! The program is `tests/sweep`, built for release without kill points: what is stepped through is the library as its users have it.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use clap::Args;

use super::mutants::{self, Mutant};
use crate::cargo::{cargo, programs};
use crate::job::Job;

#[derive(Args)]
pub struct Options {
    /// Only scenarios whose name contains this; with `--step` the one of this name
    #[arg(long)]
    scenario: Option<String>,
    /// Names the scenarios and runs nothing
    #[arg(long)]
    list: bool,
    /// A few seconds: a small sample of everything, of a few scenarios or those named
    #[arg(long)]
    quick: bool,
    /// Every instruction of each call, all situations of all repairs; takes long
    #[arg(long, conflicts_with = "quick")]
    full: bool,
    /// Only this, of one scenario: killed after so many instructions
    #[arg(long, requires = "scenario")]
    step: Option<u64>,
    /// .. and who repairs after so many of its own
    #[arg(long, requires = "step")]
    reaper_step: Option<u64>,
    /// Faults seeded in the library, each of which the sweep must notice; nothing else
    #[arg(long, conflicts_with_all = ["scenario", "list", "quick", "full"])]
    mutants: bool,
}

/// A scenario may take so long.
const SECONDS: u64 = 300;
/// What the program says when the library failed; anything else is no answer.
const NOTICED: i32 = 1;

pub fn run(options: &Options) -> Result<()> {
    if options.mutants {
        return hunt_listed();
    }
    let job = cargo("run --release -p processing-sweep --");
    let flags = [("--list", options.list), ("--quick", options.quick), ("--full", options.full)];
    let job = flags.iter().filter(|(_, set)| *set).fold(job, |job, (flag, _)| job.arg(*flag));
    let values = [
        ("--scenario", options.scenario.clone()),
        ("--step", options.step.map(|step| step.to_string())),
        ("--reaper-step", options.reaper_step.map(|step| step.to_string())),
    ];
    let given = values.into_iter().filter_map(|(name, value)| Some((name, value?)));
    given.fold(job, |job, (name, value)| job.arg(name).arg(value)).run()
}

fn hunt_listed() -> Result<()> {
    let mut listed = mutants::load()?;
    listed.retain(is_sweep);
    hunt_all(&listed)
}

/// Whether the sweep is what must notice it.
pub fn is_sweep(mutant: &Mutant) -> bool {
    mutant.program == "kill_sweep"
}

/// Each must be noticed by its scenario, in a small sample or else in the usual one; without the fault the same must pass.
pub fn hunt_all(listed: &[Mutant]) -> Result<()> {
    let built = programs(cargo("build --release -p processing-sweep --features mutants"))?;
    let program = built.first().context("cargo built no program")?;
    let mut passed = BTreeSet::new();
    let mut survivors = 0;
    for mutant in listed {
        let sample = |sample: &str| Job::new(&program.path).words(sample).arg(&mutant.filter).bound(SECONDS);
        let mut verdict = "SURVIVED".to_owned();
        for job in ["--quick --scenario", "--scenario"].map(sample) {
            let answer = job.clone().env("PROCESSING_MUTANT", mutant.name.as_str()).capture()?;
            if answer.status.and_then(|status| status.code()) != Some(NOTICED) {
                continue;
            }
            verdict = how(&answer.stdout);
            if passed.insert(job.to_string()) {
                let clean = job.capture()?;
                ensure!(clean.passed(), "{job} fails without a mutant\n{}{}", clean.stdout, clean.stderr);
            }
            break;
        }
        eprintln!("  {:26} {verdict}", mutant.name);
        survivors += usize::from(verdict == "SURVIVED");
    }
    ensure!(
        survivors == 0,
        "{survivors} mutants survived: a sweep that does not notice them proves less than it says"
    );
    Ok(())
}

/// The first line about the first failure.
fn how(text: &str) -> String {
    text.lines().find_map(|line| line.strip_prefix("FAILED ")).unwrap_or("noticed").to_owned()
}
