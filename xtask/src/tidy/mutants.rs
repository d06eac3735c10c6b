//! Every seeded fault of the source is listed with a test that notices it, and every listed one exists.

use std::collections::BTreeMap;

use super::finding::Finding;
use super::source::Source;
use super::tree::Tree;
use crate::cmd::mutants::{LIST, Mutant, parse};

const RULE: &str = "mutant";
/// How source names a fault: itself, or an ordering that it weakens.
const CALLS: [&str; 2] = ["mutant::on(\"", "order(\""];

pub fn check(tree: &Tree) -> Vec<Finding> {
    // Some steps can only be modelled by a copy of them, which seeds faults of its own.
    let sources: Vec<_> = ["src/", "loom-tests/"].into_iter().flat_map(|root| tree.sources(root)).collect();
    let seeded: BTreeMap<String, (String, usize)> = sources.iter().flat_map(seeded).collect();
    let listed = match parse(tree.text(LIST).unwrap_or_default()) {
        Ok(listed) => listed,
        Err(error) => {
            return vec![Finding::new(
                LIST,
                1,
                RULE,
                format!("{error:#}"),
                "write `mutant test_program [filter]`",
            )];
        }
    };
    let unlisted = seeded
        .iter()
        .filter(|(name, _)| listed.iter().all(|mutant| mutant.faults().all(|fault| fault != *name)));
    let unlisted = unlisted.map(|(name, (path, line))| {
        let way_out = format!("add `{name} test_program [filter]` to {LIST}");
        Finding::new(path, *line, RULE, format!("no test is named that notices `{name}`"), way_out)
    });
    let stale = listed.iter().flat_map(Mutant::faults).filter(|fault| !seeded.contains_key(*fault));
    let stale = stale.map(|fault| {
        Finding::new(
            LIST,
            1,
            RULE,
            format!("nothing seeds `{fault}`"),
            "remove the line, or correct the name",
        )
    });
    unlisted.chain(stale).collect()
}

fn seeded(source: &Source) -> Vec<(String, (String, usize))> {
    let mut found = Vec::new();
    for (at, line) in source.uncommented.iter().enumerate().filter(|(at, _)| !source.is_test(at + 1)) {
        let calls = CALLS.iter().flat_map(|call| line.split(call).skip(1));
        let names = calls.filter_map(|rest| rest.split_once('"'));
        found.extend(names.map(|(name, _)| (name.to_owned(), (source.path.clone(), at + 1))));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(source: &str, list: &str) -> Vec<String> {
        let files = [("src/ring/a.rs", source), (LIST, list)];
        check(&Tree::of(&files)).into_iter().map(|f| format!("{}:{}: {}", f.path, f.line, f.what)).collect()
    }

    #[test]
    fn seeded_and_listed_agree() {
        assert_eq!(
            findings("if mutant::on(\"a.b\") {}\n// mutant::on(\"c\")", "# head\na.b x_loom\n"),
            [""; 0]
        );
        assert_eq!(findings("", ""), [""; 0]);
    }

    #[test]
    fn a_line_of_several_names_each_of_them() {
        let source = "f(order(\"a.b\", Acquire)); g(order(\"a.c\", Release));";
        assert_eq!(findings(source, "a.b,a.c x_loom"), [""; 0]);
        assert_eq!(
            findings(source, "a.b,a.d x_loom"),
            [
                "src/ring/a.rs:1: no test is named that notices `a.c`",
                "loom-tests/mutants.txt:1: nothing seeds `a.d`"
            ]
        );
    }

    #[test]
    fn each_side_is_demanded() {
        assert_eq!(
            findings("\nif mutant::on(\"a.b\") {}", ""),
            ["src/ring/a.rs:2: no test is named that notices `a.b`"]
        );
        assert_eq!(findings("", "a.b x_loom"), ["loom-tests/mutants.txt:1: nothing seeds `a.b`"]);
        assert_eq!(findings("", "a").len(), 1);
    }
}
