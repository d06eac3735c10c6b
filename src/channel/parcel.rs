//! Messages in blocks, with the handles that they carry.

use super::codec;
use super::domain::Domain;
use super::kind;
use super::message::Message;
use super::queue::Held;
use super::transfer::{self, Child, Part};
use crate::arena::{Block, BlockView};
use crate::error::{Error, ErrorKind, Result};
use crate::ring::blocks;
use crate::ring::frozen::FrozenBytes;
use crate::ring::pipe::PipeMemory;

/// A block with the message and a counted reference to each of its handles.
///
/// An end of a pipe leaves this process here: from now on it belongs to the block.
pub(crate) fn pack<'d>(domain: &'d Domain, bytes: &[u8], children: &[Child]) -> Result<Block<'d>> {
    let mut block = domain.store().alloc(bytes.len() as u64, children.len() as u32)?;
    blocks::fill(&mut block, bytes);
    for (i, child) in children.iter().enumerate() {
        if child.object.arena().region().id() != domain.region().id() {
            return Err(other_arena());
        }
        block.add_child(i as u32, &child.object)?;
    }
    let me = domain.me()?;
    for child in children {
        if let Part::End(end) = child.part {
            PipeMemory::of(&child.object)?.send_off(end, me, block.reference())?;
        }
    }
    Ok(block)
}

#[cold]
fn other_arena() -> Error {
    Error::new(ErrorKind::InvalidInput, "handle", "it belongs to another arena than what carries it")
        .hint("create both in one arena: builder().arena(&arena)")
}

/// The value of a claimed message.
pub(crate) fn open<T: Message>(domain: &Domain, held: &Held<'_>) -> Result<T> {
    let value = codec::view::<T>(held.bytes())?;
    own(domain, held, value)
}

/// The value of a claimed message whose archive was found already.
pub(crate) fn own<T: Message>(domain: &Domain, held: &Held<'_>, value: &T::Archived) -> Result<T> {
    match held.block() {
        Some(block) => with_handles(domain, block, || codec::own(value)),
        None => codec::own(value),
    }
}

/// Takes references of this process's own to the handles in `block` and makes the value.
fn with_handles<T>(domain: &Domain, block: &BlockView<'_>, make: impl FnOnce() -> Result<T>) -> Result<T> {
    if block.children() == 0 {
        return make();
    }
    transfer::provide(references(domain, block)?, make)
}

/// References of this process's own to the handles in a block of its own. An end of a pipe that travels in it must be
/// taken (by making its handle) before the block is dropped.
pub(crate) fn children(domain: &Domain, block: &Block<'_>) -> Result<Vec<Child>> {
    let children = references(domain, &block.view())?;
    for child in &children {
        if let Part::End(end) = child.part {
            PipeMemory::of(&child.object)?.take(end, domain.me()?);
        }
    }
    Ok(children)
}

fn references(domain: &Domain, block: &BlockView<'_>) -> Result<Vec<Child>> {
    let mut children = Vec::with_capacity(block.children() as usize);
    for i in 0..block.children() {
        let object = domain.store().attach_child(block, i)?;
        let part = part_of(&object, block.reference())?;
        children.push(Child { object, part });
    }
    Ok(children)
}

/// Which part of the object travels in this block: of a pipe, the end that names the block as its carrier.
fn part_of(object: &crate::arena::ObjectRef, carrier: u64) -> Result<Part> {
    if object.kind() != kind::PIPE {
        return Ok(Part::Whole);
    }
    Ok(match PipeMemory::of(object)?.carried_by(carrier) {
        Some(end) => Part::End(end),
        None => Part::Whole,
    })
}
