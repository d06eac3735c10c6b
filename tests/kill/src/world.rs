//! What must be the same before and after.

use std::collections::BTreeSet;
use std::fs;

use processing::{Arena, Queue, testing};

use crate::{Outcome, words};

/// The arena that a case plays in.
pub struct World {
    pub arena: Arena,
    /// Something that every process is given, so that it takes part.
    pub anchor: Queue<u64>,
}

/// What is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    objects: u64,
    references: u64,
    /// private, sent, body, dying, leaked, in cycles
    blocks: [u64; 7],
    allocated: u64,
    participants: Vec<u16>,
    descriptors: usize,
    named: BTreeSet<String>,
}

impl Snapshot {
    /// Whether `after` is the same. A name that has gone is another program's, which runs beside this one.
    pub fn is_like(&self, after: &Self) -> bool {
        let named = after.named.intersection(&self.named).cloned().collect();
        after.named.is_subset(&self.named) && *after == Self { named, ..self.clone() }
    }
}

impl World {
    pub fn new() -> Outcome<Self> {
        let arena = Arena::builder().limit(64 << 20).build().map_err(words("arena"))?;
        let anchor = Queue::builder().capacity(1).arena(&arena).build().map_err(words("anchor"))?;
        Ok(Self { arena, anchor })
    }

    /// Looks for the dead, then at everything.
    pub fn snapshot(&self) -> Outcome<Snapshot> {
        let fsck = self.arena.fsck().map_err(words("fsck"))?;
        if !fsck.is_clean() {
            return Err(format!("fsck: {fsck}"));
        }
        let usage = testing::usage(&self.arena).map_err(words("usage"))?;
        let region = testing::region(&self.arena).map_err(words("region"))?;
        Ok(Snapshot {
            objects: fsck.objects,
            references: fsck.references,
            blocks: [fsck.private, fsck.sent, fsck.body, fsck.value, fsck.dying, fsck.leaked, fsck.cycles],
            allocated: usage.allocated,
            participants: region.participants().map(|p| p.id).collect(),
            descriptors: count("/proc/self/fd"),
            named: ["/dev/shm", "/dev/mqueue"].iter().flat_map(|folder| names(folder)).collect(),
        })
    }

    /// Memory that the region has from the system.
    pub fn committed(&self) -> Outcome<u64> {
        Ok(testing::usage(&self.arena).map_err(words("usage"))?.committed)
    }
}

fn count(folder: &str) -> usize {
    fs::read_dir(folder).map_or(0, Iterator::count)
}

fn names(folder: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let path = |entry: std::io::Result<fs::DirEntry>| Some(entry.ok()?.path().display().to_string());
    entries.filter_map(path).collect()
}
