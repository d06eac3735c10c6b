//! Putting.

use super::{BufferedQueue, Client};
use crate::channel::errors::PutError;
use crate::channel::message::Message;
use crate::channel::queue::Memory;
use crate::channel::transfer::{Child, Part, Scope};
use crate::channel::{codec, parcel};
use crate::error::{Error, ErrorKind};
use crate::layout::ParticipantId;
use crate::prim::limits::Limits;
use crate::ring::PutClaim;
use crate::ring::plain::plain_bytes;
use crate::ring::series::View;
use crate::sync::atomic::Ordering::Relaxed;

/// A process compares what it put in blocks with the limit each time that it has put such a part of the limit.
const LIMIT_PARTS: u64 = 16;

impl<T: Message> BufferedQueue<T> {
    /// Puts a message. It never waits for room.
    ///
    /// When it returns `Ok`, the message is in the queue, whatever happens to this process. Killed before that,
    /// it is in the queue whole, or not at all.
    ///
    /// Cost: one atomic read-modify-write and the copy of the message; a message that does not fit its slot takes
    /// a block of the arena (one more). Once a segment: its making, some microseconds.
    ///
    /// # Errors
    ///
    /// `Closed`; `Limit` if [a limit](super::BufferedQueueBuilder::limit) is reached; `TooLarge`; `Other` (the arena is full, the
    /// value cannot be serialised, the handle was inherited through a fork).
    ///
    /// # Panics
    ///
    /// If the type's own serialisation does.
    pub fn put(&self, value: &T) -> Result<(), PutError> {
        self.put_quietly(value)?;
        self.shared.not_empty().notify(1);
        Ok(())
    }

    /// Puts it, and wakes nobody.
    #[inline]
    pub(super) fn put_quietly(&self, value: &T) -> Result<(), PutError> {
        match plain_bytes(value) {
            Some(bytes) if bytes.len() <= self.shared.plain_room => self.put_bytes(bytes),
            _ => self.put_encoded(value),
        }
    }

    /// Everything that has to be serialised. Nothing is claimed while user code runs.
    fn put_encoded(&self, value: &T) -> Result<(), PutError> {
        let scope = Scope::open();
        codec::encode(value, |bytes| {
            let children = scope.take();
            if bytes.len() as u64 > self.shared.max_message {
                return Err(PutError::TooLarge { len: bytes.len() as u64, max: self.shared.max_message });
            }
            if children.is_empty() && bytes.len() <= self.shared.structure.geometry.room as usize {
                return self.put_bytes(bytes);
            }
            self.put_block(bytes, &children)
        })?
    }

    #[inline]
    fn put_bytes(&self, bytes: &[u8]) -> Result<(), PutError> {
        let me = self.me()?;
        let mut client = self.clients.take();
        let answer = self.put_claimed(&mut client, me, |mut claim, _| {
            if let Some(room) = claim.bytes_mut().get_mut(..bytes.len()) {
                room.copy_from_slice(bytes);
            }
            claim.store_inline(bytes.len());
        });
        self.clients.give(client);
        answer
    }

    /// The message goes into a block, made before a slot is claimed: nobody waits for our memory.
    fn put_block(&self, bytes: &[u8], children: &[Child]) -> Result<(), PutError> {
        // The caller keeps the value, and an end of a pipe has one owner at a time.
        if children.iter().any(|child| child.part != Part::Whole) {
            return Err(PutError::Other(one_owner()));
        }
        let me = self.me()?;
        let (domain, len) = (&self.shared.structure.domain, bytes.len() as u64);
        let mut client = self.clients.take();
        let answer = self.check_limit(&mut client, len).and_then(|()| {
            let block = parcel::pack(domain, bytes, children).map_err(|error| match error.kind() {
                ErrorKind::TooLarge => PutError::TooLarge { len, max: domain.region().limit() },
                _ => PutError::Other(error),
            })?;
            self.put_claimed(&mut client, me, |claim, view| {
                let reference = block.mark_sent(view.id, claim.ticket());
                claim.store_block(reference, len);
            })
        });
        self.clients.give(client);
        answer
    }

    /// Claims a slot and has it filled and published.
    #[inline]
    fn put_claimed(
        &self,
        client: &mut Client,
        me: ParticipantId,
        publish: impl FnOnce(PutClaim<'_, Memory>, &View<Memory>),
    ) -> Result<(), PutError> {
        loop {
            if let Some(view) = &client.put
                && let Ok(claim) = view.ring.claim_put(&view.cursor, me)
            {
                publish(claim, view);
                return Ok(());
            }
            // Full, sealed, or none yet.
            self.go_on(client)?;
        }
    }

    /// To the last segment; behind it, if this client knows it, and there was no room.
    #[cold]
    fn go_on(&self, client: &mut Client) -> Result<(), PutError> {
        // For a stopped owner of the lock it waits: there is nothing else to do with the message.
        let locked = self.shared.structure.lock(&Limits::NONE).ok_or_else(super::interrupted)?;
        if locked.is_closed() {
            drop(locked);
            // Getters may have met the claim that was just refused, and wait for what becomes of it.
            self.shared.not_empty().notify(u32::MAX);
            return Err(PutError::Closed);
        }
        let last = locked.last()?;
        let next = match &client.put {
            Some(view) if view.id == last => locked.grow()?,
            _ => locked.view(last)?,
        };
        drop(locked);
        // What is let go of is dropped here, and not under the lock: it may be the last of a segment.
        client.put = Some(next);
        Ok(())
    }

    /// Compares with the limit, if there is one, now and then; see [`super::BufferedQueueBuilder::limit`].
    fn check_limit(&self, client: &mut Client, len: u64) -> Result<(), PutError> {
        let structure = &self.shared.structure;
        let (limit, part) = (structure.limit, structure.limit / LIMIT_PARTS);
        client.unchecked = client.unchecked.saturating_add(len);
        if limit == 0 || client.unchecked <= part {
            return Ok(());
        }
        if client.put.is_none() {
            self.go_on(client)?;
        }
        let here = client.put.as_ref().map_or(0, |view| view.ring.bytes_in_blocks());
        let used = structure.body.bytes.load(Relaxed) + structure.geometry.body_len() + here;
        if used.saturating_add(len) > limit {
            // Nothing was put: the next one is compared again all the same.
            return Err(PutError::Limit { used, limit });
        }
        if used.saturating_add(len).saturating_add(part) <= limit {
            client.unchecked = 0;
        }
        Ok(())
    }
}

#[cold]
fn one_owner() -> Error {
    Error::new(ErrorKind::InvalidInput, "connection", "it has one owner at a time and cannot be a message")
        .hint("give it to a process as an argument")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::atomic::Ordering::Acquire;

    #[test]
    fn a_refused_put_tells_those_that_may_have_met_its_claim() {
        let q = BufferedQueue::<u64>::builder().segment(2).build().expect("queue");
        q.put(&1).expect("put");
        q.close().expect("close");
        let watch = q.shared.not_empty().watch(|| true).expect("asked to sleep");
        assert!(q.put(&2).is_err_and(|error| error.is_closed()));
        assert_ne!(q.shared.structure.body.not_empty.load(Acquire), watch.expected, "nobody told them");
    }
}
