//! The measuring programs: select rows, measure, print.

use super::cores::OneCore;
use super::rounds::{SetUp, measure};
use super::selection::Selection;
use super::table::{HEAD, Printed};
use super::{Cores, Line, Options, Row};
use std::io::{self, Write};
use std::process::ExitCode;

/// Measures the selected rows and prints each as soon as it is known.
///
/// What the machine lacks is reported on stderr and is no failure. The exit code is 1 if something of ours
/// could not be measured or a message arrived wrong, and 2 if no row fits the selection.
pub fn run(options: &Options, rows: &[Row]) -> ExitCode {
    let selection = Selection::new(&options.rows);
    let names: Vec<&str> = rows.iter().map(Row::name).collect();
    for pattern in selection.unknown(&names) {
        eprintln!("no row fits `{pattern}`; --list prints the names");
    }
    let selected: Vec<&Row> = rows.iter().filter(|row| selection.includes(row.name())).collect();
    if selected.is_empty() {
        return ExitCode::from(2);
    }
    let done = if options.list { list(&selected) } else { measure_all(options, &selected) };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        // Whoever read stdout has enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn list(rows: &[&Row]) -> anyhow::Result<bool> {
    for row in rows {
        writeln!(io::stdout(), "{}", row.name())?;
    }
    Ok(true)
}

/// Whether all that must work did.
fn measure_all(options: &Options, rows: &[&Row]) -> anyhow::Result<bool> {
    let cores = Cores::find()?;
    let mut good = true;
    if !options.json {
        writeln!(io::stdout(), "{HEAD}")?;
    }
    for row in rows {
        match measure(row, &cores, options.seconds, |peer, error| report(peer, &error)) {
            Ok(lines) => lines.iter().try_for_each(|line| print(line, options.json))?,
            Err(error) => {
                report(row.name(), &error);
                good &= is_lack(row, &error);
            }
        }
    }
    Ok(good)
}

fn print(line: &Line, json: bool) -> anyhow::Result<()> {
    // One write a line: a reader never sees half an object.
    let text = if json { serde_json::to_string(line)? } else { Printed(line).to_string() };
    io::stdout().write_all(format!("{text}\n").as_bytes())?;
    Ok(io::stdout().flush()?)
}

/// Whether the machine lacks something, rather than something being broken.
fn is_lack(row: &Row, error: &anyhow::Error) -> bool {
    error.is::<SetUp>() && (row.may_be_missing || error.root_cause().is::<OneCore>())
}

fn report(name: &str, error: &anyhow::Error) {
    eprintln!("{name}: not measured: {error:#}");
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
