//! The layer rule: a file under `src/<layer>` names only its own layer and lower ones.

use super::finding::Finding;
use super::source::{Source, words};
use super::tree::Tree;

const RULE: &str = "layer";

/// Lowest first; modules of one row are on one level and may name each other.
const LAYERS: &[&[&str]] = &[
    &["error", "exit", "child_failed", "sync", "sys", "layout"],
    &["region"],
    &["arena"],
    &["prim"],
    &["ring"],
    &["data"],
    &["channel"],
    &["locks"],
    &["shared"],
    &["process"],
    &["pool", "manager", "listener", "dummy"],
];

/// What the root exports for everybody; other names of the root would hide the layer they come from.
const ROOT_NAMES: &[&str] = &["Error", "ErrorKind", "Result", "rkyv"];

pub fn check(tree: &Tree) -> Vec<Finding> {
    tree.sources("src/").iter().flat_map(check_file).collect()
}

fn check_file(source: &Source) -> Vec<Finding> {
    let Some(layer) = layer_of(&source.path) else { return Vec::new() };
    let Some(level) = level(layer) else { return vec![unknown_layer(source, layer)] };
    let text = source.code.join("\n");
    let named = crate_names(&text).into_iter().filter_map(|(at, name)| {
        let line = text[..at].matches('\n').count() + 1;
        judge(source, line, layer, level, &name)
    });
    named.chain(supers(source, &text)).collect()
}

/// `arena` of `src/arena/block.rs` and of `src/arena.rs`; none for the root itself.
fn layer_of(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("src/")?;
    let first = rest.split('/').next()?.trim_end_matches(".rs");
    (first != "lib").then_some(first)
}

fn level(layer: &str) -> Option<usize> {
    LAYERS.iter().position(|row| row.contains(&layer))
}

fn unknown_layer(source: &Source, layer: &str) -> Finding {
    let what = format!("`{layer}` is in no layer");
    Finding::new(
        &source.path,
        1,
        RULE,
        what,
        "add it to LAYERS in xtask/src/tidy/layers.rs and to ARCHITECTURE.md",
    )
}

fn judge(source: &Source, line: usize, own: &str, level_of_own: usize, name: &str) -> Option<Finding> {
    match level(name) {
        Some(other) if other <= level_of_own => None,
        Some(_) => {
            let what = format!("`{own}` names `crate::{name}`, which lies above it");
            let way_out = "move the code up, or let the upper layer pass what is needed (a trait, a closure)";
            Some(Finding::new(&source.path, line, RULE, what, way_out))
        }
        None if ROOT_NAMES.contains(&name) || name.is_empty() || is_macro(source, line, name) => None,
        None => {
            let what = format!("`crate::{name}` hides the layer it comes from");
            Some(Finding::new(&source.path, line, RULE, what, "write the path of the module that defines it"))
        }
    }
}

fn is_macro(source: &Source, line: usize, name: &str) -> bool {
    source.code.get(line - 1).is_some_and(|text| text.contains(&format!("crate::{name}!")))
}

/// The first names after `crate::`, with their positions; each one of a group `crate::{a::b, c}`.
fn crate_names(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for at in words(text, "crate") {
        let Some(rest) = text[at + 5..].strip_prefix("::") else { continue };
        match rest.strip_prefix('{') {
            Some(group) => found.extend(group_names(group).into_iter().map(|name| (at, name))),
            None => found.push((at, first_name(rest))),
        }
    }
    found
}

fn first_name(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The first name of each member of a group, up to its closing brace.
fn group_names(group: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut depth = 0;
    let mut start = true;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => start = true,
            c if start && !c.is_whitespace() => {
                names.push(first_name(&group[at..]));
                start = false;
            }
            _ => {}
        }
    }
    names
}

/// A chain of `super::` that reaches the root would get around the rule.
fn supers(source: &Source, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut end_of_last = 0;
    for at in words(text, "super").collect::<Vec<_>>() {
        if at < end_of_last {
            continue;
        }
        let chain = text[at..].split("::").take_while(|part| *part == "super").count();
        end_of_last = at + chain * "super::".len();
        let line = text[..at].matches('\n').count() + 1;
        if chain >= depth(&source.path) + inline_depth(&text[..at]) {
            let what = format!("{chain} times `super` reach the root of the crate");
            findings.push(Finding::new(
                &source.path,
                line,
                RULE,
                what,
                "write `crate::`, so that the layer shows",
            ));
        }
    }
    findings
}

/// How many modules deep the file's own module lies: 1 for `src/a.rs` and `src/a/mod.rs`.
fn depth(path: &str) -> usize {
    let inner = path.trim_start_matches("src/").trim_end_matches(".rs");
    inner.split('/').filter(|part| *part != "mod").count()
}

/// How many `mod name {` are open at the end of the text.
fn inline_depth(text: &str) -> usize {
    let mut open = Vec::new();
    for (at, c) in text.char_indices() {
        match c {
            '{' => open.push(opens_module(&text[..at])),
            '}' => drop(open.pop()),
            _ => {}
        }
    }
    open.into_iter().filter(|module| *module).count()
}

fn opens_module(before: &str) -> bool {
    let head = before.trim_end();
    let name = head.len() - head.chars().rev().take_while(|c| c.is_alphanumeric() || *c == '_').count();
    let keyword = head[..name].trim_end();
    keyword.len() < head[..name].len() && words(keyword, "mod").last() == keyword.len().checked_sub(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<String> {
        check(&Tree::of(&[(path, text)])).into_iter().map(|f| format!("{}: {}", f.line, f.what)).collect()
    }

    #[test]
    fn lower_layers_and_the_own_layer_may_be_named() {
        let text = "use crate::region::Region;\nuse crate::{Error, Result, sync::atomic};\nuse crate::arena::block;\n";
        assert_eq!(findings("src/arena/mod.rs", text), [""; 0]);
        assert_eq!(findings("src/sync/futex.rs", "crate::sys::futex::wait()"), [""; 0]);
        assert_eq!(findings("src/lib.rs", "pub use crate::process::Process;"), [""; 0]);
        assert_eq!(findings("src/region/x.rs", "crate::trace_line!(1)"), [""; 0]);
    }

    #[test]
    fn upper_layers_may_not() {
        let found = findings("src/region/mod.rs", "//! crate::ring\n\nuse crate::arena::Arena;\n");
        assert_eq!(found, ["3: `region` names `crate::arena`, which lies above it"]);
        assert_eq!(
            findings("src/prim/x.rs", "use crate::{\n    sync::atomic::{A, B},\n    ring::Ring,\n};").len(),
            1
        );
        assert_eq!(findings("src/arena/x.rs", "fn f() { crate::prim::spin::go() }").len(), 1);
    }

    #[test]
    fn the_roots_names_do_not_hide_a_layer() {
        assert_eq!(findings("src/ring/mod.rs", "use crate::Queue;").len(), 1);
        assert_eq!(findings("src/ring/mod.rs", "use crate::{Queue, Error};").len(), 1);
    }

    #[test]
    fn a_module_without_a_layer_is_named() {
        assert_eq!(findings("src/misc.rs", "fn f() {}"), ["1: `misc` is in no layer"]);
    }

    #[test]
    fn super_does_not_get_around_the_rule() {
        assert_eq!(findings("src/region/seat.rs", "use super::Region;"), [""; 0]);
        assert_eq!(findings("src/region/seat.rs", "use super::super::ring::Ring;").len(), 1);
        assert_eq!(findings("src/region/mod.rs", "use super::ring::Ring;").len(), 1);
        assert_eq!(findings("src/region/mod.rs", "mod imp {\n    use super::Region;\n}"), [""; 0]);
    }
}
