//! The options of the tour.

use clap::Args;
use std::path::PathBuf;

/// What to count, and with whom.
#[derive(Args, Debug, Clone)]
pub struct Options {
    /// Files and folders; without any, the project's own checkout and its dependencies' sources.
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Kills nobody.
    #[arg(long)]
    pub no_kill: bool,
    /// Worker processes; as many as cores, but at least two.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub workers: Option<u32>,
    /// One JSON object on stdout at the end, and nothing else.
    #[arg(long)]
    pub json: bool,
}

/// What the crew needs to know of them.
#[derive(Debug, Clone, Copy)]
pub struct CrewOptions {
    pub workers: u32,
    pub kill: bool,
}

impl Options {
    pub(super) fn crew(&self) -> CrewOptions {
        let cores =
            || std::thread::available_parallelism().map_or(2, |cores| cores.get().clamp(2, 64) as u32);
        CrewOptions { workers: self.workers.unwrap_or_else(cores), kill: !self.no_kill }
    }
}
