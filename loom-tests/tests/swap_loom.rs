//! Replacing and freeing under loom: a reader that has announced a block reads it in peace, though its writer replaces it and frees what nobody
//! has announced. What a block holds is a plain cell: loom reports whoever reads it while another fills it, or takes it away.
//!
//! Kills, heirs and the teardown are in `swap_states`.
#![cfg(loom)]

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use processing::data::swap::{Blocks, Swap, Word, announce};
use processing::layout::structure::Chain;
use processing::sync::atomic::AtomicU64;
use processing::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use processing::sync::fence;

const BLOCKS: usize = 3;
const VALUE: u64 = 1;
const DYING: u64 = 2;

/// Nobody's any more.
const GONE: u64 = u64::MAX;

#[derive(Default)]
struct Block {
    state: AtomicU64,
    link: AtomicU64,
    content: UnsafeCell<u64>,
}

#[derive(Default)]
struct Shared {
    chain: Chain,
    blocks: [Block; BLOCKS],
    /// The reader's line.
    slot: AtomicU64,
}

// SAFETY: loom checks every access to the contents.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    fn block(&self, reference: u64) -> &Block {
        &self.blocks[reference as usize - 1]
    }

    /// Fills a block of its own, and makes it the value.
    fn set(&self, reference: u64) -> bool {
        // SAFETY: loom checks.
        self.block(reference).content.with_mut(|content| unsafe { *content = reference * 100 });
        let make_value = || self.block(reference).state.store(VALUE, Release);
        Swap::new(self).replace(reference, make_value)
    }

    /// Announces the value, and looks at what is in it.
    fn read(&self) -> u64 {
        let reference = announce(&self.chain, &self.slot).expect("there is a value");
        // SAFETY: loom checks.
        let content = self.block(reference).content.with(|content| unsafe { *content });
        assert_eq!(content, reference * 100, "not what was put into it");
        self.slot.store(0, Release);
        reference
    }
}

impl Blocks for &Shared {
    fn get(&self, word: Word) -> u64 {
        self.chain.word(word).load(Acquire)
    }

    fn put(&self, word: Word, value: u64) {
        self.chain.word(word).store(value, Release);
    }

    fn is_value(&self, block: u64) -> bool {
        self.block(block).state.load(Acquire) == VALUE
    }

    fn len(&self, _: u64) -> u64 {
        8
    }

    fn link(&self, block: u64) -> u64 {
        self.block(block).link.load(Acquire)
    }

    fn set_link(&self, block: u64, to: u64) {
        self.block(block).link.store(to, Relaxed);
    }

    fn mark_dying(&self, block: u64) {
        self.block(block).state.store(DYING, Release);
    }

    fn finish_free(&self, block: u64) {
        // SAFETY: loom checks.
        self.block(block).content.with_mut(|content| unsafe { *content = GONE });
        self.block(block).state.store(0, Release);
    }

    fn announced(&self, each: &mut dyn FnMut(u64)) -> bool {
        assert!(fence::heavy());
        each(self.slot.load(Acquire));
        true
    }
}

/// One value is replaced by the next, and what nobody reads is freed; the reader reads as often as it may.
fn replaced(changes: u64, reads: u32) {
    loom::model(move || {
        let shared = Arc::new(Shared::default());
        shared.set(1);
        let reader = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let mut last = 0;
                for _ in 0..reads {
                    let now = shared.read();
                    assert!(now >= last, "{now} after {last}");
                    last = now;
                }
            })
        };
        for reference in 2..2 + changes {
            shared.set(reference);
            Swap::new(&*shared).reclaim();
        }
        reader.join().unwrap();
        Swap::new(&*shared).reclaim();
        let mut left = Vec::new();
        Swap::new(&*shared).each(|block| left.push(block));
        assert_eq!(left, [1 + changes], "what nobody reads is freed");
        assert_eq!(shared.read(), 1 + changes);
    });
}

#[test]
fn a_reader_beside_one_change() {
    replaced(1, 1);
}

#[test]
fn a_reader_beside_two_changes() {
    replaced(2, 1);
}

#[test]
fn two_reads_beside_a_change() {
    replaced(1, 2);
}

/// It reads one value, and later announces the next in the same word: the first may be freed then, after it was read.
#[test]
fn what_was_read_before_is_freed_afterwards() {
    loom::model(|| {
        let shared = Arc::new(Shared::default());
        shared.set(1);
        let reader = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                shared.read();
                thread::yield_now();
                announce(&shared.chain, &shared.slot).expect("there is a value")
            })
        };
        shared.set(2);
        Swap::new(&*shared).reclaim();
        let reference = reader.join().unwrap();
        // SAFETY: loom checks.
        let content = shared.block(reference).content.with(|content| unsafe { *content });
        assert_eq!(content, reference * 100, "it is announced");
    });
}
