//! A value in a block that is replaced whole, while readers keep the one that they have announced.
//!
//! Who changes it has the lock of the structure; readers take none. All blocks belong to the object, directly or through links, and are
//! VALUE, but for those that are just coming or going.
//!
//! # Replacing
//!
//! 1. link(b) := root. 2. next := b. 3. b: PRIVATE -> VALUE. 4. root := b: **the commit**. 5. link(old) := retired.
//! 6. retired := old. 7. next := 0.
//!
//! # Freeing
//!
//! Now and then, all retired blocks that nobody has announced, one after the other:
//!
//! 1. before, after := where x is among the retired. 2. freeing := x. 3. x: VALUE -> DYING(me). 4. what led to x := after. 5. freeing := 0.
//! 6. x: DYING(me) -> FREE.
//!
//! | killed after | leaves | the next owner of the lock, or the teardown |
//! |---|---|---|
//! | replacing 1 | b PRIVATE(d) | (the reaper frees b) |
//! | 2 | next = b, b PRIVATE(d), or freed by the reaper | next := 0 |
//! | 3 | next = b, b VALUE | b -> DYING, next := 0, b freed: nothing has changed |
//! | 4, 5 | next = root | 5 and on |
//! | 6 | next = root, and what that one replaced is the first of the retired | next := 0 |
//! | freeing 2 | freeing = x, x VALUE | 3 and on |
//! | 3, 4 | freeing = x, x DYING(d), or freed by the reaper | what led to x := after; freeing := 0 |
//! | 5 | x DYING(d) | (the reaper frees x) |
//!
//! Every step of the repair may be done twice: it asks whether the block is still VALUE in the life that its reference names. A block that the
//! reaper freed may be another's by then; its link is never looked at again, since `after` says where it led.
//!
//! # Readers
//!
//! 1. r := root. 2. announce r. 3. light fence. 4. root is still r, or the announcement is taken back and it begins anew.
//!
//! Who frees makes a heavy fence between the replacing of a block and its look at the announcements: it sees the reader's, or the reader sees
//! another root. What was retired never becomes the root again, in this life of the block. So a block without an announcement stays without.
//! A killed reader's announcements are cleared by its reaper; a stopped one keeps what it has announced, and nothing else.

use crate::layout::structure::Chain;
use crate::sync::atomic::AtomicU64;
use crate::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use crate::sync::{fence, mutant};

/// The words of a [`Chain`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    Root,
    Next,
    Retired,
    Freeing,
    Before,
    After,
    Weight,
    Due,
}

impl Chain {
    /// This word of it.
    pub fn word(&self, word: Word) -> &AtomicU64 {
        match word {
            Word::Root => &self.root,
            Word::Next => &self.next,
            Word::Retired => &self.retired,
            Word::Freeing => &self.freeing,
            Word::Before => &self.before,
            Word::After => &self.after,
            Word::Weight => &self.weight,
            Word::Due => &self.due,
        }
    }
}

/// The words and blocks of one object, for who has its lock. References are those of [`BlockRef`](crate::layout::block::BlockRef).
pub trait Blocks {
    /// Acquire: an heir that finds a record, or a reader that finds the root, sees what was written before it.
    fn get(&self, word: Word) -> u64;
    /// Release.
    fn put(&self, word: Word, value: u64);
    /// It is VALUE, of this object, in the life that the reference names.
    fn is_value(&self, block: u64) -> bool;
    /// Bytes that it holds.
    fn len(&self, block: u64) -> u64;
    /// Its link.
    fn link(&self, block: u64) -> u64;
    fn set_link(&self, block: u64, to: u64);
    /// VALUE -> DYING(me).
    fn mark_dying(&self, block: u64);
    /// DYING(me) -> FREE, with what it holds.
    fn finish_free(&self, block: u64);
    /// Every word that some thread has announced, after a heavy fence. False: others could not be ordered, and some may be missing.
    fn announced(&self, each: &mut dyn FnMut(u64)) -> bool;
}

/// A block is worth its bytes, and at least so much: thirty-two small ones are looked through together.
pub const LEAST_WEIGHT: u64 = 8 << 10;
/// The retired are looked through when they are worth so much.
pub const LEAST_DUE: u64 = 32 * LEAST_WEIGHT;
/// More than any chain has: an arena has not so many blocks that could be held at once.
const MOST: usize = 1 << 24;

/// The algorithm, for who has the lock.
#[derive(Clone, Copy, Debug)]
pub struct Swap<B> {
    blocks: B,
}

/// What the value's block is called now; its caller has the lock, or announces it and looks again.
#[inline(always)]
pub fn root(chain: &Chain) -> u64 {
    // Acquire: pairs with the Release of the commit: who sees the block sees what is in it.
    chain.root.load(Acquire)
}

/// Announces the block that is the value now, in a free slot of the calling thread's. It stays as it is until the slot is cleared. None: there is no
/// value, and the slot is free.
#[inline(always)]
pub fn announce(chain: &Chain, slot: &AtomicU64) -> Option<u64> {
    let seen = chain.root.load(Relaxed);
    let now = announce_one(chain, slot, seen);
    let announced = if now == seen || mutant::on("swap.no_second_look") {
        seen
    } else {
        announce_again(chain, slot, now)
    };
    // Nothing is announced if it is zero.
    (announced != 0).then_some(announced)
}

/// What the value is afterwards.
#[inline(always)]
fn announce_one(chain: &Chain, slot: &AtomicU64, seen: u64) -> u64 {
    // Release: who finds this word, and no longer the one that was announced here before, knows that the reads of that one are over.
    slot.store(seen, if mutant::on("swap.announce_relaxed") { Relaxed } else { Release });
    if !mutant::on("swap.no_light") {
        fence::light();
    }
    root(chain)
}

/// It was replaced meanwhile.
#[cold]
fn announce_again(chain: &Chain, slot: &AtomicU64, mut seen: u64) -> u64 {
    loop {
        let now = announce_one(chain, slot, seen);
        if now == seen {
            return seen;
        }
        seen = now;
    }
}

impl<B: Blocks> Swap<B> {
    pub fn new(blocks: B) -> Self {
        Self { blocks }
    }

    /// Makes `new`, which is PRIVATE and filled, the value. `make_value` makes the block VALUE, and nothing else. True: the retired should be looked
    /// through.
    pub fn replace(&self, new: u64, make_value: impl FnOnce()) -> bool {
        let blocks = &self.blocks;
        blocks.set_link(new, blocks.get(Word::Root));
        if !mutant::on("swap.no_next") {
            blocks.put(Word::Next, new);
        }
        make_value();
        blocks.put(Word::Root, new);
        self.retire(new);
        blocks.get(Word::Weight) >= blocks.get(Word::Due).max(LEAST_DUE)
    }

    /// What the root `new` has replaced is retired, if it is not yet.
    fn retire(&self, new: u64) {
        let blocks = &self.blocks;
        let old = blocks.link(new);
        let retired = blocks.get(Word::Retired);
        if old != 0 && (old != retired || mutant::on("swap.retired_twice")) {
            if mutant::on("swap.head_first") {
                blocks.put(Word::Retired, old);
            }
            blocks.set_link(old, retired);
            blocks.put(Word::Retired, old);
            let weight = blocks.get(Word::Weight);
            blocks.put(Word::Weight, weight.saturating_add(self.weight_of(old)));
        }
        blocks.put(Word::Next, 0);
    }

    fn weight_of(&self, block: u64) -> u64 {
        self.blocks.len(block).max(LEAST_WEIGHT)
    }

    /// Frees all retired blocks that nobody has announced. Nothing happens where the announcements cannot be known.
    #[cold]
    pub fn reclaim(&self) {
        let blocks = &self.blocks;
        let mut announced = Vec::new();
        if !blocks.announced(&mut |word| announced.push(word)) {
            return;
        }
        announced.sort_unstable();
        let (mut before, mut at, mut kept) = (0, blocks.get(Word::Retired), 0u64);
        for _ in 0..MOST {
            if at == 0 {
                break;
            }
            let after = blocks.link(at);
            if announced.binary_search(&at).is_ok() && !mutant::on("swap.frees_announced") {
                kept = kept.saturating_add(self.weight_of(at));
                before = at;
            } else {
                self.free(before, at, after);
            }
            at = after;
        }
        blocks.put(Word::Weight, kept);
        // Twice what is kept: so that a look at all of them pays, however many there are.
        blocks.put(Word::Due, kept.saturating_mul(2));
    }

    fn free(&self, before: u64, block: u64, after: u64) {
        let blocks = &self.blocks;
        blocks.put(Word::Before, before);
        blocks.put(Word::After, after);
        // The record is whole when it counts.
        if !mutant::on("swap.no_freeing") {
            blocks.put(Word::Freeing, block);
        }
        blocks.mark_dying(block);
        self.unlink(before, block, after);
        blocks.finish_free(block);
    }

    /// Nothing leads to `block` any more.
    fn unlink(&self, before: u64, block: u64, after: u64) {
        let blocks = &self.blocks;
        if before == 0 {
            if blocks.get(Word::Retired) == block {
                blocks.put(Word::Retired, after);
            }
        } else if blocks.link(before) == block {
            blocks.set_link(before, after);
        }
        blocks.put(Word::Freeing, 0);
    }

    /// Finishes, or undoes, what the last owner of the lock was killed in.
    #[cold]
    pub fn repair(&self) {
        let blocks = &self.blocks;
        let freeing = blocks.get(Word::Freeing);
        if freeing != 0 {
            let mine = blocks.is_value(freeing);
            if mine {
                blocks.mark_dying(freeing);
            }
            self.unlink(blocks.get(Word::Before), freeing, blocks.get(Word::After));
            if mine {
                blocks.finish_free(freeing);
            }
        }
        let next = blocks.get(Word::Next);
        if next == 0 {
            return;
        }
        if next == blocks.get(Word::Root) {
            self.retire(next);
        } else if blocks.is_value(next) && !mutant::on("swap.heir_forgets") {
            blocks.mark_dying(next);
            blocks.put(Word::Next, 0);
            blocks.finish_free(next);
        } else {
            blocks.put(Word::Next, 0);
        }
    }

    /// Every block of the object, each once, and each after those that only it leads to: who tears the object down frees them
    /// meanwhile, and may be killed and begin again. What is there is as the last owner of the lock left it, alive or dead.
    pub fn each(&self, mut each: impl FnMut(u64)) {
        let blocks = &self.blocks;
        let (root, next) = (blocks.get(Word::Root), blocks.get(Word::Next));
        let mut found = Vec::new();
        let mut add = |block: u64| {
            let there = block != 0 && blocks.is_value(block);
            if there {
                found.push(block);
            }
            there
        };
        // The root first: it is freed last.
        if next != root {
            add(next);
        }
        let retired = blocks.get(Word::Retired);
        if add(root) && next == root {
            let old = blocks.link(root);
            if old != retired {
                add(old);
            }
        }
        let freeing = blocks.get(Word::Freeing);
        let mut at = retired;
        for _ in 0..MOST {
            // Where the link of one that is freed leads, another says: it may be gone.
            let there = add(at);
            at = match at {
                0 => break,
                _ if at == freeing => blocks.get(Word::After),
                _ if there => blocks.link(at),
                _ => break,
            };
        }
        found.into_iter().rev().for_each(&mut each);
    }
}
