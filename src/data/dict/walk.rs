//! Every block of a dictionary: for teardown, which frees what it is told, and for the check at rest.

use super::memory::{Memory, Words};
use super::place::prefix;
use super::{Chain, Dict};
use crate::layout::block_place::{BlockPlace, Named};
use crate::layout::dict::{Armed, BUCKET, Entry, Phase, Root, VALUES_AT, at};
use crate::sync::atomic::Ordering::{Acquire, Relaxed};

/// Segments that stand for others which the directory may still name.
#[derive(Clone, Copy)]
pub(super) struct Instead {
    at: u64,
    depth: u32,
    new: [u64; 2],
}

/// How large a dictionary is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    pub segments: u64,
    /// Blocks of the directory and of segments, without their headers.
    pub bytes: u64,
    /// Entries of the directory.
    pub directory: u64,
}

impl<M: Memory> Dict<M> {
    /// Names every block once, what leads to others after those, also what only the record of a dead one names. `each` may free it; killed in that, the next
    /// one begins again: so a block is looked into only while it is one of the dictionary's.
    pub fn blocks(&self, each: &mut dyn FnMut(Named)) {
        // First what is under way in stripes: the buckets that decide it are freed last.
        for stripe in 0..self.stripes() {
            let armed = self.stripe_word(stripe, at::ARMED);
            if armed == Armed::NOTHING {
                continue;
            }
            if let Some(loose) = self.decide(stripe, Armed(armed), false) {
                self.tell(loose.block(), each);
            }
        }
        let body = self.memory.body();
        let word = |at| body.load(at, Relaxed);
        let (root, old) = (Root(word(at::ROOT)), word(at::OLD));
        let new = [word(at::NEW), word(at::NEW + 1)];
        let mut instead = None;
        match Phase::unpack(word(at::PHASE)) {
            Phase::Idle => {}
            Phase::Built => new.into_iter().for_each(|entry| self.tell_segment(entry, each)),
            Phase::Switch => {
                let depth = Entry(old).depth();
                instead = Some(Instead { at: word(at::AT), depth, new });
                self.tell_segment(old, each);
            }
            Phase::Directory => {
                let loose = if root.0 == new[0] { old } else { new[0] };
                self.tell(Root(loose).block(), each);
            }
            // Some of it may have been freed.
            Phase::Clear if root.0 == new[1] => {
                self.each_under(Root(old), None, &mut |block| self.tell(block, each));
            }
            Phase::Clear => {
                self.tell_segment(new[0], each);
                self.tell(Root(new[1]).block(), each);
            }
        }
        self.each_under(root, instead, each);
    }

    fn tell(&self, block: Named, each: &mut dyn FnMut(Named)) {
        if block.offset != 0 && self.memory.is_value(block) {
            each(block);
        }
    }

    fn tell_segment(&self, entry: u64, each: &mut dyn FnMut(Named)) {
        if entry != 0 {
            self.tell(Entry(entry).block(), each);
        }
    }

    /// Every block that readers are led to and that is none of the dictionary's. Also when writers died: what an entry or a slot
    /// names is VALUE before, and freed after nothing leads to it.
    pub fn astray(&self, each: &mut dyn FnMut(Named)) {
        let mut check = |block: Named| {
            let there = self.memory.is_value(block);
            if !there {
                each(block);
            }
            there
        };
        let root = self.root();
        // One that is being made has no directory yet.
        if root.offset() == 0 || !check(root.block()) {
            return;
        }
        self.each_segment(root, None, &mut |entry| {
            if check(entry.block()) {
                self.each_value(entry, &mut |value| {
                    check(value);
                });
            }
        });
    }

    /// What a directory leads to, then itself.
    pub(super) fn each_under(&self, root: Root, instead: Option<Instead>, each: &mut dyn FnMut(Named)) {
        if root.offset() == 0 || !self.memory.is_value(root.block()) {
            return;
        }
        self.each_segment(root, instead, &mut |entry| {
            if self.memory.is_value(entry.block()) {
                self.each_value(entry, each);
                each(entry.block());
            }
        });
        each(root.block());
    }

    fn each_segment(&self, root: Root, instead: Option<Instead>, each: &mut dyn FnMut(Entry)) {
        let count = 1u64 << root.depth();
        let mut i = 0;
        while i < count {
            let slot = self.memory.words(root.offset() + i * 8, 1);
            let mut entry = Entry(slot.map_or(0, |slot| slot.load(0, Acquire)));
            if let Some(instead) = instead {
                entry = instead.of(root, i).unwrap_or(entry);
            }
            each(entry);
            i += 1 << root.depth().saturating_sub(entry.depth());
        }
    }

    fn each_value(&self, entry: Entry, each: &mut dyn FnMut(Named)) {
        let Some(size) = self.size_of(entry).filter(|_| !self.settings().inline_values) else { return };
        for bucket in 0..u64::from(size.homes) {
            let Some(chain) = Chain::at(&self.memory, entry.offset() + bucket * BUCKET) else { continue };
            chain.each(chain.header(), |_, words, i| {
                each(BlockPlace(words.load(VALUES_AT + i, Acquire)).block());
            });
        }
    }

    /// How large it is. Under the structural lock.
    pub(super) fn extent(&self) -> Extent {
        let root = self.root();
        let directory = 1 << root.depth();
        let mut extent = Extent { segments: 0, bytes: directory * 8, directory };
        self.each_segment(root, None, &mut |entry| {
            extent.segments += 1;
            extent.bytes += self.size_of(entry).map_or(0, |size| size.bytes());
        });
        extent
    }
}

impl Instead {
    /// What stands for entry `i` of a directory.
    fn of(self, root: Root, i: u64) -> Option<Entry> {
        let shared = root.depth().checked_sub(self.depth)?;
        if i >> shared != prefix(self.at, self.depth) {
            return None;
        }
        let in_second = self.new[1] != 0 && i & ((1 << shared) - 1) >= (1 << shared) / 2;
        Some(Entry(self.new[usize::from(in_second)]))
    }
}
