//! The bytes of messages in blocks.
//!
//! # Safety
//!
//! A [`Block`] is PRIVATE to this process: nobody else reads or writes its bytes while it lives, so that they may be
//! borrowed as slices, mutably by who has it mutably.
#![allow(unsafe_code)]

use crate::arena::Block;
use crate::sync::kill;

/// Writes `bytes` into the block, which has as many.
pub fn fill(block: &mut Block<'_>, bytes: &[u8]) {
    let len = bytes.len().min(block.len() as usize);
    kill::point();
    // SAFETY: see the module; `ptr` is valid for `len()` bytes, and the source is private memory.
    unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), block.ptr(), len) };
}

/// The bytes of a block of this process's own, to be written. What they hold at first is left over from messages before.
pub fn contents_mut<'b>(block: &'b mut Block<'_>) -> &'b mut [u8] {
    kill::point();
    // SAFETY: see the module; initialised as all bytes of a mapping are.
    unsafe { core::slice::from_raw_parts_mut(block.ptr(), block.len() as usize) }
}

/// The bytes of a block of this process's own.
pub fn contents<'b>(block: &'b Block<'_>) -> &'b [u8] {
    // SAFETY: see the module.
    unsafe { core::slice::from_raw_parts(block.ptr(), block.len() as usize) }
}
