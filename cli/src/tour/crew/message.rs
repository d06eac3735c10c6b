//! What the parent and its workers say to each other.

use super::super::file::Verdict;
use processing::rkyv::{self, Archive, Deserialize, Serialize};

/// One file to count. A path is bytes: it need not be UTF-8.
#[derive(Archive, Serialize, Deserialize)]
#[rkyv(crate = rkyv)]
pub struct Task {
    pub id: u64,
    pub path: Vec<u8>,
    /// Its first holder waits to be killed. Only the last task, and only if nobody could be caught at
    /// work before: tiny files are counted faster than a signal travels.
    pub is_bait: bool,
}

/// What a worker says about a task that it holds.
#[derive(Archive, Serialize, Deserialize)]
#[rkyv(crate = rkyv)]
pub struct Note {
    pub worker: u32,
    pub task: u64,
    pub news: News,
}

#[derive(Archive, Serialize, Deserialize)]
#[rkyv(crate = rkyv)]
pub enum News {
    /// It is about to be counted.
    Started {
        /// Another worker held it before, and died.
        redelivered: bool,
    },
    Counted(Verdict),
}
