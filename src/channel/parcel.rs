//! Messages in blocks, with the handles that they carry.

use super::codec;
use super::connection::PipeBody;
use super::domain::Domain;
use super::message::Message;
use super::queue::Held;
use super::transfer::{self, Child, Part};
use crate::arena::{Block, BlockView, ObjectRef};
use crate::error::{Error, ErrorKind, Result};
use crate::ring::blocks;

/// A block with the message and a counted reference to each of its handles.
///
/// An end of a pipe leaves this process here: from now on it belongs to the block.
pub(crate) fn pack<'d>(domain: &'d Domain, bytes: &[u8], children: &[Child]) -> Result<Block<'d>> {
    let mut block = domain.with_room(|| domain.store().alloc(bytes.len() as u64, children.len() as u32))?;
    blocks::fill(&mut block, bytes);
    for (i, child) in children.iter().enumerate() {
        if child.object.arena().region().id() != domain.region().id() {
            return Err(other_arena());
        }
        domain.with_room(|| block.add_child(i as u32, &child.object))?;
    }
    let me = domain.me()?;
    for child in children {
        if let Part::End(end) = child.part {
            PipeBody::of(&child.object)?.ends().send_off(end, me, block.reference())?;
        }
    }
    Ok(block)
}

#[cold]
pub(crate) fn other_arena() -> Error {
    Error::new(ErrorKind::InvalidInput, "handle", "it belongs to another arena than what carries it")
        .hint("create both in one arena: builder().arena(&arena)")
}

/// The value of a claimed message, of its archive.
pub(crate) fn own<T: Message>(domain: &Domain, held: &Held<'_>, value: &T::Archived) -> Result<T> {
    match held.block() {
        Some(block) => with_handles(domain, block, || codec::own(value)),
        None => codec::own(value),
    }
}

/// Takes references of this process's own to the handles in `block` and makes the value.
pub(crate) fn with_handles<T>(
    domain: &Domain,
    block: &BlockView<'_>,
    make: impl FnOnce() -> Result<T>,
) -> Result<T> {
    if block.children() == 0 {
        return make();
    }
    let whole = |object| Child::whole(object);
    transfer::provide(references(domain, block)?.into_iter().map(whole).collect(), make)
}

/// References of this process's own to the handles in a block of its own, which stand for these parts. Ends of pipes are
/// this process's from here on, before the block that carries them goes.
pub(crate) fn children(domain: &Domain, block: &Block<'_>, parts: &[Part]) -> Result<Vec<Child>> {
    let objects = references(domain, &block.view())?;
    if objects.len() != parts.len() {
        return Err(Error::new(ErrorKind::Corrupt, "handle", "the block carries another number of handles"));
    }
    let mut children = Vec::with_capacity(parts.len());
    for (object, part) in objects.into_iter().zip(parts) {
        if let Part::End(end) = *part {
            PipeBody::of(&object)?.ends().take(end, domain.me()?);
        }
        children.push(Child { object, part: *part, socket: None });
    }
    Ok(children)
}

/// References of this process's own to the handles in a block that something keeps.
pub(crate) fn references(domain: &Domain, block: &BlockView<'_>) -> Result<Vec<ObjectRef>> {
    let attach = |i| domain.with_room(|| domain.store().attach_child(block, i));
    (0..block.children()).map(attach).collect()
}
