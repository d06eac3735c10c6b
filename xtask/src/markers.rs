//! Parts of a document that a command writes: between `<!-- NAME:begin -->` and `<!-- NAME:end -->`.

use anyhow::{Context, Result};

fn ends(name: &str) -> (String, String) {
    (format!("<!-- {name}:begin -->"), format!("<!-- {name}:end -->"))
}

/// The text between the markers.
pub fn between<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (begin, end) = ends(name);
    let (_, rest) = text.split_once(&begin)?;
    Some(rest.split_once(&end)?.0)
}

/// The text with a new part between the markers.
pub fn replace(text: &str, name: &str, part: &str) -> Result<String> {
    let old = between(text, name).with_context(|| format!("no markers `{}` and its end", ends(name).0))?;
    let (begin, end) = ends(name);
    let whole = format!("{begin}{old}{end}");
    Ok(text.replacen(&whole, &format!("{begin}\n{}\n{end}", part.trim_matches('\n')), 1))
}

/// The line (from 1) of the first marker, or 1.
pub fn line_of(text: &str, name: &str) -> usize {
    let at = text.find(&ends(name).0).unwrap_or(0);
    text[..at].matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "head\n<!-- x:begin -->\nold\n<!-- x:end -->\ntail\n";

    #[test]
    fn only_the_part_between_changes() {
        assert_eq!(between(TEXT, "x"), Some("\nold\n"));
        let new = replace(TEXT, "x", "a\nb\n").unwrap();
        assert_eq!(new, "head\n<!-- x:begin -->\na\nb\n<!-- x:end -->\ntail\n");
        assert_eq!(line_of(TEXT, "x"), 2);
    }

    #[test]
    fn missing_markers_are_an_error() {
        assert!(between(TEXT, "y").is_none());
        assert!(replace(TEXT, "y", "").is_err());
    }
}
