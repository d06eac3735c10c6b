//! The columns of percentiles.

use super::document::number;
use super::rows::Row;
use super::store::Kept;

/// Which percentiles a table has columns for.
#[derive(Clone, Copy)]
pub enum Tails {
    None,
    Ours,
    Both,
}

impl Tails {
    pub fn of(members: &[&Kept]) -> Self {
        let has = |name| members.iter().any(|kept| kept.row.more.contains_key(name));
        match (has("p99"), has("peer_p99")) {
            (_, true) => Self::Both,
            (true, false) => Self::Ours,
            (false, false) => Self::None,
        }
    }

    /// What its head and its rule end in.
    pub fn head(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Ours => " p50 / p99 / p99.9 |",
            Self::Both => " p50 / p99 / p99.9 | the peer's |",
        }
    }

    pub fn rule(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Ours => "---|",
            Self::Both => "---|---|",
        }
    }

    /// What the row's line ends in.
    pub fn cells(self, row: &Row) -> String {
        let ours = || percentiles(row, ["p50", "p99", "p999"]);
        match self {
            Self::None => String::new(),
            Self::Ours => format!(" {} |", ours()),
            Self::Both => {
                format!(" {} | {} |", ours(), percentiles(row, ["peer_p50", "peer_p99", "peer_p999"]))
            }
        }
    }
}

fn percentiles(row: &Row, names: [&str; 3]) -> String {
    let all: Vec<f64> = names.iter().filter_map(|name| row.more_number(name)).collect();
    all.iter().map(|value| number(*value)).collect::<Vec<_>>().join(" / ")
}
