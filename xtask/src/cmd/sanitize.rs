//! `cargo xtask sanitize`: the thread-only tests under AddressSanitizer and ThreadSanitizer.
//!
//! Thread-only: the library's unit tests, and the integration tests that start no process. A sanitizer sees one
//! process; what happens between processes is for the models and the kill tests.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use crate::cargo::cargo;
use crate::job::Job;
use crate::root::target_dir;

#[derive(Args)]
pub struct Options {
    /// Which sanitizer; both where neither is named
    sanitizer: Option<Sanitizer>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Sanitizer {
    Address,
    Thread,
}

const HOST: &str = "x86_64-unknown-linux-gnu";

/// Integration tests with threads only.
const THREAD_TESTS: &[&str] = &["queue", "connection"];

pub fn run(options: &Options) -> Result<()> {
    match options.sanitizer {
        Some(Sanitizer::Address) => address(),
        Some(Sanitizer::Thread) => thread(),
        None => {
            address()?;
            match missing_for_thread()? {
                Some(why) => eprintln!("\n  ThreadSanitizer was not run: {why}"),
                None => thread()?,
            }
            Ok(())
        }
    }
}

fn address() -> Result<()> {
    if let Some(why) = missing_for_address()? {
        bail!("{why}");
    }
    tests("address").env("ASAN_OPTIONS", "detect_stack_use_after_return=1").run()
}

/// The standard library must be instrumented too, or every handover through it looks like a race.
fn thread() -> Result<()> {
    if let Some(why) = missing_for_thread()? {
        bail!("{why}");
    }
    tests("thread").words("-Zbuild-std").env("TSAN_OPTIONS", "halt_on_error=1").run()
}

fn tests(sanitizer: &str) -> Job {
    let target = target_dir(&format!("sanitize-{sanitizer}")).display().to_string();
    // `-Z` is for nightly; the stable compiler takes it with this variable.
    let job = cargo("test -p processing-ipc --features internals --lib").env("RUSTC_BOOTSTRAP", "1");
    let job = job.env("RUSTFLAGS", format!("-Zsanitizer={sanitizer}"));
    let job = THREAD_TESTS.iter().fold(job, |job, name| job.arg("--test").arg(*name));
    // With an explicit target, build scripts and macros are not instrumented.
    job.arg("--target").arg(HOST).arg("--target-dir").arg(target)
}

fn sysroot() -> Result<PathBuf> {
    let out = Job::new("rustc").words("--print sysroot").capture().context("rustc --print sysroot")?;
    Ok(PathBuf::from(out.stdout.trim()))
}

fn missing_for_address() -> Result<Option<String>> {
    let folder = sysroot()?.join("lib/rustlib").join(HOST).join("lib");
    let names = std::fs::read_dir(&folder).into_iter().flatten().flatten();
    let there = names.into_iter().any(|entry| entry.file_name().to_string_lossy().ends_with("_rt.asan.a"));
    let why = || {
        format!(
            "no `*_rt.asan.a` in {}: this toolchain comes without AddressSanitizer; one from rustup has it",
            folder.display()
        )
    };
    Ok((!there).then(why))
}

fn missing_for_thread() -> Result<Option<String>> {
    let sources = sysroot()?.join("lib/rustlib/src/rust/library/std");
    let why = || {
        format!(
            "the toolchain has no sources of std in {}; add them with `rustup component add rust-src`",
            sources.display()
        )
    };
    Ok((!sources.is_dir()).then(why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root::root;

    #[test]
    fn the_thread_tests_are_there_and_start_no_process() {
        for name in THREAD_TESTS {
            let text = std::fs::read_to_string(root().join(format!("tests/{name}.rs"))).unwrap();
            assert!(!text.contains("Process::new") && !text.contains("processing::spawn"), "{name}");
        }
    }
}
