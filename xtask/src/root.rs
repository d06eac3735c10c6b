//! Where the project lies.

use std::path::{Path, PathBuf};

/// The root of the workspace.
pub fn root() -> &'static Path {
    // CARGO_MANIFEST_DIR is `<root>/xtask`: it has a parent, whatever the checkout is called.
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// The folder that cargo builds into, with `below` appended.
pub fn target_dir(below: &str) -> PathBuf {
    let base = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    if base.is_absolute() { base.join(below) } else { root().join(base).join(below) }
}
