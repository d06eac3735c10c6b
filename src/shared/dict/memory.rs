//! A dictionary as this process has it.

use std::sync::Arc;

use crate::arena::{Arena as Store, Block, Body, ObjectRef};
use crate::channel::bare_lock::{self, BareHeld, BareLock};
use crate::channel::domain::Domain;
use crate::data::dict::content::{content, is_whole, seeds};
use crate::data::dict::hash::Seeds;
use crate::data::dict::span::Span;
use crate::data::dict::{Memory, Writers};
use crate::error::{Error, ErrorKind, Result};
use crate::layout::block_place::{BlockPlace, Named};
use crate::layout::dict::{DictBody, SEGMENTS, SegmentSize};
use crate::layout::lock::LockWord;
use crate::layout::object::ObjectId;
use crate::prim::limits::Limits;
use crate::prim::spin::Spinner;
use crate::region::Presence;
use crate::sync::atomic::{AtomicU64, Ordering};

/// See the module.
pub(super) struct Attached {
    pub(super) body: Body<DictBody>,
    id: ObjectId,
    pub(super) presence: Presence,
    /// The word of this process as the owner of a lock.
    me: LockWord,
    pub(super) domain: Arc<Domain>,
    span: Span,
    pub(super) seeds: Seeds,
    spinner: Spinner,
}

impl Attached {
    pub(super) fn open(object: ObjectRef) -> Result<Self> {
        let (domain, id) = (Domain::of(&object)?, object.id());
        let presence = domain.region().presence()?;
        let me = bare_lock::owner(&presence);
        let body = Body::<DictBody>::of(object)?;
        if !is_whole(body.all_words()) {
            let name = format!("object {}", id.index);
            return Err(Error::new(ErrorKind::InvalidRegion, name, "its body is too small for its stripes"));
        }
        let seeds = seeds(body.all_words());
        let span = Span::new(domain.region().clone());
        Ok(Self { body, id, presence, me, domain, span, seeds, spinner: Spinner::default() })
    }

    /// That this is still the process that made the handle.
    #[inline(always)]
    pub(super) fn check(&self) -> Result<()> {
        match self.presence.id() {
            Some(_) => Ok(()),
            None => self.check_again(),
        }
    }

    #[cold]
    fn check_again(&self) -> Result<()> {
        self.presence.check(self.domain.region()).map(drop)
    }

    pub(super) fn store(&self) -> &Arc<Store> {
        self.domain.store()
    }

    pub(super) fn object(&self) -> &ObjectRef {
        self.body.object()
    }
}

impl Memory for Attached {
    type Words<'a> = &'a [AtomicU64];

    const SEGMENTS: &'static [SegmentSize] = &SEGMENTS;

    #[inline(always)]
    fn body(&self) -> &[AtomicU64] {
        self.body.all_words()
    }

    #[inline(always)]
    fn root(&self, order: Ordering) -> u64 {
        self.body.root.load(order)
    }

    #[inline(always)]
    fn words(&self, offset: u64, count: u64) -> Option<&[AtomicU64]> {
        self.span.words(offset, count)
    }

    #[inline(always)]
    fn hash(&self, key: u64) -> u64 {
        self.seeds.of_word(key)
    }

    #[inline]
    fn content(&self, place: BlockPlace) -> Option<u64> {
        content(self.store(), place)
    }

    fn is_value(&self, block: Named) -> bool {
        self.store().named(block, self.id).is_some()
    }

    fn free(&self, block: Named) {
        self.store().free_named(block, self.id);
    }
}

impl Writers for Attached {
    type Error = Error;
    type Block<'a> = Block<'a>;
    type Held<'a> = BareHeld<'a>;

    fn alloc(&self, bytes: u64) -> Result<Block<'_>> {
        self.domain.with_room(|| self.store().alloc(bytes, 0))
    }

    fn name(&self, block: &Block<'_>) -> Named {
        block.view().name()
    }

    fn place(&self, block: &Block<'_>) -> BlockPlace {
        block.view().place()
    }

    fn make_value(&self, block: Block<'_>) {
        block.make_value(self.id);
    }

    #[inline]
    fn lock(&self, word: usize, repair: &dyn Fn()) -> Result<BareHeld<'_>> {
        let word = self.body().get(word).ok_or_else(|| {
            Error::new(ErrorKind::Corrupt, "shared dictionary", "its body has fewer stripes than it says")
        })?;
        BareLock::new(word, self.me, &self.presence, &self.domain).lock(&Limits::NONE, &self.spinner, repair)
    }
}
