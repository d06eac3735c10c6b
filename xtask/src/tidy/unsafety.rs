//! The unsafe rule: `unsafe` only in files that opt in, lie in the low layers, say why they are sound, and are
//! listed in SAFETY.md.

use std::collections::BTreeMap;

use super::finding::Finding;
use super::source::{Source, words};
use super::tree::Tree;
use crate::markers;

const RULE: &str = "unsafe";
const DOCUMENT: &str = "SAFETY.md";
pub const MARKER: &str = "unsafe-files";
const FOLDERS: &[&str] = &["sync", "sys", "layout", "region", "arena", "prim", "ring", "data"];
const OPT_IN: &str = "#![allow(unsafe_code)]";

pub fn check(tree: &Tree) -> Vec<Finding> {
    let sources = tree.sources("src/");
    let mut findings: Vec<Finding> = sources.iter().flat_map(check_file).collect();
    findings.extend(check_list(tree, &sources));
    findings
}

fn check_file(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |line, what: &str, way_out: &str| {
        findings.push(Finding::new(&source.path, line, RULE, what, way_out));
    };
    let used = first_use(source);
    let opted = opt_in(source);
    if let (Some(line), None) = (used, opted) {
        find(
            line,
            "`unsafe` in a file that does not opt in",
            "keep it out, or start the file with `#![allow(unsafe_code)]`",
        );
    }
    if let Some(line) = opted {
        if !is_low(&source.path) {
            find(
                line,
                "this layer holds no unsafe code",
                "move the unsafe part to sync/, sys/, layout/, region/, arena/, prim/, ring/ or data/",
            );
        }
        if used.is_none() {
            find(
                line,
                "opts in, and holds no `unsafe`",
                "remove `#![allow(unsafe_code)]`, and the file from SAFETY.md",
            );
        }
        if reason(source).is_none() {
            find(
                line,
                "no `# Safety` section in the module's docs",
                "say at the top (`//! # Safety`) on which invariants the blocks rest",
            );
        }
    }
    // In a file that opts in, an item's attribute is for the files that expand a macro.
    for line in item_opt_ins(source).into_iter().filter(|_| opted.is_none()) {
        find(line, "opts in for an item", "opt in for the whole file, with `#![allow(unsafe_code)]`");
    }
    findings
}

fn first_use(source: &Source) -> Option<usize> {
    source.lines().find(|(_, line)| words(line, "unsafe").next().is_some()).map(|(at, _)| at)
}

fn opt_in(source: &Source) -> Option<usize> {
    source.lines().find(|(_, line)| line.trim_start().starts_with(OPT_IN)).map(|(at, _)| at)
}

fn item_opt_ins(source: &Source) -> Vec<usize> {
    let outer = |line: &str| line.contains("#[allow(") || line.contains("#[expect(");
    source.lines().filter(|(_, line)| outer(line) && line.contains("unsafe_code")).map(|(at, _)| at).collect()
}

fn is_low(path: &str) -> bool {
    FOLDERS
        .iter()
        .any(|folder| path.starts_with(&format!("src/{folder}/")) || path == format!("src/{folder}.rs"))
}

/// The first sentence of the `# Safety` section of the module's docs.
fn reason(source: &Source) -> Option<String> {
    let docs = source.raw.iter().filter_map(|line| line.strip_prefix("//!")).map(str::trim);
    let mut section = docs.skip_while(|line| *line != "# Safety").skip(1).skip_while(|line| line.is_empty());
    let paragraph: Vec<&str> = section.by_ref().take_while(|line| !line.is_empty()).collect();
    let text = paragraph.join(" ");
    let sentence =
        text.split_once(". ").map_or(text.as_str(), |(first, _)| first).trim_end_matches(['.', ':']);
    (!sentence.is_empty()).then(|| sentence.to_owned())
}

/// The files that opt in, each with its reason.
fn opted_in(sources: &[Source]) -> BTreeMap<String, String> {
    let files = sources.iter().filter(|source| opt_in(source).is_some());
    files.map(|source| (source.path.clone(), reason(source).unwrap_or_default())).collect()
}

/// The list as SAFETY.md should hold it.
pub fn list(tree: &Tree) -> String {
    let files = opted_in(&tree.sources("src/"));
    files.into_iter().map(|(path, reason)| format!("- `{path}`: {reason}.\n")).collect()
}

fn check_list(tree: &Tree, sources: &[Source]) -> Vec<Finding> {
    let actual = opted_in(sources);
    let Some(text) = tree.text(DOCUMENT) else {
        return if actual.is_empty() { Vec::new() } else { vec![no_list("no such file")] };
    };
    let Some(part) = markers::between(text, MARKER) else {
        return vec![no_list("no markers `unsafe-files`")];
    };
    let listed: Vec<&str> = part.lines().filter_map(listed_path).collect();
    let line = markers::line_of(text, MARKER);
    let bless = "check that it should hold unsafe code, then run `cargo xtask tidy --bless`";
    let missing = actual.keys().filter(|path| !listed.contains(&path.as_str()));
    let missing = missing.map(|path| (format!("`{path}` holds unsafe code and is not listed"), bless));
    let stale = listed.iter().filter(|path| !actual.contains_key(**path));
    let stale = stale
        .map(|path| (format!("`{path}` is listed and does not opt in"), "run `cargo xtask tidy --bless`"));
    missing.chain(stale).map(|(what, way_out)| Finding::new(DOCUMENT, line, RULE, what, way_out)).collect()
}

fn no_list(what: &str) -> Finding {
    Finding::new(
        DOCUMENT,
        1,
        RULE,
        what,
        "list the files between `<!-- unsafe-files:begin -->` and its `:end`",
    )
}

fn listed_path(line: &str) -> Option<&str> {
    line.trim().strip_prefix("- `")?.split_once('`').map(|(path, _)| path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: &str = "//! Docs.\n//!\n//! # Safety\n//!\n//! Only the owner\n//! writes. More.\n#![allow(unsafe_code)]\nunsafe fn f() {}\n";
    const LISTED: &str =
        "<!-- unsafe-files:begin -->\n- `src/ring/a.rs`: Only the owner writes.\n<!-- unsafe-files:end -->\n";

    fn findings(files: &[(&str, &str)]) -> Vec<String> {
        check(&Tree::of(files)).into_iter().map(|f| f.what).collect()
    }

    #[test]
    fn a_listed_file_with_a_reason_may() {
        assert_eq!(findings(&[("src/ring/a.rs", SOUND), ("SAFETY.md", LISTED)]), [""; 0]);
        assert_eq!(
            findings(&[("src/channel/a.rs", "// unsafe\n#![deny(unsafe_code)]\nfn f() { \"unsafe\"; }")]),
            [""; 0]
        );
    }

    #[test]
    fn the_list_gives_the_reason() {
        assert_eq!(
            list(&Tree::of(&[("src/ring/a.rs", SOUND)])),
            "- `src/ring/a.rs`: Only the owner writes.\n"
        );
    }

    #[test]
    fn without_opting_in_it_may_not() {
        assert_eq!(
            findings(&[("src/ring/b.rs", "unsafe fn f() {}")]),
            ["`unsafe` in a file that does not opt in"]
        );
        let item = findings(&[("src/ring/b.rs", "#[allow(unsafe_code)]\nunsafe fn f() {}")]);
        assert!(item.contains(&"opts in for an item".to_owned()), "{item:?}");
    }

    #[test]
    fn upper_layers_may_not() {
        let found =
            findings(&[("src/channel/a.rs", SOUND), ("SAFETY.md", &LISTED.replace("ring", "channel"))]);
        assert_eq!(found, ["this layer holds no unsafe code"]);
    }

    #[test]
    fn the_reason_and_the_use_are_demanded() {
        let bare =
            findings(&[("src/ring/a.rs", "#![allow(unsafe_code)]\nunsafe fn f() {}"), ("SAFETY.md", LISTED)]);
        assert_eq!(bare, ["no `# Safety` section in the module's docs"]);
        let unused = SOUND.replace("unsafe fn", "fn");
        assert_eq!(
            findings(&[("src/ring/a.rs", &unused), ("SAFETY.md", LISTED)]),
            ["opts in, and holds no `unsafe`"]
        );
    }

    #[test]
    fn the_list_must_be_exact() {
        let other = LISTED.replace("a.rs", "z.rs");
        let found = findings(&[("src/ring/a.rs", SOUND), ("SAFETY.md", &other)]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(findings(&[("src/ring/a.rs", SOUND), ("SAFETY.md", "nothing")]).len(), 1);
        assert_eq!(findings(&[("src/ring/a.rs", SOUND)]).len(), 1);
    }
}
