//! PERF.md and its pictures.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context, Result};

use super::goals::Goal;
use super::rows::Row;
use super::store::Kept;
use super::svg;
use super::tails::Tails;
use crate::markers;
use crate::root::root;

const DOCUMENT: &str = "PERF.md";
const PICTURES: &str = "docs/perf";
const MARKER: &str = "perf";

/// What PERF.md begins with, before anybody writes notes around the measured part.
const SKELETON: &str = "# Measurements

Written by `cargo xtask perf`; notes outside the markers are kept.

<!-- perf:begin -->
<!-- perf:end -->
";

/// Families in the order in which a reader wants them; others follow by name.
const ORDER: &[&str] = &["connection", "queue", "process", "value", "struct", "array", "list", "dict"];

/// Writes PERF.md and the pictures; the names of what was written.
pub fn write(rows: &[Kept], goals: &[Goal], problems: &[String]) -> Result<Vec<String>> {
    let folder = root().join(PICTURES);
    std::fs::create_dir_all(&folder).context(PICTURES)?;
    let mut written = Vec::new();
    for (family, members) in families(rows) {
        let members: Vec<&Row> = members.iter().map(|kept| &kept.row).collect();
        if let Some(picture) = svg::draw(family, &members, goals) {
            let name = picture_of(family);
            std::fs::write(root().join(&name), picture).with_context(|| name.clone())?;
            written.push(name);
        }
    }
    let path = root().join(DOCUMENT);
    let old = std::fs::read_to_string(&path).unwrap_or_else(|_| SKELETON.to_owned());
    let new = markers::replace(&old, MARKER, &text(rows, goals, problems)).context(DOCUMENT)?;
    std::fs::write(path, new).context(DOCUMENT)?;
    written.push(DOCUMENT.to_owned());
    Ok(written)
}

fn picture_of(family: &str) -> String {
    format!("{PICTURES}/{family}.svg")
}

fn families(rows: &[Kept]) -> Vec<(&str, Vec<&Kept>)> {
    let mut map = BTreeMap::<&str, Vec<&Kept>>::new();
    for kept in rows {
        map.entry(kept.row.family()).or_default().push(kept);
    }
    let rank = |family: &str| ORDER.iter().position(|name| *name == family).unwrap_or(ORDER.len());
    let mut list: Vec<_> = map.into_iter().collect();
    list.sort_by_key(|(family, _)| (rank(family), *family == "raw"));
    list
}

/// The measured part.
pub fn text(rows: &[Kept], goals: &[Goal], problems: &[String]) -> String {
    let mut text = introduction(rows);
    for problem in problems {
        let _ = writeln!(text, "- not measured: {problem}");
    }
    text.push_str(&goal_table(rows, goals));
    for (family, members) in families(rows) {
        text.push_str(&family_table(family, &members, goals));
    }
    text
}

fn introduction(rows: &[Kept]) -> String {
    let Some(latest) = rows.iter().find(|kept| kept.fresh).or(rows.first()) else {
        return "Nothing is measured yet.\n".to_owned();
    };
    let mut text = format!(
        "Machine: {}. Measured {}.\n\nTimes are nanoseconds an operation: the median of the rounds, and [least .. most]. Ours \
         and the peer alternate within one run; `ratio` is ours / peer in each round, so less than 1 is faster.\n",
        latest.machine, latest.day
    );
    if rows.iter().any(|kept| kept.row.more.contains_key("p99")) {
        text.push_str(
            "Percentiles are of operations that were timed one by one, and the clock with them. In an open loop an operation lasts from \
             when a message was due, by a schedule that waits for nobody, until it was taken; its time is the mean of that.\n",
        );
    }
    if rows.iter().any(|kept| kept.row.more.contains_key("writer_per_s")) {
        text.push_str(
            "Where it says `beside`, one other writes meanwhile, ours and the peer's by the same schedule: a write is due every microsecond. \
             The rate is what it reached.\n",
        );
    }
    if rows.iter().any(|kept| !kept.fresh) {
        text.push_str("† measured by an earlier run on the same machine.\n");
    }
    text
}

fn goal_table(rows: &[Kept], goals: &[Goal]) -> String {
    let mut text =
        "\n## Goals\n\n| row | what | peer | ratio | at most | |\n|---|---|---|---|---|---|\n".to_owned();
    for goal in goals {
        let row = rows.iter().map(|kept| &kept.row).find(|row| goal.is_for(row));
        let (value, verdict) = match row {
            Some(row) => (goal_value(goal, row), verdict(goal, row)),
            None => ("-".to_owned(), "not measured"),
        };
        let Goal { row, what, peer, .. } = goal;
        let peer = if peer.is_empty() { String::new() } else { format!("`{peer}`") };
        let _ = writeln!(text, "| `{row}` | {what} | {peer} | {value} | {} | {verdict} |", limit(goal));
    }
    text
}

fn goal_value(goal: &Goal, row: &Row) -> String {
    match goal.figure {
        Some(_) => goal.value(row).map_or_else(String::new, |value| format!("**{}**", number(value))),
        None => ratio(row),
    }
}

/// A hundredth is too coarse for what is to be less than that.
fn limit(goal: &Goal) -> String {
    if goal.at_most < 0.01 { format!("{}", goal.at_most) } else { format!("{:.2}", goal.at_most) }
}

fn verdict(goal: &Goal, row: &Row) -> &'static str {
    if goal.is_met(row) { "met" } else { "**missed**" }
}

fn family_table(family: &str, members: &[&Kept], goals: &[Goal]) -> String {
    let mut text = format!("\n## {family}\n\n");
    if members.iter().any(|kept| kept.row.ratio.is_some()) {
        let _ = writeln!(text, "![Ratios of {family}]({})\n", picture_of(family));
    }
    let tails = Tails::of(members);
    let _ = writeln!(text, "| row | ours, ns | peer | its ns | ratio | goal |{}", tails.head());
    let _ = writeln!(text, "|---|---|---|---|---|---|{}", tails.rule());
    for kept in members {
        text.push_str(&line(kept, goals, tails));
    }
    text
}

fn line(kept: &Kept, goals: &[Goal], tails: Tails) -> String {
    let row = &kept.row;
    let mark = if kept.fresh { "" } else { " †" };
    let peer = row.peer.as_ref().map_or_else(String::new, |peer| format!("`{peer}`"));
    let more = share(row) + &every(row) + &writer(row, "writer_per_s") + &bytes_each(row);
    let ours = range(Some(row.ours_ns), row.ours_min, row.ours_max) + &more;
    let theirs = range(row.peer_ns, row.peer_min, row.peer_max) + &writer(row, "peer_writer_per_s");
    let goal = goals.iter().find(|goal| goal.is_for(row));
    let goal = goal.map_or_else(String::new, |goal| format!("{}: {}", limit(goal), verdict(goal, row)));
    let (ratio, tails) = (ratio(row), tails.cells(row));
    format!("| `{}`{mark} | {ours} | {peer} | {theirs} | {ratio} | {goal} |{tails}\n", row.row)
}

/// Where several wanted the same: what the one with the least had.
fn share(row: &Row) -> String {
    row.more_number("share").map_or_else(String::new, |share| format!("; least share {share:.2} of fair"))
}

/// Where operations come by a schedule: how often.
fn every(row: &Row) -> String {
    row.more_number("every_ns").map_or_else(String::new, |every| format!("; one every {} ns", number(every)))
}

/// Where one other wrote meanwhile: how often.
fn writer(row: &Row, name: &str) -> String {
    let rate = row.more_number(name).map(|rate| number(rate / 1e3));
    rate.map_or_else(String::new, |rate| format!("; beside {rate} thousand writes a second"))
}

/// Where something is filled: what each of its entries takes.
fn bytes_each(row: &Row) -> String {
    row.more_number("bytes_each").map_or_else(String::new, |bytes| format!("; {} bytes each", number(bytes)))
}

fn ratio(row: &Row) -> String {
    let Some(ratio) = row.ratio else { return String::new() };
    match (row.ratio_min, row.ratio_max) {
        (Some(min), Some(max)) => format!("**{}** [{} .. {}]", factor(ratio), factor(min), factor(max)),
        _ => format!("**{}**", factor(ratio)),
    }
}

/// As many digits as matter beside 1.
pub fn factor(value: f64) -> String {
    if value < 0.1 { format!("{value:.4}") } else { format!("{value:.2}") }
}

fn range(median: Option<f64>, min: Option<f64>, max: Option<f64>) -> String {
    let Some(median) = median else { return String::new() };
    match (min, max) {
        (Some(min), Some(max)) => format!("{} [{} .. {}]", number(median), number(min), number(max)),
        _ => number(median),
    }
}

/// Three significant digits are what a measurement has.
pub fn number(value: f64) -> String {
    match value {
        v if v < 10.0 => format!("{v:.2}"),
        v if v < 100.0 => format!("{v:.1}"),
        v => thousands(v.round() as u64),
    }
}

fn thousands(value: u64) -> String {
    let digits = value.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|g| std::str::from_utf8(g).ok()).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perf::rows::{parse, tests::PAIR, tests::RAW};
    use crate::perf::store::merge;

    fn goal(at_most: f64) -> Goal {
        let (row, peer) = ("connection.rtt.busy.8b".into(), "raw.two_line".into());
        Goal { row, what: "w".into(), peer, at_most, ..Goal::default() }
    }

    #[test]
    fn numbers_are_as_long_as_they_are_known() {
        assert_eq!([3.456, 34.56, 345.6, 1234567.0].map(number), ["3.46", "34.6", "346", "1,234,567"]);
    }

    #[test]
    fn tables_hold_every_row_and_every_goal() {
        let rows = merge(Vec::new(), parse(&format!("{RAW}\n{PAIR}")).unwrap(), "a machine", "1999-01-01");
        let text = text(&rows, &[goal(1.1), Goal { row: "x.y".into(), ..goal(1.0) }], &["rtrb: gone".into()]);
        assert!(text.contains("Machine: a machine. Measured 1999-01-01."));
        assert!(text.contains("- not measured: rtrb: gone"));
        assert!(text.contains("**1.04** [0.99 .. 1.20] | 1.10 | met |"), "{text}");
        assert!(text.contains("| `x.y` | w | `raw.two_line` | - | 1.00 | not measured |"));
        assert!(text.find("## connection") < text.find("## raw"));
        assert!(text.contains("| `raw.futex` | 70,000 [1.00 .. 2.00] |  |  |  |  |"), "{text}");
        assert!(!text.contains('†'));
    }

    #[test]
    fn percentiles_have_as_many_columns_as_there_are() {
        let table = |text: &str| {
            let rows = merge(Vec::new(), parse(text).unwrap(), "m", "1");
            family_table("f", &rows.iter().collect::<Vec<_>>(), &[])
        };
        let ours = PAIR.replace("\"p99\":400.0", "\"p50\":300,\"p99\":400,\"p999\":5000,\"every_ns\":28.4");
        let both = ours.replace("\"p50\"", "\"peer_p50\":1,\"peer_p99\":2,\"peer_p999\":3,\"p50\"");
        assert!(table(RAW).contains("| goal |\n|---|---|---|---|---|---|\n"));
        let one = table(&ours);
        assert!(one.contains("|  | 300 / 400 / 5,000 |\n") && one.contains("; one every 28.4 ns"), "{one}");
        let two = table(&format!("{both}\n{RAW}"));
        assert!(two.contains("| the peer's |\n|---|---|---|---|---|---|---|---|\n"), "{two}");
        assert!(two.contains("| 300 / 400 / 5,000 | 1.00 / 2.00 / 3.00 |\n"), "{two}");
    }

    #[test]
    fn writers_and_bytes_are_said_where_there_are_any() {
        let pair = PAIR.replace("\"p99\"", "\"writer_per_s\":985000,\"peer_writer_per_s\":12.3,\"p99\"");
        let raw = RAW.replace("\"cores\"", "\"bytes_each\":31.84,\"cores\"");
        let rows = merge(Vec::new(), parse(&format!("{pair}\n{raw}")).unwrap(), "m", "1");
        let figure = Goal {
            row: "raw.futex".into(),
            figure: Some("bytes_each".into()),
            at_most: 40.0,
            ..Goal::default()
        };
        let text = text(&rows, &[figure, Goal { at_most: 0.002, ..goal(0.0) }], &[]);
        assert!(text.contains("a write is due every microsecond. The rate is"), "{text}");
        assert!(text.contains("320]; beside 985 thousand writes a second |"), "{text}");
        assert!(text.contains("300]; beside 0.01 thousand writes a second |"), "{text}");
        assert!(text.contains("2.00]; 31.8 bytes each |") && text.contains("| 40.00: met |"), "{text}");
        assert!(text.contains("| `raw.futex` |  |  | **31.8** | 40.00 | met |"), "{text}");
        assert!(text.contains("| 0.002 | **missed** |"), "{text}");
    }

    #[test]
    fn a_missed_goal_and_an_old_row_show() {
        let first = merge(Vec::new(), parse(PAIR).unwrap(), "m", "1");
        let rows = merge(first, parse(RAW).unwrap(), "m", "2");
        let text = text(&rows, &[goal(1.0)], &[]);
        assert!(text.contains("1.00: **missed**") && text.contains("`connection.rtt.busy.8b` †"), "{text}");
        assert!(text.contains("Measured 2."));
    }

    #[test]
    fn nothing_measured_is_said() {
        assert!(text(&[], &[], &[]).starts_with("Nothing is measured yet."));
    }
}
