//! The project's jobs, one entry point for all of them: `cargo xtask <job>`.
//!
//! Nothing here is part of the library; `xtask` never links it, so that a library that does not compile can
//! still be checked, formatted and described.

mod bounded;
mod cargo;
mod cases;
mod cmd;
mod job;
mod loom_tests;
mod markers;
mod perf;
mod root;
mod runner;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The jobs of the project")]
struct Cli {
    #[command(subcommand)]
    job: Job,
}

#[derive(Subcommand)]
enum Job {
    /// Everything the README promises: what CI runs
    Test(cmd::test::Options),
    /// The house rules: layers, unsafe, words, links, the pinned format
    Tidy(cmd::tidy::Options),
    /// The loom models in depth
    Loom(cmd::loom::Options),
    /// Each seeded fault must make its test fail
    Mutants(cmd::mutants::Options),
    /// Measures everything and writes PERF.md
    Perf(cmd::perf::Options),
    /// Fuzzes everything that parses
    Fuzz(cmd::fuzz::Options),
    /// The thread-only tests under the sanitizers
    Sanitize(cmd::sanitize::Options),
    /// Every primitive at once, while processes are killed at random
    Stress(cmd::stress::Options),
    /// A queue under load whose processes are killed and stopped at random; the whole history is checked
    Soak(cmd::soak::Options),
    /// Histories of several processes against the sequential types, while one is killed or stopped now and then
    Linear(cmd::linear::Options),
    /// Kills a process at every machine instruction of a call, and who repairs after it
    KillSweep(cmd::kill_sweep::Options),
}

fn main() -> ExitCode {
    let done = match Cli::parse().job {
        Job::Test(options) => cmd::test::run(&options),
        Job::Tidy(options) => cmd::tidy::run(&options),
        Job::Loom(options) => cmd::loom::run(&options),
        Job::Mutants(options) => cmd::mutants::run(&options),
        Job::Perf(options) => cmd::perf::run(&options),
        Job::Fuzz(options) => cmd::fuzz::run(&options),
        Job::Sanitize(options) => cmd::sanitize::run(&options),
        Job::Stress(options) => cmd::stress::run(&options),
        Job::Soak(options) => cmd::soak::run(&options),
        Job::Linear(options) => cmd::linear::run(&options),
        Job::KillSweep(options) => cmd::kill_sweep::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}
