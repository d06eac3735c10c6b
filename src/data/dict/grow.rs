//! More room: a segment becomes the next larger one, or two; the directory doubles.

use super::entered::damaged;
use super::memory::{Words, Writers};
use super::place::bucket_of;
use super::{Chain, Dict, Extent};
use crate::error::{Error, ErrorKind};
use crate::layout::block_place::Named;
use crate::layout::dict::{
    BUCKET, BUCKET_WORDS, BucketHeader, DEPTH_MAX, Entry, KEYS_AT, LINKS_AT, Overflow, PARTS, Phase, Root,
    SLOTS, SegmentSize, VALUES_AT, at,
};
use crate::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use crate::sync::{fence, mutant};

/// A directory has at most so many entries for each segment: with hashes worth the name it has a few.
const SPARSE: u64 = 1024;

/// What a slot has, and the hash of its key.
#[derive(Clone, Copy)]
struct Item {
    hash: u64,
    key: u64,
    value: u64,
}

/// A segment to be made, and what will be in it.
struct Plan {
    size: usize,
    depth: u32,
    items: Vec<Item>,
}

/// The stripes of a range of hashes, which nobody changes as long as this lives.
pub(super) struct Frozen<'a, M: Writers + 'a> {
    dict: &'a Dict<M>,
    first: u64,
    held: Vec<M::Held<'a>>,
}

impl<M: Writers> Drop for Frozen<'_, M> {
    fn drop(&mut self) {
        for (stripe, held) in (self.first..).zip(self.held.drain(..)) {
            self.dict.store_in(stripe, at::FROZEN, 0);
            drop(held);
        }
    }
}

impl<M: Writers> Dict<M> {
    /// Makes room for another key with this hash, which found none in the segment of this entry. Nothing is done if that segment is another
    /// by now.
    ///
    /// # Errors
    /// Those of the memory: then nothing has changed. `Limit` if too many hashes begin alike.
    #[cold]
    pub fn grow(&self, hash: u64, full: Entry) -> Result<(), M::Error> {
        let _structure = self.lock_structure()?;
        if self.entry_now(hash)? != full {
            return Ok(());
        }
        let plans = {
            // Others may still put into its other buckets: what is planned now may be too small in a moment, and is only a guess.
            let items = self.items(full);
            self.plan(full, items, hash)?
        };
        if plans.len() > 1 && self.root().depth() == full.depth() {
            self.double()?;
        }
        let (first, shared) = self.stripes_of(full, hash);
        let _frozen = self.freeze(first, 1 << shared)?;
        self.rebuild(hash, full)
    }

    /// Takes the structural lock; first finishes or undoes what a dead holder was doing.
    ///
    /// # Errors
    /// Those of the lock.
    pub(super) fn lock_structure(&self) -> Result<M::Held<'_>, M::Error> {
        self.memory.lock(at::LOCK, &|| self.repair_structure())
    }

    /// Under the structural lock.
    fn entry_now(&self, hash: u64) -> Result<Entry, M::Error> {
        Ok(self.find(hash).map(|place| place.entry).ok_or_else(damaged)?)
    }

    /// Takes the locks of these stripes, in ascending order, and marks them.
    pub(super) fn freeze(&self, first: u64, count: u64) -> Result<Frozen<'_, M>, M::Error> {
        let mut frozen = Frozen { dict: self, first, held: Vec::with_capacity(count as usize) };
        for stripe in first..first + count {
            let held = self.memory.lock(self.stripe_at(stripe), &|| self.repair_stripe(stripe))?;
            frozen.held.push(held);
            if !mutant::on("dict.not_frozen") {
                self.store_in(stripe, at::FROZEN, 1);
            }
        }
        Ok(frozen)
    }

    /// Under the locks of its stripes: new segments with what is in the one of `old`, in its place.
    fn rebuild(&self, hash: u64, old: Entry) -> Result<(), M::Error> {
        let plans = self.plan(old, self.items(old), hash)?;
        if plans.len() > 1 && self.root().depth() == old.depth() {
            // It was planned otherwise a moment ago. The next try finds it full.
            return Ok(());
        }
        let body = self.memory.body();
        let epoch = body.load(at::EPOCH, Relaxed).wrapping_add(1);
        body.store(at::EPOCH, epoch, Release);
        let mut built = Vec::with_capacity(2);
        for plan in &plans {
            built.push(self.build(plan, epoch)?);
        }
        body.store(at::OLD, old.0, Relaxed);
        for i in 0..2 {
            body.store(at::NEW + i, built.get(i).map_or(0, |(entry, _)| entry.0), Relaxed);
        }
        body.store(at::AT, hash, Relaxed);
        self.set_phase(Phase::Built);
        for (_, block) in built {
            self.memory.make_value(block);
        }
        if mutant::on("dict.freed_before_the_switch") {
            self.free_segment(old.0);
        }
        self.set_phase(Phase::Switch);
        self.switch();
        self.free_segment(old.0);
        self.set_phase(Phase::Idle);
        Ok(())
    }

    /// Everything in a segment. Under its stripes' locks, or as a guess.
    fn items(&self, entry: Entry) -> Vec<Item> {
        let mut items = Vec::new();
        let Some(size) = self.size_of(entry) else { return items };
        for bucket in 0..u64::from(size.homes) {
            let Some(chain) = Chain::at(&self.memory, entry.offset() + bucket * BUCKET) else { continue };
            chain.each(chain.header(), |_, words, i| {
                let (key, value) = (words.load(KEYS_AT + i, Relaxed), words.load(VALUES_AT + i, Acquire));
                items.push(Item { hash: self.hash_of(key), key, value });
            });
        }
        items
    }

    /// The next larger segment that these fit, and another key with this hash; else two.
    fn plan(&self, old: Entry, items: Vec<Item>, more: u64) -> Result<Vec<Plan>, M::Error> {
        let depth = old.depth();
        for size in old.size() + 1..M::SEGMENTS.len() {
            if fits(&items, Some(more), depth, M::SEGMENTS[size]) {
                return Ok(vec![Plan { size, depth, items }]);
            }
        }
        if depth >= DEPTH_MAX {
            return Err(too_alike().into());
        }
        let (high, low): (Vec<_>, Vec<_>) = items.into_iter().partition(|item| item.hash << depth >> 63 != 0);
        let in_high = more << depth >> 63 != 0;
        let low = self.plan_half(depth + 1, low, (!in_high).then_some(more))?;
        let high = self.plan_half(depth + 1, high, in_high.then_some(more))?;
        Ok(vec![low, high])
    }

    fn plan_half(&self, depth: u32, items: Vec<Item>, more: Option<u64>) -> Result<Plan, M::Error> {
        let sizes = M::SEGMENTS.len();
        let usual = sizes.saturating_sub(2)..sizes;
        let with_more = usual.clone().find(|size| fits(&items, more, depth, M::SEGMENTS[*size]));
        // Where they are too much alike for the other key, too, the next split tells them apart.
        let size =
            with_more.or_else(|| usual.clone().find(|size| fits(&items, None, depth, M::SEGMENTS[*size])));
        Ok(Plan { size: size.ok_or_else(too_alike)?, depth, items })
    }

    /// A segment with these items, PRIVATE, and the entry that will name it.
    fn build(&self, plan: &Plan, epoch: u64) -> Result<(Entry, M::Block<'_>), M::Error> {
        let size = M::SEGMENTS[plan.size];
        let block = self.memory.alloc(size.bytes())?;
        let name = self.memory.name(&block);
        let entry = Entry::new(name, plan.size, plan.depth);
        // Who sees one of the words below sees what led away from the block's last life.
        fence::fence(Release);
        let words = |index: u64| {
            self.memory.words(name.offset + index * BUCKET, BUCKET_WORDS as u64).ok_or_else(damaged)
        };
        let mut next = u64::from(size.homes);
        let mut filled = vec![(0u32, Overflow(0)); size.homes as usize];
        for item in &plan.items {
            let home = bucket_of(item.hash, plan.depth, size.homes);
            let Some((count, links)) = filled.get_mut(home as usize) else { continue };
            let (part, slot) = (*count as usize / SLOTS, *count as usize % SLOTS);
            if part > 0 && slot == 0 {
                words(next)?.store(0, home + 1, Relaxed);
                *links = links.with(part, next - home);
                next += 1;
            }
            let index = if part == 0 { home } else { home + links.get(part) };
            words(index)?.store(KEYS_AT + slot, item.key, Relaxed);
            words(index)?.store(VALUES_AT + slot, item.value, Relaxed);
            *count += 1;
        }
        for (home, (count, links)) in (0..).zip(&filled) {
            words(home)?.store(LINKS_AT, links.0, Relaxed);
            words(home)?.store(0, BucketHeader::new(epoch << 16, (1 << count) - 1).0, Relaxed);
        }
        for free in next..u64::from(size.buckets) {
            words(free)?.store(0, 0, Relaxed);
        }
        Ok((entry, block))
    }

    /// Under the structural lock: a directory of twice the size, with the same segments.
    fn double(&self) -> Result<(), M::Error> {
        let old = self.root();
        let depth = old.depth() + 1;
        let segments = self.extent().segments;
        if depth > DEPTH_MAX || 1 << depth > SPARSE * segments {
            return Err(too_alike().into());
        }
        let (name, block) = self.directory(depth, |i| {
            let slot = self.memory.words(old.offset() + (i >> 1) * 8, 1);
            slot.map_or(0, |slot| slot.load(0, Relaxed))
        })?;
        let new = Root::new(name, depth);
        let body = self.memory.body();
        body.store(at::OLD, old.0, Relaxed);
        body.store(at::NEW, new.0, Relaxed);
        self.set_phase(Phase::Directory);
        self.memory.make_value(block);
        // Release: who finds the directory finds its entries.
        body.store(at::ROOT, new.0, Release);
        self.memory.free(old.block());
        self.set_phase(Phase::Idle);
        Ok(())
    }

    /// A directory with these entries, PRIVATE.
    pub(super) fn directory(
        &self,
        depth: u32,
        entry: impl Fn(u64) -> u64,
    ) -> Result<(Named, M::Block<'_>), M::Error> {
        let count = 1u64 << depth;
        let block = self.memory.alloc(count * 8)?;
        let name = self.memory.name(&block);
        let words = self.memory.words(name.offset, count).ok_or_else(damaged)?;
        fence::fence(Release);
        for i in 0..count {
            words.store(i as usize, entry(i), Relaxed);
        }
        Ok((name, block))
    }

    /// An empty segment for all hashes, and a directory that names it; PRIVATE.
    pub(super) fn nothing(&self, size: usize, epoch: u64) -> Result<Nothing<'_, M>, M::Error> {
        let (entry, segment) = self.build(&Plan { size, depth: 0, items: Vec::new() }, epoch)?;
        let (name, directory) = self.directory(0, |_| entry.0)?;
        Ok(Nothing { entry, segment, root: Root::new(name, 0), directory })
    }

    /// How large it is.
    ///
    /// # Errors
    /// Those of the lock.
    pub fn measure(&self) -> Result<Extent, M::Error> {
        let _structure = self.lock_structure()?;
        Ok(self.extent())
    }

    /// For who has just made the body: the first directory, and a segment for about so many entries, if one has room for them.
    ///
    /// # Errors
    /// Those of the memory.
    pub fn begin(&self, entries: u64) -> Result<(), M::Error> {
        let room = |size: &SegmentSize| u64::from(size.homes) * SLOTS as u64 * 3 / 4 >= entries;
        let size = M::SEGMENTS.iter().position(room).unwrap_or(M::SEGMENTS.len() - 1);
        let nothing = self.nothing(size, 0)?;
        let body = self.memory.body();
        body.store(at::NEW, nothing.entry.0, Relaxed);
        body.store(at::NEW + 1, nothing.root.0, Relaxed);
        // Killed from here on: as in `clear`, and nobody else has it yet.
        self.set_phase(Phase::Clear);
        self.memory.make_value(nothing.segment);
        self.memory.make_value(nothing.directory);
        body.store(at::ROOT, nothing.root.0, Release);
        self.set_phase(Phase::Idle);
        Ok(())
    }
}

/// What an empty dictionary consists of.
pub(super) struct Nothing<'a, M: Writers + 'a> {
    pub entry: Entry,
    pub segment: M::Block<'a>,
    pub root: Root,
    pub directory: M::Block<'a>,
}

/// Whether there is a slot for each, in overflow buckets where need be.
fn fits(items: &[Item], more: Option<u64>, depth: u32, size: SegmentSize) -> bool {
    let mut counts = vec![0u32; size.homes as usize];
    for hash in items.iter().map(|item| item.hash).chain(more) {
        if let Some(count) = counts.get_mut(bucket_of(hash, depth, size.homes) as usize) {
            *count += 1;
        }
    }
    let slots = SLOTS as u32;
    let overflow: u32 = counts.iter().map(|count| count.div_ceil(slots).saturating_sub(1)).sum();
    overflow <= size.buckets - size.homes && counts.iter().all(|count| *count <= slots * PARTS as u32)
}

#[cold]
fn too_alike() -> Error {
    Error::new(ErrorKind::Limit, "shared dictionary", "the hashes of too many keys begin alike")
        .hint("make a new dictionary: it chooses another secret for its hashes")
}
