//! A folder for the files of one measurement, which go with it.

use anyhow::Context as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// In memory: what is measured is never a disk.
const FOLDERS: &str = "/dev/shm";
/// What the names of all folders begin with; the number of the process follows.
const MARK: &str = "processing-peers-";

/// Removed when dropped; who has opened its files keeps them.
pub struct Folder(PathBuf);

impl Folder {
    /// An empty one. What a killed process has left is removed.
    pub fn new(peer: &str) -> anyhow::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        sweep();
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = Path::new(FOLDERS).join(format!("{MARK}{}-{peer}-{number}", std::process::id()));
        fs::create_dir(&path).with_context(|| path.display().to_string())?;
        Ok(Self(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Removes the folders of processes that are gone.
fn sweep() {
    let Ok(entries) = fs::read_dir(FOLDERS) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(process) = name.to_str().and_then(process_of) else { continue };
        if entry.path().is_dir() && !Path::new("/proc").join(process.to_string()).exists() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn process_of(name: &str) -> Option<u32> {
    name.strip_prefix(MARK)?.split('-').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_goes_with_its_files_and_what_the_dead_left_with_the_next() {
        let dead = format!("{FOLDERS}/{MARK}{}-test-0", u32::MAX);
        fs::create_dir_all(&dead).unwrap();
        let folder = Folder::new("test").unwrap();
        let path = folder.path().to_owned();
        fs::write(path.join("file"), "x").unwrap();
        assert!(path.exists() && !Path::new(&dead).exists());
        drop(folder);
        assert!(!path.exists());
    }

    #[test]
    fn only_folders_of_this_program_are_swept() {
        assert_eq!(process_of("processing-peers-17-heed-3"), Some(17));
        assert_eq!(process_of("processing-17-heed-3"), None);
        assert_eq!(process_of("processing-peers-x"), None);
    }
}
