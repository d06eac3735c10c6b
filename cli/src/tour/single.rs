//! The count that the workers' is compared with: one process, one file after the other.

use super::file;
use super::find::FoundFile;
use super::progress::Progress;
use super::tally::Tally;
use std::time::{Duration, Instant};

/// What a single process counted, and how long it took.
pub struct SingleCount {
    pub tally: Tally,
    pub took: Duration,
}

pub fn count(files: &[FoundFile], progress: &Progress) -> SingleCount {
    let start = Instant::now();
    let mut tally = Tally::new(files.len());
    for (id, found) in files.iter().enumerate() {
        tally.record(id, file::count(&found.path));
        progress.file_done(found.bytes);
    }
    SingleCount { tally, took: start.elapsed() }
}
