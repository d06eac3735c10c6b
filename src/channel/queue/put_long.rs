//! Putting what does not fit a slot: written once, where the getter reads it.

use super::Queue;
use crate::arena::Block;
use crate::channel::errors::PutError;
use crate::channel::message::Message;
use crate::channel::transfer::{Child, Part, Scope};
use crate::channel::{codec, parcel};
use crate::error::{Error, ErrorKind};
use crate::prim::limits::Limits;
use crate::ring::blocks;

impl<T: Message> Queue<T> {
    /// A block of this process's own.
    pub(super) fn block(&self, len: usize) -> Result<Block<'_>, PutError> {
        let domain = &self.shared.domain;
        domain.with_room(|| domain.store().alloc(len as u64, 0)).map_err(|error| self.no_block(len, error))
    }

    #[cold]
    pub(super) fn no_block(&self, len: usize, error: Error) -> PutError {
        match error.kind() {
            ErrorKind::TooLarge => {
                PutError::TooLarge { len: len as u64, max: self.shared.domain.region().limit() }
            }
            _ => PutError::Other(error),
        }
    }

    /// A value that is its own archive, and longer than a slot.
    #[cold]
    pub(super) fn put_plain_long(&self, bytes: &[u8], limits: &Limits<'_>) -> Result<(), PutError> {
        if let Some(kernel) = &self.shared.kernel {
            return self.put_to_kernel(kernel, bytes, limits);
        }
        self.check_len(bytes.len())?;
        let mut block = self.block(bytes.len())?;
        blocks::fill(&mut block, bytes);
        self.send(block, limits)
    }

    /// Serialises straight into a block, as long as the messages before were. False: this one is another case.
    pub(super) fn put_in_place(&self, value: &T, limits: &Limits<'_>) -> Result<bool, PutError> {
        let guess = self.shared.guess();
        if guess == 0 {
            return Ok(false);
        }
        // Too long, or no room for as much: this message may be shorter.
        let Ok(mut block) = self.shared.domain.store().alloc(guess as u64, 0) else { return Ok(false) };
        let scope = Scope::open();
        let Some(len) = codec::encode_into(value, blocks::contents_mut(&mut block))? else {
            return Ok(false);
        };
        self.check_len(len)?;
        self.shared.note_len(len);
        let children = scope.take();
        // One that is much shorter is not to keep so much memory while it waits.
        if children.is_empty() && len >= guess / 2 {
            block.truncate(len as u64);
            self.send(block, limits)?;
        } else {
            let bytes = blocks::contents(&block).get(..len).unwrap_or_default();
            self.put_serialised(bytes, &children, limits)?;
        }
        Ok(true)
    }

    /// A message that lies elsewhere.
    pub(super) fn put_serialised(
        &self,
        bytes: &[u8],
        children: &[Child],
        limits: &Limits<'_>,
    ) -> Result<(), PutError> {
        self.check_len(bytes.len())?;
        if children.is_empty() && bytes.len() <= self.shared.ring.room() {
            return self.put_bytes(bytes, limits);
        }
        self.shared.note_len(bytes.len());
        // The caller keeps the value, and an end of a pipe has one owner at a time.
        if children.iter().any(|child| child.part != Part::Whole) {
            return Err(PutError::Other(one_owner()));
        }
        let block = parcel::pack(&self.shared.domain, bytes, children);
        self.send(block.map_err(|error| self.no_block(bytes.len(), error))?, limits)
    }

    /// The message is in the block, which was made before a slot is claimed: nobody waits for our memory.
    fn send(&self, block: Block<'_>, limits: &Limits<'_>) -> Result<(), PutError> {
        let len = block.len();
        let claim = self.claim(limits)?;
        let reference = block.mark_sent(self.shared.object.id(), claim.ticket());
        claim.publish_block(reference, len);
        Ok(())
    }

    fn check_len(&self, len: usize) -> Result<(), PutError> {
        let max = self.shared.max_message;
        if len as u64 > max { Err(PutError::TooLarge { len: len as u64, max }) } else { Ok(()) }
    }
}

#[cold]
fn one_owner() -> Error {
    Error::new(ErrorKind::InvalidInput, "connection", "it has one owner at a time and cannot be a message")
        .hint("give it to a process as an argument")
}
