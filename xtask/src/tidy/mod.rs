//! The house rules, checked over the text of the checkout.
//!
//! A rule is a function from the tree to findings. Rules see the tree in memory, so that each is tested with
//! a few lines of text that break it and a few that do not.

pub mod bless;
mod finding;
mod format;
mod layers;
mod links;
mod mutants;
mod patterns;
mod shape;
mod source;
pub mod tree;
mod unsafety;

use finding::Finding;
use tree::Tree;

type Rule = fn(&Tree) -> Vec<Finding>;

const RULES: &[Rule] = &[
    layers::check,
    unsafety::check,
    patterns::check,
    shape::check,
    links::check,
    format::check,
    mutants::check,
];

/// All findings, in the order of files and lines.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings: Vec<Finding> = RULES.iter().flat_map(|rule| rule(tree)).collect();
    findings.sort();
    findings
}
