//! `cargo xtask fuzz`: everything that parses bytes which somebody else wrote.
//!
//! The targets live in `fuzz/`, a workspace of its own: each is a function of bytes, which libFuzzer drives here and
//! a plain program replays on any toolchain. Needs no `cargo-fuzz`: the flags that it would pass are passed here.

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::cargo::cargo;
use crate::job::Job;
use crate::root::{root, target_dir};

#[derive(Args)]
pub struct Options {
    /// Seconds a target
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Only this target
    target: Option<String>,
    /// Runs the targets once over their seeds and corpus instead, without a fuzzer
    #[arg(long)]
    replay: bool,
}

const MANIFEST: &str = "fuzz/Cargo.toml";
const HOST: &str = "x86_64-unknown-linux-gnu";

/// What `cargo fuzz` passes: coverage for libFuzzer, and AddressSanitizer.
const FLAGS: &str = "--cfg fuzzing -Zsanitizer=address -Cdebug-assertions -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1";

pub fn run(options: &Options) -> Result<()> {
    if options.replay {
        return replay().run();
    }
    let all = targets()?;
    if let Some(name) = &options.target {
        ensure!(all.contains(name), "no target `{name}` in fuzz/fuzz_targets; there are: {}", all.join(", "));
    }
    demand_tools()?;
    let chosen = all.iter().filter(|name| options.target.as_ref().is_none_or(|wanted| wanted == *name));
    chosen.into_iter().try_for_each(|name| fuzz(name, options.seconds))
}

/// All targets over their seeds and whatever a fuzzer found.
pub fn replay() -> Job {
    // The same folder: what the library rests on is built there already.
    let target = target_dir("").display().to_string();
    cargo("run --quiet --bin replay --manifest-path").arg(MANIFEST).arg("--target-dir").arg(target)
}

fn targets() -> Result<Vec<String>> {
    let folder = root().join("fuzz/fuzz_targets");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).context("fuzz/fuzz_targets")? {
        let path = entry?.path();
        let name = path.file_stem().and_then(|stem| stem.to_str());
        names.extend(name.filter(|_| path.extension().is_some_and(|ext| ext == "rs")).map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

fn demand_tools() -> Result<()> {
    let has = |program: &str| Job::new(program).words("--version").capture().is_ok_and(|out| out.passed());
    let compiler = std::env::var("CXX").is_ok() || has("c++") || has("g++") || has("clang++");
    ensure!(
        compiler,
        "libFuzzer is C++ and there is no C++ compiler; install one (package `g++`), or run `cargo xtask fuzz --replay`"
    );
    Ok(())
}

fn fuzz(name: &str, seconds: u64) -> Result<()> {
    let (corpus, seeds, found) =
        (format!("fuzz/corpus/{name}"), format!("fuzz/seeds/{name}"), "fuzz/artifacts");
    for folder in [corpus.as_str(), &seeds, found] {
        std::fs::create_dir_all(root().join(folder)).with_context(|| folder.to_owned())?;
    }
    let target = target_dir("fuzz").display().to_string();
    // A fuzzing build needs options that only nightly takes by itself; the same compiler takes them with this variable.
    let job =
        cargo("run --release --features libfuzzer --bin").arg(name).arg("--manifest-path").arg(MANIFEST);
    let job = job
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", FLAGS.split_whitespace().collect::<Vec<_>>().join(" "));
    let job = job.arg("--target").arg(HOST).arg("--target-dir").arg(target).words("--");
    let job = job
        .arg(&corpus)
        .arg(&seeds)
        .arg(format!("-max_total_time={seconds}"))
        .words("-rss_limit_mb=2048 -timeout=10");
    let job = job.arg(format!("-artifact_prefix={found}/{name}-"));
    job.run().with_context(|| {
        format!("target {name}: what it found lies in {found}; replay it with `cargo xtask fuzz --replay`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_its_program_and_its_line() {
        let manifest = std::fs::read_to_string(root().join(MANIFEST)).unwrap();
        let table = std::fs::read_to_string(root().join("fuzz/src/lib.rs")).unwrap();
        for name in targets().unwrap() {
            assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is missing in {MANIFEST}");
            assert!(
                table.contains(&format!("(\"{name}\"")),
                "{name} is missing in TARGETS of fuzz/src/lib.rs"
            );
        }
    }
}
