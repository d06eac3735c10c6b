//! What is to be reached: `xtask/goals.json`.

use anyhow::{Context, Result};
use serde::Deserialize;

use super::rows::Row;

/// Ours divided by the peer's is to be at most so much.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Goal {
    pub row: String,
    pub what: String,
    pub peer: String,
    pub at_most: f64,
}

/// The projects that the program in `benches/peers` measures.
const OTHERS: &[&str] =
    &["rtrb", "rtrb_chunks", "crossbeam", "iceoryx2", "iceoryx2_loan", "ipc_channel", "ringfire", "python"];

impl Goal {
    /// The peer is measured by our own command: a limit of the machine or a part of its system, not a project of others.
    pub fn is_ours(&self) -> bool {
        !OTHERS.iter().any(|project| self.peer.split('.').next() == Some(project))
    }

    pub fn find<'a>(&self, rows: &'a [Row]) -> Option<&'a Row> {
        rows.iter().find(|row| self.is_for(row))
    }

    pub fn is_for(&self, row: &Row) -> bool {
        row.row == self.row && row.peer.as_ref() == Some(&self.peer)
    }

    pub fn is_met(&self, row: &Row) -> bool {
        row.ratio.is_some_and(|ratio| ratio <= self.at_most)
    }
}

pub fn load() -> Result<Vec<Goal>> {
    serde_json::from_str(include_str!("../../goals.json")).context("xtask/goals.json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perf::rows::{parse, tests::PAIR};

    #[test]
    fn the_goals_read_and_name_no_pair_twice() {
        let goals = load().unwrap();
        for (at, goal) in goals.iter().enumerate() {
            assert!(goals[..at].iter().all(|g| (&g.row, &g.peer) != (&goal.row, &goal.peer)), "{goal:?}");
            assert!(goal.at_most > 0.0);
        }
    }

    #[test]
    fn projects_of_others_are_known_by_the_beginning_of_their_rows() {
        let goal =
            |peer: &str| Goal { row: "r".into(), what: String::new(), peer: peer.into(), at_most: 1.0 };
        for peer in
            ["iceoryx2", "iceoryx2_loan", "iceoryx2.rtt", "rtrb_chunks", "ringfire.64b", "python.queue"]
        {
            assert!(!goal(peer).is_ours(), "{peer}");
        }
        assert!(goal("raw.line_copy").is_ours() && goal("pthread.robust").is_ours());
    }

    #[test]
    fn a_goal_is_for_its_pair_alone() {
        let rows = parse(PAIR).unwrap();
        let goal =
            Goal { row: rows[0].row.clone(), what: String::new(), peer: "raw.two_line".into(), at_most: 1.1 };
        assert!(goal.is_ours() && goal.find(&rows).is_some_and(|row| goal.is_met(row)));
        let strict = Goal { at_most: 1.0, ..goal.clone() };
        assert!(!strict.is_met(&rows[0]));
        assert!(Goal { peer: "rtrb".into(), ..goal }.find(&rows).is_none());
    }
}
