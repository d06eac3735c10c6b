//! `cargo xtask test`: everything the README promises, in the order in which it is cheap to fail.

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use super::{linear, mutants, tidy};
use crate::cargo::{Program, cargo, programs, tests_with_feature};
use crate::job::Job;
use crate::loom_tests::{self, Bounds};
use crate::perf::{goals, rows};
use crate::root::root;
use crate::runner::{self, Step};

/// Which steps to run.
#[derive(Args)]
pub struct Options {
    /// Only these steps
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Names the steps and runs nothing
    #[arg(long)]
    list: bool,
}

/// A hang must not last until somebody looks: no step of cargo takes this long.
const STEP_SECONDS: u64 = 900;
/// An example is a program that a reader tries: it ends soon.
const EXAMPLE_SECONDS: u64 = 60;
/// The most that one loom model may explore. Most end in a second.
const MODEL_SECONDS: u64 = 40;

const STEPS: &[Step] = &[
    ("fmt", fmt),
    ("tidy", tidy::step),
    ("clippy", clippy),
    ("doc", doc),
    ("test", test),
    ("doctest", doctest),
    ("kill", kill),
    ("linear", linear),
    ("states", states),
    ("loom", loom),
    ("mutants", mutants::quick),
    ("examples", examples),
    ("fuzz-replay", fuzz_replay),
    ("tour", tour),
    ("speed", speed),
];

pub fn run(options: &Options) -> Result<()> {
    if options.list {
        STEPS.iter().for_each(|(name, _)| println!("{name}"));
        return Ok(());
    }
    runner::run(&chosen(&options.only)?)
}

fn chosen(only: &[String]) -> Result<Vec<Step>> {
    if let Some(name) = only.iter().find(|name| STEPS.iter().all(|(step, _)| step != name)) {
        bail!("there is no step `{name}`; cargo xtask test --list names them");
    }
    let wanted = |step: &&Step| only.is_empty() || only.iter().any(|name| name == step.0);
    Ok(STEPS.iter().filter(wanted).copied().collect())
}

fn fmt() -> Result<()> {
    cargo("fmt --all --check").run()?;
    for manifest in ["fuzz/Cargo.toml", "benches/peers/Cargo.toml"] {
        if root().join(manifest).exists() {
            cargo("fmt --all --check --manifest-path").arg(manifest).run()?;
        }
    }
    Ok(())
}

/// Everything that takes the library as its users build it.
const PLAIN: &str =
    "--workspace --exclude processing-kill-tests --exclude processing-loom-tests --exclude processing-sweep";

/// Five times, because features are additive over one build: with the kill tests in it, nobody would see
/// the library as its users build it.
fn clippy() -> Result<()> {
    for packages in [
        PLAIN,
        "-p processing-ipc --features internals",
        "-p processing-ipc --features async",
        "-p processing-kill-tests -p processing-loom-tests",
        "-p processing-sweep",
    ] {
        cargo("clippy --all-targets").words(packages).words("-- -D warnings").bound(STEP_SECONDS).run()?;
    }
    Ok(())
}

/// The command `processing` is left out: its pages would overwrite those of the library of that name.
fn doc() -> Result<()> {
    for words in [
        "-p processing-ipc",
        "-p processing-ipc --features async",
        "-p processing-ipc --features internals,async --document-private-items",
    ] {
        cargo("doc --no-deps").words(words).env("RUSTDOCFLAGS", "-D warnings").bound(STEP_SECONDS).run()?;
    }
    Ok(())
}

fn test() -> Result<()> {
    cargo("test").words(PLAIN).words("--lib --bins --tests").bound(STEP_SECONDS).run()?;
    library_tests("internals", &["--lib"])?;
    library_tests("async", &["--lib"])
}

/// The tests of the library that need this feature.
fn library_tests(feature: &str, more: &[&str]) -> Result<()> {
    let names = tests_with_feature("processing-ipc", feature)?;
    let job = cargo("test -p processing-ipc --features").arg(feature);
    let job = more.iter().fold(job, |job, word| job.arg(*word));
    let job = names.iter().fold(job, |job, name| job.arg("--test").arg(name));
    job.bound(STEP_SECONDS).run()
}

fn doctest() -> Result<()> {
    cargo("test -p processing-ipc --doc").bound(STEP_SECONDS).run()?;
    // Only the examples that the feature adds.
    cargo("test -p processing-ipc --features async --doc -- _async queue::stream queue::sink")
        .bound(STEP_SECONDS)
        .run()
}

/// A package of its own, built alone: its feature must not reach the other builds. Then the tests of the library's
/// own that die at counted operations, besides what they are without the feature.
fn kill() -> Result<()> {
    cargo("test -p processing-kill-tests").bound(STEP_SECONDS).run()?;
    cargo("test -p processing-sweep").bound(STEP_SECONDS).run()?;
    library_tests("kill-points", &["--test", "region", "--test", "arena"])
}

/// Histories of several processes, for a few seconds.
fn linear() -> Result<()> {
    linear::step().bound(STEP_SECONDS).run()
}

/// Explicit-state checks: millions of states, so in release.
fn states() -> Result<()> {
    cargo("test -p processing-loom-tests --release").bound(STEP_SECONDS).run()
}

fn loom() -> Result<()> {
    let models = loom_tests::all_cases(&loom_tests::build_loom()?, "")?;
    loom_tests::explore(models, &Bounds { preemptions: 2, explore: MODEL_SECONDS, deep: false })
}

fn examples() -> Result<()> {
    let built = programs(cargo("build -p processing-ipc --examples").bound(STEP_SECONDS))?;
    built.iter().try_for_each(run_example)
}

fn run_example(example: &Program) -> Result<()> {
    let repeat = format!("repeat: cargo run --example {}", example.name);
    Job::new(&example.path).bound(EXAMPLE_SECONDS).run().context(repeat)
}

/// The fuzz targets over their seeds, without a fuzzer.
fn fuzz_replay() -> Result<()> {
    super::fuzz::replay().bound(STEP_SECONDS).run()
}

/// The main job on this checkout, with a worker killed half-way.
fn tour() -> Result<()> {
    let job = cargo("run --release -p processing-cli -- tour --json .").bound(STEP_SECONDS);
    let text = job.stdout()?;
    let last = text.lines().last().with_context(|| format!("no line of JSON\n  repeat: {job}"))?;
    let summary: serde_json::Value = serde_json::from_str(last).context("the last line of tour --json")?;
    ensure!(summary["equal"] == true, "the counts differ: {last}\n  repeat: {job}");
    eprintln!("  {last}");
    Ok(())
}

/// A part of a second a row: not to measure, but to see that every row is there and reads as promised.
fn speed() -> Result<()> {
    let job = cargo("run --release -p processing-cli -- speed --json --seconds 0.3").bound(STEP_SECONDS);
    let rows = rows::parse(&job.stdout()?).with_context(|| format!("repeat: {job}"))?;
    let missing: Vec<_> =
        goals::load()?.into_iter().filter(|goal| goal.is_ours() && goal.find(&rows).is_none()).collect();
    ensure!(missing.is_empty(), "rows of xtask/goals.json are missing: {missing:?}\n  repeat: {job}");
    eprintln!("  {} rows", rows.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_steps_run_unless_some_are_named() {
        assert_eq!(chosen(&[]).unwrap().len(), STEPS.len());
        let some = chosen(&["doc".into(), "fmt".into()]).unwrap();
        assert_eq!(some.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["fmt", "doc"]);
        assert!(chosen(&["nonsense".into()]).unwrap_err().to_string().contains("nonsense"));
    }
}
