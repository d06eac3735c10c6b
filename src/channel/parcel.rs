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
    add(domain, &block, children)?;
    let me = domain.me()?;
    for child in children {
        if let Part::End(end) = child.part {
            PipeBody::of(&child.object)?.ends().send_off(end, me, block.reference())?;
        }
    }
    Ok(block)
}

/// Adds a counted reference to each of these handles to a block that was taken for as many.
///
/// # Errors
/// `InvalidInput` if one is of another arena; those of the arena.
pub(crate) fn add(domain: &Domain, block: &Block<'_>, children: &[Child]) -> Result<()> {
    for (i, child) in (0..).zip(children) {
        if child.object.arena().region().id() != domain.region().id() {
            return Err(other_arena());
        }
        domain.with_room(|| block.add_child(i, &child.object))?;
    }
    Ok(())
}

/// [`add`], of handles in a value that becomes shared data, which has any number of readers.
///
/// # Errors
/// As of [`add`]; `InvalidInput` if one is the end of a connection.
pub(crate) fn add_shared(domain: &Domain, block: &Block<'_>, children: &[Child]) -> Result<()> {
    if children.iter().any(|child| child.part != Part::Whole) {
        return Err(one_owner());
    }
    add(domain, block, children)
}

#[cold]
fn one_owner() -> Error {
    Error::new(ErrorKind::InvalidInput, "connection", "it has one owner at a time and cannot be shared data")
        .hint("give it to a process as an argument")
}

#[cold]
fn other_arena() -> Error {
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
    transfer::provide(whole(domain, block)?, make)
}

/// References of this process's own to the handles in a block that something keeps, each of which is a whole object.
pub(crate) fn whole(domain: &Domain, block: &BlockView<'_>) -> Result<Vec<Child>> {
    Ok(references(domain, block)?.into_iter().map(Child::whole).collect())
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
