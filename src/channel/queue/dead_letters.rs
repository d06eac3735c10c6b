//! Messages that were given up.

use super::{Kept, Lease, Memory, Queue};
use crate::channel::errors::GetError;
use crate::channel::message::Message;
use crate::channel::{codec, parcel};
use crate::error::Result;
use crate::ring::frozen::{Frozen, FrozenBytes};
use crate::ring::{CellLease, Taken};

/// A message that came back too often, as [`Queue::dead_letters`] saw it.
#[derive(Debug)]
#[non_exhaustive]
pub struct DeadLetter<T> {
    /// What it says; the error if no value can be made of it, which may be what killed its consumers.
    pub value: Result<T>,
    /// How often it came back; not counted on from 7.
    pub redeliveries: u32,
}

impl<T: Message> Queue<T> {
    /// The dead letters: messages that came back as often as [`dead_letters_after`](super::QueueBuilder::dead_letters_after) says, because a holder
    /// died or gave them back. They are not delivered any more, stay where they are, and are in no particular order.
    ///
    /// While one is looked at, others who ask for dead letters do not see it; killed meanwhile, it is one still.
    /// Cost: a look at each slot and lease cell, and a copy of each dead letter.
    ///
    /// # Errors
    ///
    /// `WrongProcess` if the handle was inherited through a fork.
    ///
    /// # Panics
    ///
    /// If the type's own deserialisation does. [`take_dead_letter`](Self::take_dead_letter) reads in place, without it.
    pub fn dead_letters(&self) -> Result<Vec<DeadLetter<T>>> {
        let me = self.me()?;
        let ring = &self.shared.ring;
        ring.bury_all(me);
        Ok(ring.claim_dead_letters(me).map(|lease| self.look_at(lease)).collect())
    }

    fn look_at(&self, lease: CellLease<'_, Memory>) -> DeadLetter<T> {
        let redeliveries = u32::from(lease.redeliveries());
        let value = match self.hold(Taken::Cell(lease)) {
            Ok(held) => {
                // A panic in here drops the claim: the message goes back, and is a dead letter still.
                let value = codec::view::<T>(held.bytes());
                let value = value.and_then(|value| parcel::own::<T>(&self.shared.domain, &held, value));
                held.lay_down();
                value
            }
            Err(error) => Err(error.into()),
        };
        DeadLetter { value, redeliveries }
    }

    /// Takes one dead letter out of the queue, if there is one, to be read in place. It is consumed when the lease is dropped; given back,
    /// or left by a death, it is a dead letter again.
    ///
    /// # Errors
    ///
    /// `TypeMismatch` if the bytes are not a `T`: then it is **consumed**; `WrongProcess` if the handle was inherited through a fork.
    pub fn take_dead_letter(&self) -> Result<Option<Lease<'_, T>>, GetError> {
        let me = self.me()?;
        self.shared.object.expect_claims();
        let ring = &self.shared.ring;
        ring.bury_all(me);
        let Some(lease) = ring.claim_dead_letters(me).next() else { return Ok(None) };
        let redeliveries = lease.redeliveries();
        let held = self.hold(Taken::Cell(lease))?;
        match Frozen::new(Kept::Claimed(held), |bytes| codec::view::<T>(bytes)) {
            Ok(value) => Ok(Some(Lease::new(value, redeliveries, self))),
            Err((held, _)) => {
                held.release();
                Err(GetError::TypeMismatch)
            }
        }
    }
}
