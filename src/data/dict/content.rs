//! A dictionary in the body of an object, for who repairs it or tears it down; and what every user of one asks of its arena.

use super::hash::Seeds;
use super::{Dict, Memory};
use crate::arena::{Arena, ObjectView};
use crate::layout::dict::{DictBody, Named, Reference, SEGMENTS, STRIPE_WORDS, SegmentSize, Settings, at};
use crate::layout::object::ObjectId;
use crate::layout::{LINE, REFERENCE_SIZE};
use crate::sync::atomic::AtomicU64;
use crate::sync::atomic::Ordering::Relaxed;

/// See the module.
pub struct Content<'a> {
    arena: &'a Arena,
    object: ObjectId,
    body: &'a [AtomicU64],
}

impl<'a> Content<'a> {
    /// The dictionary in this object, unless its body is too small for one.
    pub fn of(arena: &'a Arena, object: &ObjectView) -> Option<Dict<Self>> {
        let body = arena.region().words(object.body_offset(), object.body_len() / 8)?;
        is_whole(body).then(|| Dict::new(Self { arena, object: object.id(), body }))
    }

    /// The block's reference in its arena.
    pub fn reference(&self, block: Named) -> Option<u64> {
        reference(self.arena, self.object, block)
    }

    /// The words of the stripes' locks.
    pub fn locks(&self) -> impl Iterator<Item = &'a AtomicU64> {
        self.body.get(at::STRIPES..).unwrap_or_default().iter().step_by(STRIPE_WORDS)
    }
}

/// The body has as many stripes as it says.
pub fn is_whole(body: &[AtomicU64]) -> bool {
    let settings = body.get(at::SETTINGS).map(|word| Settings::unpack(word.load(Relaxed)));
    let stripes = settings.map(|settings| settings.stripes);
    stripes.is_some_and(|bits| bits <= 8 && body.len() >= at::STRIPES + (STRIPE_WORDS << bits))
}

/// Bytes of a body with so many stripes.
pub const fn body_len(stripes: u32) -> u64 {
    size_of::<DictBody>() as u64 + (LINE as u64) * stripes as u64
}

/// The seeds of a body.
pub fn seeds(body: &[AtomicU64]) -> Seeds {
    Seeds::new([0, 1, 2, 3].map(|i| body.get(at::SEEDS + i).map_or(0, |word| word.load(Relaxed))))
}

/// The reference of a block, if it is content of the object, in that life.
#[inline]
pub fn reference(arena: &Arena, object: ObjectId, block: Named) -> Option<u64> {
    let view = arena.view_at(block.offset)?;
    let same = view.generation() & ((1 << block.bits) - 1) == block.generation;
    let reference = view.reference();
    (same && arena.value(reference, object).is_some()).then_some(reference)
}

/// Where a block's own content begins.
#[inline]
pub fn content(arena: &Arena, reference: Reference) -> Option<u64> {
    if !reference.has_handles() {
        return Some(reference.offset());
    }
    let view = arena.view_at(reference.offset())?;
    Some(view.offset() + u64::from(view.children()) * REFERENCE_SIZE)
}

impl<'a> Memory for Content<'a> {
    type Words<'b>
        = &'b [AtomicU64]
    where
        Self: 'b;

    const SEGMENTS: &'static [SegmentSize] = &SEGMENTS;

    fn body(&self) -> &[AtomicU64] {
        self.body
    }

    fn words(&self, offset: u64, count: u64) -> Option<&[AtomicU64]> {
        self.arena.region().words(offset, count)
    }

    fn hash(&self, key: u64) -> u64 {
        seeds(self.body).of_word(key)
    }

    fn content(&self, reference: Reference) -> Option<u64> {
        content(self.arena, reference)
    }

    fn is_value(&self, block: Named) -> bool {
        self.reference(block).is_some()
    }

    fn free(&self, block: Named) {
        if let Some(reference) = self.reference(block) {
            self.arena.free_value(reference, self.object);
        }
    }
}

impl std::fmt::Debug for Content<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Content").field("object", &self.object).finish_non_exhaustive()
    }
}
