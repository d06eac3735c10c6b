//! Where this process looks first. Nothing here is true for sure: every claim is a CAS on the block's own word.
use std::collections::VecDeque;
use std::sync::Mutex;

use crate::layout::PAGE;
use crate::layout::block::{CLASSES, Position};
use crate::sync::atomic::AtomicU64;
use crate::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// Positions freed by this process a moment ago, the last one first. Races between threads lose or double an entry,
/// which costs a look.
#[derive(Debug, Default)]
pub struct Recent {
    top: AtomicU64,
    slots: [AtomicU64; Self::SLOTS],
}

impl Recent {
    const SLOTS: usize = 16;

    #[inline]
    pub fn push(&self, position: Position) {
        let top = self.top.load(Relaxed);
        self.slots[top as usize % Self::SLOTS].store(position.bits(), Relaxed);
        self.top.store(top.wrapping_add(1), Relaxed);
    }

    #[inline]
    pub fn pop(&self) -> Option<Position> {
        let top = self.top.load(Relaxed);
        let slot = &self.slots[top.wrapping_sub(1) as usize % Self::SLOTS];
        let bits = slot.load(Relaxed);
        if bits == 0 {
            return None;
        }
        slot.store(0, Relaxed);
        self.top.store(top.wrapping_sub(1), Relaxed);
        Position::from_bits(bits)
    }
}

/// Of one class of small blocks.
#[derive(Debug, Default)]
pub struct ClassHints {
    pub recent: Recent,
    /// `Position::bits` of the next block to look at, 0: none.
    pub cursor: AtomicU64,
}

/// The slabs that this process knows.
#[derive(Debug)]
pub struct Slabs {
    /// Chunks below this were looked at.
    pub seen: u64,
    /// The slabs of each class.
    pub of_class: [Vec<u32>; CLASSES.len()],
    /// Which slab of each class was used last.
    pub at: [usize; CLASSES.len()],
    /// All chunks below it are slabs, or were not free.
    pub low: u64,
}

/// Runs that may be free.
#[derive(Debug, Default)]
pub struct Runs {
    /// Heads and lengths of runs freed by this process, the last one last.
    pub freed: Vec<(u32, u32)>,
    /// Those that this process allocated, the oldest first: somebody else may have freed them.
    pub allocated: VecDeque<(u32, u32)>,
    /// The search goes on below this chunk.
    pub cursor: u64,
}

impl Runs {
    /// Most entries of each list.
    pub const MOST: usize = 32;

    pub fn was_freed(&mut self, head: u32, len: u32) {
        if self.freed.len() == Self::MOST {
            self.freed.remove(0);
        }
        self.freed.push((head, len));
    }

    pub fn was_allocated(&mut self, head: u32, len: u32) {
        if self.allocated.len() == Self::MOST {
            self.allocated.pop_front();
        }
        self.allocated.push_back((head, len));
    }
}

/// Which pages of a table this process knows to be there.
#[derive(Debug)]
pub struct Pages(Vec<AtomicU64>);

impl Pages {
    /// For a table of so many bytes.
    pub fn new(bytes: u64) -> Self {
        let pages = bytes.div_ceil(PAGE) + 1;
        Self((0..pages.div_ceil(64)).map(|_| AtomicU64::new(0)).collect())
    }

    #[inline]
    pub fn has(&self, page: u64) -> bool {
        self.0.get((page / 64) as usize).is_some_and(|word| word.load(Acquire) >> (page % 64) & 1 == 1)
    }

    pub fn add(&self, page: u64) {
        if let Some(word) = self.0.get((page / 64) as usize) {
            // Not a read-modify-write on purpose: a bit lost to a race is one more system call.
            word.store(word.load(Relaxed) | 1 << (page % 64), Release);
        }
    }
}

/// Where to look for a free entry of the object directory.
#[derive(Debug)]
pub struct ObjectHints {
    /// Entries that this process freed.
    pub freed: Vec<u32>,
    /// The search goes on here.
    pub cursor: u32,
}

/// All hints of a process.
#[derive(Debug)]
pub struct Hints {
    pub classes: [ClassHints; CLASSES.len()],
    pub slabs: Mutex<Slabs>,
    pub runs: Mutex<Runs>,
    pub objects: Mutex<ObjectHints>,
}

impl Hints {
    pub fn new(chunks: u64) -> Self {
        Self {
            classes: Default::default(),
            slabs: Mutex::new(Slabs {
                seen: 0,
                of_class: Default::default(),
                at: [0; CLASSES.len()],
                low: 0,
            }),
            runs: Mutex::new(Runs { cursor: chunks, ..Runs::default() }),
            objects: Mutex::new(ObjectHints { freed: Vec::new(), cursor: 1 }),
        }
    }
}
