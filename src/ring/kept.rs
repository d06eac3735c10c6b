//! A claimed message together with its ring, for who cannot borrow the ring as long.
//!
//! # Safety
//!
//! As for a claim that borrows its ring ([`super::held`]): while it lives nobody else changes the slot, the cell or the block
//! that it names. The ring, which somebody keeps, keeps the memory of its slots; the arena, which the lease keeps, keeps all of it
//! mapped.
#![allow(unsafe_code)]

use std::mem::{self, ManuallyDrop};
use std::sync::{Arc, Weak};

use super::cells::CellLease;
use super::frozen::FrozenBytes;
use super::get::{GetClaim, Message, Taken};
use super::held::{Held, lost};
use super::memory::RingMemory;
use super::mpmc::Ring;
use crate::arena::Arena;
use crate::error::Result;

/// Where a message is claimed.
#[derive(Clone, Copy, Debug)]
enum Place {
    Slot(u64),
    Cell(u32),
}

impl Place {
    fn of<M: RingMemory>(self, ring: &Ring<M>) -> Taken<'_, M> {
        match self {
            Self::Slot(position) => Taken::Slot(GetClaim { ring, position }),
            Self::Cell(cell) => Taken::Cell(CellLease { ring, cell }),
        }
    }
}

/// A claim that keeps its ring. Dropped, it goes back, marked as redelivered.
///
/// In a forked child it must not be dropped but forgotten: the claim is its parent's.
#[must_use]
pub struct Kept<M: RingMemory> {
    /// `None`: handed on.
    place: Option<Place>,
    ring: Arc<Ring<M>>,
}

impl<M: RingMemory> Kept<M> {
    /// Keeps a claim in `ring`. `None`: it is one in another ring, and goes back.
    pub fn new(ring: &Arc<Ring<M>>, taken: Taken<'_, M>) -> Option<Self> {
        let (of, place) = match &taken {
            Taken::Slot(claim) => (claim.ring, Place::Slot(claim.position)),
            Taken::Cell(lease) => (lease.ring, Place::Cell(lease.cell)),
        };
        if !std::ptr::eq(of, &raw const **ring) {
            return None;
        }
        mem::forget(taken);
        Some(Self { place: Some(place), ring: ring.clone() })
    }

    /// The ring.
    pub fn ring(&self) -> &Arc<Ring<M>> {
        &self.ring
    }

    /// The claim, to be looked at only.
    fn look(&self) -> Option<ManuallyDrop<Taken<'_, M>>> {
        self.place.map(|place| ManuallyDrop::new(place.of(&self.ring)))
    }

    /// Hands the claim to `f`, and then lets go of the ring. `None`: it was handed on before.
    pub fn give<R>(mut self, f: impl FnOnce(Taken<'_, M>) -> R) -> Option<R> {
        let place = self.place.take()?;
        Some(f(place.of(&self.ring)))
    }
}

impl<M: RingMemory> Drop for Kept<M> {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            drop(place.of(&self.ring));
        }
    }
}

/// A leased message with its bytes, wherever they lie. It does not keep its ring: **whoever leases keeps that until the lease
/// is gone**, and lets it go with the last handle, so that a lease which was forgotten ends then. Dropped without
/// [`release`](Self::release) it goes back, marked as redelivered.
///
/// In a forked child it must not be dropped but forgotten: the claim is its parent's.
#[must_use]
pub struct Leased<M: RingMemory> {
    /// `None`: handed on.
    place: Option<Place>,
    ring: Weak<Ring<M>>,
    /// What names the message's block, if it has one.
    block: Option<u64>,
    arena: Arc<Arena>,
}

impl<M: RingMemory> Leased<M> {
    /// Looks up the message's block, if it has one.
    ///
    /// # Errors
    /// `Corrupt` if the block that the message names does not live, as [`Held::new`].
    pub fn new(mut kept: Kept<M>, arena: &Arc<Arena>) -> Result<Self> {
        let block = match kept.look().map(|taken| taken.message()) {
            Some(Message::Block { reference, .. }) => Some(reference),
            _ => None,
        };
        match block {
            Some(reference) if arena.block(reference).is_none() => {
                kept.give(|taken| taken.store_commit());
                Err(lost(reference))
            }
            _ => Ok(Self {
                place: kept.place.take(),
                ring: Arc::downgrade(&kept.ring),
                block,
                arena: arena.clone(),
            }),
        }
    }

    /// Shows the claim to `f`. `None`: it was handed on before.
    fn look<R>(&self, f: impl FnOnce(&Taken<'_, M>) -> R) -> Option<R> {
        let (ring, place) = (self.ring.upgrade()?, self.place?);
        Some(f(&ManuallyDrop::new(place.of(&ring))))
    }

    /// How often it was claimed and came back before; wraps from 7 to 1.
    pub fn redeliveries(&self) -> u8 {
        self.look(|taken| taken.redeliveries()).unwrap_or_default()
    }

    /// The ring.
    pub fn ring(&self) -> Option<Arc<Ring<M>>> {
        self.ring.upgrade()
    }

    fn held<'q>(&'q self, ring: &'q Ring<M>) -> Option<Held<'q, M>> {
        let block = self.block.and_then(|reference| self.arena.block(reference));
        Some(Held::of(self.place?.of(ring), block))
    }

    /// Shows the message to `f`. `None`: it was handed on before.
    pub fn with<R>(&self, f: impl FnOnce(&Held<'_, M>) -> R) -> Option<R> {
        let ring = self.ring.upgrade()?;
        let held = ManuallyDrop::new(self.held(&ring)?);
        Some(f(&held))
    }

    /// The message is consumed: the commit, then the memory. Tells nobody that a slot is free.
    pub fn release(mut self) {
        if let Some(ring) = self.ring.upgrade() {
            if let Some(held) = self.held(&ring) {
                held.release_quietly();
            }
            self.place = None;
        }
    }
}

impl<M: RingMemory> Drop for Leased<M> {
    fn drop(&mut self) {
        if let (Some(place), Some(ring)) = (self.place.take(), self.ring.upgrade()) {
            drop(place.of(&ring));
        }
    }
}

// SAFETY: see the module; the claim holds no bytes itself, so that moving it moves none.
unsafe impl<M: RingMemory> FrozenBytes for Leased<M> {
    fn bytes(&self) -> &[u8] {
        let block = self.block.map(|reference| self.arena.block(reference));
        match (block, self.look(|taken| taken.message())) {
            // SAFETY: as above; within the block by its own bounds.
            (Some(Some(block)), _) => unsafe {
                core::slice::from_raw_parts(block.ptr(), block.len() as usize)
            },
            // SAFETY: as above; within the payload.
            (None, Some(Message::Inline { ptr, len })) => unsafe { core::slice::from_raw_parts(ptr, len) },
            _ => &[],
        }
    }
}
