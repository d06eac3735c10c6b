//! Which files there are.

use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};

/// A regular file to count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundFile {
    pub path: PathBuf,
    /// Its length when it was found.
    pub bytes: u64,
    /// Which of the given paths led to it.
    pub root: usize,
}

/// Something on the way that is not counted, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub path: PathBuf,
    pub what: String,
}

/// What the given paths led to.
#[derive(Debug, Default)]
pub struct Found {
    pub roots: Vec<PathBuf>,
    pub files: Vec<FoundFile>,
    pub problems: Vec<Problem>,
    /// Symbolic links within folders: not followed, so that no loop catches us and nothing counts twice.
    pub links: usize,
}

/// Which folders are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skip {
    Nothing,
    /// `target` and `.git`.
    BuildOutput,
}

/// Finds the files under `roots`, in the order of their names. Nothing is fatal.
pub fn find(roots: &[PathBuf], skip: Skip) -> Found {
    let mut found = Found { roots: roots.to_vec(), ..Found::default() };
    let mut seen: Vec<PathBuf> = Vec::new();
    for (root, path) in roots.iter().enumerate() {
        // A root may be a link: it was meant, or it would not have been given.
        match path.canonicalize() {
            Ok(real) if seen.iter().any(|earlier| real.starts_with(earlier)) => {
                found.problem(path, "given twice, counted once");
            }
            Ok(real) => {
                Walk { found: &mut found, root, skip, seen: &seen }.root(path);
                seen.push(real);
            }
            Err(error) => found.problem(path, error),
        }
    }
    found
}

impl Found {
    fn problem(&mut self, path: &Path, what: impl ToString) {
        self.problems.push(Problem { path: path.to_path_buf(), what: what.to_string() });
    }
}

/// The way through one root.
struct Walk<'a> {
    found: &'a mut Found,
    root: usize,
    skip: Skip,
    /// The roots before this one, which may lie within it.
    seen: &'a [PathBuf],
}

impl Walk<'_> {
    fn root(&mut self, path: &Path) {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => self.folders(path),
            Ok(metadata) => self.file(path, &metadata),
            Err(error) => self.found.problem(path, error),
        }
    }

    /// All folders under `root`, with a stack of our own: folders may be nested deeper than calls can.
    fn folders(&mut self, root: &Path) {
        let mut left = vec![root.to_path_buf()];
        while let Some(folder) = left.pop() {
            let mut inner = self.folder(&folder);
            inner.reverse();
            left.append(&mut inner);
        }
    }

    /// Takes the files of one folder, and answers its folders.
    fn folder(&mut self, folder: &Path) -> Vec<PathBuf> {
        let mut folders = Vec::new();
        for path in self.entries(folder) {
            match fs::symlink_metadata(&path) {
                Ok(metadata) if metadata.is_symlink() => self.found.links += 1,
                Ok(metadata) if metadata.is_dir() => {
                    if !self.is_skipped(&path) {
                        folders.push(path);
                    }
                }
                Ok(metadata) => self.file(&path, &metadata),
                Err(error) => self.found.problem(&path, error),
            }
        }
        folders
    }

    fn entries(&mut self, folder: &Path) -> Vec<PathBuf> {
        let mut paths = Vec::new();
        match fs::read_dir(folder) {
            Ok(entries) => {
                for entry in entries {
                    match entry {
                        Ok(entry) => paths.push(entry.path()),
                        Err(error) => self.found.problem(folder, error),
                    }
                }
            }
            Err(error) => self.found.problem(folder, error),
        }
        paths.sort();
        paths
    }

    fn file(&mut self, path: &Path, metadata: &Metadata) {
        if !metadata.is_file() {
            self.found.problem(path, "no regular file");
        } else if !self.was_given_before(path) {
            let file = FoundFile { path: path.to_path_buf(), bytes: metadata.len(), root: self.root };
            self.found.files.push(file);
        }
    }

    fn is_skipped(&self, folder: &Path) -> bool {
        let left_out = self.skip == Skip::BuildOutput
            && folder.file_name().is_some_and(|name| name == "target" || name == ".git");
        left_out || self.was_given_before(folder)
    }

    fn was_given_before(&self, path: &Path) -> bool {
        !self.seen.is_empty() && path.canonicalize().is_ok_and(|real| self.seen.contains(&real))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::symlink;

    /// A folder of its own for each test, gone afterwards.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("processing-find-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path.canonicalize().unwrap())
        }

        fn file(&self, name: impl AsRef<Path>) -> PathBuf {
            let path = self.0.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "some words").unwrap();
            path
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn paths(found: &Found) -> Vec<&Path> {
        found.files.iter().map(|file| file.path.as_path()).collect()
    }

    #[test]
    fn files_of_all_depths_once_each() {
        let folder = Folder::new("depths");
        let files = [folder.file("a"), folder.file("z"), folder.file("b/c"), folder.file("b/d/e")];
        let found = find(std::slice::from_ref(&folder.0), Skip::Nothing);
        assert_eq!(paths(&found), files);
        assert!(found.files.iter().all(|file| file.bytes == 10));
        assert!(found.problems.is_empty());
    }

    #[test]
    fn links_are_counted_and_not_followed_unless_given() {
        let folder = Folder::new("links");
        let file = folder.file("in/a");
        symlink(&folder.0, folder.0.join("in/loop")).unwrap();
        symlink("nowhere", folder.0.join("in/broken")).unwrap();
        symlink("in", folder.0.join("given")).unwrap();
        let found = find(std::slice::from_ref(&folder.0), Skip::Nothing);
        assert_eq!((paths(&found), found.links), (vec![file.as_path()], 3));
        assert_eq!(find(&[folder.0.join("given")], Skip::Nothing).files.len(), 1);
    }

    #[test]
    fn names_are_bytes() {
        let folder = Folder::new("names");
        let file = folder.file(OsStr::from_bytes(b"\xff\xfe \n name"));
        assert_eq!(paths(&find(std::slice::from_ref(&folder.0), Skip::Nothing)), [file]);
    }

    #[test]
    fn what_is_missing_or_special_is_a_problem() {
        let folder = Folder::new("special");
        let missing = folder.0.join("missing");
        let found = find(&[missing.clone(), PathBuf::from("/dev/null")], Skip::Nothing);
        assert!(found.files.is_empty());
        let problems: Vec<_> = found.problems.iter().map(|problem| problem.path.clone()).collect();
        assert_eq!(problems, [missing, PathBuf::from("/dev/null")]);
    }

    #[test]
    fn overlapping_roots_count_once() {
        let folder = Folder::new("overlap");
        let (a, b) = (folder.file("in/a"), folder.file("b"));
        let inner = folder.0.join("in");
        let roots = [a.clone(), inner.clone(), folder.0.clone(), inner];
        let found = find(&roots, Skip::Nothing);
        assert_eq!(paths(&found), [a, b]);
    }

    #[test]
    fn build_output_is_left_out_of_the_checkout_only() {
        let folder = Folder::new("skip");
        folder.file("target/debug/a");
        folder.file(".git/b");
        let kept = folder.file("src/c");
        let root = std::slice::from_ref(&folder.0);
        assert_eq!(paths(&find(root, Skip::BuildOutput)), [kept]);
        assert_eq!(find(root, Skip::Nothing).files.len(), 3);
    }
}
