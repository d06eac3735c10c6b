//! Changing many elements in one step, by a redo record: the new elements lie in a block of their own, and one store of that
//! block's word makes them the array's.
//!
//! ```text
//! 1. the block is PRIVATE, and filled; the record names it and its range, the block's name last
//! 2. the block becomes VALUE             the commit
//! 3. its content is copied over the elements
//! 4. it is marked DYING
//! 5. the record names nothing; 6. the block is free
//! ```
//! All of it happens under the lock, in a mode that lets nobody in. Who may die where, and what the heir of the lock does before anything else
//! ([`settle`]):
//!
//! - before 1, and between 1 and 2: the block is PRIVATE and goes with its owner; the heir takes the name away. Nothing has changed.
//! - between 2 and 4: the block is VALUE; the heir copies it, all of it, again, and goes on with 4.
//! - after 4: everything is copied; the block goes with its owner; the heir takes the name away.
//!
//! Until then what was committed may be half copied: who loads single elements may see that, and never takes the lock. So the reaper of the dead takes it
//! for them, if nobody else has. The mode lets nobody else in.
//!
//! The name carries the block's generation: whatever else the block has become, it is not taken for this.

use crate::sync::mutant;

/// The shared operations.
pub trait Record {
    /// The block that the record names; 0: none.
    fn named(&self) -> u64;
    /// Writes the range, then the block's name with Release.
    fn name(&self, block: u64);
    /// Writes 0 for the name.
    fn unname(&self);
    /// PRIVATE -> VALUE.
    fn commit(&self, block: u64);
    /// Whether it is VALUE, of this array, in this generation.
    fn is_committed(&self, block: u64) -> bool;
    /// Copies the block's content over the elements.
    fn copy(&self, block: u64);
    /// VALUE -> DYING.
    fn condemn(&self, block: u64);
    /// DYING -> FREE.
    fn free(&self, block: u64);
}

/// Makes the content of `block`, which is PRIVATE, that of the elements.
pub fn commit(record: &impl Record, block: u64) {
    if mutant::on("redo.named_late") {
        record.commit(block);
        record.name(block);
    } else {
        record.name(block);
        record.commit(block);
    }
    finish(record, block);
}

/// For the heir: finishes what was committed, and forgets what was not.
pub fn settle(record: &impl Record) {
    let block = record.named();
    if block == 0 || mutant::on("redo.never_settled") {
        return;
    }
    if record.is_committed(block) {
        finish(record, block);
    } else {
        record.unname();
    }
}

fn finish(record: &impl Record, block: u64) {
    if mutant::on("redo.condemned_first") {
        record.condemn(block);
        record.copy(block);
        record.unname();
    } else if mutant::on("redo.unnamed_first") {
        record.copy(block);
        record.unname();
        record.condemn(block);
    } else {
        record.copy(block);
        record.condemn(block);
        record.unname();
    }
    record.free(block);
}
