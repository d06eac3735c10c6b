//! The tour: counts the words of real files with worker processes, kills one of them half-way, and shows that
//! the count is exactly that of a single process.
//!
//! A task queue feeds the workers, results come back on another queue. A worker takes a task by lease and
//! gives the lease back after its result is sent: if it dies before, the task goes to another worker; if it
//! dies between the two, the result comes twice, and the second one is told by the id of its task.

mod crew;
pub mod file;
pub mod find;
mod options;
mod progress;
mod single;
mod summary;
pub mod tally;
pub mod words;

pub use options::Options;

use anyhow::Context as _;
use find::{Found, Skip};
use progress::Progress;
use std::env;
use std::path::PathBuf;
use std::process::ExitCode;
use summary::Summary;

/// Runs the tour. The exit code is 1 if the two counts differ, or if the work could not be done.
pub fn run(options: &Options) -> ExitCode {
    match tour(options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("processing: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether the two counts are equal.
fn tour(options: &Options) -> anyhow::Result<bool> {
    let found = find_files(options)?;
    let crew = {
        let progress = Progress::new("counting", &found.files);
        crew::count(&found.files, options.crew(), &progress)?
    };
    let single = {
        let progress = Progress::new("checking", &found.files);
        single::count(&found.files, &progress)
    };
    let summary = Summary::new(&found, &crew, &single);
    summary.report_problems();
    summary.print(options.json)?;
    Ok(summary.equal())
}

fn find_files(options: &Options) -> anyhow::Result<Found> {
    if options.paths.is_empty() {
        return Ok(find::find(&default_paths()?, Skip::BuildOutput));
    }
    Ok(find::find(&options.paths, Skip::Nothing))
}

/// The checkout this program was built from, and the sources of its dependencies.
fn default_paths() -> anyhow::Result<Vec<PathBuf>> {
    let checkout = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let checkout = match checkout.canonicalize() {
        Ok(checkout) => checkout,
        Err(_) => env::current_dir().context("the current directory")?,
    };
    let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo_home = cargo_home.or_else(|| Some(env::home_dir()?.join(".cargo")));
    let sources = cargo_home.map(|home| home.join("registry/src")).filter(|path| path.is_dir());
    Ok([checkout].into_iter().chain(sources).collect())
}
