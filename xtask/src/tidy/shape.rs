//! The shape of a file: it says what it is for, and it is not too long to read.

use super::finding::Finding;
use super::source::Source;
use super::tree::Tree;

/// Lines of code outside test modules, blanks and comments not counted.
const MOST_LINES: usize = 600;

pub fn check(tree: &Tree) -> Vec<Finding> {
    let sources = tree.sources("");
    let long = sources.iter().filter_map(too_long);
    let silent = sources.iter().filter(|source| in_src(&source.path)).filter_map(no_docs);
    long.chain(silent).collect()
}

fn in_src(path: &str) -> bool {
    path.starts_with("src/") || path.contains("/src/")
}

fn too_long(source: &Source) -> Option<Finding> {
    let lines = source.code_lines();
    let what = format!("{lines} lines of code; at most {MOST_LINES}");
    (lines > MOST_LINES).then(|| Finding::new(&source.path, 1, "length", what, "split it: one type a file"))
}

fn no_docs(source: &Source) -> Option<Finding> {
    let mut lines =
        source.raw.iter().map(|line| line.trim()).filter(|line| !line.is_empty() && !line.starts_with("#!"));
    let documented = lines.next().is_some_and(|line| line.starts_with("//!") || line.starts_with("/*!"));
    let way_out = "begin the file with `//!`: what it is for, and what it rests on";
    (!documented).then(|| Finding::new(&source.path, 1, "docs", "no docs of the module", way_out))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(path: &str, text: &str) -> Vec<&'static str> {
        check(&Tree::of(&[(path, text)])).into_iter().map(|f| f.rule).collect()
    }

    #[test]
    fn a_source_file_begins_with_its_docs() {
        assert_eq!(rules("src/a.rs", "fn f() {}"), ["docs"]);
        assert_eq!(rules("cli/src/a.rs", "// note\nfn f() {}"), ["docs"]);
        assert_eq!(rules("src/a.rs", "#![allow(x)]\n\n//! Docs.\nfn f() {}"), [""; 0]);
        assert_eq!(rules("tests/a.rs", "fn f() {}"), [""; 0]);
    }

    #[test]
    fn only_code_counts_for_the_length() {
        let code = format!("//! Docs.\n{}", "f();\n".repeat(MOST_LINES + 1));
        assert_eq!(rules("src/a.rs", &code), ["length"]);
        let comments = format!("//! Docs.\n{}", "// f();\n\n".repeat(MOST_LINES + 1));
        assert_eq!(rules("src/a.rs", &comments), [""; 0]);
        let tests = format!("//! Docs.\n#[cfg(test)]\nmod tests {{\n{}}}\n", "f();\n".repeat(MOST_LINES + 1));
        assert_eq!(rules("src/a.rs", &tests), [""; 0]);
    }
}
