//! What is to be reached: `xtask/goals.json`.

use anyhow::{Context, Result};
use serde::Deserialize;

use super::rows::Row;

/// Ours divided by the peer's is to be at most so much; or, without a peer, a figure that the row says besides its time.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Goal {
    pub row: String,
    pub what: String,
    /// Empty where there is a figure.
    #[serde(default)]
    pub peer: String,
    /// Its name in the row's line.
    pub figure: Option<String>,
    pub at_most: f64,
}

/// The projects that the program in `benches/peers` measures.
const OTHERS: &[&str] = &[
    "rtrb",
    "rtrb_chunks",
    "crossbeam",
    "iceoryx2",
    "iceoryx2_loan",
    "ipc_channel",
    "ringfire",
    "python",
    "heed",
    "mmap_sync",
];

impl Goal {
    /// The peer is measured by our own command: a limit of the machine or a part of its system, not a project of others.
    pub fn is_ours(&self) -> bool {
        !OTHERS.iter().any(|project| self.peer.split('.').next() == Some(project))
    }

    pub fn find<'a>(&self, rows: &'a [Row]) -> Option<&'a Row> {
        rows.iter().find(|row| self.is_for(row))
    }

    pub fn is_for(&self, row: &Row) -> bool {
        let is_its_peer = match &self.figure {
            Some(name) => row.more.contains_key(name),
            None => row.peer.as_ref() == Some(&self.peer),
        };
        row.row == self.row && is_its_peer
    }

    pub fn is_met(&self, row: &Row) -> bool {
        self.value(row).is_some_and(|value| value <= self.at_most)
    }

    /// What is compared with the limit.
    pub fn value(&self, row: &Row) -> Option<f64> {
        match &self.figure {
            Some(name) => row.more_number(name),
            None => row.ratio,
        }
    }
}

pub fn load() -> Result<Vec<Goal>> {
    serde_json::from_str(include_str!("../../goals.json")).context("xtask/goals.json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perf::rows::{parse, tests::PAIR, tests::RAW};

    #[test]
    fn the_goals_read_and_name_no_pair_twice() {
        let goals = load().unwrap();
        for (at, goal) in goals.iter().enumerate() {
            assert!(goals[..at].iter().all(|g| (&g.row, &g.peer) != (&goal.row, &goal.peer)), "{goal:?}");
            assert!(goal.at_most > 0.0);
            assert_eq!(goal.peer.is_empty(), goal.figure.is_some(), "a peer or a figure: {goal:?}");
        }
    }

    #[test]
    fn projects_of_others_are_known_by_the_beginning_of_their_rows() {
        let goal = |peer: &str| Goal { row: "r".into(), peer: peer.into(), at_most: 1.0, ..Goal::default() };
        for peer in [
            "iceoryx2",
            "iceoryx2_loan",
            "iceoryx2.rtt",
            "rtrb_chunks",
            "ringfire.64b",
            "python.queue",
            "heed",
            "mmap_sync",
        ] {
            assert!(!goal(peer).is_ours(), "{peer}");
        }
        for peer in ["raw.line_copy", "pthread.robust", "std.vec", "mutex_hashmap", ""] {
            assert!(goal(peer).is_ours(), "{peer}");
        }
    }

    #[test]
    fn a_goal_is_for_its_pair_alone() {
        let rows = parse(PAIR).unwrap();
        let goal =
            Goal { row: rows[0].row.clone(), peer: "raw.two_line".into(), at_most: 1.1, ..Goal::default() };
        assert!(goal.is_ours() && goal.find(&rows).is_some_and(|row| goal.is_met(row)));
        let strict = Goal { at_most: 1.0, ..goal.clone() };
        assert!(!strict.is_met(&rows[0]));
        assert!(Goal { peer: "rtrb".into(), ..goal }.find(&rows).is_none());
    }

    #[test]
    fn a_goal_without_a_peer_is_of_a_figure() {
        let rows = parse(RAW).unwrap();
        let goal = |figure: &str, at_most| Goal {
            row: rows[0].row.clone(),
            figure: Some(figure.into()),
            at_most,
            ..Goal::default()
        };
        assert!(goal("cores", 2.0).find(&rows).is_some_and(|row| goal("cores", 2.0).is_met(row)));
        assert!(!goal("cores", 1.9).is_met(&rows[0]));
        assert!(goal("bytes_each", 40.0).find(&rows).is_none());
    }
}
