//! What the processes write down beside the library: a structure in a file that all of them map.
//!
//! # Safety
//!
//! The file is this program's own, of a name that nobody else has, is never cut, and is seen as a [`Words`] structure only.
#![allow(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use memmap2::MmapRaw;

/// A structure that consists of atomic words.
///
/// # Safety
///
/// Made of atomics only, and all bytes zero are its beginning.
pub unsafe trait Words: Sync {}

/// A `T` that several processes share. It begins as zeros.
pub struct SharedFile<T> {
    map: MmapRaw,
    /// Who made the file removes it.
    made: Option<PathBuf>,
    words: PhantomData<T>,
}

impl<T: Words> SharedFile<T> {
    /// A new file; `name` is the program's.
    pub fn create(name: &str) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("processing-{name}-{}", std::process::id()));
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path);
        let file = file.with_context(|| path.display().to_string())?;
        // Sparse: what is not used takes no memory.
        file.set_len(size_of::<T>() as u64)?;
        let mut shared = Self::map(&file)?;
        shared.made = Some(path);
        Ok(shared)
    }

    /// The one that another process made.
    pub fn open(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path);
        let file = file.with_context(|| path.display().to_string())?;
        ensure!(file.metadata()?.len() == size_of::<T>() as u64, "{} is another program's", path.display());
        Self::map(&file)
    }

    fn map(file: &File) -> Result<Self> {
        Ok(Self { map: MmapRaw::map_raw(file)?, made: None, words: PhantomData })
    }

    /// Where it is, for the others.
    pub fn path(&self) -> String {
        self.made.as_deref().unwrap_or(Path::new("")).display().to_string()
    }

    pub fn words(&self) -> &T {
        // SAFETY: see the module; the mapping starts a page and is as long as the structure.
        unsafe { &*self.map.as_mut_ptr().cast::<T>() }
    }
}

impl<T> Drop for SharedFile<T> {
    fn drop(&mut self) {
        if let Some(path) = &self.made {
            let _ = std::fs::remove_file(path);
        }
    }
}
