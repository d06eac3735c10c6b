//! FORMAT.md is pinned to the layout: whoever changes a structure must look at its map.
//!
//! Comments, blanks and test code do not count, so that only what the compiler sees of the layout changes the hash.

use super::finding::Finding;
use super::source::Source;
use super::tree::Tree;
use crate::markers;

const RULE: &str = "format";
const DOCUMENT: &str = "FORMAT.md";
pub const MARKER: &str = "layout-hash";

pub fn check(tree: &Tree) -> Vec<Finding> {
    let Some(text) = tree.text(DOCUMENT) else { return no_document(tree) };
    let line = markers::line_of(text, MARKER);
    let finding = |what: String, way_out: &str| vec![Finding::new(DOCUMENT, line, RULE, what, way_out)];
    let Some(part) = markers::between(text, MARKER) else {
        return finding("no markers `layout-hash`".into(), "add `<!-- layout-hash:begin -->` and its `:end`");
    };
    if part.trim() == line_for(tree) {
        return Vec::new();
    }
    let what = "src/layout changed since the maps were drawn".to_owned();
    finding(
        what,
        "correct the maps (and raise the version if old regions would be misread), then run `cargo xtask tidy --bless`",
    )
}

fn no_document(tree: &Tree) -> Vec<Finding> {
    let needed = tree.texts("src/layout/", &["rs"]).next().is_some();
    let way_out = "draw the layout there";
    if needed { vec![Finding::new(DOCUMENT, 1, RULE, "no such file", way_out)] } else { Vec::new() }
}

/// The line that FORMAT.md should hold.
pub fn line_for(tree: &Tree) -> String {
    let normal: String = tree.sources("src/layout/").iter().map(normalised).collect();
    format!("Layout hash: `{:016x}`", fnv1a(normal.as_bytes()))
}

fn normalised(source: &Source) -> String {
    let lines = source.uncommented.iter().enumerate().filter(|(at, _)| !source.is_test(at + 1));
    lines.flat_map(|(_, line)| line.split_whitespace()).flat_map(|word| [word, " "]).collect()
}

/// FNV-1a, 64 bits: a change is to be noticed, not an attack.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: &str = "pub const MAGIC: &[u8] = b\"A\";\n";

    fn pinned(layout: &str) -> Tree {
        let line = line_for(&Tree::of(&[("src/layout/mod.rs", LAYOUT)]));
        let document = format!("<!-- layout-hash:begin -->\n{line}\n<!-- layout-hash:end -->\n");
        Tree::of(&[("src/layout/mod.rs", layout), ("FORMAT.md", &document)])
    }

    #[test]
    fn comments_blanks_and_tests_do_not_count() {
        let same = "//! Docs.\npub  const MAGIC: &[u8] =\n    b\"A\"; // note\n#[cfg(test)]\nmod tests {\n    fn f() {}\n}\n";
        assert_eq!(check(&pinned(same)), []);
    }

    #[test]
    fn a_changed_structure_is_noticed() {
        let found = check(&pinned(&LAYOUT.replace("\"A\"", "\"B\"")));
        assert_eq!(found.len(), 1);
        assert!(found[0].way_out.contains("--bless"));
    }

    #[test]
    fn the_markers_and_the_document_are_demanded() {
        assert_eq!(check(&Tree::of(&[("src/layout/mod.rs", LAYOUT), ("FORMAT.md", "x")])).len(), 1);
        assert_eq!(check(&Tree::of(&[("src/layout/mod.rs", LAYOUT)])).len(), 1);
        assert_eq!(check(&Tree::of(&[])), []);
    }
}
