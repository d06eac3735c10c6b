//! What `Semaphore` and `BoundedSemaphore` have in common: the words, the lanes, and who this process is.

use std::path::Path;
use std::sync::Arc;

#[cfg(feature = "async")]
use super::super::asynch::{Key, Source};
use super::error::SemaphoreError;
use super::lanes;
use super::permit::Permit;
use crate::arena::{BodyRows, ObjectRef};
use crate::channel::domain::{Arena, Domain};
use crate::channel::kind;
use crate::error::{Error, ErrorKind, Result};
use crate::layout::lock::LockWord;
use crate::layout::semaphore::{Lane, LaneOwner, SemaphoreBody, SemaphoreWord, body_len, bound_of, max_of};
use crate::prim::event_count::SpinRun;
use crate::prim::limits::Limits;
use crate::prim::semaphore::{Acquired, RawSemaphore, claim};
use crate::prim::spin::Spinner;
#[cfg(feature = "async")]
use crate::prim::watch::Watch;
use crate::region::Presence;
use crate::sync::atomic::Ordering;
#[cfg(feature = "async")]
use crate::sync::futex::Address;
use crate::sys::thread;

/// One semaphore in this process.
pub(crate) struct Core {
    body: BodyRows<SemaphoreBody, Lane>,
    presence: Presence,
    /// This process, as lanes name it.
    tenant: LockWord,
    /// For [`lanes`].
    key: u64,
    max: u32,
    run: SpinRun,
    domain: Arc<Domain>,
}

impl Core {
    pub(super) fn create(arena: &Arena, value: u32, lanes: u32, bounded: bool) -> Result<Self> {
        let domain = arena.domain()?;
        let create =
            || domain.store().create_object(kind::SEMAPHORE, 0, "semaphore", body_len(lanes), |_zeros| {});
        let object = domain.with_room(create)?;
        // Nobody else sees it yet.
        let body: &SemaphoreBody = domain.region().at(object.view().body_offset());
        body.word.store(SemaphoreWord::new(value).0, Ordering::Relaxed);
        body.bound.store(if bounded { bound_of(value) } else { 0 }, Ordering::Relaxed);
        body.lanes.store(lanes, Ordering::Release);
        Self::open(object, bounded)
    }

    /// The one in this object.
    pub(super) fn open(object: ObjectRef, bounded: bool) -> Result<Self> {
        let wrong_kind = |object: &ObjectRef| {
            let noun = if bounded { "bounded semaphore" } else { "semaphore" };
            Error::new(
                ErrorKind::TypeMismatch,
                format!("object {}", object.id().index),
                format!("it is not a {noun}"),
            )
            .hint("open it as what it was created")
        };
        if object.kind() != kind::SEMAPHORE {
            return Err(wrong_kind(&object));
        }
        let domain = Domain::of(&object)?;
        let presence = domain.region().presence()?;
        let me = presence.me();
        // A permit may be leaked, and lanes stay with their threads: all that ends with the last handle.
        object.expect_claims();
        let body = BodyRows::of(object, |body: &SemaphoreBody| body.lanes.load(Ordering::Acquire))?;
        let bound = body.head().bound.load(Ordering::Relaxed);
        if (bound != 0) != bounded {
            return Err(wrong_kind(body.object()));
        }
        Ok(Self {
            body,
            presence,
            tenant: LockWord::owned(me.id, me.incarnation),
            key: lanes::new_key(),
            max: max_of(bound),
            run: SpinRun::default(),
            domain,
        })
    }

    pub(super) fn reference(&self) -> &ObjectRef {
        self.body.object()
    }

    #[inline(always)]
    fn raw(&self) -> RawSemaphore<'_, [Lane]> {
        let head = self.body.head();
        RawSemaphore::new(&head.word, &head.event, self.max, self.body.rows())
    }

    fn number(&self) -> u32 {
        self.reference().id().index
    }

    /// "semaphore 7".
    pub(super) fn object(&self) -> String {
        format!("semaphore {}", self.number())
    }

    /// A permit, if one is free and this thread has acquired before.
    #[inline(always)]
    pub(super) fn try_fast(&self) -> Option<Permit<'_>> {
        let lane = lanes::known(self.key)?;
        self.presence.id()?;
        let (raw, guess) = (self.raw(), lanes::guess());
        let seen = if guess.value() > 0 { guess } else { raw.look() };
        raw.try_acquire_from(lane, seen).map(|taken| Permit::new(self, lane, taken))
    }

    #[inline(always)]
    pub(super) fn acquire(
        &self,
        limits: &Limits<'_>,
        spinner: &Spinner,
    ) -> Result<Permit<'_>, SemaphoreError> {
        match self.try_fast() {
            Some(permit) => Ok(permit),
            None => self.acquire_within(limits, spinner),
        }
    }

    #[cold]
    #[inline(never)]
    pub(super) fn acquire_within(
        &self,
        limits: &Limits<'_>,
        spinner: &Spinner,
    ) -> Result<Permit<'_>, SemaphoreError> {
        self.presence.check(self.domain.region())?;
        let lane = self.lane()?;
        let raw = self.raw();
        let end = if limits.is_try() {
            raw.try_acquire(lane).map_or(Acquired::TimedOut, Acquired::Yes)
        } else {
            raw.acquire(lane, limits, spinner, &self.run, || self.domain.look_for_dead())
        };
        match end {
            Acquired::Yes(taken) => Ok(Permit::new(self, lane, taken)),
            Acquired::TimedOut => {
                // The dead may have one: who never waits long would not hear of it.
                let again = if self.domain.look_now_and_then() { raw.try_acquire(lane) } else { None };
                match again {
                    Some(taken) => Ok(Permit::new(self, lane, taken)),
                    None => Err(SemaphoreError::Busy { semaphore: self.number() }),
                }
            }
            Acquired::Cancelled => Err(SemaphoreError::Cancelled { semaphore: self.number() }),
        }
    }

    /// A permit, if one is free.
    #[cfg(feature = "async")]
    pub(in crate::locks) fn attempt(&self) -> Option<Result<Permit<'_>, SemaphoreError>> {
        if let Some(permit) = self.try_fast() {
            return Some(Ok(permit));
        }
        if let Err(error) = self.presence.check(self.domain.region()) {
            return Some(Err(error.into()));
        }
        match self.lane() {
            Ok(lane) => self.raw().try_acquire(lane).map(|taken| Ok(Permit::new(self, lane, taken))),
            Err(error) => Some(Err(error.into())),
        }
    }

    /// The lane of this thread.
    fn lane(&self) -> Result<u32> {
        if let Some(lane) = lanes::known(self.key) {
            return Ok(lane);
        }
        let mine = LaneOwner::new(self.tenant, thread::tag());
        let claim = || claim(self.body.rows(), mine, &has_ended);
        let claimed = claim().or_else(|| {
            self.domain.look_for_dead();
            claim()
        });
        let lane = claimed.ok_or_else(|| self.no_lane())?;
        lanes::remember(self.key, lane);
        Ok(lane)
    }

    #[inline(always)]
    pub(super) fn put_back(&self, lane: u32, taken: SemaphoreWord) {
        // In a forked copy the permit is its parent's.
        if self.presence.id().is_some() {
            lanes::set_guess(self.key, self.raw().release(lane, taken));
        }
    }

    pub(super) fn forget(&self, lane: u32) {
        if self.presence.id().is_some() {
            self.raw().forget(lane);
        }
    }

    pub(super) fn give(&self) -> Result<()> {
        self.presence.check(self.domain.region())?;
        if self.raw().give() { Ok(()) } else { Err(self.too_many()) }
    }

    pub(super) fn value(&self) -> u32 {
        self.raw().look().value()
    }

    pub(super) fn max_value(&self) -> u32 {
        self.max
    }

    #[cold]
    fn too_many(&self) -> Error {
        Error::new(
            ErrorKind::InvalidState,
            self.object(),
            format!("its value is {}, and must not be larger", self.max),
        )
        .hint("release only what was acquired and forgotten")
    }

    #[cold]
    fn no_lane(&self) -> Error {
        let lanes = self.body.rows().len();
        Error::new(
            ErrorKind::Limit,
            self.object(),
            format!("{lanes} threads use it, as many as it was made for: need 1 lane, free 0"),
        )
        .hint("make it with builder(value).threads(n)")
    }
}

#[cfg(feature = "async")]
impl Source for Core {
    fn key(&self) -> Key {
        Key { word: Address::of(&self.body.head().event), since: 0 }
    }

    fn watch(&self) -> Option<Watch> {
        self.raw().watch()
    }

    fn word(&self) -> u32 {
        self.body.head().event.load(Ordering::Acquire)
    }

    fn domain(&self) -> &Arc<Domain> {
        &self.domain
    }
}

/// Whether the thread of this process with this tag has ended. If nobody knows, it has not.
fn has_ended(tag: u32) -> bool {
    let is_listed = |tag| Path::new(&format!("/proc/self/task/{}", thread::number_in(tag))).exists();
    !is_listed(tag) && is_listed(thread::tag())
}
