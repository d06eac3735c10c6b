//! The rows that PERF.md was written from, kept beside its pictures: a run of some rows keeps the others.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::rows::Row;
use crate::root::root;

/// Where the rows are kept.
pub const PATH: &str = "docs/perf/rows.jsonl";

/// A row, where and when it was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    pub machine: String,
    pub day: String,
    /// Whether the latest run measured it.
    pub fresh: bool,
    pub row: Row,
}

pub fn load() -> Vec<Kept> {
    let text = std::fs::read_to_string(path()).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

pub fn save(all: &[Kept]) -> Result<()> {
    let lines: Vec<String> = all.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
    std::fs::write(path(), lines.join("\n") + "\n").context(PATH)
}

fn path() -> PathBuf {
    root().join(PATH)
}

/// The new rows, and the old ones of the same machine that were not measured again.
///
/// Rows of other machines go: only figures of one machine may stand in one table.
pub fn merge(old: Vec<Kept>, new: Vec<Row>, machine: &str, day: &str) -> Vec<Kept> {
    let stays = |kept: &Kept| kept.machine == machine && !new.iter().any(|row| row.is_same_pair(&kept.row));
    let mut all: Vec<Kept> =
        old.into_iter().filter(stays).map(|kept| Kept { fresh: false, ..kept }).collect();
    let fresh = |row| Kept { machine: machine.to_owned(), day: day.to_owned(), fresh: true, row };
    all.extend(new.into_iter().map(fresh));
    all.sort_by(|a, b| (&a.row.row, &a.row.peer).cmp(&(&b.row.row, &b.row.peer)));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perf::rows::{parse, tests::PAIR, tests::RAW};

    fn rows(text: &str) -> Vec<Row> {
        parse(text).unwrap()
    }

    #[test]
    fn rows_not_measured_again_stay_and_are_marked() {
        let first = merge(Vec::new(), rows(&format!("{PAIR}\n{RAW}")), "m", "1");
        let second = merge(first, rows(&PAIR.replace("300.5", "200")), "m", "2");
        let seen: Vec<_> =
            second.iter().map(|k| (k.row.row.as_str(), k.row.ours_ns, k.day.as_str(), k.fresh)).collect();
        assert_eq!(seen, [("connection.rtt.busy.8b", 200.0, "2", true), ("raw.futex", 70000.0, "1", false)]);
    }

    #[test]
    fn rows_of_another_machine_go() {
        let first = merge(Vec::new(), rows(RAW), "m", "1");
        assert_eq!(merge(first, rows(PAIR), "n", "2").len(), 1);
    }
}
