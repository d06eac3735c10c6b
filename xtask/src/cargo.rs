//! Cargo, asked in its own terms: its jobs, its metadata, the programs it built.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::job::Job;

/// A program that cargo built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The target's name (`mpmc_loom`).
    pub name: String,
    pub path: PathBuf,
}

/// `cargo <words>`, with the cargo that runs us.
pub fn cargo(words: &str) -> Job {
    Job::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())).words(words)
}

/// The integration tests of a package that need this feature, and no other.
pub fn tests_with_feature(package: &str, feature: &str) -> Result<Vec<String>> {
    let text = cargo("metadata --format-version 1 --no-deps").capture()?;
    anyhow::ensure!(text.passed(), "cargo metadata failed: {}", text.stderr);
    parse_tests_with_feature(&text.stdout, package, feature)
}

/// Builds and gives the programs of a `cargo build` or `cargo test --no-run` job.
pub fn programs(job: Job) -> Result<Vec<Program>> {
    let text = job.words("--message-format=json-render-diagnostics").stdout()?;
    Ok(text.lines().filter_map(parse_program).collect())
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
    #[serde(default, rename = "required-features")]
    required_features: Vec<String>,
}

#[derive(Deserialize)]
struct Message {
    target: Option<Target>,
    executable: Option<PathBuf>,
}

fn parse_tests_with_feature(text: &str, package: &str, feature: &str) -> Result<Vec<String>> {
    let metadata: Metadata = serde_json::from_str(text).context("cargo metadata")?;
    let targets = metadata.packages.into_iter().filter(|p| p.name == package).flat_map(|p| p.targets);
    let wanted =
        targets.filter(|t| t.kind.iter().any(|kind| kind == "test") && t.required_features == [feature]);
    Ok(wanted.map(|t| t.name).collect())
}

fn parse_program(line: &str) -> Option<Program> {
    let message: Message = serde_json::from_str(line).ok()?;
    Some(Program { name: message.target?.name, path: message.executable? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tests_that_ask_for_features_are_named() {
        let text = r#"{"packages":[{"name":"p","targets":[
            {"name":"a","kind":["test"],"required-features":["internals"]},
            {"name":"b","kind":["test"]},{"name":"c","kind":["lib"]}]},
            {"name":"q","targets":[{"name":"d","kind":["test"],"required-features":["x"]}]}]}"#;
        assert_eq!(parse_tests_with_feature(text, "p", "internals").unwrap(), ["a"]);
    }

    #[test]
    fn a_program_is_a_message_with_an_executable() {
        let line =
            r#"{"reason":"compiler-artifact","target":{"name":"x","kind":["example"]},"executable":"/t/x"}"#;
        assert_eq!(parse_program(line), Some(Program { name: "x".into(), path: "/t/x".into() }));
        assert_eq!(parse_program(r#"{"reason":"build-finished","success":true}"#), None);
        let library = r#"{"target":{"name":"x","kind":["lib"]},"executable":null}"#;
        assert_eq!(parse_program(library), None);
    }
}
