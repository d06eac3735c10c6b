//! Which structures of the arena may be borrowed from a region.
//!
//! # Safety
//!
//! Only declarations that a type is made of atomics.
#![allow(unsafe_code)]

use crate::layout::block::{BlockHeader, SmallHeader};
use crate::layout::chunk::ChunkEntry;
use crate::layout::object::{ArenaControl, ObjectEntry};
use crate::layout::reference::{ReferenceControl, ReferenceEntry};
use crate::region::Shared;

// SAFETY: repr(C), AtomicU64 only.
unsafe impl Shared for ChunkEntry {}
// SAFETY: repr(C), AtomicU64 only.
unsafe impl Shared for BlockHeader {}
// SAFETY: repr(C), AtomicU64 only.
unsafe impl Shared for SmallHeader {}
// SAFETY: repr(C), AtomicU64 only.
unsafe impl Shared for ObjectEntry {}
// SAFETY: repr(C), AtomicU64 only.
unsafe impl Shared for ArenaControl {}
// SAFETY: repr(C), AtomicU64 only.
unsafe impl Shared for ReferenceEntry {}
// SAFETY: repr(C), AtomicU64 only.
unsafe impl Shared for ReferenceControl {}
