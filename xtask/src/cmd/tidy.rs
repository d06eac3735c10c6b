//! `cargo xtask tidy`: the house rules.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;

use crate::root::root;
use crate::tidy::{bless, check, tree::Tree};

#[derive(Args)]
pub struct Options {
    /// Rewrites what is pinned: the layout's hash in FORMAT.md, the list of files in SAFETY.md
    #[arg(long)]
    bless: bool,
    /// Another checkout than this one
    #[arg(long, default_value = root().as_os_str())]
    root: PathBuf,
}

pub fn run(options: &Options) -> Result<()> {
    if options.bless {
        for path in bless::bless(&options.root)? {
            eprintln!("rewrote {path}");
        }
    }
    check_folder(&options.root)
}

/// Checks this checkout.
pub fn step() -> Result<()> {
    check_folder(root())
}

/// Prints what is wrong; an error if anything is.
fn check_folder(root: &Path) -> Result<()> {
    let tree = Tree::load(root)?;
    let findings = check(&tree);
    findings.iter().for_each(|finding| eprintln!("{finding}"));
    if findings.is_empty() {
        eprintln!("  {} files are tidy", tree.len());
        return Ok(());
    }
    bail!("{} findings\n  repeat: cargo xtask tidy", findings.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checkout_is_tidy() {
        step().unwrap();
    }
}
