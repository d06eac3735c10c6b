//! The question that every call asks first: is this still the process that made the handle?
//!
//! # Safety
//!
//! The pointer is to the word of a [`WipedWord`] that the same value keeps mapped.
#![allow(unsafe_code)]

use std::ptr::NonNull;
use std::sync::Arc;

use crate::error::Result;
use crate::layout::ParticipantId;
use crate::region::{Me, Region};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sys::wipe::WipedWord;

/// Who made a handle, and where it says whether that is still true: one load and a comparison.
#[derive(Clone, Debug)]
pub struct Presence {
    word: NonNull<AtomicU64>,
    me: Me,
    /// What the word says while it is true.
    bits: u64,
    _page: Arc<WipedWord>,
}

// SAFETY: an atomic word that stays mapped, see the module.
unsafe impl Send for Presence {}
// SAFETY: as above.
unsafe impl Sync for Presence {}

impl Presence {
    pub(super) fn new(page: Arc<WipedWord>, me: Me) -> Self {
        Self { word: NonNull::from(page.word()), me, bits: me.to_bits(), _page: page }
    }

    /// Who made the handle.
    pub fn me(&self) -> Me {
        self.me
    }

    /// This participant, if the calling process is still it: not in a forked copy, not after
    /// [`Region::leave`].
    #[inline(always)]
    pub fn id(&self) -> Option<ParticipantId> {
        // SAFETY: see the module.
        let now = unsafe { self.word.as_ref() }.load(Ordering::Relaxed);
        (now == self.bits).then_some(self.me.id)
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
