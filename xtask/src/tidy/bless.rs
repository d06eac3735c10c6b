//! Rewrites what is pinned, after somebody looked.

use std::path::Path;

use anyhow::{Context, Result};

use super::tree::Tree;
use super::{format, unsafety};
use crate::markers;

/// Brings FORMAT.md and SAFETY.md up to date; the paths of those that changed.
pub fn bless(root: &Path) -> Result<Vec<&'static str>> {
    let tree = Tree::load(root)?;
    let parts = [
        ("FORMAT.md", format::MARKER, format::line_for(&tree)),
        ("SAFETY.md", unsafety::MARKER, unsafety::list(&tree)),
    ];
    let mut changed = Vec::new();
    for (path, marker, part) in parts {
        let text = tree.text(path).with_context(|| format!("no {path}"))?;
        let new = markers::replace(text, marker, &part).context(path)?;
        if new != text {
            std::fs::write(root.join(path), new).context(path)?;
            changed.push(path);
        }
    }
    Ok(changed)
}
