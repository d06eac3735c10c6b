//! Where the cells of a condition lie: in the body of its object.

use crate::arena::ObjectView;
use crate::error::{Error, ErrorKind, Result};
use crate::layout::condition::{CellWord, ConditionBody, ConditionCell, MAX_CELLS, body_len, cell_at};
use crate::prim::condition::Cells;
use crate::region::Region;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::futex;

/// The cells of one condition.
pub(crate) struct Waiters<'a> {
    region: &'a Region,
    body: &'a ConditionBody,
    /// Offset of the body in the region.
    at: u64,
    count: u32,
}

impl<'a> Waiters<'a> {
    /// Those of `object`, which is a condition and stays alive meanwhile.
    ///
    /// # Errors
    ///
    /// `InvalidRegion` if its body does not hold what it says.
    pub(crate) fn attach(region: &'a Region, object: &ObjectView) -> Result<Self> {
        let bad = |what: String| {
            Error::new(ErrorKind::InvalidRegion, format!("condition {}", object.id().index), what)
        };
        let (at, len) = (object.body_offset(), object.body_len());
        if len < body_len(0) {
            return Err(bad(format!("a body of {len} bytes is too small")));
        }
        let body: &ConditionBody = region.at(at);
        let count = body.cells.load(Ordering::Relaxed);
        if count > MAX_CELLS || body_len(count) > len {
            return Err(bad(format!("{count} cells do not fit its body of {len} bytes")));
        }
        Ok(Self { region, body, at, count })
    }

    /// In a new body: so many cells, and the name of its lock.
    pub(crate) fn init(body: &ConditionBody, cells: u32, lock: u64) {
        // Relaxed: published with the handle.
        body.lock.store(lock, Ordering::Relaxed);
        body.cells.store(cells, Ordering::Relaxed);
    }

    /// The name of its lock.
    pub(crate) fn lock(&self) -> u64 {
        self.body.lock.load(Ordering::Relaxed)
    }

    #[inline]
    fn word(&self, cell: u32) -> &AtomicU64 {
        let cell: &ConditionCell = self.region.at(self.at + cell_at(cell));
        &cell.word
    }
}

impl Cells for Waiters<'_> {
    fn count(&self) -> u32 {
        self.count
    }

    fn used(&self) -> u32 {
        self.body.used.load(Ordering::Acquire).min(self.count)
    }

    fn use_below(&self, end: u32) {
        if self.used() < end {
            self.body.used.store(end, Ordering::Release);
        }
    }

    fn sequence(&self) -> u32 {
        self.body.sequence.load(Ordering::Relaxed)
    }

    fn set_sequence(&self, next: u32) {
        self.body.sequence.store(next, Ordering::Relaxed);
    }

    #[inline]
    fn load(&self, cell: u32) -> CellWord {
        CellWord(self.word(cell).load(Ordering::Acquire))
    }

    fn change(&self, cell: u32, old: CellWord, new: CellWord) -> bool {
        self.word(cell).compare_exchange(old.0, new.0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    fn sleep(&self, cell: u32, expected: CellWord, until: u64) {
        futex::wait_low(self.word(cell), expected.futex(), Some(until));
    }

    fn wake(&self, cell: u32) {
        // One: each has its own. All, in case a stranger sleeps there.
        futex::wake_low(self.word(cell), u32::MAX);
    }
}
