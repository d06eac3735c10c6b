//! Which rows `--rows` means.

/// Full names, and beginnings that end in `*`; nothing given means all.
pub struct Selection<'a>(&'a [String]);

impl<'a> Selection<'a> {
    pub fn new(patterns: &'a [String]) -> Self {
        Self(patterns)
    }

    pub fn includes(&self, name: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|pattern| matches(pattern, name))
    }

    /// The patterns that no name fits.
    pub fn unknown(&self, names: &[&str]) -> impl Iterator<Item = &'a str> {
        let fits = move |pattern: &&String| !names.iter().any(|name| matches(pattern, name));
        self.0.iter().filter(fits).map(String::as_str)
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.trim().strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => pattern.trim() == name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_beginnings() {
        let patterns = ["raw.pipe".to_string(), "queue.*".to_string()];
        let selection = Selection::new(&patterns);
        assert!(selection.includes("raw.pipe"));
        assert!(!selection.includes("raw.pipe.one_core"));
        assert!(selection.includes("queue.stream.8b.1x1"));
        assert!(Selection::new(&[]).includes("anything"));
        assert_eq!(selection.unknown(&["raw.pipe"]).collect::<Vec<_>>(), ["queue.*"]);
    }
}
