//! One line of JSON a row: what `processing speed --json` and the peers' program print.

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One pair of a row and its peer; a raw row has no peer. Times are nanoseconds an operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub row: String,
    pub ours_ns: f64,
    pub peer: Option<String>,
    pub peer_ns: Option<f64>,
    /// Ours divided by the peer's, the median of the rounds.
    pub ratio: Option<f64>,
    pub rounds: u64,
    pub ours_min: Option<f64>,
    pub ours_max: Option<f64>,
    pub peer_min: Option<f64>,
    pub peer_max: Option<f64>,
    pub ratio_min: Option<f64>,
    pub ratio_max: Option<f64>,
    /// What else the program says (`cores`, percentiles): kept, not judged.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl Row {
    /// `connection` of `connection.rtt.busy.8b`.
    pub fn family(&self) -> &str {
        self.row.split('.').next().unwrap_or_default()
    }

    pub fn is_same_pair(&self, other: &Row) -> bool {
        self.row == other.row && self.peer == other.peer
    }

    pub fn more_number(&self, name: &str) -> Option<f64> {
        self.more.get(name).and_then(Value::as_f64)
    }
}

/// Reads the whole output of a program: nothing but rows, each of them complete.
pub fn parse(text: &str) -> Result<Vec<Row>> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(at, line)| parse_line(line).with_context(|| format!("line {}: {line}", at + 1))).collect()
}

/// Reads one row.
pub fn parse_line(line: &str) -> Result<Row> {
    let row: Row = serde_json::from_str(line)?;
    ensure!(row.ours_ns.is_finite() && row.ours_ns > 0.0, "ours_ns is no time");
    ensure!(row.rounds > 0, "no rounds");
    let paired = row.peer_ns.is_some() && row.ratio.is_some();
    ensure!(row.peer.is_none() || paired, "a peer without peer_ns or ratio");
    ensure!(row.more.contains_key("cores"), "no `cores`");
    Ok(row)
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub const PAIR: &str = r#"{"row":"connection.rtt.busy.8b","ours_ns":300.5,"peer":"raw.two_line","peer_ns":290,"ratio":1.04,"rounds":12,"ours_min":290,"ours_max":320,"peer_min":280,"peer_max":300,"ratio_min":0.99,"ratio_max":1.2,"cores":2,"p99":400.0}"#;
    pub const RAW: &str = r#"{"row":"raw.futex","ours_ns":70000,"peer":null,"peer_ns":null,"ratio":null,"rounds":12,"ours_min":1,"ours_max":2,"cores":2}"#;

    #[test]
    fn rows_are_read() {
        let rows = parse(&format!("{PAIR}\n\n{RAW}\n")).unwrap();
        assert_eq!((rows[0].family(), rows[0].ratio), ("connection", Some(1.04)));
        assert_eq!(rows[0].more_number("p99"), Some(400.0));
        assert_eq!((rows[1].peer.as_deref(), rows[1].ratio_max), (None, None));
    }

    #[test]
    fn anything_else_is_named_with_its_line() {
        for bad in
            ["running...", r#"{"row":"x"}"#, &PAIR.replace("\"ratio\":1.04,", ""), &RAW.replace("70000", "0")]
        {
            let error = format!("{:#}", parse(&format!("{RAW}\n{bad}")).unwrap_err());
            assert!(error.contains("line 2"), "{error}");
        }
    }
}
