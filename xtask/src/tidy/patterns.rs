//! What must not be written: shapes of code and words that each have a better form.

use super::finding::Finding;
use super::source::{Source, words};
use super::tree::Tree;

pub fn check(tree: &Tree) -> Vec<Finding> {
    let library = tree.sources("src/");
    let everything = tree.sources("");
    let mut findings = Vec::new();
    findings.extend(library.iter().flat_map(atomics));
    findings.extend(library.iter().flat_map(unwraps));
    findings.extend(everything.iter().flat_map(private_futexes));
    findings.extend(everything.iter().flat_map(unfinished));
    findings.extend(tree.texts("", &[]).filter(|(path, _)| !names_the_words(path)).flat_map(forbidden_words));
    findings
}

/// The rules and their tests spell out what they forbid.
fn names_the_words(path: &str) -> bool {
    path.starts_with("xtask/src/tidy/")
}

fn atomics(source: &Source) -> Vec<Finding> {
    if source.path.starts_with("src/sync/") {
        return Vec::new();
    }
    let way_out = "take it from `crate::sync`: anything else escapes the models and the kill tests (a word that no \
                   other process sees: `allow(clippy::disallowed_types, reason = \"private to the process..\")`)";
    let lines = source.lines().filter(|(at, _)| !is_private(source, *at));
    let bad = lines.filter_map(|(at, line)| Some((at, atomic_path(line)?)));
    bad.map(|(at, path)| Finding::new(&source.path, at, "facade", format!("names `{path}`"), way_out))
        .collect()
}

/// The attribute that says so stands at the top of the file, or just above.
fn is_private(source: &Source, line: usize) -> bool {
    let says = |from: usize, to: usize| {
        let attribute = source.raw[from..to].join(" ");
        attribute.contains("allow(clippy::disallowed_types")
            || attribute.contains("allow( clippy::disallowed_types")
    };
    let reasons = (0..source.raw.len()).filter(|at| source.raw[*at].contains("private to the process"));
    reasons.into_iter().any(|at| {
        let from = at.saturating_sub(3);
        let whole_file = source.raw[from..=at].iter().any(|text| text.trim_start().starts_with("#![allow("));
        says(from, at + 1) && (whole_file || (at..at + 8).contains(&(line - 1)))
    })
}

fn atomic_path(line: &str) -> Option<&'static str> {
    const PATHS: &[&str] =
        &["core::sync::atomic", "std::sync::atomic", "core::hint::spin_loop", "std::hint::spin_loop"];
    let grouped = ["core::sync::{", "std::sync::{"];
    let direct = PATHS.iter().find(|path| line.contains(**path)).copied();
    let hidden = grouped.iter().any(|group| line.contains(group)) && words(line, "atomic").next().is_some();
    direct
        .or(hidden.then_some("std::sync::{atomic}"))
        .or(words(line, "loom").next().filter(|_| line.contains("loom::")).map(|_| "loom::"))
}

fn unwraps(source: &Source) -> Vec<Finding> {
    let way_out = "return an error, or say why it cannot happen: `// infallible: ...` on the line above";
    let calls = source
        .lines()
        .filter(|(at, line)| !source.is_test(*at) && is_unwrap(line) && !is_excused(source, *at));
    calls.map(|(at, _)| Finding::new(&source.path, at, "unwrap", "may panic", way_out)).collect()
}

fn is_unwrap(line: &str) -> bool {
    // `self.expect(..)` is a method of the type's own.
    let line = line.replace("self.expect(", "");
    [".unwrap()", ".expect(", ".unwrap_err()", ".expect_err("].iter().any(|call| line.contains(call))
}

/// A comment `infallible:` on the line, or in the comment above the statement it belongs to.
fn is_excused(source: &Source, line: usize) -> bool {
    let raw = |at: usize| source.raw[at - 1].trim_start();
    let excuse = |at: usize| raw(at).contains("// infallible:");
    let mut at = line;
    while at > 1
        && (raw(at).starts_with('.') || raw(at).starts_with('}') || raw(at).starts_with(')'))
        && !excuse(at)
    {
        at -= 1;
    }
    let comment_above = (1..at).rev().take_while(|above| raw(*above).starts_with("//")).any(excuse);
    excuse(line) || excuse(at) || comment_above
}

fn private_futexes(source: &Source) -> Vec<Finding> {
    let bad = |line: &str| {
        line.contains("FUTEX_PRIVATE")
            || line.contains("futex::Flags::PRIVATE")
            || line.contains("FutexFlags::PRIVATE")
    };
    let way_out = "shared futexes only: a private one never meets a waiter of another process";
    let lines = source.lines().filter(|(_, line)| bad(line));
    lines.map(|(at, _)| Finding::new(&source.path, at, "futex", "a process-private futex", way_out)).collect()
}

fn unfinished(source: &Source) -> Vec<Finding> {
    const MACROS: &[&str] = &["todo", "unimplemented", "dbg"];
    let found = |line: &str| {
        MACROS
            .iter()
            .find(|name| words(line, name).any(|at| line[at + name.len()..].starts_with('!')))
            .copied()
    };
    let lines = source.lines().filter_map(|(at, line)| Some((at, found(line)?)));
    let way_out = "finish it, or leave the function out: nothing is stubbed";
    lines
        .map(|(at, name)| Finding::new(&source.path, at, "unfinished", format!("`{name}!`"), way_out))
        .collect()
}

fn forbidden_words((path, text): (&str, &str)) -> Vec<Finding> {
    let lines = text.lines().enumerate().filter_map(|(at, line)| Some((at + 1, forbidden(line)?)));
    lines.map(|(at, (word, way_out))| Finding::new(path, at, "word", format!("`{word}`"), way_out)).collect()
}

fn forbidden(line: &str) -> Option<(&'static str, &'static str)> {
    let home = ["/home/", "/root/", "/Users/"].into_iter().find(|home| starts_a_path(line, home));
    if let Some(home) = home {
        return Some((
            home,
            "a path of one machine means nothing on another: use a relative path or a variable",
        ));
    }
    let mark = ["TODO", "FIXME"].into_iter().find(|mark| words(line, mark).next().is_some())?;
    (!has_issue(line)).then_some((mark, "do it now, or open an issue and write its number: `TODO(#12)`"))
}

fn starts_a_path(line: &str, home: &str) -> bool {
    let before = |at: usize| line[..at].chars().next_back();
    line.match_indices(home)
        .any(|(at, _)| before(at).is_none_or(|c| !c.is_alphanumeric() && !"._-}*/".contains(c)))
}

fn has_issue(line: &str) -> bool {
    line.match_indices('#').any(|(at, _)| line[at + 1..].starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(path: &str, text: &str) -> Vec<String> {
        check(&Tree::of(&[(path, text)])).into_iter().map(|f| format!("{}:{}", f.line, f.rule)).collect()
    }

    #[test]
    fn atomics_come_from_the_facade() {
        for line in [
            "use std::sync::atomic::AtomicU32;",
            "use core::sync::atomic;",
            "use std::sync::{Arc, atomic::AtomicBool};",
            "use loom::thread;",
        ] {
            assert_eq!(rules("src/ring/a.rs", line), ["1:facade"], "{line}");
            assert_eq!(rules("src/sync/a.rs", line), [""; 0], "{line}");
            assert_eq!(rules("cli/src/a.rs", line), [""; 0], "{line}");
        }
        for line in [
            "use crate::sync::atomic::AtomicU32;",
            "use std::sync::Arc;",
            "// std::sync::atomic",
            "#[cfg(loom)]",
        ] {
            assert_eq!(rules("src/ring/a.rs", line), [""; 0], "{line}");
        }
    }

    #[test]
    fn words_that_no_other_process_sees_are_excused_with_their_reason() {
        let reason = "[allow(clippy::disallowed_types, reason = \"private to the process\")]";
        assert_eq!(rules("src/a.rs", &format!("#!{reason}\n\nuse core::sync::atomic::AtomicU32;")), [""; 0]);
        assert_eq!(rules("src/a.rs", &format!("#{reason}\nuse core::sync::atomic::AtomicU32;")), [""; 0]);
        let far = format!("#{reason}\nuse x;{}use core::sync::atomic::AtomicU32;", "\n".repeat(20));
        assert_eq!(rules("src/a.rs", &far), ["22:facade"]);
        assert_eq!(
            rules("src/a.rs", "// private to the process\nuse core::sync::atomic::AtomicU32;"),
            ["2:facade"]
        );
    }

    #[test]
    fn an_unwrap_needs_its_reason() {
        assert_eq!(rules("src/a.rs", "fn f() { x.unwrap(); }"), ["1:unwrap"]);
        assert_eq!(rules("src/a.rs", "let x = y\n    .z()\n    .expect(\"q\");"), ["3:unwrap"]);
        assert_eq!(rules("src/a.rs", "x.unwrap_or_default(); x.expected(); self.expect(1)?;"), [""; 0]);
        assert_eq!(rules("src/a.rs", "// infallible: x is 8 bytes\nx.unwrap();"), [""; 0]);
        assert_eq!(rules("src/a.rs", "x.unwrap(); // infallible: checked above"), [""; 0]);
        assert_eq!(
            rules(
                "src/a.rs",
                "// infallible: a slice of 8 bytes\n// is 8 long\nlet x = y\n    .z()\n    .unwrap();"
            ),
            [""; 0]
        );
        assert_eq!(rules("src/a.rs", "#[cfg(test)]\nmod tests {\n    fn f() { x.unwrap() }\n}"), [""; 0]);
        assert_eq!(rules("cli/src/a.rs", "x.unwrap();"), [""; 0]);
    }

    #[test]
    fn futexes_are_shared() {
        assert_eq!(rules("src/sys/a.rs", "libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG"), ["1:futex"]);
        assert_eq!(rules("src/sys/a.rs", "// never FUTEX_PRIVATE_FLAG"), [""; 0]);
    }

    #[test]
    fn nothing_is_stubbed() {
        assert_eq!(rules("tests/a.rs", "fn f() { todo!() }"), ["1:unfinished"]);
        assert_eq!(rules("src/a.rs", "fn f() { unimplemented!(\"later\") }"), ["1:unfinished"]);
        assert_eq!(rules("src/a.rs", "fn todo() {} // todo!"), [""; 0]);
    }

    #[test]
    fn paths_of_a_machine_and_forgotten_notes_are_found() {
        assert_eq!(rules("a.md", "see /home/me/x"), ["1:word"]);
        assert_eq!(rules("a.rs", "// TODO later"), ["1:word"]);
        assert_eq!(rules("a.rs", "// TODO(#12): later\n// TODOS"), [""; 0]);
        assert_eq!(rules("a.md", "$HOME/x and a/home/b"), [""; 0]);
    }
}
