//! The question that every call asks first: is this still the process that made the handle?
//!
//! # Safety
//!
//! The pointer is to the token of the region's attendance (`src/region/attendance.rs`), and the region is kept by the same value.
#![allow(unsafe_code)]

use std::ptr::NonNull;
use std::sync::Arc;

use crate::error::Result;
use crate::layout::ParticipantId;
use crate::region::{Me, Region};
use crate::sync::atomic::{AtomicU64, Ordering};

/// Who made a handle, and where it says whether that is still true: one load and a comparison.
#[derive(Clone, Debug)]
pub struct Presence {
    now: NonNull<AtomicU64>,
    /// What `now` says while it is true.
    token: u64,
    me: Me,
    region: Arc<Region>,
}

// SAFETY: an atomic word that stays mapped, see the module.
unsafe impl Send for Presence {}
// SAFETY: as above.
unsafe impl Sync for Presence {}

impl Presence {
    /// `None`: the calling process is no participant.
    pub(super) fn new(region: Arc<Region>) -> Option<Self> {
        let attendance = region.attendance();
        let (token, me) = attendance.token_and_me()?;
        let now = NonNull::from(attendance.token());
        Some(Self { now, token, me, region })
    }

    /// Where the handle was made.
    #[inline(always)]
    pub fn region(&self) -> &Arc<Region> {
        &self.region
    }

    /// Who made the handle.
    pub fn me(&self) -> Me {
        self.me
    }

    /// A number that this process never uses twice: of this participant, as long as it is one.
    #[inline(always)]
    pub(super) fn token(&self) -> u64 {
        self.token
    }

    /// This participant, if the calling process is still it: not in a forked copy, not after
    /// [`Region::leave`].
    #[inline(always)]
    pub fn id(&self) -> Option<ParticipantId> {
        // SAFETY: see the module.
        let now = unsafe { self.now.as_ref() }.load(Ordering::Relaxed);
        (now == self.token).then_some(self.me.id)
    }

    /// [`id`](Self::id), or the error that names the region.
    ///
    /// # Errors
    /// `WrongProcess`.
    #[inline(always)]
    pub fn check(&self, region: &Region) -> Result<ParticipantId> {
        match self.id() {
            Some(id) => Ok(id),
            None => Err(region.stranger()),
        }
    }
}
