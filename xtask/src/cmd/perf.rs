//! `cargo xtask perf`: measures ours and the peers, and writes PERF.md.

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::cargo::cargo;
use crate::job::{Captured, Job};
use crate::perf::rows::{self, Row};
use crate::perf::{document, goals, machine, store};
use crate::root::root;

#[derive(Args)]
pub struct Options {
    /// Prints the rows, one line of JSON each, and nothing else on standard output
    #[arg(long)]
    json: bool,
    /// Seconds a row
    #[arg(long, default_value = "3")]
    seconds: String,
    /// Only these rows; the others keep their figures of an earlier run on the same machine
    #[arg(long)]
    rows: Option<String>,
}

const PEERS: &str = "benches/peers/Cargo.toml";

/// One measuring program: built first, so that its output is its own.
struct Program {
    name: &'static str,
    build: Job,
    run: Job,
}

pub fn run(options: &Options) -> Result<()> {
    let mut problems = Vec::new();
    let mut measured = Vec::new();
    for program in programs(options) {
        measure(&program, options, &mut measured, &mut problems);
    }
    ensure!(!measured.is_empty(), "nothing was measured: {}", problems.join("; "));
    write(options, measured, &problems)
}

fn programs(options: &Options) -> Vec<Program> {
    let ours = |verb: &str| cargo(verb).words("--quiet --release -p processing-cli");
    let peers = |verb: &str| cargo(verb).words("--quiet --release --manifest-path").arg(PEERS);
    let mut all = vec![Program {
        name: "processing speed",
        build: ours("build"),
        run: with_options(ours("run").words("-- speed"), options),
    }];
    if root().join(PEERS).exists() {
        let run = with_options(peers("run").words("--"), options);
        all.push(Program { name: "the peers' program", build: peers("build"), run });
    }
    all
}

fn with_options(job: Job, options: &Options) -> Job {
    let job = job.words("--json --seconds").arg(&options.seconds);
    match &options.rows {
        Some(rows) => job.arg("--rows").arg(rows),
        None => job,
    }
}

/// Adds the program's rows; whatever is missing on this machine costs its rows and nothing else.
fn measure(program: &Program, options: &Options, measured: &mut Vec<Row>, problems: &mut Vec<String>) {
    let mut follow = || {
        program.build.run()?;
        program.run.follow(|line| match rows::parse_line(line) {
            Ok(row) => {
                show(options, &row, line);
                measured.push(row);
            }
            Err(error) => problems.push(format!("{}: not a row ({error:#}): {line}", program.name)),
        })
    };
    match follow() {
        Ok(captured) => {
            eprint!("{}", captured.stderr);
            problems.extend(failures(program.name, &captured));
        }
        Err(error) => {
            eprintln!("  {} was not measured: {error:#}", program.name);
            problems.push(format!("{}: {}", program.name, first_line(&format!("{error:#}"))));
        }
    }
}

/// What the program says that it could not measure, and how it ended if it says nothing.
fn failures(name: &str, captured: &Captured) -> Vec<String> {
    let said = captured.stderr.lines().filter_map(|line| line.split_once(": not measured: "));
    let mut all: Vec<String> = said.map(|(row, why)| format!("`{row}`: {why}")).collect();
    // Exit status 2: no row of this program was asked for.
    let asked = captured.status.is_none_or(|status| status.code() != Some(2));
    if all.is_empty() && asked && !captured.passed() {
        let status = captured.status.map_or_else(String::new, |status| status.to_string());
        all.push(format!("{name} failed ({status}): {}", captured.stderr.lines().last().unwrap_or_default()));
    }
    all
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn show(options: &Options, row: &Row, line: &str) {
    if options.json {
        println!("{line}");
    } else {
        println!("{}", summary(row));
    }
}

fn summary(row: &Row) -> String {
    let peer = row.peer.as_deref().unwrap_or("");
    let ratio = row.ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
    format!("{:36} {:>12.1} ns  {peer:24} {ratio:>6}", row.row, row.ours_ns)
}

fn write(options: &Options, measured: Vec<Row>, problems: &[String]) -> Result<()> {
    std::fs::create_dir_all(root().join("docs/perf")).context("docs/perf")?;
    let old = if options.rows.is_some() { store::load() } else { Vec::new() };
    let all = store::merge(old, measured, &machine::describe(), &machine::today());
    store::save(&all)?;
    for name in document::write(&all, &goals::load()?, problems)? {
        eprintln!("wrote {name}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured(command: &str) -> Captured {
        Job::new("sh").arg("-c").arg(command).capture().unwrap()
    }

    #[test]
    fn what_was_not_measured_is_told() {
        let some = captured("echo 'raw.mq: not measured: no mqueue' >&2; exit 1");
        assert_eq!(failures("p", &some), ["`raw.mq`: no mqueue"]);
        assert_eq!(failures("p", &captured("exit 0")), [""; 0]);
        assert_eq!(failures("p", &captured("exit 2")), [""; 0]);
        assert!(failures("p", &captured("echo broken >&2; exit 101"))[0].contains("broken"));
    }
}
