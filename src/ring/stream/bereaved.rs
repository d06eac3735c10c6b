//! What others do for an end whose process died.

use super::memory::{RxMemory, TxMemory};
use crate::layout::stream::EndWords;
use crate::prim::park;
use crate::sync::atomic::Ordering;
use crate::sync::futex;

/// Closes the end whose writer's and reader's rooms these are, and wakes the other end. Idempotent, and safe at any
/// time: the owner is dead, so that nobody else writes these words but another reaper with the same values.
pub fn close_for_dead<T: TxMemory, R: RxMemory>(tx: &T, rx: &R) {
    for end in [&tx.header().end, &rx.header().end] {
        close(end);
    }
}

fn close(end: &EndWords) {
    park::close(&end.state);
    // The other side sleeps on this end's event word: change it, then wake.
    end.event.fetch_add(1, Ordering::Release);
    futex::wake(&end.event, u32::MAX);
}
