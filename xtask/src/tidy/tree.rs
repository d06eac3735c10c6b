//! The checkout as a map from path to text.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};

use super::source::Source;

/// Every file's path; the text of those that are text for us.
#[derive(Default)]
pub struct Tree {
    paths: BTreeSet<String>,
    texts: BTreeMap<String, String>,
}

/// What cargo, fuzzers and version control leave in a checkout.
const SKIPPED: &[&str] = &["target", ".git", "corpus", "artifacts"];
const TEXT: &[&str] = &["rs", "md", "toml", "sh", "yml", "yaml", "txt", "json"];

impl Tree {
    /// Reads a folder.
    pub fn load(root: &Path) -> Result<Self> {
        let mut tree = Self::default();
        tree.read_folder(root, "")?;
        Ok(tree)
    }

    /// A tree of a few files, for the tests of the rules.
    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> Self {
        let mut tree = Self::default();
        for (path, text) in files {
            tree.add(path, Some((*text).to_owned()));
        }
        tree
    }

    fn read_folder(&mut self, folder: &Path, prefix: &str) -> Result<()> {
        for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
            if entry.file_type()?.is_dir() {
                if !SKIPPED.contains(&name.as_str()) {
                    self.read_folder(&entry.path(), &path)?;
                }
            } else {
                self.read_file(&entry.path(), &path);
            }
        }
        Ok(())
    }

    fn read_file(&mut self, file: &Path, path: &str) {
        let is_text = is_script(path) || extension(path).is_some_and(|ext| TEXT.contains(&ext));
        let text = if is_text { std::fs::read_to_string(file).ok() } else { None };
        self.add(path, text);
    }

    fn add(&mut self, path: &str, text: Option<String>) {
        self.paths.insert(path.to_owned());
        if let Some(text) = text {
            self.texts.insert(path.to_owned(), text);
        }
    }

    pub fn len(&self) -> usize {
        self.paths.len()
    }

    pub fn text(&self, path: &str) -> Option<&str> {
        self.texts.get(path).map(String::as_str)
    }

    /// A file or a folder of this path exists.
    pub fn has(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        path.is_empty() || self.paths.contains(path) || self.paths.iter().any(|p| p.starts_with(&folder))
    }

    /// All texts below a folder (or all, for "") with one of the extensions (or any, for none).
    pub fn texts<'a>(
        &'a self,
        below: &'a str,
        extensions: &'a [&'a str],
    ) -> impl Iterator<Item = (&'a str, &'a str)> + 'a {
        let wanted = move |path: &str| {
            let kind = extensions.is_empty() || extension(path).is_some_and(|ext| extensions.contains(&ext));
            kind && path.starts_with(below)
        };
        self.texts
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
            .filter(move |(path, _)| wanted(path))
    }

    /// The Rust files below a folder, taken apart; which of them are test code is known.
    pub fn sources(&self, below: &str) -> Vec<Source> {
        let tests = self.test_modules();
        let is_test = |path: &str| {
            tests.iter().any(|t| path == format!("{t}.rs") || path.starts_with(&format!("{t}/")))
        };
        self.texts(below, &["rs"]).map(|(path, text)| Source::new(path, text, is_test(path))).collect()
    }

    /// Paths without `.rs` of the modules that a file declares with `#[cfg(test)] mod name;`.
    fn test_modules(&self) -> Vec<String> {
        let sources = self.texts("", &["rs"]).filter(|(_, text)| text.contains("cfg("));
        sources.flat_map(|(path, text)| Source::new(path, text, false).test_modules()).collect()
    }
}

fn extension(path: &str) -> Option<&str> {
    path.rsplit_once('.').map(|(_, extension)| extension)
}

fn is_script(path: &str) -> bool {
    path.starts_with(".ci/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_folders_exist() {
        let tree = Tree::of(&[("a/b.md", "x"), ("c.rs", "y")]);
        assert!(tree.has("a/b.md") && tree.has("a") && tree.has("c.rs"));
        assert!(!tree.has("b.md") && !tree.has("a/b"));
        assert_eq!(tree.texts("a/", &["md"]).count(), 1);
        assert_eq!(tree.texts("", &["rs", "md"]).count(), 2);
    }

    #[test]
    fn a_module_declared_for_tests_is_test_code() {
        let tree = Tree::of(&[
            ("src/a/mod.rs", "fn f() {}\n#[cfg(test)]\nmod checks;\nmod plain;\n"),
            ("src/a/checks.rs", "fn f() {}"),
            ("src/a/plain.rs", "fn f() {}"),
        ]);
        let all = tree.sources("src/");
        let tests: Vec<_> = all.iter().filter(|s| s.is_test(1)).map(|s| s.path.as_str()).collect();
        assert_eq!(tests, ["src/a/checks.rs"]);
    }
}
