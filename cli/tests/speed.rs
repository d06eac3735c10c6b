//! `processing speed`: what it prints. No figure is looked at, but that it is one.

mod common;

use common::{Outcome, processing};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

const KEYS: [&str; 13] = [
    "row",
    "ours_ns",
    "peer",
    "peer_ns",
    "ratio",
    "rounds",
    "ours_min",
    "ours_max",
    "peer_min",
    "peer_max",
    "ratio_min",
    "ratio_max",
    "cores",
];
const TAIL: [&str; 3] = ["p50", "p99", "p999"];
const PEER_TAIL: [&str; 3] = ["peer_p50", "peer_p99", "peer_p999"];
/// What only some rows have, besides the tails.
const MORE: [&str; 5] = ["share", "every_ns", "writer_per_s", "peer_writer_per_s", "bytes_each"];

/// Runs the rows as short as can be.
fn speed(rows: &str) -> Outcome {
    processing(["speed", "--json", "--seconds", "0.05", "--rows", rows])
}

/// Each line of stdout is an object of the right form; anything else fails the test.
fn lines(outcome: &Outcome) -> Vec<Map<String, Value>> {
    outcome.stdout.lines().map(|line| checked(line).unwrap_or_else(|why| panic!("{why}: {line}"))).collect()
}

fn checked(line: &str) -> Result<Map<String, Value>, String> {
    let object: Map<String, Value> = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let keys: BTreeSet<&str> = object.keys().map(String::as_str).collect();
    let all = BTreeSet::from(KEYS);
    let known = |key: &str| TAIL.contains(&key) || PEER_TAIL.contains(&key) || MORE.contains(&key);
    if !keys.is_superset(&all) || keys.difference(&all).any(|key| !known(key)) {
        return Err(format!("keys {keys:?}"));
    }
    ordered(&object, ["ours_min", "ours_ns", "ours_max"])?;
    if object["rounds"].as_u64().is_none_or(|rounds| rounds < 12) || object["cores"].as_u64().is_none() {
        return Err("rounds or cores".into());
    }
    if object["peer"].is_string() {
        ordered(&object, ["peer_min", "peer_ns", "peer_max"])?;
        ordered(&object, ["ratio_min", "ratio", "ratio_max"])?;
    } else if KEYS
        .iter()
        .any(|key| (key.starts_with("peer") || key.starts_with("ratio")) && !object[*key].is_null())
    {
        return Err("figures of no peer".into());
    }
    Ok(object)
}

/// Three positive numbers that do not fall.
fn ordered(object: &Map<String, Value>, keys: [&str; 3]) -> Result<(), String> {
    let figures = keys.map(|key| object[key].as_f64().unwrap_or(f64::NAN));
    let good = figures[0] > 0.0 && figures[0] <= figures[1] && figures[1] <= figures[2];
    if good { Ok(()) } else { Err(format!("{keys:?} are {figures:?}")) }
}

fn names(outcome: &Outcome) -> Vec<String> {
    lines(outcome).iter().map(|line| line["row"].as_str().expect("a name").to_string()).collect()
}

/// Rows between two cores need two.
fn has_two_cores() -> bool {
    std::thread::available_parallelism().is_ok_and(|cores| cores.get() >= 2)
}

#[test]
fn raw_rows_are_one_object_a_line_without_a_peer() {
    let outcome = speed("raw.pipe.one_core,raw.futex.one_core,raw.memcpy.4k");
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(names(&outcome), ["raw.futex.one_core", "raw.pipe.one_core", "raw.memcpy.4k"]);
    assert!(lines(&outcome).iter().all(|line| line["peer"].is_null() && line["ratio"].is_null()));
}

#[test]
fn all_raw_rows_run_or_are_reported_as_missing() {
    let outcome = speed("raw.*");
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let measured = names(&outcome);
    let listed = processing(["speed", "--list", "--rows", "raw.*"]);
    for name in listed.stdout.lines() {
        let reported = outcome.stderr.contains(&format!("{name}: not measured: "));
        assert!(measured.iter().any(|row| row == name) != reported, "{name}: {}", outcome.stderr);
    }
    if has_two_cores() {
        for name in
            ["raw.one_line", "raw.two_line", "raw.futex", "raw.pipe", "raw.pipe.crowded", "raw.unix_socket"]
        {
            assert!(measured.iter().any(|row| row == name), "{name} is missing: {}", outcome.stderr);
        }
    }
}

#[test]
fn rows_that_are_timed_one_by_one_have_a_tail() {
    let outcome = speed("raw.fork");
    let [line] = &lines(&outcome)[..] else { panic!("{}", outcome.stderr) };
    ordered(line, TAIL).unwrap();
}

#[test]
fn names_are_unique_and_those_of_the_tables() {
    let listed = processing(["speed", "--list"]);
    let names: Vec<&str> = listed.stdout.lines().collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
    for name in ["raw.one_line", "raw.two_line", "raw.futex", "raw.pipe", "raw.pipe.one_core"] {
        assert!(names.contains(&name), "{name}");
    }
    for name in
        ["raw.pipe.crowded", "raw.unix_socket", "raw.mq", "raw.spsc_copy", "raw.memcpy.64k", "raw.fork"]
    {
        assert!(names.contains(&name), "{name}");
    }
}

#[test]
fn a_selection_that_nothing_fits_is_told() {
    let outcome = speed("nothing.of.this");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""));
    assert!(outcome.stderr.contains("nothing.of.this"), "{}", outcome.stderr);
}

#[test]
fn a_senseless_time_is_refused() {
    for seconds in ["0", "-1", "nan", "long"] {
        let outcome = processing(["speed", "--seconds", seconds, "--rows", "raw.memcpy.4k"]);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""), "{seconds}");
    }
}

#[test]
fn people_get_a_table() {
    let outcome = processing(["speed", "--seconds", "0.05", "--rows", "raw.memcpy.4k"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(
        outcome.stdout.lines().nth(1).is_some_and(|line| line.starts_with("raw.memcpy.4k ")),
        "{}",
        outcome.stdout
    );
}

/// The rows of the engine itself, in the words of the table.
mod ours {
    use super::*;

    /// A row and the peer that its goal names, where it is a row of this program.
    const GOALS: [(&str, &str); 14] = [
        ("connection.rtt.busy.8b", "raw.two_line"),
        ("connection.rtt.busy.56b", "raw.two_line"),
        ("connection.rtt.asleep.8b", "raw.futex"),
        ("connection.rtt.one_core.8b", "raw.pipe.one_core"),
        ("connection.rtt.crowded.8b", "raw.pipe.crowded"),
        ("queue.stream.256b.1x1", "raw.spsc_copy"),
        ("queue.stream.4k.1x1", "raw.line_copy"),
        ("queue.stream.1m.1x1", "raw.line_copy"),
        ("process.fork_server.start_join", "raw.fork"),
        ("array.get", "std.vec"),
        ("list.push", "mutex_vec"),
        ("list.get", "mutex_vec"),
        ("dict.get.u64", "mutex_hashmap"),
        ("dict.set.u64", "mutex_hashmap"),
    ];

    #[test]
    fn round_trips_have_tails_on_both_sides() {
        if !has_two_cores() {
            return;
        }
        let outcome = speed("connection.rtt.asleep.8b");
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        let lines = lines(&outcome);
        assert!(lines.iter().any(|line| line["peer"].is_string()), "{}", outcome.stdout);
        for line in lines {
            ordered(&line, TAIL).unwrap();
            ordered(&line, PEER_TAIL).unwrap();
        }
    }

    #[test]
    fn an_open_loop_says_its_schedule() {
        if !has_two_cores() {
            return;
        }
        let outcome = speed("queue.open_loop.*");
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        assert_eq!(names(&outcome), ["queue.open_loop.8b", "queue.open_loop.256b"]);
        for line in lines(&outcome) {
            ordered(&line, TAIL).unwrap();
            assert!(line["every_ns"].as_f64().is_some_and(|every| every > 0.0), "{}", outcome.stdout);
        }
    }

    #[test]
    fn who_reads_beside_a_writer_says_how_fast_it_is() {
        if !has_two_cores() {
            return;
        }
        let outcome = speed("dict.get.16b_64b,dict.set.u64");
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        assert_eq!(names(&outcome), ["dict.get.16b_64b", "dict.set.u64"]);
        for line in lines(&outcome) {
            for key in ["writer_per_s", "peer_writer_per_s"] {
                assert!(line[key].as_f64().is_some_and(|rate| rate > 0.0), "{key}: {}", outcome.stdout);
            }
        }
    }

    #[test]
    fn each_goal_has_its_pair() {
        if !has_two_cores() {
            return;
        }
        let outcome = speed(&GOALS.map(|(row, _)| row).join(","));
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        let lines = lines(&outcome);
        for (row, peer) in GOALS {
            let pair = |line: &&Map<String, Value>| line["row"] == row && line["peer"] == peer;
            assert_eq!(lines.iter().filter(pair).count(), 1, "{row} beside {peer}: {}", outcome.stdout);
        }
    }
}
