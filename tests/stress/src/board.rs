//! What the processes write down beside the library: words in a file that all of them map.
//!
//! # Safety
//!
//! The file is this program's own, of a name that nobody else has, is never cut, and is only seen as atomic words.
#![allow(unsafe_code)]
#![allow(clippy::disallowed_types, reason = "what is checked must not be what checks")]

use anyhow::{Context, Result};
use memmap2::MmapRaw;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;

/// Words that all processes share.
pub struct Board {
    map: MmapRaw,
    /// Who made the file removes it.
    made: Option<PathBuf>,
}

/// What each thread writes down.
#[repr(C)]
pub struct Slot {
    /// Turns with the lock that it knows to be over.
    pub confirmed: AtomicU64,
    /// 1 while it holds a permit of the semaphore, of the bounded one.
    pub permits: [AtomicU64; 2],
    /// Goes up with everything it does.
    pub progress: AtomicU64,
    spare: [AtomicU64; 4],
}

/// What all write down.
#[repr(C)]
pub struct Common {
    /// Not zero: enough.
    pub stop: AtomicU64,
    /// How often something was wrong.
    pub violations: AtomicU64,
    /// Who is in the lock, in the recursive lock, in the condition's lock; zero: nobody.
    pub inside: [AtomicU64; 3],
    /// Turns with each of them, counted without an atomic operation by who is inside.
    pub turns: [AtomicU64; 3],
    /// What the condition is about.
    pub items: AtomicU64,
    /// What was done: locks, recursive locks, values, permits, bounded permits, puts, takes, events, deaths met.
    pub done: [AtomicU64; 9],
    /// Of each worker: which life it is in, zero while it is being killed.
    pub lives: [AtomicU64; WORKERS],
    pub slots: [[Slot; THREADS]; WORKERS],
}

/// The most of them.
pub const WORKERS: usize = 32;
pub const THREADS: usize = 16;

impl Board {
    /// A new file of zeros.
    pub fn create() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("processing-stress-{}", std::process::id()));
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path);
        let file = file.with_context(|| path.display().to_string())?;
        file.set_len(size_of::<Common>() as u64)?;
        let mut board = Self::map(&file)?;
        board.made = Some(path);
        Ok(board)
    }

    /// The one that another process made.
    pub fn open(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path);
        Self::map(&file.with_context(|| path.display().to_string())?)
    }

    fn map(file: &File) -> Result<Self> {
        Ok(Self { map: MmapRaw::map_raw(file)?, made: None })
    }

    /// Where it is, for the others.
    pub fn path(&self) -> String {
        self.made.as_deref().unwrap_or(Path::new("")).display().to_string()
    }

    pub fn words(&self) -> &Common {
        // SAFETY: see the module; the mapping starts a page and is as long as the structure.
        unsafe { &*self.map.as_mut_ptr().cast::<Common>() }
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        if let Some(path) = &self.made {
            let _ = std::fs::remove_file(path);
        }
    }
}
