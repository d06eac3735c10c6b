//! A dictionary in the body of an object, for who repairs it or tears it down; and what every user of one asks of its arena.

use super::hash::Seeds;
use super::{Dict, Memory};
use crate::arena::{Arena, BlockView, ObjectView};
use crate::layout::LINE;
use crate::layout::block_place::{BlockPlace, Named};
use crate::layout::dict::{DictBody, SEGMENTS, STRIPE_WORDS, SegmentSize, Settings, at};
use crate::layout::object::ObjectId;
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

    /// The block, if it is the dictionary's in that life.
    pub fn block(&self, name: Named) -> Option<BlockView<'a>> {
        self.arena.named(name, self.object)
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

/// Where a block's own content begins.
#[inline]
pub fn content(arena: &Arena, place: BlockPlace) -> Option<u64> {
    if !place.has_handles() {
        return Some(place.offset());
    }
    Some(arena.view_at(place.offset())?.content_offset())
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

    fn content(&self, place: BlockPlace) -> Option<u64> {
        content(self.arena, place)
    }

    fn is_value(&self, block: Named) -> bool {
        self.block(block).is_some()
    }

    fn free(&self, block: Named) {
        self.arena.free_named(block, self.object);
    }
}

impl std::fmt::Debug for Content<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Content").field("object", &self.object).finish_non_exhaustive()
    }
}
