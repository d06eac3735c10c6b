//! What a rule found: where, which rule, and the way out.

use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub path: String,
    /// From 1.
    pub line: usize,
    pub rule: &'static str,
    pub what: String,
    pub way_out: String,
}

impl Finding {
    pub fn new(
        path: &str,
        line: usize,
        rule: &'static str,
        what: impl Into<String>,
        way_out: impl Into<String>,
    ) -> Self {
        Self { path: path.to_owned(), line, rule, what: what.into(), way_out: way_out.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, rule, what, way_out } = self;
        write!(f, "{path}:{line}: {rule}: {what}\n    way out: {way_out}")
    }
}
