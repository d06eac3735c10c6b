//! What an end waits for, as others may look at it: without its cursors, which are its owner's.

use super::memory::{RxMemory, TxMemory};
use super::tx::free_lines;
use super::word::{self, pack, parse};
use crate::prim::park::CLOSED;
use crate::sync::atomic::Ordering;

/// Something that an end of a stream waits for.
pub trait Awaited: Send + Sync {
    /// It is there, or never will be: the end should look. Once true, it stays so.
    fn is_over(&self) -> bool;
}

/// More of a stream than its reader has seen.
#[derive(Clone, Copy, Debug)]
pub struct AwaitedLine<T> {
    peer: T,
    number: u32,
    /// What of the line the reader knows: see `StreamRx`.
    valid: u32,
    code: u32,
}

impl<T: TxMemory> AwaitedLine<T> {
    pub(super) fn new(peer: T, number: u32, valid: u32, code: u32) -> Self {
        Self { peer, number, valid, code }
    }
}

impl<T: TxMemory + Send + Sync> Awaited for AwaitedLine<T> {
    fn is_over(&self) -> bool {
        let lines = self.peer.lines();
        let is_new = |number| {
            // Relaxed: the reader loads again before anything is read on the strength of it.
            parse(self.peer.line(number).word.load(Ordering::Relaxed), number, lines) != Ok(None)
        };
        let here = if self.valid == 0 {
            is_new(self.number)
        } else {
            let known = pack(self.number, self.valid, self.code);
            self.peer.line(self.number).word.load(Ordering::Relaxed) != known
                || is_new(word::next(self.number))
        };
        here || self.peer.header().end.state.load(Ordering::Relaxed) & CLOSED != 0
    }
}

/// A free line for a writer.
#[derive(Clone, Copy, Debug)]
pub struct AwaitedRoom<R> {
    peer: R,
    number: u32,
    lines: u32,
}

impl<R: RxMemory> AwaitedRoom<R> {
    pub(super) fn new(peer: R, number: u32, lines: u32) -> Self {
        Self { peer, number, lines }
    }
}

impl<R: RxMemory + Send + Sync> Awaited for AwaitedRoom<R> {
    fn is_over(&self) -> bool {
        let theirs = self.peer.header();
        // Relaxed: the writer loads again before anything is overwritten.
        free_lines(theirs.position.word.load(Ordering::Relaxed), self.number, self.lines) != Ok(0)
            || theirs.end.state.load(Ordering::Relaxed) & CLOSED != 0
    }
}
